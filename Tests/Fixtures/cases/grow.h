/* SPDX-License-Identifier: MIT */
/* grow.h - a mapping that grows downwards, with nothing below it for 64 MiB (E20). */
#ifndef HUSK_GROW_H
#define HUSK_GROW_H

#include "case.h"

#define FREE ((size_t)64 << 20)

static unsigned char *grow_map(int protection)
{
	unsigned char *free_range = fixture_map(FREE, PROT_NONE), *top = free_range + FREE - PAGE;

	case_check(munmap(free_range, FREE) == 0, "munmap");
	top = mmap(top, PAGE, protection,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
	case_check(top != MAP_FAILED, "mmap MAP_GROWSDOWN");
	return top;
}

#endif
