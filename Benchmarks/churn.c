/* SPDX-License-Identifier: MIT */
/*
 * churn [-g GIB] [-m MIB]: all bytes of a region are changed and it is made executable, again and
 * again, until so many GiB were new. Prints one JSON line.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	double gib = 10;
	long mib = 16;
	uint64_t state = 88172645463325252ULL, *region;
	uint64_t bytes = 0, all;
	struct timespec start, end;
	double seconds;
	size_t size;
	int option;

	while ((option = getopt(argc, argv, "g:m:")) != -1) {
		if (option == 'g')
			gib = atof(optarg);
		else if (option == 'm')
			mib = atol(optarg);
		else
			return 64;
	}
	if (gib <= 0 || mib < 1)
		return 64;
	size = (size_t)mib << 20;
	all = (uint64_t)(gib * (1 << 30));
	region = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (region == MAP_FAILED)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &start);
	for (; bytes < all; bytes += size) {
		if (mprotect(region, size, PROT_READ | PROT_WRITE) != 0)
			return 1;
		for (size_t i = 0; i < size / sizeof(*region); i++) {
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			region[i] = state;
		}
		if (mprotect(region, size, PROT_READ | PROT_EXEC) != 0)
			return 1;
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	seconds = end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9;
	printf("{\"bytes\":%llu,\"seconds\":%.6f,\"bytes_per_second\":%.0f}\n",
	       (unsigned long long)bytes, seconds, bytes / seconds);
	return 0;
}
