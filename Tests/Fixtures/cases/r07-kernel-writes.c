/* SPDX-License-Identifier: MIT */
/*
 * R07: the kernel writes into RWX pages that have just been run, and reads from them: all of it
 * must arrive. Code that was read in, across a page that ran and one that did not, is run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "rounds.h"

#define LENGTH (PAGE - 96) /* of the code that goes through the kernel */
#define UNMAPPED ((void *)0x20000)

static unsigned char *region; /* four pages */
static unsigned char *at;     /* 1,000 bytes before the end of the first */
static unsigned char source[LENGTH];
static uint32_t number; /* of the code in `source` */

/* Runs code on the first page, so that it is no more only written to; prepares other code. */
static void prepare(void)
{
	case_code(region, PAGE, 0x47000000 + ++number);
	case_run(region, 0x47000000 + number);
	case_truth(region, PAGE);
	case_code(source, LENGTH, 0x47000000 + ++number);
}

static void arrived(ssize_t got, const char *what)
{
	case_check(got == (ssize_t)LENGTH, what);
	case_check(memcmp(at, source, LENGTH) == 0, what);
	case_run(at, 0x47000000 + number);
	case_truth(at, LENGTH);
}

static void from_pipe(const int ends[2])
{
	prepare();
	case_check(write(ends[1], source, LENGTH) == (ssize_t)LENGTH, "write to a pipe");
	arrived(read(ends[0], at, LENGTH), "read from a pipe");
}

static void from_file(int file)
{
	prepare();
	case_check(pwrite(file, source, LENGTH, 0) == (ssize_t)LENGTH, "pwrite");
	case_check(lseek(file, 0, SEEK_SET) == 0, "lseek");
	arrived(read(file, at, LENGTH), "read from a file");
	prepare();
	case_check(pwrite(file, source, LENGTH, 0) == (ssize_t)LENGTH, "pwrite");
	arrived(pread(file, at, LENGTH, 0), "pread from a file");
}

/* The vector itself lies in the page as well. */
static void by_vector(const int ends[2])
{
	struct iovec *vector = (struct iovec *)(region + 64);

	prepare();
	case_check(write(ends[1], source, LENGTH) == (ssize_t)LENGTH, "write to a pipe");
	vector[0] = (struct iovec){at, 333};
	vector[1] = (struct iovec){at + 333, LENGTH - 333};
	case_run(region + 3 * PAGE, 0x47ffffff);
	arrived(readv(ends[0], vector, 2), "readv");
}

