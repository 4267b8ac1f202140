/* SPDX-License-Identifier: MIT */
/*
 * R31: while something is let write to code that has run, a call that waits half-way, another
 * process, or an instruction on that page, a thread that was waiting writes and runs there.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 20
#define STEPPED 200
#define LENGTH (PAGE - 100)
#define HEAD 12

static uint32_t number = 0x5f000000;
static unsigned char *code;
static int pair[2];
static int done;

static void rounds(void)
{
	rounds_run(code, code, LENGTH, ROUNDS, &number);
}

static void pause_ms(long milliseconds)
{
	struct timespec time = {0, milliseconds * 1000000};

	nanosleep(&time, NULL);
}

static void *receives(void *argument)
{
	unsigned char *behind = code + PAGE - HEAD;

	case_check(recv(pair[0], behind, HEAD, MSG_WAITALL) == HEAD, "recv");
	return argument;
}

static void half_received(void)
{
	unsigned char bytes[HEAD] = {0};
	pthread_t thread;

	case_check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
	rounds();
	case_check(pthread_create(&thread, NULL, receives, NULL) == 0, "pthread_create");
	pause_ms(30);
	case_check(send(pair[1], bytes, HEAD / 2, 0) == HEAD / 2, "send");
	pause_ms(30);
	rounds();
	case_check(send(pair[1], bytes, HEAD / 2, 0) == HEAD / 2, "send");
	pthread_join(thread, NULL);
}

static void by_another_process(void)
{
	pid_t parent = getpid(), child;
	unsigned char word = 0;
	int to_child[2], to_parent[2];

	case_check(pipe(to_child) == 0 && pipe(to_parent) == 0, "pipe");
	child = case_fork();
	if (child == 0) {
		unsigned char bytes[HEAD] = {0};
		struct iovec from = {bytes, HEAD}, to = {code + PAGE - HEAD, HEAD};

		while (read(to_child[0], &word, 1) == 1 && word) {
			pause_ms(1);
			case_check(process_vm_writev(parent, &from, 1, &to, 1, 0) == HEAD,
				   "process_vm_writev");
			case_check(write(to_parent[1], &word, 1) == 1, "write");
		}
		_exit(0);
	}
	for (int i = 0; i < ROUNDS; i++) {
		rounds_run(code, code, LENGTH, 1, &number);
		word = 1;
		case_check(write(to_child[1], &word, 1) == 1, "write");
		case_check(read(to_parent[0], &word, 1) == 1, "read");
	}
	word = 0;
	case_check(write(to_child[1], &word, 1) == 1, "write");
	case_join(child);
}

/* Code that writes to the page that it is on is stepped. */
static void *writes_beside(void *argument)
{
	static const unsigned char bytes[] = {0x89, 0x05, 0, 2, 0, 0, 0xC3}; /* mov [rip+512], eax; ret */

	memcpy(code + PAGE / 2, bytes, sizeof(bytes));
	while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE))
		((void (*)(void))(code + PAGE / 2))();
	return argument;
}

static void beside_a_step(void)
{
	struct timespec moment = {0, 20000};
	pthread_t thread;

	case_check(pthread_create(&thread, NULL, writes_beside, NULL) == 0, "pthread_create");
	for (int i = 0; i < STEPPED; i++) {
		nanosleep(&moment, NULL);
		rounds_run(code, code, 64, 1, &number);
	}
	__atomic_store_n(&done, 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
}

int main(void)
{
	code = fixture_map(PAGE, RWX);
	half_received();
	by_another_process();
	beside_a_step();
	return case_end();
}
