/* SPDX-License-Identifier: MIT */
/* Hostile: POKETEXT by a tracer of 300 others; the victim was searched among the first 256. */
#define _GNU_SOURCE
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"

#define OTHERS 300
#define POKED 128

static void seize(pid_t child)
{
	if (ptrace(PTRACE_SEIZE, child, NULL, (void *)PTRACE_O_EXITKILL) != 0)
		case_skip("no PTRACE_SEIZE");
}

static void victim(const unsigned char *code, int go)
{
	char byte;

	case_check(read(go, &byte, 1) == 1, "read"); /* here the parent changes the code */
	case_run(code, 0x15000102);
	case_truth(code, POKED);
	case_tell();
	_exit(0);
}

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RW), content[POKED];
	pid_t child, others[OTHERS];
	int go[2];

	case_code(code, PAGE, 0x15000101);
	fixture_protect(code, PAGE, RX);
	case_run(code, 0x15000101);
	case_truth(code, PAGE);
	case_check(pipe(go) == 0, "pipe");
	child = case_fork();
	if (child == 0)
		victim(code, go[0]);
	seize(child);
	for (int i = 0; i < OTHERS; i++) {
		others[i] = case_fork();
		if (others[i] == 0) {
			pause();
			_exit(0);
		}
		seize(others[i]);
	}
	case_check(ptrace(PTRACE_INTERRUPT, child, NULL, NULL) == 0, "PTRACE_INTERRUPT");
	case_check(waitpid(child, NULL, 0) == child, "waitpid");
	case_code(content, POKED, 0x15000102);
	for (size_t at = 0; at < POKED; at += sizeof(long)) {
		long word;

		memcpy(&word, content + at, sizeof(word));
		case_check(ptrace(PTRACE_POKETEXT, child, code + at, word) == 0, "PTRACE_POKETEXT");
	}
	case_check(ptrace(PTRACE_DETACH, child, NULL, NULL) == 0, "PTRACE_DETACH");
	case_check(write(go[1], "", 1) == 1, "write");
	case_join(child);
	for (int i = 0; i < OTHERS; i++) {
		kill(others[i], SIGKILL);
		waitpid(others[i], NULL, 0);
	}
	return case_end();
}
