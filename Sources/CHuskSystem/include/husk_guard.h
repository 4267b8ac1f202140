/* SPDX-License-Identifier: MIT */
/*
 * husk_guard.h - userfaultfd(2) in its write-protect mode, on another process's memory.
 *
 * A page that is write-protected so can be asked for and written to by system calls too: who
 * writes waits until it is let. Each function is one call, returns 0 or -errno.
 */
#ifndef HUSK_GUARD_H
#define HUSK_GUARD_H

#include <stdint.h>
#include <sys/types.h>

/* pidfd_getfd(2): a copy of another process's descriptor, or -errno. */
int husk_descriptor_of(int pidfd, int fd);

/* userfaultfd(2) of the calling process, to try whether there can be guards, or -errno. */
int husk_guard_open(void);

/* UFFDIO_API: asks for what a guard needs: who writes (Linux 5.19), and to keep W from pages that do
 * not exist yet (6.4). -EINVAL: this kernel does not have it; it may be asked for less. */
int husk_guard_begin(int fd, int with_unpopulated);

/* UFFDIO_REGISTER for write-protection. -EINVAL: not memory of that kind. */
int husk_guard_register(int fd, uint64_t start, uint64_t length);

/* UFFDIO_WRITEPROTECT. Taking the protection away wakes who waits. */
int husk_guard_protect(int fd, uint64_t start, uint64_t length, int is_protected);

/* UFFDIO_UNREGISTER: who waits there goes on, and no page is kept any more. 0 or -errno. */
int husk_guard_unregister(int fd, uint64_t start, uint64_t length);

/* UFFDIO_WAKE: who waits there tries again. */
int husk_guard_wake(int fd, uint64_t start, uint64_t length);

/* A thread waits to write. */
struct husk_guard_fault {
	uint64_t address;
	pid_t tid; /* as its own PID namespace counts */
};

/* The next one: 1, or 0: there is none at present. */
int husk_guard_read(int fd, struct husk_guard_fault *fault);

/* epoll(7): a set of guards. */
int husk_guards_open(void);
int husk_guards_add(int set, int fd);
/* Returns when one of them can be read: 1; 0: after `timeout` ms. */
int husk_guards_wait(int set, int timeout);

#endif /* HUSK_GUARD_H */
