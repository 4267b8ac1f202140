/* SPDX-License-Identifier: MIT */
/*
 * brief COUNT: so many children, one after the other, each of which leaves code in memory that is
 * writable and executable, written since it became so: at its end Husk looks at it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

#define PAGES 16

static void leave_code(int number)
{
	unsigned char *code =
		fixture_map(PAGES * 4096, PROT_READ | PROT_WRITE | PROT_EXEC);

	memset(code, number, PAGES * 4096);
	memcpy(code, fixture_return_42, sizeof(fixture_return_42));
	_exit(((int (*)(void))code)() != 42);
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 3;

	for (int i = 0; i < count; i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			leave_code(i);
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			fixture_fail("child");
		printf("ended %d\n", i);
		fflush(stdout);
	}
	return 0;
}
