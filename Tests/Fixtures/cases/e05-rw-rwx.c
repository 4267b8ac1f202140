/* SPDX-License-Identifier: MIT */
/* E05: RW, written, made RWX and never anything else; then written again. */
#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RW);

	case_code(code, PAGE, 0x05000001);
	fixture_protect(code, PAGE, RWX);
	case_run(code, 0x05000001);
	case_truth(code, PAGE);
	case_code(code, 500, 0x05000002);
	case_run(code, 0x05000002);
	case_truth(code, 500);
	return case_end();
}
