/* SPDX-License-Identifier: MIT */
/*
 * R14: one memfd, mapped RW and RX; 300 contents are written through the one view and run
 * through the other with no call at all, while another thread reads both.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 300

static const unsigned char *views[2];
static int done;
static volatile uint64_t sum;

static void *reader(void *argument)
{
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE)) {
		for (size_t i = 0; i < PAGE; i += 64)
			sum += *(const volatile unsigned char *)(views[i / 64 % 2] + i);
	}
	return argument;
}

int main(void)
{
	int file = memfd_create("r14", MFD_CLOEXEC);
	unsigned char *write_view, *code;
	pthread_t thread;

	case_check(file >= 0 && ftruncate(file, PAGE) == 0, "memfd");
	write_view = mmap(NULL, PAGE, RW, MAP_SHARED, file, 0);
	code = mmap(NULL, PAGE, RX, MAP_SHARED, file, 0);
	case_check(write_view != MAP_FAILED && code != MAP_FAILED, "mmap");
	views[0] = write_view;
	views[1] = code;
	case_check(pthread_create(&thread, NULL, reader, NULL) == 0, "pthread_create");
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		case_code(write_view, PAGE - i, 0x4e000000 + i);
		case_serialise();
		case_run(code, 0x4e000000 + i);
		case_truth(code, PAGE - i);
	}
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	return case_end();
}
