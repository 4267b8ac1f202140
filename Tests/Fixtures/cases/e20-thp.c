/* SPDX-License-Identifier: MIT */
/* E20: a transparent huge page made executable, whole. */
#define _GNU_SOURCE
#include "case.h"

#define HUGE ((size_t)2 << 20)

int main(void)
{
	unsigned char *room = fixture_map(2 * HUGE, RW);
	unsigned char *code = (unsigned char *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));

	if (madvise(code, HUGE, MADV_HUGEPAGE) != 0)
		case_skip("no transparent huge pages");
	case_code(code, HUGE, 0x20000005);
	fixture_protect(code, HUGE, RX);
	case_run(code, 0x20000005);
	case_truth(code, HUGE);
	return case_end();
}
