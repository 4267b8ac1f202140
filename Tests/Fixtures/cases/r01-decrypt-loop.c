/* SPDX-License-Identifier: MIT */
/*
 * R01 [ROUNDS]: decrypted in place in RWX memory, run, and encrypted again: a thousand times,
 * with other code each time, and without any system call from the first to the last.
 */
#include <stdlib.h>

#include "rounds.h"

#define LENGTH (2 * PAGE - 23)

int main(int argc, char **argv)
{
	static unsigned char scratch[LENGTH];
	uint32_t rounds = argc > 1 ? (uint32_t)atoi(argv[1]) : 1000;
	unsigned char *code = fixture_map(2 * PAGE, RWX);

	case_reserve(rounds);
	for (uint32_t i = 1; i <= rounds; i++) {
		case_code(scratch, LENGTH, 0x41000000 + i);
		rounds_crypt(scratch, LENGTH, i);
		memcpy(code, scratch, LENGTH);
		rounds_crypt(code, LENGTH, i);
		case_run(code, 0x41000000 + i);
		case_truth(code, LENGTH);
		rounds_crypt(code, LENGTH, i);
	}
	return case_end();
}
