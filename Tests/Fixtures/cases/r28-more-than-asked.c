/* SPDX-License-Identifier: MIT */
/*
 * R28: more becomes writable and executable than is asked for: a region from its beginning on
 * (PROT_GROWSDOWN), and what is only to be read (READ_IMPLIES_EXEC).
 */
#include <sys/personality.h>

#include "rounds.h"

#define ROUNDS 10
#define PAGES ((size_t)8)
#define LENGTH (PAGE - 100)

static uint32_t number = 0x5c000000;

static void rounds(unsigned char *code)
{
	rounds_run(code, code, LENGTH, ROUNDS, &number);
}

int main(void)
{
	unsigned char *grows = mmap(NULL, PAGES * PAGE, RW,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
	unsigned char *before = fixture_map(PAGE, RWX), *code;

	case_check(grows != MAP_FAILED, "mmap");
	fixture_protect(grows + (PAGES - 1) * PAGE, PAGE, RWX | PROT_GROWSDOWN);
	rounds(grows + PAGE);
	rounds(before);
	case_check(personality(READ_IMPLIES_EXEC) != -1, "personality");
	fixture_protect(before, PAGE, RW);
	rounds(before);
	code = fixture_map(PAGE, RW);
	rounds(code);
	fixture_protect(code, PAGE, R);
	fixture_protect(code, PAGE, RW);
	rounds(code);
	return case_end();
}
