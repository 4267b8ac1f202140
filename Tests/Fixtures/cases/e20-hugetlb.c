/* SPDX-License-Identifier: MIT */
/* E20: a page of 2 MiB from the pool, made executable. */
#define _GNU_SOURCE
#include "case.h"

#define HUGE ((size_t)2 << 20)

int main(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB;
	unsigned char *code = mmap(NULL, HUGE, RW, flags, -1, 0);

	if (code == MAP_FAILED)
		case_skip("no huge page in the pool");
	case_code(code, HUGE, 0x20000004);
	fixture_protect(code, HUGE, RX);
	case_run(code, 0x20000004);
	case_truth(code, HUGE);
	return case_end();
}
