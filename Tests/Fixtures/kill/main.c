/* SPDX-License-Identifier: MIT */
/*
 * kill COUNT HUSK [OPTION...]: kills Husk with SIGKILL at a random moment, again and again,
 * while it traces a program that makes code as fast as it can. Each time the program must come to
 * its end, with its right output, within seconds. `make kill-test` does so 500 times.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 400
#define PAGES 16
#define THREADS 2
#define PATIENCE_MS 30000

/* ---- the program that is traced --------------------------------------------------------- */

static void *make_code(void *argument)
{
	size_t length = PAGES * 4096;
	unsigned char *code = mmap(NULL, length, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t sum = 0;

	for (uint32_t round = 1; round <= ROUNDS; round++) {
		mprotect(code, length, PROT_READ | PROT_WRITE);
		for (int page = 0; page < PAGES; page++) {
			unsigned char *place = code + page * 4096;

			place[0] = 0xB8; /* mov eax, round + page; ret */
			*(uint32_t *)(place + 1) = round + page;
			place[5] = 0xC3;
		}
		mprotect(code, length, PROT_READ | PROT_EXEC);
		for (int page = 0; page < PAGES; page++)
			sum += ((uint32_t(*)(void))(code + page * 4096))();
	}
	*(uint64_t *)argument = sum;
	return NULL;
}

static int target(void)
{
	pthread_t threads[THREADS];
	uint64_t sums[THREADS], sum = 0;

	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, make_code, &sums[i]);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		sum += sums[i];
	}
	printf("%llu\n", (unsigned long long)sum);
	return 0;
}

/* ---- the test ----------------------------------------------------------------------------- */

static long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What the program prints, read until all who have its standard output have ended, or NULL. */
static const char *read_output(int fd, long deadline)
{
	static char text[256];
	size_t used = 0;

	for (;;) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		long left = deadline - milliseconds();
		ssize_t size;

		if (left <= 0 || poll(&ready, 1, (int)left) <= 0)
			return NULL;
		size = read(fd, text + used, sizeof(text) - 1 - used);
		if (size <= 0)
			break;
		used += (size_t)size;
	}
	text[used] = 0;
	return text;
}

/* Starts Husk on this program; returns its PID, and where the program's output comes from. */
static pid_t start(char *self, char **husk, int count, int *output)
{
	char *arguments[64] = {husk[0], "run", "--quiet"};
	int ends[2], used = 3;
	pid_t pid;

	for (int i = 1; i < count && used < 58; i++)
		arguments[used++] = husk[i];
	arguments[used++] = "--";
	arguments[used++] = self;
	arguments[used++] = "target";
	if (pipe2(ends, O_CLOEXEC) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		dup2(ends[1], STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execv(husk[0], arguments);
		_exit(127);
	}
	close(ends[1]);
	*output = ends[0];
	return pid;
}

int main(int argc, char **argv)
{
	char expected[64];
	uint64_t sum = 0;
	long longest = 0, slowest = 0;
	int killed = 0, wrong = 0, count;

	if (argc == 2 && !strcmp(argv[1], "target"))
		return target();
	if (argc < 3) {
		fprintf(stderr, "usage: kill COUNT HUSK [OPTION...]\n");
		return 64;
	}
	for (uint64_t round = 1; round <= ROUNDS; round++)
		for (uint64_t page = 0; page < PAGES; page++)
			sum += THREADS * (round + page);
	snprintf(expected, sizeof(expected), "%llu\n", (unsigned long long)sum);
	/* The program, when Husk has died, becomes a child of this one. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	srandom((unsigned)time(NULL));
	count = atoi(argv[1]);
	for (int i = -1; i < count; i++) {
		long begun = milliseconds(), took;
		const char *text;
		int output, status;
		pid_t husk = start(argv[0], argv + 2, argc - 2, &output);

		if (husk < 0)
			return 71;
		/* The first one lives, and tells how long a whole run takes. */
		if (i >= 0) {
			usleep((useconds_t)(random() % (longest * 1000 + 1)));
			kill(husk, SIGKILL);
		}
		text = read_output(output, milliseconds() + PATIENCE_MS);
		took = milliseconds() - begun;
		close(output);
		while (waitpid(-1, &status, WNOHANG) > 0) {
		}
		if (i < 0) {
			longest = took;
			if (!text || strcmp(text, expected)) {
				fprintf(stderr, "without a kill the output is wrong: %s\n",
					text ? text : "(it never ended)");
				return 1;
			}
			waitpid(husk, &status, 0);
			continue;
		}
		if (took > slowest)
			slowest = took;
		killed++;
		/* Killed before it let the program go: that has not run at all. */
		if (text && !*text)
			continue;
		if (!text || strcmp(text, expected)) {
			fprintf(stderr, "kill %d: %s\n", i, text ? text : "the program never ended");
			wrong++;
		}
		if ((i + 1) % 50 == 0)
			fprintf(stderr, "%d of %d, %d wrong\n", i + 1, count, wrong);
	}
	printf("{\"killed\":%d,\"wrong\":%d,\"whole_ms\":%ld,\"slowest_ms\":%ld}\n", killed, wrong,
	       longest, slowest);
	return wrong != 0;
}
