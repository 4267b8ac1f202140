/* SPDX-License-Identifier: MIT */
/*
 * Says "ready PID", waits for a line on standard input, then does the classic, for each
 * line until the end of input; ends with status 7.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"

int main(void)
{
	char line[64], hex[65];

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
