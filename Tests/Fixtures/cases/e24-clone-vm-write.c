/* SPDX-License-Identifier: MIT */
/* E24: a CLONE_VM sibling writes into RWX memory, and this process runs it. */
#define _GNU_SOURCE
#include "sibling.h"

static int work(void *code)
{
	case_code(code, 2 * PAGE, 0x24000003);
	return 0;
}

int main(void)
{
	unsigned char *code = fixture_map(2 * PAGE, RWX);

	case_code(code, PAGE, 0x24000002);
	case_run(code, 0x24000002);
	case_truth(code, PAGE);
	sibling_run(work, code);
	case_run(code, 0x24000003);
	case_truth(code, 2 * PAGE);
	return case_end();
}
