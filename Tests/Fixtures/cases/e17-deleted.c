/* SPDX-License-Identifier: MIT */
/* E17: this very program in a file that is deleted before it is run. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "case.h"

int main(int argc, char **argv)
{
	char *inner[] = {"e17", "inner", NULL}, path[256];
	int file, again;

	if (argc > 1 && strcmp(argv[1], "inner") == 0) {
		case_truth_text();
		return case_end();
	}
	file = case_file(path);
	case_copy_self(file);
	again = open(path, O_RDONLY | O_CLOEXEC);
	case_check(again >= 0, "open");
	close(file); /* what is open for writing does not run */
	unlink(path);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", again);
	execv(path, inner);
	if (errno == EACCES)
		case_skip("files there do not run");
	fixture_fail("execv");
}
