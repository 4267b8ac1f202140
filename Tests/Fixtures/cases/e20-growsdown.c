/* SPDX-License-Identifier: MIT */
/* E20: a mapping grows downwards by being written to, and is then made executable. */
#define _GNU_SOURCE
#include "grow.h"

int main(void)
{
	unsigned char *top = grow_map(RW), *code = top - 4 * PAGE;

	*top = 1;
	case_code(code, 2 * PAGE, 0x20000001);
	fixture_protect(code, 5 * PAGE, RX);
	case_run(code, 0x20000001);
	case_truth(code, 2 * PAGE);
	return case_end();
}
