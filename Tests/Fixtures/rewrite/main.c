/* SPDX-License-Identifier: MIT */
/*
 * rewrite [traced | fork]: writes and runs code on an RWX page, again and again, until a line
 * comes on standard input; then tells that page's line of /proc/self/maps and who traces it,
 * and ends with status 7. It says "ready PID" first.
 *
 *   traced  another process traces it with ptrace(2), and lets it run
 *   fork    a child does this as well, ten times, and tells the same before its parent
 */
#define _GNU_SOURCE
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

static unsigned char *code;

static void rewrite(unsigned int round)
{
	unsigned char bytes[] = {0xB8, 0, 0, 0, 0, 0xC3}; /* mov eax, round; ret */

	memcpy(bytes + 1, &round, sizeof(round));
	memcpy(code, bytes, sizeof(bytes));
	if (((unsigned int (*)(void))code)() != round)
		fixture_fail("what the code has returned");
}

static void tell(const char *who)
{
	char line[512], protection[8] = "none";
	unsigned long start, end;
	int tracer = -1;
	FILE *file = fopen("/proc/self/maps", "r");

	while (file && fgets(line, sizeof(line), file)) {
		char found[8];

		if (sscanf(line, "%lx-%lx %7s", &start, &end, found) == 3 &&
		    start <= (unsigned long)code && (unsigned long)code < end)
			strcpy(protection, found);
	}
	if (file)
		fclose(file);
	file = fopen("/proc/self/status", "r");
	while (file && tracer < 0 && fgets(line, sizeof(line), file))
		sscanf(line, "TracerPid: %d", &tracer);
	if (file)
		fclose(file);
	printf("%s: %s, TracerPid %d\n", who, protection, tracer);
	fflush(stdout);
}

/* Another process that traces this one, for as long as it lives. */
static void be_traced(void)
{
	pid_t target = getpid();
	int ready[2], status;
	char byte;

	if (pipe(ready) != 0)
		fixture_fail("pipe");
	if (fork() == 0) {
		if (ptrace(PTRACE_SEIZE, target, NULL, NULL) != 0)
			fixture_fail("PTRACE_SEIZE");
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		while (waitpid(target, &status, __WALL) == target && WIFSTOPPED(status))
			ptrace(PTRACE_CONT, target, NULL, (long)(status >> 16 ? 0 : WSTOPSIG(status)));
		_exit(0);
	}
	if (read(ready[0], &byte, 1) != 1)
		fixture_fail("the tracer");
}

int main(int argc, char **argv)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	const char *mode = argc > 1 ? argv[1] : "";
	unsigned int round = 0;

	code = fixture_map(4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	if (!strcmp(mode, "traced"))
		be_traced();
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	if (!strcmp(mode, "fork")) {
		rewrite(++round);
		if (fork() == 0) {
			while (round < 10)
				rewrite(++round);
			tell("child");
			_exit(0);
		}
		wait(NULL);
	}
	do {
		rewrite(++round);
		usleep(1000);
	} while (poll(&input, 1, 0) == 0);
	tell("self");
	return 7;
}
