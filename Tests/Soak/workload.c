/* SPDX-License-Identifier: MIT */
/*
 * workload LEDGER SEED OPTION...: makes processes that make code, and keeps the truth about each
 * executable page in LEDGER, a file that soak.py has made (its form: see ledger.py).
 *
 *   children=N   ends when it has made N processes
 *   seconds=N    or after this time (SIGTERM: sooner)
 *   parallel=N   processes at the same time
 *   pace=US      waits between two of them
 *   trapped=1    rewrites memory that is writable and executable: for --rwx trap, which promises
 *                to have each of its generations
 *   wait=1       begins when a byte has come on standard input
 *   status=N     ends with this status if each process did what it should
 *
 * The ledger is shared memory, not output: what a process has noted outlives its SIGKILL. A page
 * is noted before the call that makes it executable, and marked as made when the call has
 * returned (in writable memory: when it has run). What is not marked may have happened or not.
 *
 * Prints one line at the end. With children=N it is the same each time, if nothing is killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"

#define PAGE ((size_t)4096)
#define MOST_PAGES 8
#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)
#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)

enum { INTENDED = 1, MADE = 2 };

/* One page that is, or was about to be, executable. */
struct truth {
	uint32_t state, pid, tid, kind;
	uint64_t address, child, before_ns, after_ns;
	char sha256[64];
};

struct ledger {
	uint64_t room; /* how many truths there is room for: set by soak.py */
	uint64_t used; /* may become more than there is room for */
	uint32_t parent, begun, ended, wrong, killed, done;
	char filler[4096 - 40];
	struct truth truths[];
};

_Static_assert(sizeof(struct truth) == 112, "ledger.py reads this");
_Static_assert(sizeof(struct ledger) == 4096, "ledger.py reads this");

static struct ledger *ledger;
static uint32_t seed;
static int trapped;
static volatile sig_atomic_t ending;

static uint64_t nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void check(int good, const char *what)
{
	if (!good) {
		fprintf(stderr, "workload: process %d: ", (int)getpid());
		fixture_fail(what);
	}
}

/* ---- code and its truth ------------------------------------------------------------------- */

/* What the code of a page returns: another number for each page of a run. */
static uint32_t result_of(uint32_t child, uint32_t step, uint32_t page)
{
	uint64_t x = (uint64_t)seed << 32 ^ (uint64_t)child << 20 ^ step << 8 ^ page;

	x = (x ^ x >> 31) * 0x9E3779B97F4A7C15u;
	x = (x ^ x >> 29) * 0xBF58476D1CE4E5B9u;
	return (uint32_t)(x >> 32);
}

/* Only the head differs, so that captures of an hour's shape stay small on disk. */
static void write_code(unsigned char *to, size_t pages, uint32_t child, uint32_t step)
{
	for (size_t page = 0; page < pages; page++, to += PAGE) {
		uint32_t result = result_of(child, step, (uint32_t)page);
		uint32_t unique[4] = {seed, child, step, (uint32_t)page};

		to[0] = 0xB8; /* mov eax, result; ret */
		memcpy(to + 1, &result, sizeof(result));
		to[5] = 0xC3;
		memcpy(to + 8, unique, sizeof(unique));
		if (to[24] != 0xCC)
			memset(to + 24, 0xCC, PAGE - 24);
	}
}

static struct truth *note(const unsigned char *code, const unsigned char *bytes, size_t pages,
			  uint32_t child, uint32_t kind)
{
	uint64_t at = __atomic_fetch_add(&ledger->used, pages, __ATOMIC_RELAXED);
	uint64_t now;

	if (at + pages > ledger->room) {
		fprintf(stderr, "workload: the ledger is full\n");
		exit(98);
	}
	for (size_t page = 0; page < pages; page++) {
		struct truth *truth = &ledger->truths[at + page];
		char hex[65];

		fixture_sha256(bytes + page * PAGE, PAGE, hex);
		memcpy(truth->sha256, hex, sizeof(truth->sha256));
		truth->pid = (uint32_t)getpid();
		truth->tid = (uint32_t)syscall(SYS_gettid);
		truth->kind = kind;
		truth->address = (uintptr_t)code + page * PAGE;
		truth->child = child;
	}
	now = nanoseconds();
	for (size_t page = 0; page < pages; page++) {
		ledger->truths[at + page].before_ns = now;
		__atomic_store_n(&ledger->truths[at + page].state, INTENDED, __ATOMIC_RELEASE);
	}
	return &ledger->truths[at];
}

