/* SPDX-License-Identifier: MIT */
/*
 * threads THREADS ROUNDS: each thread toggles a 64 KiB region of its own as fast as it can,
 * other content each time (E32). Prints the truth of every round at the end.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fixture.h"

#define LENGTH 65536

static int rounds;

struct worker {
	pthread_t thread;
	int number;
	unsigned char *code;
	char (*hashes)[65];
};

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (int round = 0; round < rounds; round++) {
		if (round)
			fixture_protect(worker->code, LENGTH, PROT_READ | PROT_WRITE);
		memset(worker->code, worker->number * 64 + round % 64, LENGTH);
		memcpy(worker->code + 4096, &round, sizeof(round));
		fixture_sha256(worker->code, LENGTH, worker->hashes[round]);
		fixture_protect(worker->code, LENGTH, PROT_READ | PROT_EXEC);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 4;
	struct worker workers[16] = {0};

	rounds = argc > 2 ? atoi(argv[2]) : 100;
	for (int i = 0; i < count && i < 16; i++) {
		workers[i].number = i;
		workers[i].code = fixture_map(LENGTH, PROT_READ | PROT_WRITE);
		workers[i].hashes = calloc((size_t)rounds, sizeof(*workers[i].hashes));
		pthread_create(&workers[i].thread, NULL, work, &workers[i]);
	}
	for (int i = 0; i < count && i < 16; i++) {
		pthread_join(workers[i].thread, NULL);
		for (int round = 0; round < rounds; round++)
			fixture_tell_hash(workers[i].code, LENGTH, workers[i].hashes[round]);
	}
	return 0;
}
