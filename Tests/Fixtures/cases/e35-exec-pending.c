/* SPDX-License-Identifier: MIT */
/* E35: 2 MiB become executable and run, and at once the process becomes another program. */
#include <string.h>
#include <unistd.h>

#include "case.h"

#define LENGTH ((size_t)2 << 20)

int main(int argc, char **argv)
{
	char *inner[] = {"e35", "inner", NULL};
	unsigned char *code;

	if (argc > 1 && strcmp(argv[1], "inner") == 0) {
		case_classic(PAGE, 0x35000012);
		return case_end();
	}
	code = fixture_map(LENGTH, RW);
	case_code(code, LENGTH, 0x35000011);
	case_truth(code, LENGTH);
	case_tell();
	fixture_protect(code, LENGTH, RX);
	case_run(code, 0x35000011);
	execv("/proc/self/exe", inner);
	fixture_fail("execv");
}
