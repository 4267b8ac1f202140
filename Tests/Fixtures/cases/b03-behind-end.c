/* SPDX-License-Identifier: MIT */
/*
 * B03: an executable mapping of a file that ends before it does, as JITs make of their jitdump for
 * perf(1): there is no page behind the end, and so nothing is missing from a capture of it.
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "case.h"

int main(void)
{
	char path[256];
	int file = case_file(path);
	unsigned char bytes[100], *code;

	unlink(path);
	code = mmap(NULL, 2 * PAGE, RX, MAP_PRIVATE, file, 0);
	case_check(code != MAP_FAILED, "mmap of an empty file");
	case_code(bytes, sizeof(bytes), 0xB0300001);
	case_check(write(file, bytes, sizeof(bytes)) == sizeof(bytes), "write");
	code = mmap(NULL, 4 * PAGE, RX, MAP_PRIVATE, file, 0);
	case_check(code != MAP_FAILED, "mmap of a short file");
	case_run(code, 0xB0300001);
	case_truth(code, PAGE);
	return case_end();
}
