/* SPDX-License-Identifier: MIT */
/* Hostile: names with newlines, terminal sequences and bytes that are no UTF-8. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "case.h"

static const char *const names[] = {
	"a\nb code 0x0 1 2 3",
	"\033[2J\033[31m\033]0;title\007",
	"\377\376\300\257 \355\240\200",
	"(deleted)",
	"../\"quoted\" \\x $(id) %s%n",
	"\342\200\256gnp.exe \t\r\b",
};

static void run(int file, uint32_t result)
{
	static unsigned char content[PAGE];
	unsigned char *code;

	case_code(content, PAGE, result);
	case_check(write(file, content, PAGE) == (ssize_t)PAGE, "write");
	code = mmap(NULL, PAGE, RX, MAP_PRIVATE, file, 0);
	case_check(code != MAP_FAILED, "mmap");
	case_run(code, result);
	case_truth(code, PAGE);
}

int main(void)
{
	const uint32_t count = sizeof(names) / sizeof(names[0]);
	char folder[256], path[512];

	close(case_file(folder));
	unlink(folder);
	case_check(mkdtemp(strcat(folder, "-XXXXXX")) != NULL, "mkdtemp");
	prctl(PR_SET_NAME, "\n\033[31m\377\"\\");
	for (uint32_t i = 0; i < count; i++) {
		int file = memfd_create(names[i], MFD_CLOEXEC);

		case_check(file >= 0, "memfd");
		run(file, 0x03000100 + i);
	}
	for (uint32_t i = 0; i < count; i++) {
		int file;

		if (strchr(names[i], '/') != NULL)
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		case_check(file >= 0, "open");
		run(file, 0x03000200 + i);
		unlink(path);
	}
	rmdir(folder);
	return case_end();
}
