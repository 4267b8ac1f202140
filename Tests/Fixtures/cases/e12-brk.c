/* SPDX-License-Identifier: MIT */
/* E12: under READ_IMPLIES_EXEC the heap grows executable. */
#define _GNU_SOURCE
#include <sys/personality.h>
#include <unistd.h>

#include "case.h"

int main(void)
{
	unsigned char *code;

	case_check(personality(READ_IMPLIES_EXEC) != -1, "personality");
	code = sbrk(4 * PAGE);
	case_check(code != (void *)-1, "sbrk");
	code = (unsigned char *)(((uintptr_t)code + PAGE - 1) & ~(PAGE - 1));
	case_code(code, 2 * PAGE, 0x12000003);
	case_run(code, 0x12000003);
	case_truth(code, 2 * PAGE);
	return case_end();
}
