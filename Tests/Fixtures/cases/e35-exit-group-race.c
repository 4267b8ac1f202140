/* SPDX-License-Identifier: MIT */
/* E35: the process ends while another thread keeps mapping; the truths are the first 200. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "case.h"

#define KNOWN 200

static uint32_t done;

static void *work(void *argument)
{
	for (uint32_t i = 0;; i++) {
		unsigned char *code = fixture_map(PAGE, RW);

		case_code(code, 512, 0x35001000 + i);
		fixture_protect(code, PAGE, RX);
		case_run(code, 0x35001000 + i);
		if (i < KNOWN) {
			case_truth(code, 512);
			__atomic_store_n(&done, i + 1, __ATOMIC_RELEASE);
		}
		munmap(code, PAGE);
	}
	return argument;
}

int main(void)
{
	pthread_t thread;

	case_check(pthread_create(&thread, NULL, work, NULL) == 0, "pthread_create");
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < KNOWN)
		sched_yield();
	case_tell();
	_exit(0); /* exit_group */
}
