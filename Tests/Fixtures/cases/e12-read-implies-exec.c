/* SPDX-License-Identifier: MIT */
/* E12: under READ_IMPLIES_EXEC a mapping asked for as RW is RWX. */
#include <sys/personality.h>

#include "case.h"

int main(void)
{
	unsigned char *code;

	case_check(personality(READ_IMPLIES_EXEC) != -1, "personality");
	code = fixture_map(PAGE, RW);
	case_code(code, PAGE, 0x12000001);
	case_run(code, 0x12000001);
	case_truth(code, PAGE);
	return case_end();
}
