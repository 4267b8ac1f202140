/* SPDX-License-Identifier: MIT */
/* E36: 512 MiB reserved RWX, 1 MiB of it written and run, and no call after that. */
#define _GNU_SOURCE
#include "case.h"

#define RESERVED ((size_t)512 << 20)
#define USED ((size_t)1 << 20)

int main(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	unsigned char *room = mmap(NULL, RESERVED, RWX, flags, -1, 0), *code;

	if (room == MAP_FAILED)
		case_skip("no room for 512 MiB");
	code = room + RESERVED / 2;
	case_code(code, USED, 0x36000001);
	case_code(code + USED - PAGE, PAGE, 0x36000002);
	case_run(code, 0x36000001);
	case_run(code + USED - PAGE, 0x36000002);
	case_truth(code, USED);
	return case_end();
}
