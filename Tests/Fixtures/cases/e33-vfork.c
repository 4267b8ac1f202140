/* SPDX-License-Identifier: MIT */
/* E33: a vfork child makes the shared memory executable, and then becomes this program. */
#define _GNU_SOURCE
#include <string.h>
#include <unistd.h>

#include "case.h"

int main(int argc, char **argv)
{
	static char *inner[] = {"e33", "inner", NULL};
	pid_t parent = case_pid;
	volatile pid_t child;

	if (argc > 1 && strcmp(argv[1], "inner") == 0) {
		case_classic(2 * PAGE, 0x33000022);
		return case_end();
	}
	child = vfork();
	if (child == 0) {
		case_pid = getpid();
		case_classic(PAGE, 0x33000021);
		case_tell();
		execv("/proc/self/exe", inner);
		_exit(99);
	}
	case_check(child > 0, "vfork");
	case_pid = parent;
	case_join(child);
	case_classic(100, 0x33000023);
	return case_end();
}