static void made(struct truth *truths, size_t pages)
{
	uint64_t now = nanoseconds();

	for (size_t page = 0; page < pages; page++) {
		truths[page].after_ns = now;
		__atomic_store_n(&truths[page].state, MADE, __ATOMIC_RELEASE);
	}
}

/* Runs each page; the sum of what they return, or the end of the process. */
static uint32_t run(const unsigned char *code, size_t pages, uint32_t child, uint32_t step)
{
	uint32_t sum = 0;

	for (size_t page = 0; page < pages; page++) {
		uint32_t got = ((uint32_t(*)(void))(code + page * PAGE))();

		if (got != result_of(child, step, (uint32_t)page)) {
			fprintf(stderr, "workload: %p returned %#x in process %d\n",
				(const void *)(code + page * PAGE), got, (int)getpid());
			exit(97);
		}
		sum += got;
	}
	return sum;
}

static uint32_t sum_of(size_t pages, uint32_t child, uint32_t step)
{
	uint32_t sum = 0;

	for (size_t page = 0; page < pages; page++)
		sum += result_of(child, step, (uint32_t)page);
	return sum;
}

/* ---- what the processes do ---------------------------------------------------------------- */

enum kind { ROUNDS, SHORT, THREADS, FILE_VIEW, MOVED, EXECUTED, WRITABLE, GRANDCHILD, KINDS };

/* The same place, written and made executable several times. */
static uint32_t rounds(uint32_t child, uint32_t first, uint32_t kind)
{
	size_t pages = 1 + child % MOST_PAGES;
	unsigned char *code = fixture_map(pages * PAGE, RW);
	uint32_t sum = 0;

	for (uint32_t step = first; step < first + 4; step++) {
		struct truth *truths;

		if (step > first)
			fixture_protect(code, pages * PAGE, RW);
		write_code(code, pages, child, step);
		truths = note(code, code, pages, child, kind);
		fixture_protect(code, pages * PAGE, RX);
		made(truths, pages);
		sum += run(code, pages, child, step);
	}
	check(munmap(code, pages * PAGE) == 0, "munmap");
	return sum;
}

/* One page; nothing follows its run but the end. */
static uint32_t at_once(uint32_t child)
{
	unsigned char *code = fixture_map(PAGE, RW);
	struct truth *truths;

	write_code(code, 1, child, 0);
	truths = note(code, code, 1, child, SHORT);
	fixture_protect(code, PAGE, RX);
	made(truths, 1);
	return run(code, 1, child, 0);
}

struct thread {
	pthread_t id;
	uint32_t child, first, sum;
};

static void *thread_rounds(void *argument)
{
	struct thread *thread = argument;

	thread->sum = rounds(thread->child, thread->first, THREADS);
	return NULL;
}

static uint32_t threads(uint32_t child)
{
	struct thread all[2];
	uint32_t sum = 0;

	for (uint32_t i = 0; i < 2; i++) {
		all[i].child = child;
		all[i].first = 100 * i;
		check(pthread_create(&all[i].id, NULL, thread_rounds, &all[i]) == 0, "thread");
	}
	for (uint32_t i = 0; i < 2; i++) {
		pthread_join(all[i].id, NULL);
		sum += all[i].sum;
	}
	return sum;
}

/* A file on no disk, mapped executable. */
static uint32_t file_view(uint32_t child)
{
	static unsigned char bytes[MOST_PAGES * PAGE];
	size_t pages = 1 + child % MOST_PAGES;
	int file = memfd_create("soak", MFD_CLOEXEC);
	unsigned char *wanted = fixture_map(pages * PAGE, PROT_NONE);
	struct truth *truths;
	uint32_t sum;

	write_code(bytes, pages, child, 0);
	check(file >= 0 && write(file, bytes, pages * PAGE) == (ssize_t)(pages * PAGE), "memfd");
	truths = note(wanted, bytes, pages, child, FILE_VIEW);
	check(mmap(wanted, pages * PAGE, RX, MAP_PRIVATE | MAP_FIXED, file, 0) == wanted, "mmap");
	made(truths, pages);
	sum = run(wanted, pages, child, 0);
	close(file);
	return sum;
}

