/* SPDX-License-Identifier: MIT */
/* E08: one memfd, mapped RW and RX; eight contents come and go with no call at all. */
#define _GNU_SOURCE
#include <unistd.h>

#include "case.h"

int main(void)
{
	int file = memfd_create("e08", MFD_CLOEXEC);
	unsigned char *write_view, *code;

	case_check(file >= 0 && ftruncate(file, PAGE) == 0, "memfd");
	write_view = mmap(NULL, PAGE, RW, MAP_SHARED, file, 0);
	code = mmap(NULL, PAGE, RX, MAP_SHARED, file, 0);
	case_check(write_view != MAP_FAILED && code != MAP_FAILED, "mmap");
	for (uint32_t i = 1; i <= 8; i++) {
		case_code(write_view, PAGE - 9 * i, 0x08000000 + i);
		case_serialise();
		case_run(code, 0x08000000 + i);
		case_truth(code, PAGE - 9 * i);
	}
	return case_end();
}
