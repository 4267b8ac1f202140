/* SPDX-License-Identifier: MIT */
/* E34: the classic in a PID namespace of its own, as its process 1. */
#define _GNU_SOURCE
#include <sched.h>
#include <unistd.h>

#include "case.h"

int main(void)
{
	pid_t child;

	if (unshare(CLONE_NEWPID) != 0)
		case_skip("no PID namespace");
	child = case_fork();
	if (child == 0) {
		case_check(getpid() == 1, "process 1");
		case_pid = 0;
		case_classic(PAGE, 0x34000001);
		case_classic(PAGE + 40, 0x34000002);
		case_tell();
		_exit(0);
	}
	case_join(child);
	return 0;
}
