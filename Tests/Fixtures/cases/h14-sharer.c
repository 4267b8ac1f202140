/* SPDX-License-Identifier: MIT */
/* Hostile: code that a CLONE_VM sibling made is changed through /proc/PID/mem of another PID. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "sibling.h"

static unsigned char *code;

static int work(void *argument)
{
	(void)argument;
	code = fixture_map(PAGE, RW);
	case_code(code, PAGE, 0x14000101);
	fixture_protect(code, PAGE, RX);
	return 0;
}

static void change(pid_t victim)
{
	unsigned char content[PAGE];
	char path[64];
	int memory;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)victim);
	memory = open(path, O_RDWR | O_CLOEXEC);
	case_code(content, PAGE, 0x14000102);
	if (memory < 0 || pwrite(memory, content, PAGE, (off_t)(uintptr_t)code) != (ssize_t)PAGE)
		case_skip("/proc/PID/mem does not write into r-x memory");
}

int main(void)
{
	pid_t victim = getpid(), child;

	sibling_run(work, NULL); /* ends: only this process has the memory then */
	case_run(code, 0x14000101);
	case_truth(code, PAGE);
	child = case_fork();
	if (child == 0) {
		change(victim);
		_exit(0);
	}
	case_join(child);
	case_run(code, 0x14000102);
	case_truth(code, PAGE);
	return case_end();
}
