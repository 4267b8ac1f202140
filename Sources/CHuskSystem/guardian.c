/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "husk_guardian.h"
#include "husk_privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/bpf.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 250
#define SILENT_LOOKS 2 /* in a row without a heartbeat: Husk does not run */
/* The probes go one by one, and stop processes for as long as Husk has not been silent for half a
 * second (bpf/stopping.h). */
#define LAST_LOOKS 75
#define LAST_LOOK_MS 40
#define MAX_PROCESSES 65536

enum { STOPPED_FD = 3, CONSUMER_FD = 4, LIFE_FD = 5, FIRST_UNUSED_FD = 6 };

static int map_call(int command, int map, const void *key, void *value)
{
	union bpf_attr attributes;

	memset(&attributes, 0, sizeof(attributes));
	attributes.map_fd = (uint32_t)map;
	attributes.key = (uint64_t)(uintptr_t)key;
	attributes.value = (uint64_t)(uintptr_t)value; /* next_key is the same field */
	return (int)syscall(SYS_bpf, command, &attributes, sizeof(attributes));
}

/* Husk may live, and read them later: it is told first that they may not be as they were. */
static void note_release(void)
{
	uint32_t index = 3; /* CONSUMER_LET_GO (bpf/state.h) */
	struct timespec now;
	uint64_t time;

	clock_gettime(CLOCK_MONOTONIC, &now);
	time = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	map_call(BPF_MAP_UPDATE_ELEM, CONSUMER_FD, &index, &time);
}

/* Those that are stopped go on. Bounded: others may be stopped meanwhile. */
static void let_all_go(void)
{
	struct {
		uint32_t pid, number;
	} key;

	for (int i = 0; i < MAX_PROCESSES; i++) {
		if (map_call(BPF_MAP_GET_NEXT_KEY, STOPPED_FD, NULL, &key) != 0)
			return;
		note_release();
		kill((pid_t)key.pid, SIGCONT);
		if (map_call(BPF_MAP_DELETE_ELEM, STOPPED_FD, &key, NULL) != 0)
			return;
	}
}

/* In the child. Never returns. */
static void guard(void)
{
	struct pollfd life = {.fd = LIFE_FD, .events = POLLIN};
	uint64_t beats = 0, seen = 0;
	uint32_t index = 0;
	int silent = 0;
	char byte;

	for (;;) {
		int ready = poll(&life, 1, LOOK_MS);

		if (ready > 0) {
			/* A byte: Husk ends in order. Nothing: it has died. */
			ssize_t size = read(LIFE_FD, &byte, 1);

			if (size < 0 && errno == EINTR)
				continue;
			for (int i = 0; i < (size == 1 ? 1 : LAST_LOOKS); i++) {
				let_all_go();
				poll(NULL, 0, size == 1 ? 0 : LAST_LOOK_MS);
			}
			_exit(0);
		}
		map_call(BPF_MAP_LOOKUP_ELEM, CONSUMER_FD, &index, &beats);
		silent = beats == seen ? silent + 1 : 0;
		seen = beats;
		if (silent >= SILENT_LOOKS)
			let_all_go();
	}
}

/* Only what is safe between fork(2) and execve(2) of a process with threads. */
static void become_guardian(int stopped_map, int consumer_map, int life_fd)
{
	sigset_t none;

	/* Out of the way of the numbers that they are going to have. */
	stopped_map = fcntl(stopped_map, F_DUPFD, 64);
	consumer_map = fcntl(consumer_map, F_DUPFD, 64);
	life_fd = fcntl(life_fd, F_DUPFD, 64);
	if (dup2(stopped_map, STOPPED_FD) < 0 || dup2(consumer_map, CONSUMER_FD) < 0 ||
	    dup2(life_fd, LIFE_FD) < 0)
		_exit(1);
	/* The probes must go with Husk, not with this process. */
	syscall(SYS_close_range, FIRST_UNUSED_FD, ~0U, 0);
	for (int fd = 0; fd < STOPPED_FD; fd++)
		close(fd);
	/* Neither Ctrl-C nor a hangup is meant for it. */
	setsid();
	sigemptyset(&none);
	for (int number = 1; number < 32; number++)
		signal(number, number == SIGCHLD ? SIG_DFL : SIG_IGN);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "husk-guardian");
	/* Maps are read and written by their descriptors, for which no right is asked. */
	husk_keep_capabilities(1ULL << CAP_KILL);
	husk_no_new_privileges();
	guard();
}

int husk_guardian_start(int stopped_map, int consumer_map, struct husk_guardian *guardian)
{
	int ends[2], error;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		become_guardian(stopped_map, consumer_map, ends[1]);
	}
	error = errno;
	close(ends[1]);
	if (pid < 0) {
		close(ends[0]);
		return -error;
	}
	guardian->pid = pid;
	guardian->life_fd = ends[0];
	return 0;
}

void husk_guardian_end(const struct husk_guardian *guardian)
{
	ssize_t size;

	do
		size = send(guardian->life_fd, "", 1, MSG_NOSIGNAL);
	while (size < 0 && errno == EINTR);
	close(guardian->life_fd);
	while (waitpid(guardian->pid, NULL, 0) < 0 && errno == EINTR) {
	}
}
