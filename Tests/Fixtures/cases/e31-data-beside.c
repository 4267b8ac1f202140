/* SPDX-License-Identifier: MIT */
/* E31: RW to RWX, fifty times, while a thread keeps storing beside the code in the page. */
#include <pthread.h>

#include "case.h"

#define ROUNDS 50
#define LENGTH 1024

static unsigned char *code;
static volatile int stop;

static void *store(void *argument)
{
	volatile uint64_t *word = (volatile uint64_t *)(code + 2048);

	for (uint64_t i = 0; !stop; i++)
		*word = i;
	return argument;
}

int main(void)
{
	pthread_t thread;

	code = fixture_map(PAGE, RW);
	case_check(pthread_create(&thread, NULL, store, NULL) == 0, "pthread_create");
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		fixture_protect(code, PAGE, RW);
		case_code(code, LENGTH, 0x31000000 + i);
		fixture_protect(code, PAGE, RWX);
		case_run(code, 0x31000000 + i);
		case_truth(code, LENGTH);
	}
	stop = 1;
	pthread_join(thread, NULL);
	return case_end();
}
