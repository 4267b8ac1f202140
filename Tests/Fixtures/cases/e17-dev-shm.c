/* SPDX-License-Identifier: MIT */
/* E17: this very program run from /dev/shm, where it deletes itself. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "case.h"

int main(int argc, char **argv)
{
	char path[64], *inner[] = {path, "inner", NULL};
	int file;

	if (argc > 1 && strcmp(argv[1], "inner") == 0) {
		unlink(argv[0]);
		case_truth_text();
		return case_end();
	}
	snprintf(path, sizeof(path), "/dev/shm/husk-e17-%d", (int)getpid());
	file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (file < 0)
		case_skip("no /dev/shm");
	case_copy_self(file);
	close(file);
	execv(path, inner);
	unlink(path);
	if (errno == EACCES)
		case_skip("files in /dev/shm do not run");
	fixture_fail("execv");
}
