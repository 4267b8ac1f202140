/* SPDX-License-Identifier: MIT */
/*
 * R27: code that is written and run in rounds is replaced by other memory that is RWX, by the
 * mmap(2) of 32-bit programs that has its arguments in memory; and that is written and run.
 */
#include "int80.h"
#include "rounds.h"

#define I386_OLD_MMAP 90
#define ROUNDS 20
#define LENGTH (PAGE - 100)

int main(void)
{
	uint32_t number = 0x5b000000;
	unsigned char *code = int80_map(PAGE, RWX);
	uint32_t *arguments = (uint32_t *)int80_map(PAGE, RW);
	long result;

	rounds_run(code, code, LENGTH, ROUNDS, &number);
	arguments[0] = (uint32_t)(uintptr_t)code;
	arguments[1] = PAGE;
	arguments[2] = RWX;
	arguments[3] = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	arguments[4] = (uint32_t)-1;
	arguments[5] = 0;
	result = int80(I386_OLD_MMAP, (uintptr_t)arguments, 0, 0, 0, 0);
	case_check((uint32_t)result == arguments[0], "mmap");
	rounds_run(code, code, LENGTH, ROUNDS, &number);
	return case_end();
}
