/* SPDX-License-Identifier: MIT */
/* sibling.h - a process with the same memory and another thread-group ID (E24). */
#ifndef HUSK_SIBLING_H
#define HUSK_SIBLING_H

#include <sched.h>
#include <signal.h>

#include "case.h"

/* Runs `work` in the sibling, and waits until it has ended. */
static void sibling_run(int (*work)(void *), void *argument)
{
	const size_t room = 64 * 1024;
	unsigned char *stack = fixture_map(room, RW);
	pid_t child = clone(work, stack + room, CLONE_VM | SIGCHLD, argument);

	case_check(child > 0, "clone");
	case_join(child);
}

#endif
