/* SPDX-License-Identifier: MIT */
/*
 * R23 [ROUNDS]: a child sends SIGCONT as fast as it can, which takes back every stop that is pending
 * (prepare_signal() in kernel/signal.c), while new RWX memory is made, written and run, twice
 * each time; the second half with all signals blocked.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"

static void flood(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (kill(parent, SIGCONT) == 0)
		continue;
	_exit(0);
}

static void rounds(uint32_t first, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		unsigned char *code = fixture_map(PAGE, RWX);

		for (uint32_t again = 0; again < 2; again++) {
			uint32_t number = first + 2 * i + again;

			case_code(code, PAGE, number);
			case_run(code, number);
			case_truth(code, PAGE);
		}
		case_check(munmap(code, PAGE) == 0, "munmap");
	}
}

int main(int argc, char **argv)
{
	uint32_t count = argc > 1 ? (uint32_t)atoi(argv[1]) : 50;
	pid_t parent = getpid(), child = case_fork();
	uint64_t all = ~(uint64_t)0;

	if (child == 0)
		flood(parent);
	rounds(0x57000000, count);
	case_check(syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, sizeof(all)) == 0,
		   "rt_sigprocmask");
	rounds(0x57001000, count);
	case_check(kill(child, SIGKILL) == 0, "kill");
	return case_end();
}
