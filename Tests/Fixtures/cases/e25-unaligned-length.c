/* SPDX-License-Identifier: MIT */
/* E25: a length of 5000 is two whole pages; code beyond the 5000 runs. */
#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(2 * PAGE, RW);

	case_code(code, PAGE + 3000, 0x25000011);
	case_code(code + 2 * PAGE - 512, 512, 0x25000012);
	fixture_protect(code, 5000, RX);
	case_run(code + 2 * PAGE - 512, 0x25000012);
	case_truth(code, 2 * PAGE);
	return case_end();
}
