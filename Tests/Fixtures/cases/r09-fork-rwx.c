/* SPDX-License-Identifier: MIT */
/*
 * R09: RWX code, and a fork after it: parent and child rewrite and run the same address at the
 * same time; then a vfork child runs code in the memory that it borrows and becomes this
 * program again, which does so in its own.
 */
#define _GNU_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 20

static void rounds(unsigned char *code, uint32_t results)
{
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		case_code(code, PAGE, results + i);
		case_run(code, results + i);
		case_truth(code, PAGE);
	}
}

int main(int argc, char **argv)
{
	static char *inner[] = {"r09", "inner", NULL};
	unsigned char *code = fixture_map(PAGE, RWX);
	pid_t parent = case_pid;
	volatile pid_t child;

	if (argc > 1 && strcmp(argv[1], "inner") == 0) {
		rounds(code, 0x49004000);
		return case_end();
	}
	rounds(code, 0x49000000);
	child = case_fork();
	if (child == 0) {
		case_run(code, 0x49000000 + ROUNDS); /* as it was inherited */
		rounds(code, 0x49001000);
		case_tell();
		_exit(0);
	}
	rounds(code, 0x49002000);
	case_join(child);
	case_run(code, 0x49002000 + ROUNDS);
	case_tell();
	child = vfork();
	if (child == 0) {
		case_pid = getpid();
		rounds(code, 0x49003000);
		case_tell();
		execv("/proc/self/exe", inner);
		_exit(99);
	}
	case_check(child > 0, "vfork");
	case_pid = parent;
	case_join(child);
	case_run(code, 0x49003000 + ROUNDS); /* what the child left here */
	rounds(code, 0x49005000);
	return case_end();
}
