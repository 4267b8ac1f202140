/* SPDX-License-Identifier: MIT */
/* E18: a file mapped RX whose pages are not in memory; one of them runs. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "case.h"

#define LENGTH (3 * PAGE + 1234)

int main(void)
{
	static unsigned char content[LENGTH];
	char path[256];
	int file = case_file(path);
	unsigned char *code;

	unlink(path);
	case_code(content, LENGTH, 0x18000001);
	case_code(content + 2 * PAGE, PAGE, 0x18000002);
	case_check(write(file, content, LENGTH) == (ssize_t)LENGTH && fsync(file) == 0, "write");
	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	code = mmap(NULL, LENGTH, RX, MAP_PRIVATE, file, 0);
	case_check(code != MAP_FAILED, "mmap");
	case_run(code + 2 * PAGE, 0x18000002);
	case_truth_of(code, content, LENGTH);
	return case_end();
}