/* Executable memory that goes to another address. */
static uint32_t moved(uint32_t child)
{
	size_t pages = 1 + child % MOST_PAGES;
	unsigned char *code = fixture_map(pages * PAGE, RW);
	unsigned char *to = fixture_map(pages * PAGE, PROT_NONE);
	struct truth *truths;
	uint32_t sum;

	write_code(code, pages, child, 0);
	truths = note(code, code, pages, child, MOVED);
	fixture_protect(code, pages * PAGE, RX);
	made(truths, pages);
	sum = run(code, pages, child, 0);
	truths = note(to, code, pages, child, MOVED);
	check(mremap(code, pages * PAGE, pages * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to,
	      "mremap");
	made(truths, pages);
	return sum + run(to, pages, child, 0);
}

/* Written once and then RWX; with trap, written and run again and again. */
static uint32_t writable(uint32_t child)
{
	unsigned char *code = fixture_map(PAGE, RW);
	struct truth *truths;
	uint32_t sum;

	write_code(code, 1, child, 0);
	truths = note(code, code, 1, child, WRITABLE);
	fixture_protect(code, PAGE, RWX);
	if (!trapped)
		made(truths, 1);
	sum = run(code, 1, child, 0);
	if (trapped)
		made(truths, 1);
	for (uint32_t step = 1; trapped && step < 6; step++) {
		write_code(code, 1, child, step);
		truths = note(code, code, 1, child, WRITABLE);
		sum += run(code, 1, child, step);
		made(truths, 1);
	}
	return sum;
}

/* What processes tell their parents: eight bits of the sum of what their code has returned. */
static int told(uint32_t sum)
{
	return (int)((sum ^ sum >> 8 ^ sum >> 16 ^ sum >> 24) & 0x3F);
}

static uint32_t expected(uint32_t child)
{
	size_t pages = 1 + child % MOST_PAGES;
	uint32_t sum = 0;

	switch (child % KINDS) {
	case THREADS:
		for (uint32_t step = 0; step < 4; step++)
			sum += sum_of(pages, child, step) + sum_of(pages, child, 100 + step);
		return sum;
	case SHORT:
		return sum_of(1, child, 0);
	case FILE_VIEW:
		return sum_of(pages, child, 0);
	case MOVED:
		return 2 * sum_of(pages, child, 0);
	case WRITABLE:
		for (uint32_t step = 0; step < (trapped ? 6 : 1); step++)
			sum += sum_of(1, child, step);
		return sum;
	default:
		for (uint32_t step = 0; step < 4; step++)
			sum += sum_of(pages, child, step);
		return sum;
	}
}

static int work(uint32_t child, char **argv)
{
	char number[24];

	switch (child % KINDS) {
	case SHORT:
		return told(at_once(child));
	case THREADS:
		return told(threads(child));
	case FILE_VIEW:
		return told(file_view(child));
	case MOVED:
		return told(moved(child));
	case WRITABLE:
		return told(writable(child));
	case EXECUTED:
		snprintf(number, sizeof(number), "executed=%u", child);
		execl("/proc/self/exe", argv[0], argv[1], argv[2], number, (char *)NULL);
		fixture_fail("execl");
		return 99;
	case GRANDCHILD: {
		pid_t grandchild = fork();
		int status = 0;

		check(grandchild >= 0, "fork");
		if (grandchild == 0)
			_exit(told(rounds(child, 0, GRANDCHILD)));
		while (waitpid(grandchild, &status, 0) < 0)
			check(errno == EINTR, "waitpid");
		/* A grandchild that was killed is told as such. */
		if (WIFSIGNALED(status))
			raise(WTERMSIG(status));
		return WEXITSTATUS(status);
	}
	default:
		return told(rounds(child, 0, ROUNDS));
	}
}

/* ---- the parent --------------------------------------------------------------------------- */

static void end(int signal)
{
	(void)signal;
	ending = 1;
}

#define MOST_PARALLEL 64
static struct {
	pid_t pid;
	uint32_t child;
} living[MOST_PARALLEL];

/* Takes one process that has ended, if there is one; 0: no. */
static int join(int options, uint32_t *alive, uint64_t *sum)
{
	int status;
	pid_t pid = waitpid(-1, &status, options);

	if (pid <= 0)
		return 0;
	for (int i = 0; i < MOST_PARALLEL; i++) {
		if (living[i].pid != pid)
			continue;
		living[i].pid = 0;
		--*alive;
		ledger->ended++;
		if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
			ledger->killed++;
		} else if (!WIFEXITED(status) ||
			   WEXITSTATUS(status) != told(expected(living[i].child))) {
			fprintf(stderr, "workload: process %d (number %u): status %#x\n", (int)pid,
				living[i].child, status);
			ledger->wrong++;
		}
		*sum += (uint64_t)status;
	}
	return 1;
}

