/* SPDX-License-Identifier: MIT */
/* E22: the parent writes three generations into the RWX memory of a child. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/uio.h>
#include <unistd.h>

#include "case.h"

#define GENERATIONS 3

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RWX), content[PAGE];
	int go[2], done[2];
	char byte;
	pid_t child;

	case_check(pipe(go) == 0 && pipe(done) == 0, "pipe");
	child = case_fork();
	if (child == 0) {
		close(go[1]);
		for (uint32_t i = 1; i <= GENERATIONS; i++) {
			if (read(go[0], &byte, 1) != 1)
				_exit(77);
			case_run(code, 0x22000010 + i);
			case_truth(code, PAGE - 64 * i);
			case_check(write(done[1], "", 1) == 1, "write");
		}
		case_tell();
		_exit(0);
	}
	close(done[1]);
	for (uint32_t i = 1; i <= GENERATIONS; i++) {
		struct iovec from = {content, PAGE}, to = {code, PAGE};

		case_code(content, PAGE, 0x22000010 + i);
		if (process_vm_writev(child, &from, 1, &to, 1, 0) != (ssize_t)PAGE) {
			if (errno == ENOSYS || errno == EPERM)
				case_skip("no process_vm_writev");
			fixture_fail("process_vm_writev");
		}
		case_check(write(go[1], "", 1) == 1, "write");
		if (read(done[0], &byte, 1) != 1)
			break;
	}
	case_join(child);
	return 0;
}
