/* SPDX-License-Identifier: MIT */
/* E14: mmap2 and mprotect by int 0x80 in a 64-bit process; the code runs in 64-bit mode. */
#include "int80.h"

int main(void)
{
	unsigned char *code = int80_map(2 * PAGE, RW);

	case_code(code, PAGE + 321, 0x14000001);
	case_check(int80(I386_MPROTECT, (uintptr_t)code, 2 * PAGE, RX, 0, 0) == 0, "mprotect");
	case_run(code, 0x14000001);
	case_truth(code, PAGE + 321);
	return case_end();
}
