/* SPDX-License-Identifier: MIT */
/*
 * husk_system.h - system calls that Swift cannot make itself.
 *
 * Swift imports no variadic C functions (syscall, ioctl) and no fork. Each function here
 * is one call, returns -errno on failure, and decides nothing.
 */
#ifndef HUSK_SYSTEM_H
#define HUSK_SYSTEM_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* pidfd_open(2). */
int husk_pidfd_open(pid_t pid);

/*
 * pidfd_open(2) of a thread: PIDFD_THREAD, since Linux 6.9. Before, of its process, if that has the
 * same descriptors as the thread (kcmp(2), KCMP_FILES). A descriptor or -errno.
 */
int husk_thread_pidfd_open(pid_t pid, pid_t tid);

/* A child that exists, has not yet executed its program, and waits. */
struct husk_child {
	pid_t pid;
	int release_fd; /* write one byte: it executes. Close: it ends. */
	int error_fd;   /* end of file: executed. Four bytes: the errno of execvp. */
};

/*
 * Forks. Between fork and exec the child calls only async-signal-safe functions; it gets
 * `mask` as its signal mask, SIGCHLD ignored if it is to be, and, unless it is negative,
 * `output` as its standard output.
 * Both descriptors in `child` are close-on-exec. Returns 0 or -errno.
 */
int husk_child_start(char *const argv[], const sigset_t *mask, int ignore_child_signal,
		     int output, struct husk_child *child);

/* sigaction(2): is the signal ignored? */
int husk_signal_is_ignored(int number);

/* Signal numbers that arrived on a signalfd(2): fills `info`, returns 1, 0 (none), -errno. */
struct husk_signal {
	int number;
	int sent_by_kernel; /* from the terminal, so the whole process group has got it */
};
int husk_signalfd_open(const sigset_t *set);
int husk_signalfd_read(int fd, struct husk_signal *signal);

/* eventfd(2). */
int husk_eventfd_open(void);

/* process_vm_readv(2) of one range: bytes read or -errno. */
ssize_t husk_process_read(pid_t pid, uint64_t address, void *buffer, size_t size);

/*
 * perf_event_open(2): a clock that runs out `rate` times a second while `cpu` works, whichever
 * process it works for. A descriptor or -errno.
 */
int husk_cpu_clock_open(int cpu, uint64_t rate);

/* A run of pages of which the same is true: HUSK_PAGES_*. */
struct husk_page_run {
	uint64_t start, end, categories;
};

enum {
	HUSK_PAGES_WRITTEN = 1 << 1, /* no userfaultfd keeps writes from them */
	HUSK_PAGES_PRESENT = 1 << 3,
	HUSK_PAGES_SWAPPED = 1 << 4,
};

/*
 * PAGEMAP_SCAN (linux/fs.h, since Linux 6.7) of a descriptor of /proc/PID/pagemap: runs of pages
 * that are in memory or swapped out, ascending, which takes no time for what does not exist.
 * `next`: where to go on. The number of runs or -errno (ENOTTY: this kernel does not have it).
 */
int husk_scan_pages(int fd, uint64_t start, uint64_t end, struct husk_page_run *runs, size_t count,
		    uint64_t *next);

/* fstatfs(2): the file system's type (linux/magic.h), or -errno. */
int64_t husk_file_system_type(int fd);

/* kcmp(2), KCMP_VM: 1 if two processes have the same memory, 0 if not, or -errno. */
int husk_processes_share_memory(pid_t first, pid_t second);

/* strerror_r(3), the POSIX one. */
void husk_error_name(int error, char *buffer, size_t size);

/* pthread_setname_np(3) for the calling thread. */
void husk_thread_set_name(const char *name);

/* Makes malloc give freed memory back at once when there is more than `bytes` of it (mallopt(3));
 * Swift does not import malloc.h. */
void husk_keep_free_memory_below(int bytes);

#endif /* HUSK_SYSTEM_H */
