/* SPDX-License-Identifier: MIT */
/* E31: a thread writes the code while mprotect to RWX is under way, or just after it. */
#include <pthread.h>

#include "case.h"

#define ROUNDS 40
#define LENGTH 600

static unsigned char *code;
static volatile uint32_t asked, done; /* rounds */

static void *writer(void *argument)
{
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		while (asked < i)
			__builtin_ia32_pause();
		for (volatile uint32_t wait = 0; wait < 50 * i; wait = wait + 1)
			;
		case_code(code, LENGTH, 0x31001000 + i);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		done = i;
	}
	return argument;
}

int main(void)
{
	pthread_t thread;

	code = fixture_map(PAGE, RW);
	case_check(pthread_create(&thread, NULL, writer, NULL) == 0, "pthread_create");
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		fixture_protect(code, PAGE, RW);
		asked = i;
		fixture_protect(code, PAGE, RWX);
		while (done < i)
			__builtin_ia32_pause();
		case_serialise();
		case_run(code, 0x31001000 + i);
		case_truth(code, LENGTH);
	}
	pthread_join(thread, NULL);
	return case_end();
}
