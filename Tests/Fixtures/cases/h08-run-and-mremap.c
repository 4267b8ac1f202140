/* SPDX-License-Identifier: MIT */
/* Hostile: code is run and moved away before it was copied, and runs again where it is then. */
#define _GNU_SOURCE
#include "race.h"

static unsigned char *place;

static void discard(unsigned char *page)
{
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;

	case_check(mremap(page, PAGE, PAGE, flags, place) == place, "mremap");
	case_run(place, RACE_RESULT);
	case_truth(place, PAGE);
}

int main(void)
{
	place = fixture_map(PAGE, PROT_NONE);
	return race(discard);
}
