/* SPDX-License-Identifier: MIT */
/*
 * R22: processes whose threads fork are killed, or end, in the middle of it. Their children live
 * on, rewrite and run code, and end.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rounds.h"

#define PROCESSES 20

static unsigned char *code;

static void *forks(void *argument)
{
	for (;;) {
		if (fork() != 0)
			continue;
		case_code(code, 64, 0x5e000002);
		case_run(code, 0x5e000002);
		_exit(0);
	}
	return argument;
}

static void forking(int number)
{
	pthread_t thread;

	code = fixture_map(PAGE, RWX);
	case_code(code, 64, 0x5e000001);
	case_run(code, 0x5e000001);
	for (int i = 0; i < 2; i++)
		pthread_create(&thread, NULL, forks, NULL);
	usleep(1000 + number * 37);
	if (number % 2)
		kill(getpid(), SIGKILL);
	_exit(0);
}

int main(void)
{
	int status;

	case_check(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0, "PR_SET_CHILD_SUBREAPER");
	for (int i = 0; i < PROCESSES; i++)
		if (fork() == 0)
			forking(i);
	while (wait(&status) > 0)
		case_check(WIFEXITED(status) ? WEXITSTATUS(status) == 0
					     : WTERMSIG(status) == SIGKILL,
			   "how a child ended");
	code = fixture_map(PAGE, RWX);
	case_code(code, PAGE, 0x5e000003);
	case_run(code, 0x5e000003);
	case_truth(code, PAGE);
	return case_end();
}
