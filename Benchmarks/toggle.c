/* SPDX-License-Identifier: MIT */
/*
 * toggle [-t THREADS] [-s SECONDS | -n COUNT] [-k KIB] [-c CHANGED_PAGES] [-r MAX_PER_SECOND]:
 * what a compiler under W^X does. Each thread has a region of its own; makes it writable,
 * changes some of its pages, makes it executable, and again. The content is new each time.
 *
 * -n is for each thread, -r for all together. Prints one JSON line.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096

static long threads = 1, kib = 64, changed, count;
static double seconds, rate;
static double start;

struct worker {
	pthread_t thread;
	uint64_t index, done;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void sleep_until(double due)
{
	struct timespec time = {(time_t)due, (long)((due - (time_t)due) * 1e9)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	long pages = kib * 1024 / PAGE;
	uint64_t value = worker->index << 56;
	unsigned char *region = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (region == MAP_FAILED)
		die("mmap");
	/* Resident from the start, and no page like another. */
	for (long i = 0; i < pages; i++)
		*(uint64_t *)(region + i * PAGE) = ++value;
	for (;;) {
		if (count && worker->done >= (uint64_t)count)
			break;
		if (!count && now() - start >= seconds)
			break;
		if (mprotect(region, pages * PAGE, PROT_READ | PROT_WRITE) != 0)
			die("mprotect");
		/* Which pages are changed goes round, so that each is changed now and then. */
		for (long i = 0; i < changed; i++)
			*(uint64_t *)(region + (worker->done + i) % pages * PAGE) = ++value;
		if (mprotect(region, pages * PAGE, PROT_READ | PROT_EXEC) != 0)
			die("mprotect");
		worker->done++;
		/* Late ones are made up for: the rate is that of the whole run. */
		if (rate > 0) {
			double due = start + worker->done * threads / rate;

			if (due > now())
				sleep_until(due);
		}
	}
	return NULL;
}

int main(int argc, char **argv)
{
	struct worker *workers;
	uint64_t toggles = 0;
	double elapsed;
	int option;

	while ((option = getopt(argc, argv, "t:s:n:k:c:r:")) != -1) {
		switch (option) {
		case 't': threads = atol(optarg); break;
		case 's': seconds = atof(optarg); break;
		case 'n': count = atol(optarg); break;
		case 'k': kib = atol(optarg); break;
		case 'c': changed = atol(optarg); break;
		case 'r': rate = atof(optarg); break;
		default: return 64;
		}
	}
	if (changed <= 0 || changed > kib / 4)
		changed = kib / 4;
	if (threads < 1 || threads > 128 || kib < 4 || kib % 4 || (!count && seconds <= 0))
		return 64;
	workers = calloc(threads, sizeof(*workers));
	if (!workers)
		return 1;
	start = now();
	for (long i = 0; i < threads; i++) {
		workers[i].index = i;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			die("pthread_create");
	}
	for (long i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		toggles += workers[i].done;
	}
	elapsed = now() - start;
	printf("{\"toggles\":%llu,\"seconds\":%.6f,\"per_second\":%.1f}\n",
	       (unsigned long long)toggles, elapsed, toggles / elapsed);
	return 0;
}
