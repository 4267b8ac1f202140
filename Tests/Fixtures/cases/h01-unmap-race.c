/* SPDX-License-Identifier: MIT */
/* Hostile: memory disappears while it is being made executable; 2000 times, no truth. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "case.h"

#define ROUNDS 2000

static unsigned char *volatile place;
static volatile uint32_t asked, done;

/* Spins, so that both go on at the same moment; but not for long where there is one CPU. */
static void wait_for(volatile uint32_t *number, uint32_t wanted)
{
	for (int turns = 0; *number < wanted; turns++) {
		if (turns > 2000)
			sched_yield();
		__builtin_ia32_pause();
	}
}

static void *unmapper(void *argument)
{
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		wait_for(&asked, i);
		for (volatile uint32_t wait = 0; wait < i % 500; wait = wait + 1)
			;
		munmap(place, 4 * PAGE);
		done = i;
	}
	return argument;
}

int main(void)
{
	pthread_t thread;

	case_check(pthread_create(&thread, NULL, unmapper, NULL) == 0, "pthread_create");
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		unsigned char *code = fixture_map(4 * PAGE, RW);

		case_code(code, 4 * PAGE, i);
		place = code;
		asked = i;
		mprotect(code, 4 * PAGE, RX); /* may fail */
		wait_for(&done, i);
	}
	pthread_join(thread, NULL);
	return case_end();
}
