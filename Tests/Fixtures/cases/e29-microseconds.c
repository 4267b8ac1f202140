/* SPDX-License-Identifier: MIT */
/* E29 [ROUNDS]: map, write 64 bytes, make executable, run, unmap, as fast as it goes. */
#include <stdlib.h>

#include "case.h"

#define LENGTH 64

int main(int argc, char **argv)
{
	uint32_t rounds = argc > 1 ? (uint32_t)atoi(argv[1]) : 100000;

	case_reserve(rounds);
	for (uint32_t i = 0; i < rounds; i++) {
		unsigned char *code = fixture_map(PAGE, RW);

		case_code(code, LENGTH, 0x29000000 + i);
		fixture_protect(code, PAGE, RX);
		case_run(code, 0x29000000 + i);
		case_truth(code, LENGTH);
		case_check(munmap(code, PAGE) == 0, "munmap");
	}
	return case_end();
}
