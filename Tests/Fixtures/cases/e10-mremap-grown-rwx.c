/* SPDX-License-Identifier: MIT */
/* E10: RWX memory grows, and the code is written into the part that is new. */
#define _GNU_SOURCE
#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RWX);

	case_code(code, PAGE, 0x10000003);
	case_run(code, 0x10000003);
	case_truth(code, PAGE);
	code = mremap(code, PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	case_check(code != MAP_FAILED, "mremap");
	case_code(code + 2 * PAGE, PAGE + 50, 0x10000004);
	case_run(code + 2 * PAGE, 0x10000004);
	case_truth(code + 2 * PAGE, PAGE + 50);
	return case_end();
}
