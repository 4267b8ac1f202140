/* SPDX-License-Identifier: MIT */
/* Hostile: code is run and unmapped before it was copied: there was nothing left to copy. */
#include "race.h"

static void discard(unsigned char *page)
{
	case_check(munmap(page, PAGE) == 0, "munmap");
}

int main(void)
{
	return race(discard);
}
