/* SPDX-License-Identifier: MIT */
/* E17: this very program in a memfd, run by execveat; its text is the truth. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"

int main(int argc, char **argv)
{
	char *inner[] = {"e17", "inner", NULL};
	int file;

	if (argc > 1 && strcmp(argv[1], "inner") == 0) {
		case_truth_text();
		return case_end();
	}
	file = memfd_create("e17", MFD_CLOEXEC);
	case_check(file >= 0, "memfd");
	case_copy_self(file);
	syscall(SYS_execveat, file, "", inner, environ, AT_EMPTY_PATH);
	if (errno == ENOSYS)
		case_skip("no execveat");
	fixture_fail("execveat");
}
