/* SPDX-License-Identifier: MIT */
/*
 * R29: code is written and run in rounds in two pages of 2 MiB from the pool that are RWX, and in
 * one that is asked for by fewer bytes than it has.
 */
#define _GNU_SOURCE
#include "rounds.h"

#define HUGE ((size_t)2 << 20)
#define ROUNDS 10
#define LENGTH (PAGE - 100)

static uint32_t number = 0x5d100000;

static void rounds(unsigned char *code)
{
	rounds_run(code, code, LENGTH, ROUNDS, &number);
}

static unsigned char *map(size_t length)
{
	unsigned char *made =
		mmap(NULL, length, RWX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

	if (made == MAP_FAILED)
		case_skip("no huge page in the pool");
	return made;
}

int main(void)
{
	unsigned char *two = map(2 * HUGE), *small = map(PAGE);

	rounds(two);
	rounds(two + HUGE - PAGE);
	rounds(two + HUGE + 5 * PAGE);
	rounds(small);
	rounds(small + HUGE - PAGE);
	return case_end();
}
