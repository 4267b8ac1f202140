/* SPDX-License-Identifier: MIT */
/*
 * R34: the process's first thread has ended, and another one has descriptors of its own: what
 * /proc/PID tells of such a process is nothing.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 40

static uint32_t number = 0x34000000;

/* Waits until the first thread is there no more, but for its number. */
static void wait_for_end(void)
{
	char path[64], state = 'R';
	int pid = getpid();

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", pid);
	while (state != 'Z') {
		FILE *stat = fopen(path, "r");

		case_check(stat && fscanf(stat, "%*d (%*[^)]) %c", &state) == 1, path);
		fclose(stat);
		usleep(1000);
	}
}

/* The kernel writes to a page that has run: nothing may be lost by that. */
static void receive(unsigned char *code)
{
	unsigned char bytes[256];
	int pair[2];

	case_check(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0, "socketpair");
	case_code(bytes, sizeof(bytes), ++number);
	case_check(send(pair[0], bytes, sizeof(bytes), 0) == sizeof(bytes), "send");
	case_check(recv(pair[1], code, sizeof(bytes), MSG_DONTWAIT) == sizeof(bytes), "recv");
	case_serialise();
	case_run(code, number);
	case_truth(code, sizeof(bytes));
	close(pair[0]);
	close(pair[1]);
}

static void *work(void *argument)
{
	unsigned char *code, *shared;

	wait_for_end();
	case_check(unshare(CLONE_FILES) == 0, "unshare");
	code = fixture_map(PAGE, RWX);
	rounds_run(code, code, PAGE, ROUNDS, &number);
	/* Before Linux 6.9 no one can get at such a thread's descriptors (PIDFD_THREAD). */
	if (syscall(SYS_pidfd_open, gettid(), O_EXCL) >= 0)
		receive(code);
	shared = mmap(NULL, PAGE, RWX, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	case_check(shared != MAP_FAILED, "mmap");
	rounds_run(shared, shared, PAGE, ROUNDS, &number);
	exit(case_end());
	return argument;
}

int main(void)
{
	pthread_t thread;

	case_check(pthread_create(&thread, NULL, work, NULL) == 0, "pthread_create");
	pthread_exit(NULL);
}
