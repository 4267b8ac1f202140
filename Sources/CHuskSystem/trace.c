/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "husk_trace.h"

#include <errno.h>
#include <stddef.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#ifndef PTRACE_GET_RSEQ_CONFIGURATION
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f
#endif
#ifndef PTRACE_GETSIGMASK
#define PTRACE_GETSIGMASK 0x420a
#define PTRACE_SETSIGMASK 0x420b
#endif

static int checked(long result)
{
	return result < 0 ? -errno : 0;
}

int husk_trace_seize(pid_t tid)
{
	long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
		       PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT;

	return checked(ptrace(PTRACE_SEIZE, tid, NULL, options));
}

int husk_trace_interrupt(pid_t tid)
{
	return checked(ptrace(PTRACE_INTERRUPT, tid, NULL, NULL));
}

int husk_trace_continue(pid_t tid, int signal)
{
	return checked(ptrace(PTRACE_CONT, tid, NULL, (long)signal));
}

int husk_trace_step(pid_t tid)
{
	return checked(ptrace(PTRACE_SINGLESTEP, tid, NULL, NULL));
}

int husk_trace_listen(pid_t tid)
{
	return checked(ptrace(PTRACE_LISTEN, tid, NULL, NULL));
}

int husk_trace_detach(pid_t tid, int signal)
{
	return checked(ptrace(PTRACE_DETACH, tid, NULL, (long)signal));
}

int husk_trace_registers(pid_t tid, struct user_regs_struct *registers)
{
	return checked(ptrace(PTRACE_GETREGS, tid, NULL, registers));
}

int husk_trace_set_registers(pid_t tid, const struct user_regs_struct *registers)
{
	return checked(ptrace(PTRACE_SETREGS, tid, NULL, registers));
}

int husk_trace_signal(pid_t tid, siginfo_t *info)
{
	return checked(ptrace(PTRACE_GETSIGINFO, tid, NULL, info));
}

int husk_trace_set_signal(pid_t tid, const siginfo_t *info)
{
	return checked(ptrace(PTRACE_SETSIGINFO, tid, NULL, info));
}

int husk_trace_mask(pid_t tid, uint64_t *mask)
{
	return checked(ptrace(PTRACE_GETSIGMASK, tid, sizeof(*mask), mask));
}

int husk_trace_set_mask(pid_t tid, uint64_t mask)
{
	return checked(ptrace(PTRACE_SETSIGMASK, tid, sizeof(mask), &mask));
}

int husk_trace_poke(pid_t tid, uint64_t address, uint64_t word)
{
	return checked(ptrace(PTRACE_POKEDATA, tid, (void *)(uintptr_t)address, word));
}

uint64_t husk_trace_sequence_area(pid_t tid)
{
	struct {
		uint64_t pointer;
		uint32_t size, signature, flags, padding;
	} configuration = {0};

	if (ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid, sizeof(configuration), &configuration) < 0)
		return 0;
	return configuration.pointer;
}

int husk_trace_message(pid_t tid, uint64_t *message)
{
	unsigned long value = 0;
	int result = checked(ptrace(PTRACE_GETEVENTMSG, tid, NULL, &value));

	*message = value;
	return result;
}

int husk_signal_code(const siginfo_t *info)
{
	return info->si_code;
}

uint64_t husk_signal_address(const siginfo_t *info)
{
	return (uint64_t)(uintptr_t)info->si_addr;
}

/* What any tracee (`tid` < 0) or one has to tell, left there: an end is only looked at, because
 * another thread may be waiting for it as the parent. 0 or -errno; si_pid 0: nothing. */
static int look(pid_t tid, int wait, siginfo_t *info)
{
	int flags = WEXITED | WSTOPPED | WNOWAIT | __WALL | __WNOTHREAD | (wait ? 0 : WNOHANG);

	info->si_pid = 0;
	return checked(waitid(tid < 0 ? P_ALL : P_PID, tid < 0 ? 0 : (id_t)tid, info, flags));
}

int husk_trace_wait(pid_t tid, int wait, struct husk_trace_event *event)
{
	siginfo_t info;
	int error = look(tid, wait, &info);

	if (error)
		return error;
	if (info.si_pid == 0)
		return 0;
	event->tid = info.si_pid;
	event->has_ended = info.si_code == CLD_EXITED || info.si_code == CLD_KILLED ||
			   info.si_code == CLD_DUMPED;
	event->status = 0;
	if (event->has_ended)
		return 1;
	if (waitpid(event->tid, &event->status, __WALL | __WNOTHREAD | WNOHANG) != event->tid)
		return 0; /* it was killed in between: its end comes next */
	return 1;
}

int husk_trace_has_news(pid_t tid)
{
	siginfo_t info;

	return look(tid, 0, &info) == 0 && info.si_pid != 0;
}

int husk_trace_reap(pid_t tid, int *status)
{
	return waitpid(tid, status, __WALL | WNOHANG) == tid ? 0 : -ECHILD;
}

int husk_child_has_ended(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
		return -errno;
	return info.si_pid != 0 && (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED ||
				    info.si_code == CLD_DUMPED);
}

void husk_ignore_stops(void)
{
	struct sigaction action;

	if (sigaction(SIGCHLD, NULL, &action) != 0)
		return;
	action.sa_flags |= SA_NOCLDSTOP;
	sigaction(SIGCHLD, &action, NULL);
}

static void do_nothing(int signal)
{
	(void)signal;
}

int husk_make_interruptible(int signal)
{
	struct sigaction action = {.sa_handler = do_nothing};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	if (sigaction(signal, &action, NULL) != 0)
		return -errno;
	return -pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}
