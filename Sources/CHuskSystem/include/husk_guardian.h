/* SPDX-License-Identifier: MIT */
/*
 * husk_guardian.h - a process that outlives Husk by a moment.
 *
 * Where a target cannot wait for room in the kernel it is stopped by a signal (bpf/stopping.h), and
 * Husk lets it go on. If Husk is killed, or does not run for a while, this process does.
 */
#ifndef HUSK_GUARDIAN_H
#define HUSK_GUARDIAN_H

#include <sys/types.h>

struct husk_guardian {
	pid_t pid;
	int life_fd; /* closed with Husk, whatever ends it */
};

/*
 * Starts it. It has the two BPF maps and nothing else of Husk's: `stopped` (processes and
 * their stops) and `consumer` (word 0 is Husk's heartbeat; word 3 is when it has let processes go
 * last, which it writes). Returns 0 or -errno.
 */
int husk_guardian_start(int stopped_map, int consumer_map, struct husk_guardian *guardian);

/* Ends it, after it has let all go. */
void husk_guardian_end(const struct husk_guardian *guardian);

#endif /* HUSK_GUARDIAN_H */
