/* SPDX-License-Identifier: MIT */
/* Hostile: a tracer changes the number of the call while it is an exec; its end was not seen. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"

static uint32_t __attribute__((noinline)) in_text(void)
{
	__asm__ volatile("" : : : "memory");
	return 0x20000101;
}

static int stopped_by(pid_t child, int event)
{
	int status;

	case_check(waitpid(child, &status, 0) == child, "waitpid");
	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	return WIFSTOPPED(status) && status >> 8 == event;
}

int main(int argc, char **argv)
{
	struct user_regs_struct registers;
	pid_t child;

	(void)argv;
	if (argc > 1) {
		case_run((void *)(uintptr_t)in_text, 0x20000101);
		case_truth((void *)(uintptr_t)in_text, 4);
		case_truth_text();
		return case_end();
	}
	child = case_fork();
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			case_skip("no ptrace");
		raise(SIGSTOP);
		execl("/proc/self/exe", "h20", "again", (char *)NULL);
		fixture_fail("execl");
	}
	case_check(stopped_by(child, SIGSTOP), "SIGSTOP");
	case_check(ptrace(PTRACE_SETOPTIONS, child, NULL,
			  (void *)(PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)) == 0,
		   "PTRACE_SETOPTIONS");
	case_check(ptrace(PTRACE_CONT, child, NULL, NULL) == 0, "PTRACE_CONT");
	case_check(stopped_by(child, SIGTRAP | PTRACE_EVENT_EXEC << 8), "PTRACE_EVENT_EXEC");
	case_check(ptrace(PTRACE_GETREGS, child, NULL, &registers) == 0, "PTRACE_GETREGS");
	registers.orig_rax = ~0ull;
	case_check(ptrace(PTRACE_SETREGS, child, NULL, &registers) == 0, "PTRACE_SETREGS");
	case_check(ptrace(PTRACE_CONT, child, NULL, NULL) == 0, "PTRACE_CONT");
	case_join(child);
	return 0;
}
