/* SPDX-License-Identifier: MIT */
/* E33: two children one after the other with the same PID, and other code each. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"

static pid_t fork_as(pid_t wanted)
{
	struct clone_args arguments = {.exit_signal = SIGCHLD};

	arguments.set_tid = (uintptr_t)&wanted;
	arguments.set_tid_size = 1;
	return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

int main(void)
{
	pid_t first = case_fork(), second;

	if (first == 0) {
		case_classic(PAGE, 0x33000061);
		case_tell();
		_exit(0);
	}
	case_join(first);
	second = fork_as(first);
	if (second == 0) {
		case_pid = (pid_t)syscall(SYS_getpid);
		case_classic(PAGE, 0x33000062);
		case_tell();
		_exit(0);
	}
	if (second < 0)
		case_skip("no choice of the next PID");
	case_join(second);
	return 0;
}
