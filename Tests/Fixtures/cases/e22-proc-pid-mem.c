/* SPDX-License-Identifier: MIT */
/* E22: the parent writes into the r-x memory of a child through /proc/PID/mem. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "case.h"

#define GENERATIONS 3
#define WRITTEN 777

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RW), content[WRITTEN];
	int go[2], done[2], memory;
	char byte, path[64];
	pid_t child;

	case_check(pipe(go) == 0 && pipe(done) == 0, "pipe");
	child = case_fork();
	if (child == 0) {
		close(go[1]);
		case_code(code, PAGE, 0x22000020);
		fixture_protect(code, PAGE, RX);
		case_run(code, 0x22000020);
		case_truth(code, PAGE);
		case_check(write(done[1], "", 1) == 1, "write");
		for (uint32_t i = 1; i <= GENERATIONS; i++) {
			if (read(go[0], &byte, 1) != 1)
				_exit(77);
			case_run(code, 0x22000020 + i);
			case_truth(code, WRITTEN);
			case_check(write(done[1], "", 1) == 1, "write");
		}
		case_tell();
		_exit(0);
	}
	close(done[1]);
	snprintf(path, sizeof(path), "/proc/%d/mem", (int)child);
	memory = open(path, O_RDWR | O_CLOEXEC);
	if (memory < 0)
		case_skip("no /proc/PID/mem");
	for (uint32_t i = 1; i <= GENERATIONS; i++) {
		if (read(done[0], &byte, 1) != 1)
			break;
		case_code(content, WRITTEN, 0x22000020 + i);
		if (pwrite(memory, content, WRITTEN, (off_t)(uintptr_t)code) != WRITTEN)
			case_skip("/proc/PID/mem does not write into r-x memory");
		case_check(write(go[1], "", 1) == 1, "write");
	}
	case_join(child);
	return 0;
}
