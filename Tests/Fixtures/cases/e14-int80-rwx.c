/* SPDX-License-Identifier: MIT */
/* E14: mmap2 by int 0x80 in a 64-bit process, RWX at once. */
#include "int80.h"

int main(void)
{
	unsigned char *code = int80_map(PAGE, RWX);

	case_code(code, PAGE, 0x14000002);
	case_run(code, 0x14000002);
	case_truth(code, PAGE);
	return case_end();
}
