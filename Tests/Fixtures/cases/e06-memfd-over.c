/* SPDX-License-Identifier: MIT */
/* E06: a memfd filled through a shared RW mapping, then mapped RX over the same place. */
#define _GNU_SOURCE
#include <unistd.h>

#include "case.h"

int main(void)
{
	int file = memfd_create("e06", MFD_CLOEXEC);
	unsigned char *code, *over;

	case_check(file >= 0 && ftruncate(file, 2 * PAGE) == 0, "memfd");
	code = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, file, 0);
	case_check(code != MAP_FAILED, "mmap RW");
	case_code(code, 2 * PAGE, 0x06000001);
	over = mmap(code, 2 * PAGE, RX, MAP_PRIVATE | MAP_FIXED, file, 0);
	case_check(over == code, "mmap RX");
	case_run(code, 0x06000001);
	case_truth(code, 2 * PAGE);
	return case_end();
}
