/* SPDX-License-Identifier: MIT */
/* E20: an executable mapping grows downwards: new executable memory without any call. */
#define _GNU_SOURCE
#include "grow.h"

int main(void)
{
	unsigned char *top = grow_map(RWX);

	case_code(top, 400, 0x20000002);
	case_run(top, 0x20000002);
	case_truth(top, 400);
	case_code(top - 16 * PAGE, PAGE, 0x20000003);
	case_run(top - 16 * PAGE, 0x20000003);
	case_truth(top - 16 * PAGE, PAGE);
	return case_end();
}
