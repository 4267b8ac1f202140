/* SPDX-License-Identifier: MIT */
/* E03: RW, then R, then RX: no call ever sees W and X together or one after the other. */
#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(2 * PAGE, RW);

	case_code(code, PAGE + 13, 0x03000001);
	fixture_protect(code, 2 * PAGE, R);
	fixture_protect(code, 2 * PAGE, RX);
	case_run(code, 0x03000001);
	case_truth(code, PAGE + 13);
	return case_end();
}
