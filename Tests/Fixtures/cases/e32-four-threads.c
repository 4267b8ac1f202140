/* SPDX-License-Identifier: MIT */
/*
 * E32 [ROUNDS]: four threads, each toggling 64 KiB as fast as it can. The truths, thread by
 * thread, are computed at the end from the same content.
 */
#include <pthread.h>
#include <stdlib.h>

#include "case.h"

#define THREADS 4
#define LENGTH ((size_t)65536)

static uint32_t rounds = 200;
static unsigned char *places[THREADS];

static uint32_t result(uint32_t number, uint32_t round)
{
	return 0x32000000 + (number << 20) + round;
}

static void *work(void *argument)
{
	uint32_t number = (uint32_t)(uintptr_t)argument;
	unsigned char *code = places[number];

	for (uint32_t round = 0; round < rounds; round++) {
		fixture_protect(code, LENGTH, RW);
		case_code(code, LENGTH, result(number, round));
		fixture_protect(code, LENGTH, RX);
		case_run(code, result(number, round));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static unsigned char scratch[LENGTH];
	pthread_t threads[THREADS];

	if (argc > 1)
		rounds = (uint32_t)atoi(argv[1]);
	case_reserve(THREADS * (size_t)rounds);
	for (uintptr_t i = 0; i < THREADS; i++) {
		places[i] = fixture_map(LENGTH, RW);
		case_check(pthread_create(&threads[i], NULL, work, (void *)i) == 0,
			   "pthread_create");
	}
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (uint32_t i = 0; i < THREADS; i++) {
		for (uint32_t round = 0; round < rounds; round++) {
			case_code(scratch, LENGTH, result(i, round));
			case_truth_of(places[i], scratch, LENGTH);
		}
	}
	return case_end();
}
