/* SPDX-License-Identifier: MIT */
/* Calls that ask for execution and fail, with arguments from sloppy to absurd (E25). */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"

static void tell(const char *call, uintptr_t address, size_t length, int failed)
{
	if (!failed)
		fixture_fail(call);
	printf("attempt %s %#lx %#zx %d\n", call, (unsigned long)address, length, errno);
}

int main(void)
{
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
	char *page = fixture_map(4096, PROT_READ | PROT_WRITE);
	struct {
		uintptr_t address;
		size_t length;
	} ranges[] = {
		{(uintptr_t)page + 1, 4096},          /* not aligned */
		{(uintptr_t)page, SIZE_MAX},          /* wraps around */
		{UINTPTR_MAX & ~0xfffUL, 4096},       /* the last page of all */
		{0x7ffffffff000UL, 0x1000000},        /* across the end of user space */
		{0, (size_t)1 << 47},                 /* everything: mostly holes */
	};

	for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		tell("mprotect", ranges[i].address, ranges[i].length,
		     mprotect((void *)ranges[i].address, ranges[i].length, PROT_EXEC) != 0);
	tell("mmap", 0, 0, mmap(NULL, 0, PROT_EXEC, anonymous, -1, 0) == MAP_FAILED);
	tell("mmap", 0, SIZE_MAX, mmap(NULL, SIZE_MAX, PROT_EXEC, anonymous, -1, 0) == MAP_FAILED);
	tell("mmap", 0, 4096, mmap(NULL, 4096, PROT_EXEC, MAP_PRIVATE, 12345, 0) == MAP_FAILED);
	return 0;
}
