/* SPDX-License-Identifier: MIT */
/* E22: the parent pokes three generations into the r-x memory of a child. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"

#define GENERATIONS 4
#define POKED 128

static void victim(unsigned char *code)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		case_skip("no ptrace");
	case_code(code, PAGE, 0x22000001);
	fixture_protect(code, PAGE, RX);
	case_run(code, 0x22000001);
	case_truth(code, PAGE);
	for (uint32_t i = 2; i <= GENERATIONS; i++) {
		raise(SIGSTOP); /* here the parent changes the code */
		case_run(code, 0x22000000 + i);
		case_truth(code, POKED);
	}
	case_tell();
	_exit(0);
}

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RW), content[POKED];
	pid_t child = case_fork();
	int status;

	if (child == 0)
		victim(code);
	for (uint32_t i = 2; i <= GENERATIONS; i++) {
		case_check(waitpid(child, &status, 0) == child, "waitpid");
		if (WIFEXITED(status))
			return WEXITSTATUS(status);
		if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGSTOP) {
			fprintf(stderr, "child status %#x\n", status);
			return 99;
		}
		case_code(content, POKED, 0x22000000 + i);
		for (size_t at = 0; at < POKED; at += sizeof(long)) {
			long word;

			memcpy(&word, content + at, sizeof(word));
			case_check(ptrace(PTRACE_POKETEXT, child, code + at, word) == 0,
				   "PTRACE_POKETEXT");
		}
		case_check(ptrace(PTRACE_CONT, child, NULL, NULL) == 0, "PTRACE_CONT");
	}
	case_join(child);
	return 0;
}
