/* SPDX-License-Identifier: MIT */
/*
 * R20: read(2) into code that has just run, while a timer's signals come all the time: a call that
 * has a signal pending does not wait for a page, but tries again and again.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 400

static volatile sig_atomic_t signals;

static void handler(int signal)
{
	signals += signal == SIGALRM;
}

int main(void)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
	struct itimerval often = {{0, 1000}, {0, 1000}};
	unsigned char *code = fixture_map(PAGE, RWX), bytes[64];
	int ends[2];

	case_check(pipe(ends) == 0, "pipe");
	case_check(sigaction(SIGALRM, &action, NULL) == 0, "sigaction");
	case_check(setitimer(ITIMER_REAL, &often, NULL) == 0, "setitimer");
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		case_code(bytes, sizeof(bytes), 0x5c000000 + i);
		case_check(write(ends[1], bytes, sizeof(bytes)) == sizeof(bytes), "write");
		case_check(read(ends[0], code, sizeof(bytes)) == sizeof(bytes), "read");
		case_run(code, 0x5c000000 + i);
		case_truth(code, sizeof(bytes));
	}
	often = (struct itimerval){{0, 0}, {0, 0}};
	case_check(setitimer(ITIMER_REAL, &often, NULL) == 0, "setitimer");
	return case_end();
}
