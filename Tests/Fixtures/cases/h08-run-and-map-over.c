/* SPDX-License-Identifier: MIT */
/* Hostile: code is run, and empty memory is mapped over it before it was copied. */
#include "race.h"

static void discard(unsigned char *page)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

	case_check(mmap(page, PAGE, RW, flags, -1, 0) == page, "MAP_FIXED");
}

int main(void)
{
	return race(discard);
}
