/* SPDX-License-Identifier: MIT */
/* PROT_GROWSDOWN: one page of the stack is named, everything below it becomes executable. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "fixture.h"

int main(void)
{
	volatile unsigned char room[64 * 4096];
	uintptr_t low = ((uintptr_t)room + 4095) & ~4095UL;
	uintptr_t high = ((uintptr_t)room + sizeof(room) - 4096) & ~4095UL;

	memset((void *)room, 0x90, sizeof(room));
	memcpy((void *)low, fixture_return_42, sizeof(fixture_return_42));
	fixture_protect((void *)high, 4096, PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN);
	printf("%d\n", ((int (*)(void))low)());
	fixture_tell((void *)low, 4096);
	return 0;
}
