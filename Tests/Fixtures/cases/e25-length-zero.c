/* SPDX-License-Identifier: MIT */
/* E25: an mprotect of length 0 succeeds and does nothing; then one of a page. */
#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RW);

	case_code(code, 600, 0x25000021);
	fixture_protect(code, 0, RX);
	code[599] ^= 1; /* still writable */
	fixture_protect(code, PAGE, RX);
	case_run(code, 0x25000021);
	case_truth(code, 600);
	return case_end();
}
