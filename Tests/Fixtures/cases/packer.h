/* SPDX-License-Identifier: MIT */
/* packer.h - what R12 and the program that encrypts its layers (pack.c) have in common. */
#ifndef HUSK_PACKER_H
#define HUSK_PACKER_H

#include <stdint.h>

#define PACKER_SEED 0x4c000001u

/* What the first layer is called with; it hands seed and file on to the second. */
struct packer_order {
	const uint64_t *sealed;	      /* the second layer, encrypted */
	const unsigned char *unpacked; /* where it is, once it is */
	uint32_t seed;
	int32_t file; /* where the second layer writes its text */
};

/* The keystream: 64 bits at a time, by an xorshift that the first layer has, too. */
static inline uint64_t packer_next(uint64_t state)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

#endif
