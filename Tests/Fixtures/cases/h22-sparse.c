/* SPDX-License-Identifier: MIT */
/* Hostile: a sparse file of 512 MiB is mapped RX; looking at its holes must not fill them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "case.h"

#define LENGTH ((size_t)512 << 20)

static void run(int file)
{
	unsigned char *code = mmap(NULL, LENGTH, RX, MAP_SHARED, file, 0);

	case_check(code != MAP_FAILED, "mmap");
	case_run(code + LENGTH / 2, 0x22000101);
	case_truth(code + LENGTH / 2, PAGE);
	case_tell();
}

int main(void)
{
	static unsigned char content[PAGE];
	struct stat before, after;
	char path[64];
	pid_t child;
	int file;

	snprintf(path, sizeof(path), "/dev/shm/husk-case-%d", (int)getpid());
	file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (file < 0)
		case_skip("no /dev/shm");
	unlink(path);
	case_check(ftruncate(file, (off_t)LENGTH) == 0, "ftruncate");
	case_code(content, PAGE, 0x22000101);
	case_check(pwrite(file, content, PAGE, LENGTH / 2) == (ssize_t)PAGE, "pwrite");
	case_check(fstat(file, &before) == 0, "fstat");
	child = case_fork();
	if (child == 0) {
		run(file);
		_exit(0);
	}
	case_join(child); /* its memory has also been looked at for the last time */
	case_check(fstat(file, &after) == 0, "fstat");
	if (after.st_blocks > before.st_blocks) {
		fprintf(stderr, "%ld blocks have become %ld\n", (long)before.st_blocks,
			(long)after.st_blocks);
		return 99;
	}
	return 0;
}
