/* SPDX-License-Identifier: MIT */
/* big MIB: one region, every page different, made executable by one call. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "fixture.h"

int main(int argc, char **argv)
{
	size_t length = (size_t)(argc > 1 ? atoi(argv[1]) : 16) << 20;
	uint64_t *words = fixture_map(length, PROT_READ | PROT_WRITE);

	for (size_t i = 0; i < length / 8; i++)
		words[i] = i * 0x9E3779B97F4A7C15u;
	fixture_protect(words, length, PROT_READ | PROT_EXEC);
	fixture_tell(words, length);
	return 0;
}
