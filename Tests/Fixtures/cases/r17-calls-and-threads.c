/* SPDX-License-Identifier: MIT */
/*
 * R17: one thread has the kernel write code (read, recv of datagrams) into pages that another one
 * has just run and is going to run again; that one spins meanwhile, or sleeps in the kernel. And
 * signals whose frames lie in such memory.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 40
#define STACK (8 * PAGE)

static unsigned char *region; /* two pages; code lies across them */
static unsigned char *code;
static _Atomic uint32_t written, run;
static int doorbell[2];

/* Every other round it waits in the kernel. */
static void *runs(void *argument)
{
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		char ring;

		if (i % 2)
			case_check(read(doorbell[0], &ring, 1) == 1, "the doorbell");
		while (atomic_load(&written) != i)
			;
		case_run(code, 0x57000000 + i);
		atomic_store(&run, i);
	}
	return argument;
}

static void calls(void)
{
	int ends[2], pair[2];
	pthread_t thread;

	case_check(pipe(ends) == 0 && pipe(doorbell) == 0, "pipe");
	case_check(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) == 0, "socketpair");
	case_check(pthread_create(&thread, NULL, runs, NULL) == 0, "pthread_create");
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		unsigned char bytes[1000];

		case_code(bytes, sizeof(bytes), 0x57000000 + i);
		if (i % 4 < 2) {
			case_check(write(ends[1], bytes, sizeof(bytes)) == sizeof(bytes), "write");
			case_check(read(ends[0], code, sizeof(bytes)) == sizeof(bytes), "read");
		} else {
			case_check(send(pair[1], bytes, sizeof(bytes), 0) == sizeof(bytes), "send");
			case_check(recv(pair[0], code, sizeof(bytes), 0) == sizeof(bytes), "recv");
		}
		case_truth(code, sizeof(bytes));
		atomic_store(&written, i);
		if (i % 2)
			case_check(write(doorbell[1], "", 1) == 1, "the doorbell");
		while (atomic_load(&run) != i)
			;
	}
	pthread_join(thread, NULL);
}

static volatile sig_atomic_t signals;

static void handler(int signal)
{
	signals += signal == SIGUSR1;
}

/* The signal's frame is written to a stack between pages that are run. */
static void frames(void)
{
	unsigned char *memory = fixture_map(STACK, RWX);
	stack_t stack = {.ss_sp = memory, .ss_size = STACK};
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};

	case_check(sigaltstack(&stack, NULL) == 0, "sigaltstack");
	case_check(sigaction(SIGUSR1, &action, NULL) == 0, "sigaction");
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		unsigned char *last = memory + STACK - PAGE;

		case_code(last, 64, 0x58000000 + i);
		case_run(last, 0x58000000 + i);
		case_truth(last, 64);
		case_check(raise(SIGUSR1) == 0 && signals == (int)i, "the signal");
	}
	stack.ss_flags = SS_DISABLE;
	case_check(sigaltstack(&stack, NULL) == 0, "sigaltstack");
}

int main(void)
{
	region = fixture_map(2 * PAGE, RWX);
	code = region + PAGE - 500;
	calls();
	frames();
	return case_end();
}
