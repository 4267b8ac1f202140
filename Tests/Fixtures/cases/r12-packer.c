/* SPDX-License-Identifier: MIT */
/*
 * R12: a packer with two layers. This program has both as encrypted data only. It decrypts the
 * first into RWX memory; that maps RWX memory of its own, decrypts the second into it and jumps
 * into its middle. Also tells, for the tree of what unpacked what:
 *
 *     layer NUMBER 0xREGION LENGTH entry 0xENTRY
 */
#include <stdio.h>
#include <string.h>

#include "case.h"
#include "packed.h"
#include "packer.h"

static void unpacked(const void *code, size_t length, const char *hash)
{
	char got[65];

	fixture_sha256(code, length, got);
	case_check(strcmp(got, hash) == 0, "what was unpacked");
	case_truth(code, length);
}

int main(void)
{
	struct packer_order order = {layer2_sealed, NULL, PACKER_SEED, 1};
	unsigned char *layer1 = fixture_map(PAGE, RWX);
	uint64_t key = LAYER1_KEY;

	/* Between the layers, or the kernel would make one mapping of their two. */
	fixture_map(PAGE, PROT_NONE);
	for (size_t i = 0; i < sizeof(layer1_sealed) / 8; i++) {
		uint64_t word = layer1_sealed[i] ^ (key = packer_next(key));

		memcpy(layer1 + 8 * i, &word, 8);
	}
	case_check(((uint32_t(*)(struct packer_order *))(layer1 + LAYER1_ENTRY))(&order) ==
			   LAYER2_RESULT,
		   "what the second layer returned");
	unpacked(layer1, LAYER1_LENGTH, LAYER1_SHA256);
	unpacked(order.unpacked, LAYER2_LENGTH, LAYER2_SHA256);
	printf("layer 1 %p %zu entry %p\n", (void *)layer1, PAGE, (void *)(layer1 + LAYER1_ENTRY));
	printf("layer 2 %p %d entry %p\n", (const void *)order.unpacked, LAYER2_REGION,
	       (const void *)(order.unpacked + LAYER2_ENTRY));
	fflush(stdout);
	return case_end();
}
