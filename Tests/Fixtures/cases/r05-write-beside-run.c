/* SPDX-License-Identifier: MIT */
/*
 * R05: one thread runs a function in an RWX page over and over while another writes data into
 * that same page; and functions into the next page, each of which the first thread then calls.
 * They wait for each other without a system call.
 */
#include <pthread.h>

#include "rounds.h"

#define ROUNDS 200
#define BESIDE 8
#define STAYING 0x45ffffffu
#define LENGTH (PAGE / 2) /* of the page's code: the other half has the data */

static unsigned char *region;
static uint32_t written, called; /* rounds */

static void *writer(void *argument)
{
	volatile uint32_t *words = (volatile uint32_t *)(region + LENGTH);
	uint32_t number = 0;

	for (uint32_t i = 1; i <= ROUNDS; i++) {
		case_code(region + PAGE, PAGE, 0x45000000 + i);
		__atomic_store_n(&written, i, __ATOMIC_RELEASE);
		for (int beside = 0; beside < BESIDE; beside++, number++) {
			words[number % 512] = number;
			case_check(words[number % 512] == number, "a word");
		}
		while (__atomic_load_n(&called, __ATOMIC_ACQUIRE) < i)
			__builtin_ia32_pause();
	}
	for (uint32_t i = number - 512; i < number; i++)
		case_check(words[i % 512] == i, "the words afterwards");
	return argument;
}

int main(void)
{
	pthread_t thread;

	region = fixture_map(2 * PAGE, RWX);
	case_code(region, LENGTH, STAYING);
	case_truth(region, LENGTH);
	case_check(pthread_create(&thread, NULL, writer, NULL) == 0, "pthread_create");
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		do {
			case_run(region, STAYING);
		} while (__atomic_load_n(&written, __ATOMIC_ACQUIRE) < i);
		case_serialise();
		case_run(region + PAGE, 0x45000000 + i);
		case_truth(region + PAGE, PAGE);
		__atomic_store_n(&called, i, __ATOMIC_RELEASE);
	}
	pthread_join(thread, NULL);
	case_run(region, STAYING);
	return case_end();
}
