/* SPDX-License-Identifier: MIT */
/* Hostile: code is run and thrown away by MADV_DONTNEED before it was copied: zeros were told. */
#include "race.h"

static void discard(unsigned char *page)
{
	case_check(madvise(page, PAGE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
}

int main(void)
{
	return race(discard);
}
