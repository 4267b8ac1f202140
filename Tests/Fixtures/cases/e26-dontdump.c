/* SPDX-License-Identifier: MIT */
/* E26: memory that wants to be in no core dump is made executable. */
#define _GNU_SOURCE
#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RW);

	case_check(madvise(code, PAGE, MADV_DONTDUMP) == 0, "MADV_DONTDUMP");
	case_code(code, PAGE, 0x26000021);
	fixture_protect(code, PAGE, RX);
	case_run(code, 0x26000021);
	case_truth(code, PAGE);
	return case_end();
}
