/* SPDX-License-Identifier: MIT */
/* E26: r-x memory is thrown away as soon as it has run. */
#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(2 * PAGE, RW);

	case_code(code, 2 * PAGE, 0x26000001);
	case_truth(code, 2 * PAGE);
	fixture_protect(code, 2 * PAGE, RX);
	case_run(code, 0x26000001);
	case_check(madvise(code, 2 * PAGE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	return case_end();
}
