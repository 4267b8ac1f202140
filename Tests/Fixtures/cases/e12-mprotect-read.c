/* SPDX-License-Identifier: MIT */
/* E12: under READ_IMPLIES_EXEC an mprotect to R alone makes memory executable. */
#include <sys/personality.h>

#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RW);

	case_code(code, 256, 0x12000002);
	case_check(personality(READ_IMPLIES_EXEC) != -1, "personality");
	fixture_protect(code, PAGE, R);
	case_run(code, 0x12000002);
	case_truth(code, 256);
	return case_end();
}
