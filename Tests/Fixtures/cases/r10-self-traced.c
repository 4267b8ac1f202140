/* SPDX-License-Identifier: MIT */
/*
 * R10: a child that has its parent trace it, and runs RWX code meanwhile: each generation stops
 * it from within, and the parent finds it there. A tracer of both is in the way of that.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 20

static unsigned char *code;

static void traced(void)
{
	case_check(ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0, "PTRACE_TRACEME");
	case_check(rounds_tracer() == getppid(), "TracerPid");
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		/* kill(case_pid, SIGSTOP) */
		rounds_acting(code, PAGE, SYS_kill, 0x0F, 0x05);
		memcpy(code + PAGE - sizeof(i), &i, sizeof(i));
		case_truth(code, PAGE);
		case_check(rounds_act(code, (void *)(intptr_t)case_pid, SIGSTOP) == 0, "kill");
	}
	case_tell();
	_exit(0);
}

int main(void)
{
	struct user_regs_struct registers;
	int stops = 0, status;
	long word;
	pid_t child;

	code = fixture_map(PAGE, RWX);
	child = case_fork();
	if (child == 0)
		traced();
	for (;;) {
		case_check(waitpid(child, &status, 0) == child, "waitpid");
		if (!WIFSTOPPED(status))
			break;
		case_check(WSTOPSIG(status) == SIGSTOP, "what the child stopped by");
		stops++;
		case_check(ptrace(PTRACE_GETREGS, child, NULL, &registers) == 0, "GETREGS");
		case_check(registers.rip == (uintptr_t)code + ROUNDS_ACT + 2, "where it stopped");
		word = ptrace(PTRACE_PEEKDATA, child, code + PAGE - 8, NULL);
		case_check((uint64_t)word >> 32 == (uint64_t)stops, "what the child stopped in");
		case_check(ptrace(PTRACE_CONT, child, NULL, NULL) == 0, "PTRACE_CONT");
	}
	case_check(WIFEXITED(status) && WEXITSTATUS(status) == 0, "how the child ended");
	case_check(stops == ROUNDS, "the number of stops");
	return 0;
}
