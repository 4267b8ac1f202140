/* SPDX-License-Identifier: MIT */
/* E25: one GiB made executable in one call, with code in three of its pages. */
#define _GNU_SOURCE
#include "case.h"

#define LENGTH ((size_t)1 << 30)

int main(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	unsigned char *code = mmap(NULL, LENGTH, RW, flags, -1, 0);
	const size_t places[3] = {PAGE, LENGTH / 2, LENGTH - PAGE};

	if (code == MAP_FAILED)
		case_skip("no room for one GiB");
	madvise(code, LENGTH, MADV_NOHUGEPAGE);
	for (uint32_t i = 0; i < 3; i++)
		case_code(code + places[i], PAGE, 0x25000051 + i);
	fixture_protect(code, LENGTH, RX);
	for (uint32_t i = 0; i < 3; i++) {
		case_run(code + places[i], 0x25000051 + i);
		case_truth(code + places[i], PAGE);
	}
	return case_end();
}
