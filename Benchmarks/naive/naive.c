/* SPDX-License-Identifier: MIT */
/*
 * naive -o OBJECT [-r RINGBYTES] [-n] -- COMMAND...: the baseline that Husk is compared with.
 *
 * Starts COMMAND, which waits until the probes are attached, and empties the ring every 100 ms,
 * as one does who has not thought about bursts. No one holds the target back: a full ring loses
 * pages. -n does not copy the records, but only counts them. Prints one JSON line after the
 * command's end; the exit status is 1 only if the tracing itself has failed.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "naive.h"

/* Where records are copied to, round and round: what a reader does at least before it looks. */
#define HEAP_BYTES (16 << 20)

struct reader {
	unsigned char *heap;
	size_t used;
	int copies;
	unsigned long long records, bytes;
};

static int on_record(void *context, void *data, size_t size)
{
	struct reader *reader = context;

	if (size < sizeof(struct naive_page))
		return 0;
	if (reader->copies) {
		if (reader->used + size > HEAP_BYTES)
			reader->used = 0;
		memcpy(reader->heap + reader->used, data, size);
		reader->used += size;
	}
	reader->records++;
	reader->bytes += NAIVE_PAGE;
	return 0;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Only so that the child's end cuts the pause short: the times told are the command's. */
static void on_end(int signal)
{
	(void)signal;
}

static pid_t start_stopped(char **command, int *go)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, 0) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		char byte;

		close(ends[1]);
		if (read(ends[0], &byte, 1) != 1)
			_exit(1); /* the reader has failed */
		close(ends[0]);
		execvp(command[0], command);
		_exit(127);
	}
	close(ends[0]);
	*go = ends[1];
	return pid;
}

static int fail(const char *what)
{
	fprintf(stderr, "naive: %s\n", what);
	return 1;
}

int main(int argc, char **argv)
{
	const char *path = NULL;
	unsigned long ring_bytes = 64 << 20;
	struct reader reader = {.copies = 1};
	struct bpf_object *object;
	struct bpf_program *program;
	struct bpf_map *configuration, *counters;
	struct ring_buffer *ring;
	unsigned long long counts[2];
	unsigned int first = 0;
	double start, end = 0;
	int option, go, status = 0;
	unsigned int target;
	pid_t pid;

	while ((option = getopt(argc, argv, "+r:no:")) != -1) {
		if (option == 'r')
			ring_bytes = strtoul(optarg, NULL, 0);
		else if (option == 'n')
			reader.copies = 0;
		else if (option == 'o')
			path = optarg;
		else
			return 64;
	}
	if (optind >= argc || !path)
		return 64;

	signal(SIGCHLD, on_end);
	pid = start_stopped(argv + optind, &go);
	if (pid < 0)
		return fail("cannot start the command");
	object = bpf_object__open_file(path, NULL);
	if (!object)
		return fail("cannot open the object");
	configuration = bpf_object__find_map_by_name(object, ".rodata");
	counters = bpf_object__find_map_by_name(object, ".bss");
	if (!configuration || !counters)
		return fail("not the object that belongs to this program");
	target = pid;
	bpf_map__set_initial_value(configuration, &target, sizeof(target));
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "records"), ring_bytes);
	if (bpf_object__load(object) != 0)
		return fail("cannot load the probes");
	bpf_object__for_each_program(program, object)
		if (!bpf_program__attach(program))
			return fail("cannot attach (is tracefs mounted?)");
	ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "records"), on_record,
				&reader, NULL);
	reader.heap = malloc(HEAP_BYTES);
	if (!ring || !reader.heap)
		return fail("cannot read the ring");
	memset(reader.heap, 0, HEAP_BYTES);

	start = now();
	if (write(go, "", 1) != 1)
		return fail("the command is gone");
	for (;;) {
		/* Asked before the ring is emptied, so that what came before the end is read. */
		int ended = waitpid(pid, &status, WNOHANG) == pid;

		if (ended)
			end = now();
		ring_buffer__consume(ring);
		if (ended)
			break;
		usleep(100000);
	}

	/* lost and unread: the only globals that are written. (What libbpf has mapped of them is a
	 * copy made before the load.) */
	if (bpf_map__value_size(counters) != sizeof(counts) ||
	    bpf_map_lookup_elem(bpf_map__fd(counters), &first, counts) != 0)
		return fail("no counters");
	printf("{\"records\":%llu,\"lost\":%llu,\"unread\":%llu,\"bytes\":%llu,\"seconds\":%.6f,"
	       "\"status\":%d}\n",
	       reader.records, counts[0], counts[1], reader.bytes, end - start, status);
	return 0;
}
