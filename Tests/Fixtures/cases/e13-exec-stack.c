/* SPDX-License-Identifier: MIT */
/* E13: an executable stack, made by execve. */
/* build: -Wl,-z,execstack */
#include "case.h"

int main(void)
{
	unsigned char code[512];

	case_code(code, sizeof(code), 0x13000003);
	case_run(code, 0x13000003);
	case_truth(code, sizeof(code));
	return case_end();
}
