/* SPDX-License-Identifier: MIT */
/* E24: a CLONE_VM sibling makes memory executable, and this process runs it. */
#define _GNU_SOURCE
#include "sibling.h"

static int work(void *code)
{
	return mprotect(code, PAGE, RX) == 0 ? 0 : 99;
}

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RW);

	case_code(code, PAGE, 0x24000001);
	sibling_run(work, code);
	case_run(code, 0x24000001);
	case_truth(code, PAGE);
	return case_end();
}
