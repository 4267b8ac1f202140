/* SPDX-License-Identifier: MIT */
/*
 * toggle COUNT [PAGES [PERIOD]]: W -> X -> W -> X at one address, other content each time (E30);
 * after PERIOD rounds (256) that of all pages but the first comes again. The function returns the
 * number of the round.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fixture.h"

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 3;
	size_t length = (argc > 2 ? (size_t)atoi(argv[2]) : 1) * 4096;
	int period = argc > 3 ? atoi(argv[3]) : 256;
	unsigned char *code = fixture_map(length, PROT_READ | PROT_WRITE);

	for (int round = 0; round < count; round++) {
		if (round)
			fixture_protect(code, length, PROT_READ | PROT_WRITE);
		memset(code, round % period, length);
		code[0] = 0xB8; /* mov eax, round; ret */
		memcpy(code + 1, &round, 4);
		code[5] = 0xC3;
		fixture_protect(code, length, PROT_READ | PROT_EXEC);
		if (((int (*)(void))code)() != round)
			fixture_fail("wrong result");
		fixture_tell(code, length);
	}
	return 0;
}
