/* SPDX-License-Identifier: MIT */
/*
 * wait [GIB]: says "ready PID", waits for a line on standard input, then does the classic, for each
 * line until the end of input; ends with status 7. Has GIB GiB of reserved memory that may be
 * written and executed, of which one page in the middle has been, and is told first.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"

static void reserve(size_t length)
{
	char *start = mmap(NULL, length, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED)
		fixture_fail("mmap");
	memcpy(start + length / 2, fixture_return_42, sizeof(fixture_return_42));
	fixture_tell(start + length / 2, 4096);
}

int main(int argc, char **argv)
{
	char line[64], hex[65];

	if (argc > 1)
		reserve(strtoul(argv[1], NULL, 10) << 30);
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		void *code = fixture_map(4096, PROT_READ | PROT_WRITE);

		memcpy(code, fixture_return_42, sizeof(fixture_return_42));
		fixture_sha256(code, 4096, hex);
		fixture_protect(code, 4096, PROT_EXEC);
		printf("%d\n", ((int (*)(void))code)());
		fixture_tell_hash(code, 4096, hex);
	}
	return 7;
}
