/* SPDX-License-Identifier: MIT */
/*
 * R11: runs RWX code that makes a system call, and will not be traced: ends with status 99 when
 * /proc/self/status names a tracer, at the start or afterwards.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 10

static void untraced(void)
{
	int pid = rounds_tracer();

	if (pid != 0) {
		fprintf(stderr, "TracerPid is %d\n", pid);
		exit(99);
	}
}

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RWX);
	long parent = getppid();

	untraced();
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		rounds_calling(code, PAGE, SYS_getppid, 0x4b000000 + i);
		rounds_call(code, parent, 0x4b000000 + i);
		case_truth(code, PAGE);
	}
	untraced();
	return case_end();
}
