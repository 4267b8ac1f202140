/* SPDX-License-Identifier: MIT */
/*
 * husk_trace.h - ptrace(2) and waiting for those that are traced.
 *
 * Swift imports no variadic C functions. Each function here is one call, returns 0 or -errno, and
 * decides nothing. All of them must be called by the thread that has seized the tracee.
 */
#ifndef HUSK_TRACE_H
#define HUSK_TRACE_H

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

/* PTRACE_SEIZE, following threads, children and programs that are executed. The tracee is not
 * stopped, and lives on when its tracer dies. */
int husk_trace_seize(pid_t tid);

/* PTRACE_INTERRUPT: it stops soon. */
int husk_trace_interrupt(pid_t tid);

/* PTRACE_CONT, PTRACE_SINGLESTEP, PTRACE_LISTEN, PTRACE_DETACH. `signal` is delivered; 0: none. */
int husk_trace_continue(pid_t tid, int signal);
int husk_trace_step(pid_t tid);
int husk_trace_listen(pid_t tid);
int husk_trace_detach(pid_t tid, int signal);

int husk_trace_registers(pid_t tid, struct user_regs_struct *registers);
int husk_trace_set_registers(pid_t tid, const struct user_regs_struct *registers);

/* PTRACE_GETSIGINFO, PTRACE_SETSIGINFO. */
int husk_trace_signal(pid_t tid, siginfo_t *info);
int husk_trace_set_signal(pid_t tid, const siginfo_t *info);

/* PTRACE_GETSIGMASK, PTRACE_SETSIGMASK: the kernel's 64 bits. */
int husk_trace_mask(pid_t tid, uint64_t *mask);
int husk_trace_set_mask(pid_t tid, uint64_t mask);

/* PTRACE_POKEDATA: eight bytes, whatever the protection. */
int husk_trace_poke(pid_t tid, uint64_t address, uint64_t word);

/* PTRACE_GET_RSEQ_CONFIGURATION: where the thread's struct rseq is; 0: nowhere. */
uint64_t husk_trace_sequence_area(pid_t tid);

/* PTRACE_GETEVENTMSG. */
int husk_trace_message(pid_t tid, uint64_t *message);

/* The parts of a siginfo_t that are macros or unions in C. */
int husk_signal_code(const siginfo_t *info);
uint64_t husk_signal_address(const siginfo_t *info);

/* What a tracee of the calling thread has done. */
struct husk_trace_event {
	pid_t tid;
	int status;    /* as waitpid(2) gives it */
	int has_ended; /* it has not been reaped yet: husk_trace_reap */
};

/* The next event of any tracee (`tid` < 0) or of one. With `wait` 0 it does not block. Returns 1,
 * 0 (nothing), or -errno; EINTR is passed on. An end is told and not consumed. */
int husk_trace_wait(pid_t tid, int wait, struct husk_trace_event *event);

/* Has a tracee something to tell that has not been waited for? Of one that has been seen to stop it
 * means that it is not in that stop any more: it has been killed, or another thread has executed a
 * program and has its number now. */
int husk_trace_has_news(pid_t tid);

/* Takes note of an end: its status. */
int husk_trace_reap(pid_t tid, int *status);

/* Whether a child of this process has ended, without taking note of it: 1, 0 or -errno. Stops of
 * one that is traced by this process are left to its tracer. */
int husk_child_has_ended(pid_t pid);

/* From now on stops of traced processes raise no SIGCHLD. */
void husk_ignore_stops(void);

/* Interrupts the calling thread's system calls when it is sent `signal`, and nothing else. */
int husk_make_interruptible(int signal);

#endif /* HUSK_TRACE_H */
