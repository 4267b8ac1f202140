/* SPDX-License-Identifier: MIT */
/* E25: the last page of the user's addresses, and calls that would reach beyond it. */
#define _GNU_SOURCE
#include <errno.h>

#include <sys/mman.h>

#include "case.h"

#define TOP ((unsigned char *)0x7ffffffff000) /* the first address that no user has */

int main(void)
{
	unsigned char *code = TOP - PAGE, *beyond = TOP;

	/* The compiler is not to know that this is no memory. */
	__asm__("" : "+r"(code), "+r"(beyond));
	case_check(mprotect(beyond, PAGE, RX) == -1, "mprotect beyond the top");
	if (mmap(beyond, PAGE, R, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == beyond)
		case_skip("five-level page tables: the top is elsewhere");
	code = mmap(code, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	if (code != TOP - PAGE)
		case_skip("the last page is taken");
	case_code(code, PAGE, 0x25000041);
	case_check(mprotect(code, 2 * PAGE, R) == -1 && errno == ENOMEM, "mprotect over the top");
	case_check(mmap(code, 2 * PAGE, RX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
			   MAP_FAILED,
		   "mmap over the top");
	fixture_protect(code, PAGE, RX);
	case_run(code, 0x25000041);
	case_truth(code, PAGE);
	return case_end();
}
