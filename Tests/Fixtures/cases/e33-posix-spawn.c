/* SPDX-License-Identifier: MIT */
/* E33: this program, started again by posix_spawn. */
#define _GNU_SOURCE
#include <spawn.h>
#include <string.h>
#include <unistd.h>

#include "case.h"

int main(int argc, char **argv)
{
	char *inner[] = {"e33", "inner", NULL};
	pid_t child;

	if (argc > 1 && strcmp(argv[1], "inner") == 0) {
		case_classic(PAGE + 9, 0x33000031);
		return case_end();
	}
	case_check(posix_spawn(&child, "/proc/self/exe", NULL, NULL, inner, environ) == 0,
		   "posix_spawn");
	case_join(child);
	case_classic(PAGE, 0x33000032);
	return case_end();
}
