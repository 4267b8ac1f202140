/* SPDX-License-Identifier: MIT */
/* E25: one mprotect over three mappings: anonymous, a memfd, and anonymous again. */
#define _GNU_SOURCE
#include <unistd.h>

#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(4 * PAGE, RW), *middle = code + PAGE;
	int file = memfd_create("e25", MFD_CLOEXEC);

	case_check(file >= 0 && ftruncate(file, PAGE) == 0, "memfd");
	case_check(mmap(middle, PAGE, RW, MAP_SHARED | MAP_FIXED, file, 0) == middle, "mmap");
	case_code(code, PAGE, 0x25000001);
	case_code(middle, PAGE, 0x25000002);
	case_code(code + 2 * PAGE, PAGE + 31, 0x25000003);
	fixture_protect(code, 4 * PAGE, RX);
	case_run(code, 0x25000001);
	case_truth(code, PAGE);
	case_run(middle, 0x25000002);
	case_truth(middle, PAGE);
	case_run(code + 2 * PAGE, 0x25000003);
	case_truth(code + 2 * PAGE, PAGE + 31);
	return case_end();
}
