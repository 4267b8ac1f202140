/* SPDX-License-Identifier: MIT */
/* Hostile: a splice into code; the descriptor that would tell the file is closed meanwhile. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "case.h"

static int file, ends[2];
static volatile int ready;

static void *splicer(void *argument)
{
	loff_t start = 0;

	ready = 1;
	case_check(splice(ends[0], NULL, file, &start, PAGE, 0) == (ssize_t)PAGE, "splice");
	return argument;
}

int main(void)
{
	static unsigned char content[PAGE];
	unsigned char *code;
	char path[256];
	pthread_t thread;

	file = case_file(path);
	unlink(path);
	case_code(content, PAGE, 0x12000101);
	case_check(write(file, content, PAGE) == (ssize_t)PAGE, "write");
	code = mmap(NULL, PAGE, RX, MAP_PRIVATE, file, 0);
	case_check(code != MAP_FAILED && pipe(ends) == 0, "mmap or pipe");
	case_run(code, 0x12000101);
	case_truth(code, PAGE);
	case_check(pthread_create(&thread, NULL, splicer, NULL) == 0, "pthread_create");
	while (!ready)
		sched_yield();
	usleep(200000); /* now it waits in splice */
	close(file);
	case_code(content, PAGE, 0x12000102);
	case_check(write(ends[1], content, PAGE) == (ssize_t)PAGE, "write");
	pthread_join(thread, NULL);
	case_run(code, 0x12000102);
	case_truth(code, PAGE);
	return case_end();
}
