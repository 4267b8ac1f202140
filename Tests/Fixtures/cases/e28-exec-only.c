/* SPDX-License-Identifier: MIT */
/* E28: PROT_EXEC alone where the CPU has protection keys: nobody can read it by its address. */
#define _GNU_SOURCE
#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RW);
	int key = pkey_alloc(0, 0);

	if (key < 0)
		case_skip("no protection keys");
	pkey_free(key);
	case_code(code, PAGE, 0x28000001);
	case_truth(code, PAGE);
	fixture_protect(code, PAGE, PROT_EXEC);
	case_run(code, 0x28000001);
	return case_end();
}
