/* SPDX-License-Identifier: MIT */
/* E33 [DEPTH]: one process that becomes this program again, five times. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "case.h"

int main(int argc, char **argv)
{
	int depth = argc > 1 ? atoi(argv[1]) : 5;
	char number[16], *again[] = {"e33", number, NULL};

	case_classic(PAGE, 0x33000040 + (uint32_t)depth);
	case_tell();
	if (depth <= 0)
		return 0;
	snprintf(number, sizeof(number), "%d", depth - 1);
	execv("/proc/self/exe", again);
	fixture_fail("execv");
}
