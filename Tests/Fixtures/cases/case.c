/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "case.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct truth {
	uintptr_t address;
	size_t length;
	pid_t pid;
	char hash[65];
};

/* Nothing that hangs may stay: the whole run has this many seconds. */
#define SECONDS 120

static struct truth first_room[4096];
static struct truth *truths = first_room;
static size_t room = sizeof(first_room) / sizeof(first_room[0]);
static size_t count;

pid_t case_pid;

__attribute__((constructor)) static void start(void)
{
	sigset_t none;

	/* A test runner's threads may have signals blocked. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	case_pid = getpid();
	alarm(SECONDS);
}

void case_check(int good, const char *what)
{
	if (!good)
		fixture_fail(what);
}

static void put(int file, const char *text, size_t length)
{
	while (length > 0) {
		ssize_t done = write(file, text, length);

		case_check(done > 0, "write");
		text += done;
		length -= (size_t)done;
	}
}

void case_skip(const char *reason)
{
	char line[256];
	int length = snprintf(line, sizeof(line), "skip %s\n", reason);

	put(STDOUT_FILENO, line, (size_t)length);
	_exit(77);
}

void case_code(void *to, size_t length, uint32_t result)
{
	unsigned char *bytes = to, head[6] = {0xB8, 0, 0, 0, 0, 0xC3};
	uint64_t noise = 0x9E3779B97F4A7C15u * (result + 1u);
	size_t at = sizeof(head);

	memcpy(head + 1, &result, sizeof(result));
	memcpy(bytes, head, sizeof(head));
	for (; at + sizeof(noise) <= length; at += sizeof(noise)) {
		noise ^= noise << 13;
		noise ^= noise >> 7;
		noise ^= noise << 17;
		memcpy(bytes + at, &noise, sizeof(noise));
	}
	for (; at < length; at++)
		bytes[at] = (unsigned char)(noise >> (8 * (at % 8)) ^ 0x5A);
}

void case_run(const void *code, uint32_t result)
{
	uint32_t got = ((uint32_t(*)(void))code)();

	if (got != result) {
		fprintf(stderr, "%p returned %#x, not %#x\n", code, got, result);
		exit(99);
	}
}

void case_truth_of(const void *address, const void *bytes, size_t length)
{
	size_t at = __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);

	if (at >= room) {
		fprintf(stderr, "no room for more than %zu truths\n", room);
		exit(99);
	}
	truths[at].address = (uintptr_t)address;
	truths[at].length = length;
	truths[at].pid = case_pid;
	fixture_sha256(bytes, length, truths[at].hash);
}

void case_truth(const void *address, size_t length)
{
	case_truth_of(address, address, length);
}

void case_truth_text(void)
{
	case_truth((void *)((uintptr_t)case_run & ~(PAGE - 1)), PAGE);
}

void case_reserve(size_t wanted)
{
	size_t length = (wanted * sizeof(*truths) + PAGE - 1) & ~(PAGE - 1);

	truths = fixture_map(length, RW);
	memset(truths, 0, length);
	room = wanted;
}

void case_tell(void)
{
	char lines[4096]; /* no more than a pipe takes in one piece */
	size_t used = 0, end = count;

	for (size_t i = 0; i < end; i++) {
		char pid[16] = "-";

		if (truths[i].pid)
			snprintf(pid, sizeof(pid), "%d", (int)truths[i].pid);
		if (used + 160 > sizeof(lines)) {
			put(STDOUT_FILENO, lines, used);
			used = 0;
		}
		used += (size_t)snprintf(lines + used, sizeof(lines) - used,
					 "code %#lx %zu %s %s\n", (unsigned long)truths[i].address,
					 truths[i].length, truths[i].hash, pid);
	}
	put(STDOUT_FILENO, lines, used);
	count = 0;
}

int case_end(void)
{
	case_tell();
	return 0;
}

unsigned char *case_classic(size_t length, uint32_t result)
{
	size_t whole = (length + PAGE - 1) & ~(PAGE - 1);
	unsigned char *code = fixture_map(whole, RW);

	case_code(code, length, result);
	fixture_protect(code, whole, RX);
	case_run(code, result);
	case_truth(code, length);
	return code;
}

pid_t case_fork(void)
{
	pid_t child = fork();

	case_check(child >= 0, "fork");
	if (child == 0) {
		case_pid = getpid();
		count = 0;
		alarm(SECONDS);
	}
	return child;
}

void case_join(pid_t child)
{
	int status;

	case_check(waitpid(child, &status, 0) == child, "waitpid");
	if (WIFSIGNALED(status)) {
		fprintf(stderr, "child %d: signal %d\n", (int)child, WTERMSIG(status));
		exit(99);
	}
	if (WEXITSTATUS(status) != 0)
		exit(WEXITSTATUS(status));
}

int case_file(char path[256])
{
	static int number;
	const char *places[] = {getenv("TMPDIR"), "/tmp", "/var/tmp", "/dev/shm", "/", "."};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int file;

		if (places[i] == NULL)
			continue;
		snprintf(path, 256, "%s/husk-case-%d-%d", places[i], (int)getpid(), number);
		file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
		if (file >= 0) {
			number++;
			return file;
		}
	}
	case_skip("no directory for a file");
}

void case_copy_self(int file)
{
	char piece[65536];
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (self < 0)
		case_skip("no /proc/self/exe");
	while ((got = read(self, piece, sizeof(piece))) > 0)
		put(file, piece, (size_t)got);
	case_check(got == 0, "read of /proc/self/exe");
	close(self);
}
