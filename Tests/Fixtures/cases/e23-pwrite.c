/* SPDX-License-Identifier: MIT */
/* E23: a file mapped RX and shared; a child changes it by pwrite, three times. */
#define _GNU_SOURCE
#include <unistd.h>

#include "case.h"

int main(void)
{
	static unsigned char content[PAGE];
	char path[256];
	int file = case_file(path);
	unsigned char *code;

	unlink(path);
	case_code(content, PAGE, 0x23000001);
	case_check(pwrite(file, content, PAGE, 0) == (ssize_t)PAGE, "pwrite");
	code = mmap(NULL, PAGE, RX, MAP_SHARED, file, 0);
	case_check(code != MAP_FAILED, "mmap");
	case_run(code, 0x23000001);
	case_truth(code, PAGE);
	for (uint32_t i = 2; i <= 4; i++) {
		pid_t child = case_fork();

		if (child == 0) {
			case_code(content, 100 * i, 0x23000000 + i);
			case_check(pwrite(file, content, 100 * i, 0) == 100 * i, "pwrite");
			_exit(0);
		}
		case_join(child);
		case_run(code, 0x23000000 + i);
		case_truth(code, 100 * i);
	}
	return case_end();
}
