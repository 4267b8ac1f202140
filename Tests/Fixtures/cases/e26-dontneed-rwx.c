/* SPDX-License-Identifier: MIT */
/* E26: RWX memory is written, runs, and is thrown away by the only call; three times. */
#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RWX);

	for (uint32_t i = 1; i <= 3; i++) {
		case_code(code, 800, 0x26000010 + i);
		case_truth(code, 800);
		case_run(code, 0x26000010 + i);
		case_check(madvise(code, PAGE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	}
	return case_end();
}
