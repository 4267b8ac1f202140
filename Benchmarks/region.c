/* SPDX-License-Identifier: MIT */
/*
 * region [-m MIB] [-n ROUNDS] [-p]: a large region becomes executable, again and again. Prints as JSON
 * what memcpy of it does in this process (warm, median of 5 at least), what mprotect does (bytes
 * by wall time, median of the rounds), and when the rounds began, by the wall clock.
 *
 * Under a tracer mprotect's time is that of the copy in the kernel, with waiting for room. With
 * -n 0 all is as before the first mprotect, and nothing comes after. With -p the parent, which is
 * the tracer, is stopped meanwhile (some milliseconds): then its reading does not share the memory's
 * bandwidth with the kernel side.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define MOST_ROUNDS 1000

static double at(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static int ascending(const void *a, const void *b)
{
	double left = *(const double *)a, right = *(const double *)b;

	return left < right ? -1 : left > right;
}

static double median(double *values, long count)
{
	qsort(values, count, sizeof(*values), ascending);
	return values[count / 2];
}

static unsigned char *map(size_t size)
{
	void *region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (region == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return region;
}

int main(int argc, char **argv)
{
	static double copies[MOST_ROUNDS], dumps[MOST_ROUNDS];
	long mib = 64, rounds = 8, copy_rounds;
	uint64_t state = 88172645463325252ULL;
	unsigned char *region, *other;
	double begun, finished;
	pid_t tracer = 0;
	size_t size;
	int option;

	while ((option = getopt(argc, argv, "m:n:p")) != -1) {
		if (option == 'm')
			mib = atol(optarg);
		else if (option == 'n')
			rounds = atol(optarg);
		else if (option == 'p')
			tracer = getppid();
		else
			return 64;
	}
	if (mib < 1 || rounds < 0 || rounds > MOST_ROUNDS)
		return 64;
	size = (size_t)mib << 20;
	region = map(size);
	other = map(size);
	for (size_t i = 0; i < size; i += sizeof(state)) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		memcpy(region + i, &state, sizeof(state));
	}

	/* Touches the destination, and warms up. */
	memcpy(other, region, size);
	copy_rounds = rounds > 5 ? rounds : 5;
	for (long i = 0; i < copy_rounds; i++) {
		double start = at(CLOCK_MONOTONIC);

		memcpy(other, region, size);
		copies[i] = at(CLOCK_MONOTONIC) - start;
		/* So that no compiler takes the copy for useless. */
		__asm__ volatile("" : : "r"(other) : "memory");
	}

	if (tracer > 1)
		kill(tracer, SIGSTOP);
	begun = at(CLOCK_REALTIME);
	for (long round = 0; round < rounds; round++) {
		double start = at(CLOCK_MONOTONIC);

		if (mprotect(region, size, PROT_READ | PROT_EXEC) != 0)
			return 1;
		dumps[round] = at(CLOCK_MONOTONIC) - start;
		if (round + 1 == rounds)
			break;
		if (mprotect(region, size, PROT_READ | PROT_WRITE) != 0)
			return 1;
		/* Every page is another one now, at little cost between two dumps. */
		for (size_t i = 0; i < size; i += PAGE)
			(*(uint64_t *)(region + i))++;
	}
	finished = at(CLOCK_REALTIME);
	if (tracer > 1)
		kill(tracer, SIGCONT);
	printf("{\"memcpy_bytes_per_second\":%.0f,\"mprotect_bytes_per_second\":%.0f,"
	       "\"bytes\":%llu,\"begun\":%.6f,\"seconds\":%.6f}\n",
	       size / median(copies, copy_rounds), rounds ? size / median(dumps, rounds) : 0,
	       (unsigned long long)size * rounds, begun, finished - begun);
	return 0;
}
