/* SPDX-License-Identifier: MIT */
/* E10: executable memory is moved to a chosen address and runs there again. */
#define _GNU_SOURCE
#include "case.h"

int main(void)
{
	unsigned char *code = case_classic(2 * PAGE, 0x10000001);
	unsigned char *place = fixture_map(2 * PAGE, PROT_NONE);

	place = mremap(code, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	case_check(place != MAP_FAILED, "mremap");
	case_run(place, 0x10000001);
	case_truth(place, 2 * PAGE);
	return case_end();
}
