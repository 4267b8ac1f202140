/* SPDX-License-Identifier: MIT */
/*
 * R16: a thread with all signals blocked writes and runs RWX code: first with a handler for
 * SIGSEGV, then with that signal ignored. Neither that nor the mask is other afterwards, and
 * a fault of its own reaches the handler in the end.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 50
#define UNMAPPED ((volatile unsigned char *)0x20123)

static unsigned char *code;
static sigjmp_buf back;
static volatile sig_atomic_t faults;
static uint32_t number;

static void fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	case_check(signal == SIGSEGV && info->si_addr == UNMAPPED, "a fault that is not its own");
	faults++;
	siglongjmp(back, 1);
}

/* The kernel's own mask: libc keeps two signals out of its hands. */
static uint64_t mask(const uint64_t *set)
{
	uint64_t old;

	case_check(syscall(SYS_rt_sigprocmask, SIG_SETMASK, set, &old, sizeof(old)) == 0,
		   "rt_sigprocmask");
	return old;
}

static void handler_is(const struct sigaction *expected)
{
	struct sigaction now;

	case_check(sigaction(SIGSEGV, NULL, &now) == 0, "sigaction");
	case_check(now.sa_sigaction == expected->sa_sigaction, "the handler");
	case_check(now.sa_flags == expected->sa_flags, "the handler's flags");
	for (int i = 1; i < 65; i++)
		case_check(sigismember(&now.sa_mask, i) == sigismember(&expected->sa_mask, i),
			   "the handler's mask");
}

/* Half of the rounds ask nothing of the kernel in between, half look at once. */
static void rounds(const struct sigaction *handler, uint64_t blocked)
{
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		case_code(code, PAGE, 0x50000000 + ++number);
		case_run(code, 0x50000000 + number);
		case_truth(code, PAGE);
		if (i <= ROUNDS / 2)
			continue;
		handler_is(handler);
		case_check(mask(NULL) == blocked, "the mask");
	}
}

static void *work(void *argument)
{
	uint64_t all = ~(uint64_t)0, before = mask(&all), blocked = mask(NULL);
	struct sigaction handler = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO | SA_NODEFER};
	struct sigaction ignored = {.sa_handler = SIG_IGN}, set;

	case_check(blocked == (all & ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1))), "blocked");
	sigaddset(&handler.sa_mask, SIGUSR1);
	case_check(sigaction(SIGSEGV, &handler, NULL) == 0, "sigaction");
	case_check(sigaction(SIGSEGV, NULL, &set) == 0, "sigaction");
	rounds(&set, blocked);
	handler_is(&set);
	case_check(sigaction(SIGSEGV, &ignored, NULL) == 0, "sigaction");
	case_check(sigaction(SIGSEGV, NULL, &ignored) == 0, "sigaction");
	rounds(&ignored, blocked);
	handler_is(&ignored);
	case_check(sigaction(SIGSEGV, &handler, NULL) == 0, "sigaction");
	case_check(mask(&before) == blocked && mask(NULL) == before, "the mask");
	if (sigsetjmp(back, 1) == 0) {
		(void)*UNMAPPED;
		case_check(0, "no fault");
	}
	case_check(faults == 1, "the number of faults");
	rounds(&set, before);
	return argument;
}

int main(void)
{
	pthread_t thread;

	code = fixture_map(PAGE, RWX);
	case_check(pthread_create(&thread, NULL, work, NULL) == 0, "pthread_create");
	pthread_join(thread, NULL);
	return case_end();
}
