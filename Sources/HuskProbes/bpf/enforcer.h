/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * enforcer.h - what the probes do for an enforcer of W^X (Sources/Husk/Enforcement), and how they
 * tell what it has done from what the target has.
 */
#ifndef HUSK_ENFORCER_H
#define HUSK_ENFORCER_H

#define SIGSEGV 11
#define SIG_IGN 1

/*
 * An enforcer (ptrace) keeps W or X from pages that a target wants to have both. What such a
 * region's protection is to the kernel says nothing then: here it is what the target asked for.
 */
static __always_inline __u64 asked_protection(__u64 flags, __u64 start, __u64 end)
{
	/* (R is never kept: what has none is near such memory, not part of it.) */
	if (config.enforcer && (flags & HUSK_PROTECTION_READ) && overlaps_changing(start, end))
		flags |= HUSK_PROTECTION_WRITE | HUSK_PROTECTION_EXECUTE;
	return flags;
}

/* What the enforcer tells the probes. Written by user space (Enforcer+Guards.swift). */
enum enforcer_word {
	ENFORCER_OWES = 0, /* there has been an owed stop (below) */
	ENFORCER_LEAVES = 1, /* it lets its tracees go: a stop would find no one who takes it back */
	ENFORCER_WORDS = 2,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ENFORCER_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} enforcer_words SEC(".maps");

static __always_inline bool enforcer_says(__u32 word)
{
	__u64 *said = bpf_map_lookup_elem(&enforcer_words, &word);

	return said && *said;
}

/* Something of each of the threads that it is noted of: read and written by user space, too. */
#define THREAD_NOTES(note)                                                                         \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_HASH);                                                   \
		__uint(max_entries, MAX_THREADS);                                                  \
		__uint(map_flags, BPF_F_NO_PREALLOC);                                              \
		__type(key, __u32); /* the thread's number, as Husk counts */                      \
		__type(value, note);                                                               \
	}

/*
 * Threads for which a stop has been raised that the enforcer has not seen yet. A stop is a signal,
 * and one that is pending is taken back by any SIGCONT, whoever sends it (prepare_signal() in
 * kernel/signal.c). The tracer is told of that, before the thread is in user mode
 * (ptrace_trap_notify()), and looks here.
 */
THREAD_NOTES(__u64) raised_stops SEC(".maps"); /* when: CLOCK_MONOTONIC, ns */

/* Stops the current thread before it goes on in user mode, so that its enforcer can see what it
 * has done. Only if that one is there to let it go again. */
static __always_inline void stop_for_enforcer(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u32 tracer, tid;
	__u64 now;

	if (!config.enforcer || !BPF_CORE_READ(task, ptrace) || enforcer_says(ENFORCER_LEAVES))
		return;
	tracer = config.pid_namespace
			 ? number_in_tracer_namespace((__u64)BPF_CORE_READ(
				   task, parent, signal, pids[PIDTYPE_TGID]))
			 : (__u32)BPF_CORE_READ(task, parent, tgid);
	if (tracer != config.enforcer)
		return;
	tid = current_tid();
	now = bpf_ktime_get_ns();
	bpf_map_update_elem(&raised_stops, &tid, &now, BPF_ANY);
	bpf_send_signal_thread(SIGSTOP);
}

/* A call that the enforcer makes in a target's name: it knows a secret. */
static __always_inline bool is_enforcer_call(const struct pt_regs *regs)
{
	return config.enforcer && (regs->r9 == config.enforcer_mark ||
				   (__u32)regs->bp == (__u32)config.enforcer_mark);
}

/* Threads that are in a call which writes where W has been kept until now: it is given for the
 * call, and taken back at its end. */
THREAD_NOTES(__u64) owed_stops SEC(".maps");

static __always_inline bool takes_owed_stop(void)
{
	__u32 tid;

	if (!enforcer_says(ENFORCER_OWES))
		return false;
	tid = current_tid();
	return !bpf_map_delete_elem(&owed_stops, &tid);
}

/* At the end of any call. */
static __always_inline void stop_after_call(long result)
{
	bool has_failed;

	if (!config.enforcer)
		return;
	/* The kernel has failed to write to a page, perhaps because W was kept from it. */
	has_failed = result == -EFAULT && current_is_target();
	if (has_failed)
		adopt_changing_before();
	if (takes_owed_stop() || (has_failed && current_changing()))
		stop_for_enforcer();
}

/* ---- faults of threads that do not want to hear of them ---------------------------------- */

/*
 * What a thread has set for SIGSEGV when it blocks or ignores that. The kernel forgets it at the
 * first fault (force_sig_info_to_task() in kernel/signal.c: the handler becomes SIG_DFL, and the
 * signal is unblocked), also at one that the enforcer has caused and hides: it puts it back.
 */
struct signal_setting {
	__u64 handler, flags, restorer, mask; /* struct kernel_sigaction of 64-bit calls */
	__u64 is_blocked;
};

THREAD_NOTES(struct signal_setting) forgotten_settings SEC(".maps");

/* The current thread has a page fault at `address`. */
static __always_inline void keep_signal_setting(__u64 address)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct signal_setting setting = {};
	__u32 tid;

	if (!overlaps_changing(address, address + 1) || !current_is_target())
		return;
	tid = current_tid();
	setting.handler = (__u64)BPF_CORE_READ(task, sighand, action[SIGSEGV - 1].sa.sa_handler);
	setting.is_blocked = BPF_CORE_READ(task, blocked.sig[0]) >> (SIGSEGV - 1) & 1;
	if (!setting.is_blocked && setting.handler != SIG_IGN) {
		bpf_map_delete_elem(&forgotten_settings, &tid);
		return;
	}
	setting.flags = BPF_CORE_READ(task, sighand, action[SIGSEGV - 1].sa.sa_flags);
	setting.restorer = (__u64)BPF_CORE_READ(task, sighand, action[SIGSEGV - 1].sa.sa_restorer);
	setting.mask = BPF_CORE_READ(task, sighand, action[SIGSEGV - 1].sa.sa_mask.sig[0]);
	bpf_map_update_elem(&forgotten_settings, &tid, &setting, BPF_ANY);
}

#endif /* HUSK_ENFORCER_H */
