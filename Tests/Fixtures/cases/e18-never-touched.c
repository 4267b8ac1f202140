/* SPDX-License-Identifier: MIT */
/* E18: a file mapped RX and never touched: executable, and nothing of it in memory. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "case.h"

#define LENGTH (2 * PAGE + 10)

int main(void)
{
	static unsigned char content[LENGTH];
	char path[256];
	int file = case_file(path);
	unsigned char *code;

	unlink(path);
	case_code(content, LENGTH, 0x18000003);
	case_check(write(file, content, LENGTH) == (ssize_t)LENGTH && fsync(file) == 0, "write");
	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	code = mmap(NULL, LENGTH, RX, MAP_PRIVATE, file, 0);
	case_check(code != MAP_FAILED, "mmap");
	case_truth_of(code, content, LENGTH);
	return case_end();
}
