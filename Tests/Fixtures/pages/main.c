/* SPDX-License-Identifier: MIT */
/*
 * One mprotect over regions of three different protections, with an unaligned length; then
 * munmap of the middle, MAP_FIXED over the end, and back to RW. Prints each step's truth.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "fixture.h"

int main(void)
{
	char *base = fixture_map(6 * 4096, PROT_READ | PROT_WRITE);

	for (int i = 0; i < 6; i++)
		memset(base + i * 4096, 0x10 + i, 4096);
	fixture_protect(base + 2 * 4096, 2 * 4096, PROT_READ);
	fixture_protect(base + 4 * 4096, 2 * 4096, PROT_READ | PROT_EXEC);
	fixture_tell(base + 4 * 4096, 2 * 4096);
	/* rw- rw- r-- r-- r-x r-x, and a length that ends one byte into the last page */
	fixture_protect(base, 5 * 4096 + 1, PROT_READ | PROT_EXEC);
	fixture_tell(base, 2 * 4096);
	fixture_tell(base + 2 * 4096, 2 * 4096);
	if (munmap(base + 4096, 4096) != 0)
		fixture_fail("munmap");
	printf("gone %p 4096\n", (void *)(base + 4096));
	if (mmap(base + 5 * 4096, 4096, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		fixture_fail("mmap");
	printf("replaced %p 4096\n", (void *)(base + 5 * 4096));
	fixture_protect(base, 4096, PROT_READ | PROT_WRITE);
	printf("lowered %p 4096\n", (void *)base);
	return 0;
}
