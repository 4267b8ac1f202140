/* SPDX-License-Identifier: MIT */
/* E19: a page of the stack made executable by mprotect, and written again afterwards. */
#include "case.h"

int main(void)
{
	unsigned char code[PAGE] __attribute__((aligned(4096)));

	case_code(code, PAGE, 0x19000002);
	fixture_protect(code, PAGE, RWX);
	case_run(code, 0x19000002);
	case_truth(code, PAGE);
	case_code(code + 128, 256, 0x19000003);
	case_run(code + 128, 0x19000003);
	case_truth(code + 128, 256);
	return case_end();
}
