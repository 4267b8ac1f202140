/* SPDX-License-Identifier: MIT */
/* E20: one small page in the middle of a transparent huge page made executable. */
#define _GNU_SOURCE
#include "case.h"

#define HUGE ((size_t)2 << 20)

int main(void)
{
	unsigned char *room = fixture_map(2 * HUGE, RW);
	unsigned char *huge = (unsigned char *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));
	unsigned char *code = huge + HUGE / 2;

	if (madvise(huge, HUGE, MADV_HUGEPAGE) != 0)
		case_skip("no transparent huge pages");
	case_code(code, PAGE, 0x20000006);
	fixture_protect(code, PAGE, RX);
	case_run(code, 0x20000006);
	case_truth(code, PAGE);
	return case_end();
}
