/* SPDX-License-Identifier: MIT */
/* E04: mapped RWX while empty, written and run once, and never a call again but the end. */
#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RWX);

	case_code(code, 300, 0x04000011);
	case_run(code, 0x04000011);
	case_truth(code, 300);
	return case_end();
}
