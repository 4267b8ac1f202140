// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory_tracer.bpf.c - the probes.
 *
 * Arguments are kept per thread at a call's entry and joined with its result at the
 * exit. Every program asks first whether the process is a target: nothing of another
 * process is looked at. docs/ebpf.md describes each program, map and record.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "husk_events.h"
#include "kernel_types.h"
#include "state.h"
#include "identity.h"
#include "records.h"
#include "regions.h"
#include "page_cache.h"
#include "pages.h"
#include "walk.h"
#include "deferred.h"

char LICENSE[] SEC("license") = "GPL";

/* ---- entry ------------------------------------------------------------------------------ */

static __always_inline struct thread *thread_state(void)
{
	__u64 key = thread_key();
	struct thread *thread = bpf_map_lookup_elem(&threads, &key);

	if (thread)
		return thread;
	bpf_map_update_elem(&threads, &key, zero_thread, BPF_NOEXIST);
	return bpf_map_lookup_elem(&threads, &key);
}

static __always_inline bool asks_for_execution(__u32 requested)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (requested & HUSK_PROTECTION_EXECUTE)
		return true;
	return (requested & HUSK_PROTECTION_READ) && (task->personality & READ_IMPLIES_EXEC);
}

static __always_inline struct thread *begin_call(__u32 call, __u64 address, __u64 length,
						 __u32 requested, __u64 flags)
{
	struct thread *thread;
	struct pt_regs *regs;

	if (!current_is_target())
		return 0;
	thread = thread_state();
	if (!thread) {
		if (requested & HUSK_PROTECTION_EXECUTE)
			send_loss(address, length, HUSK_CAUSE_NO_STATE);
		return 0;
	}
	regs = (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
	thread->phase = PHASE_IN_CALL;
	thread->call = call;
	thread->address = address;
	thread->length = length;
	thread->call_flags = flags;
	thread->requested = requested & 7;
	thread->asks = asks_for_execution(requested);
	thread->changes_only = 0;
	thread->grows_down = !!(requested & PROT_GROWSDOWN);
	thread->low = 0;
	thread->instruction_pointer = regs->ip;
	thread->stack_pointer = regs->sp;
	thread->prior_count = 0;
	thread->prior_incomplete = 0;
	thread->prior_executable = 0;
	return thread;
}

SEC("tp/syscalls/sys_enter_mmap")
int on_mmap_enter(struct syscall_enter *context)
{
	unsigned long flags = context->args[3];
	struct thread *thread = begin_call(HUSK_CALL_MMAP, context->args[0], context->args[1],
					   context->args[2], flags);

	/* Only MAP_FIXED takes away what was there before. */
	if (thread && (flags & MAP_FIXED))
		note_prior_regions(thread);
	return 0;
}

SEC("tp/syscalls/sys_enter_mprotect")
int on_mprotect_enter(struct syscall_enter *context)
{
	struct thread *thread = begin_call(HUSK_CALL_MPROTECT, context->args[0], context->args[1],
					   context->args[2], 0);

	if (thread)
		note_prior_regions(thread);
	return 0;
}

SEC("tp/syscalls/sys_enter_munmap")
int on_munmap_enter(struct syscall_enter *context)
{
	struct thread *thread = begin_call(HUSK_CALL_MUNMAP, context->args[0], context->args[1], 0, 0);

	if (thread)
		note_prior_regions(thread);
	return 0;
}

/* ---- exit ------------------------------------------------------------------------------- */

static __always_inline struct thread *end_call(__u32 call, long result)
{
	struct thread *thread;
	__u64 key;

	if (!current_is_target())
		return 0;
	key = thread_key();
	thread = bpf_map_lookup_elem(&threads, &key);
	if (!thread || thread->phase != PHASE_IN_CALL || thread->call != call)
		return 0; /* it was inside the call when Husk came: the arguments are unknown */
	thread->phase = PHASE_IDLE;
	thread->result = result;
	thread->time_ns = bpf_ktime_get_ns();
	thread->tries = 0;
	thread->give_up = 0;
	thread->out_of_time = 0;
	thread->dying = 0;
	thread->in_hole = 0;
	thread->stall_start_ns = 0;
	thread->region.open = 0;
	thread->ticket.held = 0;
	thread->gap_start = thread->gap_end = 0;
	return thread;
}

/* That a call was tried and failed is worth knowing. */
static __always_inline void tell_attempt(struct thread *thread)
{
	thread->deferred = 0;
	if (!(thread->requested & HUSK_PROTECTION_EXECUTE))
		return;
	forget_region(&thread->region);
	set_range(thread, thread->address, thread->length);
	send_transition(thread, thread->next, thread->end,
			thread->prior_count ? thread->prior[0].protection : 0, 0);
}

static __always_inline void tell_changes(struct thread *thread, const bool may_defer)
{
	bool matters = thread->asks || thread->prior_executable ||
		       (thread->prior_incomplete && thread->call == HUSK_CALL_MPROTECT);

	if (!matters)
		return;
	thread->phase = PHASE_WALKING;
	/* Only pages to copy make it worth the trouble. */
	if (may_defer && thread->asks && walk_deferred(thread))
		return;
	walk_at_once(thread);
}

static __always_inline int mmap_exit(long result, const bool may_defer)
{
	struct thread *thread = end_call(HUSK_CALL_MMAP, result);

	if (!thread)
		return 0;
	if ((unsigned long)result >= (unsigned long)-4095L) {
		tell_attempt(thread);
		return 0;
	}
	set_range(thread, result, thread->length);
	tell_changes(thread, may_defer);
	return 0;
}

static __always_inline int mprotect_exit(long result, const bool may_defer)
{
	struct thread *thread = end_call(HUSK_CALL_MPROTECT, result);

	if (!thread)
		return 0;
	if (result)
		tell_attempt(thread);
	/* mprotect goes region by region: what lies before a hole (ENOMEM) or before a region
	 * that may not be changed (EACCES) has been changed when it fails. */
	thread->changes_only = result != 0;
	if (result && result != -ENOMEM && result != -EACCES)
		return 0;
	set_range(thread, thread->address, thread->length);
	if (thread->low && thread->low < thread->next)
		thread->next = thread->low;
	tell_changes(thread, may_defer);
	return 0;
}

/*
 * User space loads one of each pair. Two programs instead of a branch: a callback
 * that the verifier finds referenced but never scheduled fails its check of the
 * call depth.
 */
SEC("tp/syscalls/sys_exit_mmap")
int on_mmap_exit(struct syscall_exit *context)
{
	return mmap_exit(context->result, false);
}

SEC("tp/syscalls/sys_exit_mmap")
int on_mmap_exit_deferred(struct syscall_exit *context)
{
	return mmap_exit(context->result, true);
}

SEC("tp/syscalls/sys_exit_mprotect")
int on_mprotect_exit(struct syscall_exit *context)
{
	return mprotect_exit(context->result, false);
}

SEC("tp/syscalls/sys_exit_mprotect")
int on_mprotect_exit_deferred(struct syscall_exit *context)
{
	return mprotect_exit(context->result, true);
}

SEC("tp/syscalls/sys_exit_munmap")
int on_munmap_exit(struct syscall_exit *context)
{
	struct thread *thread = end_call(HUSK_CALL_MUNMAP, context->result);

	if (!thread || context->result)
		return 0;
	if (!thread->prior_executable)
		return 0;
	thread->deferred = 0;
	set_range(thread, thread->address, thread->length);
	tell_unmapped(thread);
	return 0;
}

/* ---- the end of a thread, the end of a process ------------------------------------------- */

SEC("tp/sched/sched_process_exit")
int on_thread_exit(void *context)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct husk_process_exit *record;
	struct ticket ticket = {};
	__u64 key = thread_key();
	__u32 pid;

	if (!current_is_target())
		return 0;
	bpf_map_delete_elem(&threads, &key);
	bpf_map_delete_elem(&continuations, &key);
	if (task->signal->live.counter > 0)
		return 0;
	pid = current_pid();
	bpf_map_delete_elem(&targets, &pid); /* the number may be given to another process */
	take_ticket(&ticket);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count(HUSK_COUNTER_UNSENT);
		return 0;
	}
	fill_header(&record->header, &ticket, HUSK_RECORD_PROCESS_EXIT, sizeof(*record), 0);
	record->status = task->signal->group_exit_code ?: task->exit_code;
	record->reserved = 0;
	bpf_ringbuf_submit(record, 0);
	return 0;
}