/* Data, control message and the header that recvmsg updates: all in pages that were run. */
static void by_message(int type, int flags)
{
	unsigned char room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {source, LENGTH}, *vector = (struct iovec *)(region + 64);
	struct msghdr sent = {.msg_iov = &part, .msg_iovlen = 1};
	struct msghdr *header = (struct msghdr *)(region + 128);
	struct cmsghdr *control;
	int pair[2], file;
	ssize_t got;

	prepare();
	case_check(socketpair(AF_UNIX, type, 0, pair) == 0, "socketpair");
	sent.msg_control = room;
	sent.msg_controllen = sizeof(room);
	control = CMSG_FIRSTHDR(&sent);
	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(control), &pair[0], sizeof(int));
	case_check(sendmsg(pair[1], &sent, 0) == (ssize_t)LENGTH, "sendmsg");
	memset(header, 0, sizeof(*header));
	*vector = (struct iovec){at, LENGTH};
	header->msg_iov = vector;
	header->msg_iovlen = 1;
	header->msg_control = region + 256;
	header->msg_controllen = sizeof(room);
	header->msg_flags = -1;
	case_run(region + 3 * PAGE, 0x47ffffff);
	got = recvmsg(pair[0], header, flags);
	case_check((header->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0, "msg_flags");
	control = CMSG_FIRSTHDR(header);
	case_check(control && control->cmsg_type == SCM_RIGHTS, "the control message");
	memcpy(&file, CMSG_DATA(control), sizeof(int));
	case_check(fcntl(file, F_GETFD) >= 0 && close(file) == 0, "the file that was sent");
	arrived(got, "recvmsg");
	case_check(recv(pair[0], at, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN, "a second recv");
	close(pair[0]);
	close(pair[1]);
}

/* Results of system calls, into the page that was just run. */
static void results(int file)
{
	struct timespec *now = (struct timespec *)(region + 512);
	struct stat *status = (struct stat *)(region + 1024);
	int zeros = 0;

	prepare();
	memset(at, 0, LENGTH);
	case_run(region, 0x47000000 + number - 1);
	case_truth(region, PAGE);
	case_check(getrandom(at, LENGTH, 0) == (ssize_t)LENGTH, "getrandom");
	for (size_t i = 0; i < LENGTH; i++)
		zeros += at[i] == 0;
	case_check(zeros < 200, "what getrandom wrote");
	prepare();
	case_check(syscall(SYS_clock_gettime, CLOCK_REALTIME, now) == 0, "clock_gettime");
	case_check(now->tv_sec > 1000000000, "the time");
	prepare();
	case_check(syscall(SYS_fstat, file, status) == 0, "fstat");
	case_check(status->st_size == (off_t)LENGTH && S_ISREG(status->st_mode), "the status");
	prepare();
	case_check(syscall(SYS_pipe2, region + 2048, O_CLOEXEC) == 0, "pipe2");
	case_check(close(*(int *)(region + 2048)) == 0, "close");
	case_check(close(*(int *)(region + 2052)) == 0, "close");
}

static void the_kernel_reads(const int ends[2])
{
	unsigned char back[PAGE];

	prepare();
	case_check(write(ends[1], region, PAGE) == (ssize_t)PAGE, "write from the page");
	case_check(read(ends[0], back, PAGE) == (ssize_t)PAGE, "read");
	case_check(memcmp(region, back, PAGE) == 0, "what was written");
}

/* What really cannot be written to still cannot, and nothing is lost by it. */
static void refused(const int ends[2])
{
	unsigned char *page = region + 2 * PAGE;

	prepare();
	case_check(write(ends[1], source, LENGTH) == (ssize_t)LENGTH, "write to a pipe");
	case_check(read(ends[0], UNMAPPED, LENGTH) == -1 && errno == EFAULT, "EFAULT: unmapped");
	case_check(syscall(SYS_fstat, ends[0], UNMAPPED) == -1 && errno == EFAULT, "EFAULT: fstat");
	fixture_protect(page, PAGE, RX);
	case_check(read(ends[0], page, LENGTH) == -1 && errno == EFAULT, "EFAULT: R-X");
	case_check(syscall(SYS_clock_gettime, CLOCK_REALTIME, page) == -1 && errno == EFAULT,
		   "EFAULT: clock_gettime");
	case_check(write(ends[1], UNMAPPED, 8) == -1 && errno == EFAULT, "EFAULT: write");
	fixture_protect(page, PAGE, RWX);
	arrived(read(ends[0], at, LENGTH), "read after EFAULT");
}

int main(void)
{
	char path[256];
	int ends[2], file = case_file(path);

	unlink(path);
	case_check(pipe(ends) == 0, "pipe");
	region = fixture_map(4 * PAGE, RWX);
	at = region + PAGE - 1000;
	case_code(region + 3 * PAGE, PAGE, 0x47ffffff);
	case_truth(region + 3 * PAGE, PAGE);
	for (int i = 0; i < 3; i++) {
		from_pipe(ends);
		from_file(file);
		by_vector(ends);
		by_message(SOCK_DGRAM, 0);
		by_message(SOCK_STREAM, MSG_WAITALL);
		results(file);
		the_kernel_reads(ends);
		refused(ends);
	}
	return case_end();
}
