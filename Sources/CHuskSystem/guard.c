/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "husk_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 6.4; Debian 12's headers are of 6.1. */
#ifndef UFFD_FEATURE_WP_UNPOPULATED
#define UFFD_FEATURE_WP_UNPOPULATED (1 << 13)
#endif
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

static int checked(long result)
{
	return result < 0 ? -errno : 0;
}

int husk_descriptor_of(int pidfd, int fd)
{
	long copy = syscall(SYS_pidfd_getfd, pidfd, fd, 0);

	return copy < 0 ? -errno : (int)copy;
}

int husk_guard_open(void)
{
	long fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : (int)fd;
}

int husk_guard_begin(int fd, int with_unpopulated)
{
	struct uffdio_api api = {.api = UFFD_API,
				 .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP |
					     UFFD_FEATURE_THREAD_ID |
					     UFFD_FEATURE_WP_HUGETLBFS_SHMEM};

	if (with_unpopulated)
		api.features |= UFFD_FEATURE_WP_UNPOPULATED;
	return checked(ioctl(fd, UFFDIO_API, &api));
}

int husk_guard_register(int fd, uint64_t start, uint64_t length)
{
	struct uffdio_register request = {.range = {.start = start, .len = length},
					  .mode = UFFDIO_REGISTER_MODE_WP};

	return checked(ioctl(fd, UFFDIO_REGISTER, &request));
}

int husk_guard_unregister(int fd, uint64_t start, uint64_t length)
{
	struct uffdio_range range = {.start = start, .len = length};

	return checked(ioctl(fd, UFFDIO_UNREGISTER, &range));
}

int husk_guard_protect(int fd, uint64_t start, uint64_t length, int is_protected)
{
	struct uffdio_writeprotect request = {
		.range = {.start = start, .len = length},
		.mode = is_protected ? UFFDIO_WRITEPROTECT_MODE_WP : 0};
	int result;

	/* EAGAIN: the layout of the memory is changing at this moment. */
	do
		result = checked(ioctl(fd, UFFDIO_WRITEPROTECT, &request));
	while (result == -EAGAIN || result == -EINTR);
	return result;
}

int husk_guard_wake(int fd, uint64_t start, uint64_t length)
{
	struct uffdio_range range = {.start = start, .len = length};

	return checked(ioctl(fd, UFFDIO_WAKE, &range));
}

int husk_guard_read(int fd, struct husk_guard_fault *fault)
{
	struct uffd_msg message;

	while (read(fd, &message, sizeof(message)) == (ssize_t)sizeof(message)) {
		if (message.event != UFFD_EVENT_PAGEFAULT)
			continue;
		fault->address = message.arg.pagefault.address;
		fault->tid = (pid_t)message.arg.pagefault.feat.ptid;
		return 1;
	}
	return 0;
}

int husk_guards_open(void)
{
	int set = epoll_create1(EPOLL_CLOEXEC);

	return set < 0 ? -errno : set;
}

int husk_guards_add(int set, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};

	return checked(epoll_ctl(set, EPOLL_CTL_ADD, fd, &event));
}

int husk_guards_wait(int set, int timeout)
{
	struct epoll_event event;

	return epoll_wait(set, &event, 1, timeout) == 1;
}
