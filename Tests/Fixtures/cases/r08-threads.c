/* SPDX-License-Identifier: MIT */
/*
 * R08: four threads at a time, begun after the RWX region was made and used; each writes and
 * runs code on its own page of it, 200 generations, while threads come and go.
 */
#include <pthread.h>

#include "rounds.h"

#define THREADS 4
#define WAVES 10
#define ROUNDS 20 /* of each thread */

static unsigned char *region;
static uint32_t wave;

static void *work(void *argument)
{
	uint32_t number = (uint32_t)(uintptr_t)argument;
	unsigned char *code = region + PAGE * number;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t result = 0x48000000 + (number << 16) + wave * ROUNDS + i;

		case_code(code, PAGE, result);
		case_run(code, result);
		case_truth(code, PAGE);
	}
	return NULL;
}

/* Begins a thread and ends at once. */
static void *in_passing(void *argument)
{
	pthread_t *thread = argument;

	case_check(pthread_create(thread, NULL, work, (void *)(uintptr_t)(THREADS - 1)) == 0,
		   "pthread_create");
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS], passing;

	region = fixture_map((THREADS + 1) * PAGE, RWX);
	case_code(region + THREADS * PAGE, PAGE, 0x48ffffff);
	case_run(region + THREADS * PAGE, 0x48ffffff);
	case_truth(region + THREADS * PAGE, PAGE);
	for (wave = 0; wave < WAVES; wave++) {
		case_check(pthread_create(&passing, NULL, in_passing, &threads[THREADS - 1]) == 0,
			   "pthread_create");
		for (uintptr_t i = 0; i < THREADS - 1; i++)
			case_check(pthread_create(&threads[i], NULL, work, (void *)i) == 0,
				   "pthread_create");
		case_run(region + THREADS * PAGE, 0x48ffffff);
		pthread_join(passing, NULL);
		for (int i = 0; i < THREADS; i++)
			pthread_join(threads[i], NULL);
	}
	return case_end();
}
