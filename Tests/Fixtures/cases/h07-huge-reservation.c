/* SPDX-License-Identifier: MIT */
/* Hostile: 64 TiB of RWX memory, one page of which is used. */
#define _GNU_SOURCE
#include "case.h"

#define RESERVED ((size_t)1 << 46)

int main(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	unsigned char *room = mmap(NULL, RESERVED, RWX, flags, -1, 0), *code;

	if (room == MAP_FAILED)
		case_skip("no room for 64 TiB");
	madvise(room, RESERVED, MADV_NOHUGEPAGE);
	code = room + RESERVED / 2;
	case_code(code, PAGE, 0x07000101);
	case_run(code, 0x07000101);
	case_truth(code, PAGE);
	return case_end();
}
