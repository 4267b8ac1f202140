/* SPDX-License-Identifier: MIT */
/* E19: the heap made executable by mprotect. */
#define _GNU_SOURCE
#include <unistd.h>

#include "case.h"

int main(void)
{
	unsigned char *code = sbrk(4 * PAGE);

	case_check(code != (void *)-1, "sbrk");
	code = (unsigned char *)(((uintptr_t)code + PAGE - 1) & ~(PAGE - 1));
	case_code(code, PAGE + 200, 0x19000001);
	fixture_protect(code, 2 * PAGE, RX);
	case_run(code, 0x19000001);
	case_truth(code, PAGE + 200);
	return case_end();
}
