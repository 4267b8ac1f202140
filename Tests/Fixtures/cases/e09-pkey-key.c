/* SPDX-License-Identifier: MIT */
/* E09: pkey_mprotect with a key that forbids reading: the code runs, nobody here reads it. */
#define _GNU_SOURCE
#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RW);
	int key = pkey_alloc(0, PKEY_DISABLE_ACCESS);

	if (key < 0)
		case_skip("no protection keys");
	case_code(code, 700, 0x09000002);
	case_truth(code, 700);
	case_check(pkey_mprotect(code, PAGE, RX, key) == 0, "pkey_mprotect");
	case_run(code, 0x09000002);
	return case_end();
}
