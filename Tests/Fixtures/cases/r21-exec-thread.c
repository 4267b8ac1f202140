/* SPDX-License-Identifier: MIT */
/*
 * R21: a thread that is not its process's first executes this program again, twenty times, while
 * the others rewrite and run code, read it in, or write to the page that they run on.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rounds.h"

#define TIMES 20

static unsigned char *region;
static int remaining;

static void *rewrites(void *argument)
{
	for (uint32_t i = 1;; i++) {
		case_code(region, 64, i);
		case_run(region, i);
	}
	return argument;
}

static void *reads(void *argument)
{
	unsigned char *code = region + PAGE, bytes[64];
	int ends[2];

	case_check(pipe(ends) == 0, "pipe");
	for (uint32_t i = 1;; i++) {
		case_code(bytes, sizeof(bytes), i);
		case_check(write(ends[1], bytes, sizeof(bytes)) == sizeof(bytes), "write");
		case_check(read(ends[0], code, sizeof(bytes)) == sizeof(bytes), "read");
		case_run(code, i);
	}
	return argument;
}

/* mov [rdi], esi; mov eax, esi; ret */
static void *writes_beside(void *argument)
{
	static const unsigned char bytes[] = {0x89, 0x37, 0x89, 0xF0, 0xC3};
	unsigned char *code = region + 2 * PAGE;

	memcpy(code, bytes, sizeof(bytes));
	for (uint32_t i = 1;; i++)
		case_check(((uint32_t(*)(void *, uint32_t))code)(code + 2048, i) == i, "beside");
	return argument;
}

static void *executes(void *argument)
{
	char number[16];
	char *arguments[] = {argument, number, NULL};

	usleep(3000);
	snprintf(number, sizeof(number), "%d", remaining - 1);
	execv("/proc/thread-self/exe", arguments);
	fixture_fail("execv");
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	remaining = argc > 1 ? atoi(argv[1]) : TIMES;
	for (int file = 3; file < 20; file++)
		close(file);
	region = fixture_map(3 * PAGE, RWX);
	if (remaining == 0) {
		case_code(region, PAGE, 0x5d000001);
		case_run(region, 0x5d000001);
		case_truth(region, PAGE);
		return case_end();
	}
	pthread_create(&thread, NULL, executes, argv[0]);
	pthread_create(&thread, NULL, reads, NULL);
	pthread_create(&thread, NULL, writes_beside, NULL);
	if (remaining % 3 == 0)
		pthread_exit(NULL); /* the others live on without the first */
	rewrites(NULL);
}
