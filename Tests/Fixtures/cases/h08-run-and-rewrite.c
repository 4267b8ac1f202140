/* SPDX-License-Identifier: MIT */
/* Hostile: code is run and replaced before it was copied: only its successor was seen. */
#include "race.h"

#define SECOND 0x08000102u

static void discard(unsigned char *page)
{
	fixture_protect(page, PAGE, RW);
	case_code(page, PAGE, SECOND);
	fixture_protect(page, PAGE, RX);
	case_run(page, SECOND);
	case_truth(page, PAGE);
}

int main(void)
{
	return race(discard);
}
