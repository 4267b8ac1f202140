/* SPDX-License-Identifier: MIT */
/* E07: a memfd filled by write(), with a tail of less than a page, mapped RX. */
#define _GNU_SOURCE
#include <unistd.h>

#include "case.h"

#define LENGTH (PAGE + 1000)

int main(void)
{
	static unsigned char content[LENGTH];
	int file = memfd_create("e07", MFD_CLOEXEC);
	unsigned char *code;

	case_code(content, LENGTH, 0x07000001);
	case_check(file >= 0 && write(file, content, LENGTH) == (ssize_t)LENGTH, "memfd");
	code = mmap(NULL, LENGTH, RX, MAP_PRIVATE, file, 0);
	case_check(code != MAP_FAILED, "mmap");
	case_run(code, 0x07000001);
	case_truth(code, LENGTH);
	return case_end();
}
