/* SPDX-License-Identifier: MIT */
/* Hostile: a file is mapped RX, and then another one takes its name. */
#define _GNU_SOURCE
#include <stdio.h>
#include <unistd.h>

#include "case.h"

static int make(char path[256], uint32_t result)
{
	unsigned char content[PAGE];
	int file = case_file(path);

	case_code(content, PAGE, result);
	case_check(write(file, content, PAGE) == (ssize_t)PAGE, "write");
	return file;
}

int main(void)
{
	char path[256], other[256];
	int file = make(path, 0x05000101);
	unsigned char *code = mmap(NULL, PAGE, RX, MAP_PRIVATE, file, 0);

	case_check(code != MAP_FAILED, "mmap");
	close(file);
	close(make(other, 0x05000102));
	case_check(rename(other, path) == 0, "rename");
	case_run(code, 0x05000101);
	case_truth(code, PAGE);
	unlink(path);
	return case_end();
}
