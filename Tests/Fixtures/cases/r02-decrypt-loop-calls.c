/* SPDX-License-Identifier: MIT */
/* R02 [ROUNDS]: as R01, but the code makes a system call of its own each time that it is run. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rounds.h"

#define LENGTH (PAGE - 23)

int main(int argc, char **argv)
{
	static unsigned char scratch[LENGTH];
	uint32_t rounds = argc > 1 ? (uint32_t)atoi(argv[1]) : 200;
	unsigned char *code = fixture_map(PAGE, RWX);
	long parent = getppid(), self = getpid();

	case_reserve(rounds);
	for (uint32_t i = 1; i <= rounds; i++) {
		uint32_t result = 0x42000000 + i;

		rounds_calling(scratch, LENGTH, i % 2 ? SYS_getppid : SYS_getpid, result);
		rounds_crypt(scratch, LENGTH, i);
		memcpy(code, scratch, LENGTH);
		rounds_crypt(code, LENGTH, i);
		rounds_call(code, i % 2 ? parent : self, result);
		case_truth(code, LENGTH);
		rounds_crypt(code, LENGTH, i);
	}
	return case_end();
}
