/* SPDX-License-Identifier: MIT */
/*
 * race.h - a large mprotect makes code executable, and a second thread runs one page of it and
 * discards it before the first thread is back: while all that code is still being copied (H08).
 */
#ifndef HUSK_RACE_H
#define HUSK_RACE_H

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>

#include "case.h"

#define RACE_PAGES ((size_t)24576) /* 96 MiB, of which the page near the end is copied late */
#define RACE_RESULT 0x08000101u

static unsigned char *race_page;
static void (*race_discard)(unsigned char *page);
static volatile int race_ready;
static volatile sig_atomic_t race_over;
static sigjmp_buf race_back;

static void race_caught(int number)
{
	if (race_over)
		signal(number, SIG_DFL); /* no code that is not executable yet: a crash */
	else
		siglongjmp(race_back, number);
}

/* Makes no call of its own before the code has run: it is waited for by faulting. */
static void *race_second(void *argument)
{
	race_ready = 1;
	sigsetjmp(race_back, 0); /* each fault leads here again */
	case_run(race_page, RACE_RESULT);
	race_over = 1;
	race_discard(race_page);
	return argument;
}

static int race(void (*discard)(unsigned char *page))
{
	unsigned char *code = fixture_map(RACE_PAGES * PAGE, RW);
	struct sigaction action = {.sa_handler = race_caught, .sa_flags = SA_NODEFER};
	pthread_t thread;

	case_check(sigaction(SIGSEGV, &action, NULL) == 0, "sigaction");
	for (uint32_t i = 0; i < RACE_PAGES; i++)
		case_code(code + PAGE * i, 32, i);
	race_page = code + PAGE * (RACE_PAGES - 5);
	race_discard = discard;
	case_code(race_page, PAGE, RACE_RESULT);
	case_truth(race_page, PAGE); /* the second thread is going to run it, and has no time */
	case_check(pthread_create(&thread, NULL, race_second, NULL) == 0, "pthread_create");
	while (!race_ready)
		sched_yield();
	fixture_protect(code, RACE_PAGES * PAGE, RX);
	pthread_join(thread, NULL);
	return case_end();
}

#endif
