/* SPDX-License-Identifier: MIT */
/*
 * rwx CALLS: a region that is writable and executable, one function of it run, then that many
 * system calls with nothing to do. Prints nanoseconds per call.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	long calls = argc == 2 ? atol(argv[1]) : 0;
	struct timespec start, end;
	unsigned char *code = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE | PROT_EXEC,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (calls <= 0 || code == MAP_FAILED)
		return 64;
	code[0] = 0xc3;
	((void (*)(void))code)();
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (long i = 0; i < calls; i++)
		syscall(SYS_gettid);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%.0f\n", ((end.tv_sec - start.tv_sec) * 1e9 + (end.tv_nsec - start.tv_nsec)) / calls);
	return 0;
}
