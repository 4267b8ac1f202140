/* SPDX-License-Identifier: MIT */
/* advise.h - process_madvise(2) on oneself, as far as the kernel has it (H24, R30). */
#ifndef HUSK_ADVISE_H
#define HUSK_ADVISE_H

#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif

/* What the call returns: of MADV_DONTNEED an error before Linux 6.13. */
static inline long advise_oneself(void *address, size_t length, int advice)
{
	struct iovec range = {address, length};
	long self = syscall(SYS_pidfd_open, getpid(), 0);
	long result = syscall(SYS_process_madvise, self, &range, 1, advice, 0);

	close((int)self);
	return result;
}

#endif