int main(int argc, char **argv)
{
	uint32_t children = UINT32_MAX, seconds = 3600, parallel = 2, pace = 0, trap = 0, wait = 0,
		 status = 0, executed = UINT32_MAX;
	const struct {
		const char *name;
		uint32_t *value;
	} options[] = {{"children=", &children}, {"seconds=", &seconds}, {"parallel=", &parallel},
		       {"pace=", &pace},	 {"trapped=", &trap},	 {"wait=", &wait},
		       {"status=", &status},	 {"executed=", &executed}};
	uint32_t alive = 0;
	uint64_t sum = 0, until;
	struct stat facts;
	struct sigaction action = {.sa_handler = end};
	int file;

	if (argc < 3)
		return 64;
	seed = (uint32_t)strtoul(argv[2], NULL, 10);
	for (int i = 3; i < argc; i++) {
		size_t known = sizeof(options) / sizeof(options[0]), option = 0, length = 0;

		for (; option < known; option++) {
			length = strlen(options[option].name);
			if (strncmp(argv[i], options[option].name, length) == 0)
				break;
		}
		if (option == known)
			return 64;
		*options[option].value = (uint32_t)strtoul(argv[i] + length, NULL, 10);
	}
	if (parallel < 1 || parallel > MOST_PARALLEL)
		return 64;
	trapped = trap != 0;
	file = open(argv[1], O_RDWR | O_CLOEXEC);
	check(file >= 0 && fstat(file, &facts) == 0, argv[1]);
	ledger = mmap(NULL, (size_t)facts.st_size, RW, MAP_SHARED, file, 0);
	check(ledger != MAP_FAILED, "mmap of the ledger");
	close(file);
	if (executed != UINT32_MAX)
		return told(rounds(executed, 0, EXECUTED));

	sigaction(SIGTERM, &action, NULL);
	ledger->parent = (uint32_t)getpid();
	if (wait) {
		char byte;

		check(read(STDIN_FILENO, &byte, 1) == 1, "read");
	}
	until = nanoseconds() + (uint64_t)seconds * 1000000000u;
	for (uint32_t next = 0; next < children && !ending && nanoseconds() < until; next++) {
		pid_t pid;
		int place = 0;

		while (join(WNOHANG, &alive, &sum)) {
		}
		while (alive >= parallel && !join(0, &alive, &sum)) {
		}
		while (living[place].pid)
			place++;
		pid = fork();
		check(pid >= 0, "fork");
		if (pid == 0) {
			sigaction(SIGTERM, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
			_exit(work(next, argv));
		}
		living[place].pid = pid;
		living[place].child = next;
		alive++;
		ledger->begun++;
		if (pace)
			usleep(pace);
	}
	while (alive > 0) {
		if (!join(0, &alive, &sum) && errno != EINTR)
			break;
	}
	printf("%u processes, %u wrong, sum %llu\n", ledger->begun, ledger->wrong,
	       (unsigned long long)sum);
	ledger->done = 1;
	return ledger->wrong ? 96 : (int)status;
}
