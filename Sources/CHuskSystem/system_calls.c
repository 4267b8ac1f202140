/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "husk_system.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/perf_event.h>
#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

int husk_pidfd_open(pid_t pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

int husk_thread_pidfd_open(pid_t pid, pid_t tid)
{
	const unsigned int thread = O_EXCL; /* PIDFD_THREAD, linux/pidfd.h */
	long fd = syscall(SYS_pidfd_open, tid, thread);

	if (fd >= 0)
		return (int)fd;
	if (errno != EINVAL)
		return -errno;
	if (pid != tid && syscall(SYS_kcmp, pid, tid, KCMP_FILES, 0, 0) != 0)
		return -EINVAL;
	return husk_pidfd_open(pid);
}

int husk_signalfd_open(const sigset_t *set)
{
	int fd = signalfd(-1, set, SFD_CLOEXEC | SFD_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

int husk_signalfd_read(int fd, struct husk_signal *signal)
{
	struct signalfd_siginfo info;
	ssize_t size;

	do
		size = read(fd, &info, sizeof(info));
	while (size < 0 && errno == EINTR);
	if (size < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (size != sizeof(info))
		return 0;
	signal->number = (int)info.ssi_signo;
	signal->sent_by_kernel = info.ssi_code == SI_KERNEL;
	return 1;
}

int husk_signal_is_ignored(int number)
{
	struct sigaction action;

	return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

int husk_eventfd_open(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

ssize_t husk_process_read(pid_t pid, uint64_t address, void *buffer, size_t size)
{
	struct iovec local = {.iov_base = buffer, .iov_len = size};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = size};
	ssize_t result = process_vm_readv(pid, &local, 1, &remote, 1, 0);

	return result < 0 ? -errno : result;
}

int husk_cpu_clock_open(int cpu, uint64_t rate)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attributes),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_freq = rate,
		.freq = 1,
	};
	long fd = syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

/* struct pm_scan_arg of linux/fs.h, which the headers of a Debian 12 do not have. */
struct page_scan {
	uint64_t size, flags, start, end, walk_end, runs, run_count, max_pages;
	uint64_t inverted, all_of, any_of, told;
};

#define SCAN_PAGES _IOWR('f', 16, struct page_scan)

int husk_scan_pages(int fd, uint64_t start, uint64_t end, struct husk_page_run *runs, size_t count,
		    uint64_t *next)
{
	struct page_scan scan = {
		.size = sizeof(scan),
		.start = start,
		.end = end,
		.runs = (uintptr_t)runs,
		.run_count = count,
		.any_of = HUSK_PAGES_PRESENT | HUSK_PAGES_SWAPPED,
		.told = HUSK_PAGES_PRESENT | HUSK_PAGES_SWAPPED | HUSK_PAGES_WRITTEN,
	};
	int found;

	do
		found = ioctl(fd, SCAN_PAGES, &scan);
	while (found < 0 && errno == EINTR);
	if (found < 0)
		return -errno;
	*next = scan.walk_end;
	return found;
}

int64_t husk_file_system_type(int fd)
{
	struct statfs status;

	return fstatfs(fd, &status) != 0 ? -errno : (int64_t)status.f_type;
}

int husk_processes_share_memory(pid_t first, pid_t second)
{
	long result = syscall(SYS_kcmp, first, second, KCMP_VM, 0, 0);

	return result < 0 ? -errno : result == 0;
}

void husk_error_name(int error, char *buffer, size_t size)
{
	extern int __xpg_strerror_r(int, char *, size_t); /* the other one is GNU's */

	if (size > 0 && __xpg_strerror_r(error, buffer, size) != 0)
		buffer[0] = 0;
}

void husk_thread_set_name(const char *name)
{
	pthread_setname_np(pthread_self(), name);
}

void husk_keep_free_memory_below(int bytes)
{
	mallopt(M_TRIM_THRESHOLD, bytes);
}
