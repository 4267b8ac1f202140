/* SPDX-License-Identifier: MIT */
/* E17: this very program in a memfd, run by its name under /proc/self/fd. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "case.h"

int main(int argc, char **argv)
{
	char *inner[] = {"e17", "inner", NULL}, path[64];
	int file;

	if (argc > 1 && strcmp(argv[1], "inner") == 0) {
		case_truth_text();
		return case_end();
	}
	file = memfd_create("e17", MFD_CLOEXEC);
	case_check(file >= 0, "memfd");
	case_copy_self(file);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	execv(path, inner);
	fixture_fail("execv");
}
