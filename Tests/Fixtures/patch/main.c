/* SPDX-License-Identifier: MIT */
/*
 * patch ROUNDS [race]: one page of 256 is made writable, changed, and then all of them executable,
 * again and again: what YJIT does. With `race` another thread makes the page writable and writes
 * to it while the first one is on its way into that call.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fixture.h"

#define PAGES 256

static unsigned char *code;
static pthread_barrier_t barrier;
static sigjmp_buf refused;
static int rounds;
static volatile int has_written;

static void on_refusal(int signal)
{
	siglongjmp(refused, signal);
}

/* Near the end: a call that names all of them comes to it late. */
static unsigned char *page_of(int round)
{
	return code + (size_t)(PAGES - 1 - round % 64) * 4096;
}

static void *write_in_between(void *unused)
{
	signal(SIGSEGV, on_refusal);
	for (int round = 0; round < rounds; round++) {
		unsigned char *page = page_of(round);

		has_written = 0;
		pthread_barrier_wait(&barrier);
		mprotect(page, 4096, PROT_READ | PROT_WRITE);
		if (!sigsetjmp(refused, 1)) {
			memcpy(page + 64, &round, sizeof(round));
			has_written = 1;
		}
		pthread_barrier_wait(&barrier);
		pthread_barrier_wait(&barrier);
	}
	return unused;
}

static void race(void)
{
	pthread_t writer;

	pthread_barrier_init(&barrier, 0, 2);
	pthread_create(&writer, 0, write_in_between, 0);
	for (int round = 0; round < rounds; round++) {
		pthread_barrier_wait(&barrier);
		mprotect(code, PAGES * 4096, PROT_READ | PROT_EXEC);
		pthread_barrier_wait(&barrier);
		/* Whichever came first, it is executable now. */
		fixture_protect(code, PAGES * 4096, PROT_READ | PROT_EXEC);
		if (has_written)
			fixture_tell(page_of(round), 4096);
		pthread_barrier_wait(&barrier);
	}
	pthread_join(writer, 0);
}

int main(int argc, char **argv)
{
	rounds = argc > 1 ? atoi(argv[1]) : 3;
	code = fixture_map(PAGES * 4096, PROT_READ | PROT_WRITE);
	for (int page = 0; page < PAGES; page++)
		memset(code + page * 4096, page, 4096);
	fixture_protect(code, PAGES * 4096, PROT_READ | PROT_EXEC);
	fixture_tell(code, PAGES * 4096);
	if (argc > 2) {
		race();
		return 0;
	}
	for (int round = 0; round < rounds; round++) {
		unsigned char *page = page_of(round);

		fixture_protect(page, 4096, PROT_READ | PROT_WRITE);
		memcpy(page + 64, &round, sizeof(round));
		fixture_protect(code, PAGES * 4096, PROT_READ | PROT_EXEC);
		fixture_tell(page, 4096);
	}
	return 0;
}
