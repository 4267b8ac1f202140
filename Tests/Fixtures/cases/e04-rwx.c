/* SPDX-License-Identifier: MIT */
/* E04: mapped RWX while empty; three generations are written and run without any call. */
#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(2 * PAGE, RWX);

	for (uint32_t i = 1; i <= 3; i++) {
		case_code(code, 2 * PAGE - 100 * i, 0x04000000 + i);
		case_run(code, 0x04000000 + i);
		case_truth(code, 2 * PAGE - 100 * i);
	}
	return case_end();
}
