// SPDX-License-Identifier: GPL-2.0-only
/*
 * memory_tracer.bpf.c - the programs.
 *
 * Arguments are kept per thread at a call's entry and joined with its result at the
 * exit. Every program asks first whether the process is a target: nothing of another
 * process is looked at (writes.h says what is seen of a writer that is none).
 * docs/ebpf.md describes each program, map and record.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "husk_events.h"
#include "kernel_types.h"
#include "state.h"
#include "identity.h"
#include "copying.h"
#include "records.h"
#include "calls.h"
#include "spaces.h"
#include "changing.h"
#include "enforcer.h"
#include "address_space.h"
#include "regions.h"
#include "page_cache.h"
#include "page_tables.h"
#include "pages.h"
#include "looks.h"
#include "walk.h"
#include "callers.h"
#include "deferred.h"
#include "processes.h"
#include "writes.h"

char LICENSE[] SEC("license") = "GPL";

static __always_inline bool is_error(long result)
{
	return (unsigned long)result >= (unsigned long)-4095L;
}

/* ---- entry ------------------------------------------------------------------------------ */

static __always_inline bool reads_imply_execution(void)
{
	struct task_struct *task = bpf_get_current_task_btf();

	return task->personality & READ_IMPLIES_EXEC;
}

static __always_inline bool asks_for_execution(__u32 requested)
{
	if (requested & HUSK_PROTECTION_EXECUTE)
		return true;
	return (requested & HUSK_PROTECTION_READ) && reads_imply_execution();
}

/* Keeps the arguments. False: the call does not matter after all. */
static __always_inline bool begin_call(struct thread *thread, struct pt_regs *regs, __u32 abi,
				       __u32 call)
{
	if (!decode_call(thread, regs, abi, call))
		return false;
	if (thread->call == HUSK_CALL_EXIT || thread->call == HUSK_CALL_EXECVE)
		note_leaving();
	else
		begin_change();
	thread->asks = asks_for_execution(thread->requested);
	thread->changes_only = 0;
	thread->low = 0;
	thread->instruction_pointer = regs->ip;
	thread->stack_pointer = regs->sp;
	thread->prior_count = 0;
	thread->prior_incomplete = 0;
	thread->prior_executable = 0;
	thread->prior_unseen = 0;
	thread->prior_view = 0;
	thread->prior_changing = 0;
	thread->wants_stop = 0;
	return true;
}

/*
 * Before the kernel does what the call asks for: notes what is there, and looks once more at
 * what may have changed since it was seen last and is about to go. False: its exit is of no
 * interest.
 */
static __always_inline bool before_call(struct thread *thread)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 start = thread->address, length = thread->length;

	switch (thread->call) {
	case HUSK_CALL_MMAP:
		/* Only MAP_FIXED takes away what was there before. */
		if (!(thread->call_flags & MAP_FIXED))
			return true;
		break;
	case HUSK_CALL_ARCH_PRCTL:
		return true;
	case HUSK_CALL_SHMAT:
		/* How much it takes away is the segment's size, which is not known here. */
		if (thread->call_flags & SHM_REMAP)
			look(thread, start, WHOLE_END, HUSK_TRIGGER_CALL);
		return true;
	case HUSK_CALL_SHMDT:
		length = 1; /* the end is that of the region */
		break;
	case HUSK_CALL_MREMAP:
		if (!length)
			length = 1;
		break;
	case HUSK_CALL_MADVISE:
		if (!discards_pages(thread))
			return false;
		break;
	case HUSK_CALL_BRK:
		thread->new_address = task->mm ? task->mm->brk : 0;
		thread->asks = reads_imply_execution();
		length = start && start < thread->new_address ? thread->new_address - start : 0;
		if (!length)
			return thread->asks;
		break;
	case HUSK_CALL_EXIT:
		if (config.exit_has_memory)
			return false; /* later, when every thread has stopped */
		look(thread, 0, WHOLE_END, HUSK_TRIGGER_CALL);
		return false;
	case HUSK_CALL_EXECVE:
		if (!only_borrows_memory())
			look(thread, 0, WHOLE_END, HUSK_TRIGGER_CALL);
		return false;
	}
	note_prior_regions(start, length);
	/* (What is shared may be a view of such memory that may not write at present.) */
	if (config.enforcer && (overlaps_changing(start, start + length) ||
				((thread->prior_view || thread->prior_unseen) &&
				 some_memory_changes())))
		thread->wants_stop = 1;
	if (thread->call == HUSK_CALL_MREMAP) {
		thread->asks = thread->prior_executable;
		if (thread->call_flags & MREMAP_FIXED)
			note_prior_regions(thread->new_address, thread->new_length);
		if (config.enforcer && overlaps_changing(thread->new_address,
							 thread->new_address + thread->new_length))
			thread->wants_stop = 1;
	} else if (thread->call == HUSK_CALL_REMAP_FILE_PAGES) {
		thread->asks = thread->prior_executable;
	}
	/* What another thread has just made executable may be run and gone before it is copied. */
	thread->looks_at_all = (thread->prior_executable || thread->prior_unseen) &&
			       others_are_copying(start, start + length);
	if (thread->call == HUSK_CALL_MREMAP && thread->prior_unseen)
		thread->is_unknown = 1; /* what it moves may be executable */
	if (thread->prior_changing || thread->prior_unseen || thread->looks_at_all) {
		set_range(thread, start, length);
		if (thread->call == HUSK_CALL_SHMDT && thread->prior_count)
			thread->end = thread->prior[0].end;
		look(thread, thread->next, thread->end, HUSK_TRIGGER_CALL);
		if (thread->call == HUSK_CALL_MREMAP && (thread->call_flags & MREMAP_FIXED)) {
			set_range(thread, thread->new_address, thread->new_length);
			look(thread, thread->next, thread->end, HUSK_TRIGGER_CALL);
		}
	}
	thread->looks_at_all = 0;
	return thread->call != HUSK_CALL_MADVISE || thread->prior_executable ||
	       thread->prior_unseen;
}

/* Code that can change without a call is looked at when it makes one. */
static __always_inline void watch_caller(const struct pt_regs *regs, long number)
{
	if (!config.looks_at_callers || !some_memory_changes() || !current_is_target())
		return;
	adopt_changing_before();
	look_at_caller(regs->ip, regs->sp, HUSK_TRIGGER_OWN_CALL, number);
}

static __always_inline void look_before_write(struct pt_regs *regs, __u32 abi, __u32 call)
{
	struct thread *thread;

	if (find_write_race(regs, abi, call) != RACE_SEEN)
		return;
	thread = this_thread();
	if (!thread)
		return;
	thread->call = call;
	thread->abi = abi;
	thread->instruction_pointer = regs->ip;
	thread->stack_pointer = regs->sp;
	thread->looks_at_all = 1;
	set_range(thread, thread->address, thread->length);
	look(thread, thread->next, thread->end, HUSK_TRIGGER_CALL);
	thread->looks_at_all = 0;
	thread->phase = PHASE_IDLE;
}

static __always_inline void syscall_enter(struct pt_regs *regs, long number)
{
	__u32 abi, call;
	struct thread *thread;

	if (!may_matter(number) || is_enforcer_call(regs))
		return;
	abi = current_abi(number);
	call = call_of(abi, number);
	if (!call || !current_is_target())
		return;
	if (is_write_call(call)) {
		/* All is known at the exit, unless the descriptor is closed meanwhile. */
		note_written_file(regs, abi, call);
		look_before_write(regs, abi, call);
		return;
	}
	thread = thread_state();
	if (!thread) {
		send_loss_apart(call_argument(regs, abi, 0), call_argument(regs, abi, 1),
			  HUSK_CAUSE_NO_STATE);
		return;
	}
	if (thread->phase == PHASE_EXECUTED)
		send_loss_apart(0, WHOLE_END, HUSK_CAUSE_NO_RESULT);
	else if (thread->phase == PHASE_IN_CALL && (thread->asks || thread->prior_executable))
		send_loss_apart(thread->address, thread->length, HUSK_CAUSE_NO_RESULT);
	thread->phase = PHASE_IDLE;
	end_copying();
	if (config.enforcer)
		adopt_changing_before();
	if (!begin_call(thread, regs, abi, call))
		return;
	/* Where it is going to be executable is known of mprotect and MAP_FIXED only. */
	if (is_mprotect(thread) && thread->asks)
		begin_copying(thread->address & PAGE_MASK, thread->address + thread->length);
	if (before_call(thread))
		thread->phase = PHASE_IN_CALL;
	if (thread->asks || thread->is_unknown)
		begin_copying(0, WHOLE_END);
}

/* The registers with which the thread has entered the kernel. */
static __always_inline struct pt_regs *user_registers(void)
{
	return (struct pt_regs *)bpf_task_pt_regs(bpf_get_current_task_btf());
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_syscall_enter, struct pt_regs *regs, long number)
{
	watch_caller(regs, number);
	syscall_enter(regs, number);
	return 0;
}


/* A CPU clock has run out: `words` are the registers of what it has interrupted (struct pt_regs,
 * arch/x86/include/uapi/asm/ptrace.h). */
SEC("perf_event")
int on_sample(struct bpf_perf_event_data *context)
{
	const __u64 *words = (const __u64 *)context;

	/* cs: user mode. In the kernel the thread's state may be in use. */
	if (!(words[17] & 3) || !some_memory_changes() || !current_is_target())
		return 0;
	adopt_changing_before();
	look_at_caller(words[16], 0, HUSK_TRIGGER_SAMPLE, 0);
	return 0;
}

/* Attached to nothing: Husk has it run (BPF_PROG_TEST_RUN) before the others are attached. */
SEC("raw_tp")
int on_search(struct bpf_raw_tracepoint_args *context)
{
	find_direct_map(context->args[0]);
	return direct_map != 0;
}

/* Loaded for an enforcer only: page faults are many. */
SEC("tp_btf/page_fault_user")
int BPF_PROG(on_user_fault, unsigned long address)
{
	keep_signal_setting(address);
	return 0;
}

/*
 * The same at the kernel functions behind the calls (__x64_sys_mmap, ...): no other call, and
 * no other process, pays for it. User space names the functions.
 */
SEC("kprobe.multi")
int on_function_enter(struct pt_regs *context)
{
	struct pt_regs *regs = user_registers();

	syscall_enter(regs, (int)regs->orig_ax); /* the kernel takes no more of it either */
	return 0;
}

/*
 * Beside the function probes, which do not see every call. User space attaches it when a target
 * has memory that can change without a call; not before, if the first thread that makes some can
 * be held meanwhile, as it makes all calls slower. (The functions behind all calls, a thousand,
 * would be hooked too slowly for that.)
 */
SEC("tp_btf/sys_enter")
int BPF_PROG(on_any_call, struct pt_regs *regs, long number)
{
	watch_caller(regs, number);
	return 0;
}

/* For an enforcer: all calls may write. */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_any_call_end, struct pt_regs *regs, long result)
{
	stop_after_call(result);
	return 0;
}

/* ---- exit ------------------------------------------------------------------------------- */

/* That a call was tried and failed is worth knowing. */
static __always_inline void tell_attempt(struct thread *thread)
{
	if (!(thread->requested & HUSK_PROTECTION_EXECUTE))
		return;
	forget_region(&thread->region);
	set_range(thread, thread->address, thread->length);
	send_transition(thread->next, thread->end,
			thread->prior_count ? thread->prior[0].protection : 0, 0);
}

static __always_inline void tell_changes(struct thread *thread)
{
	bool matters = thread->asks || thread->prior_executable || thread->prior_view ||
		       thread->asks_for_view || thread->is_unknown ||
		       thread->mode == MODE_WRITTEN ||
		       (thread->prior_incomplete && is_mprotect(thread));

	if (!matters)
		return;
	thread->phase = PHASE_WALKING;
	/* Only pages to copy make it worth the trouble. */
	if ((thread->asks || thread->is_unknown || thread->mode != MODE_CHANGE) &&
	    walk_deferred(thread))
		return;
	walk_at_once();
}

/* The range to walk after a call that has succeeded, or has failed half-way, is set by each of
 * these. False: there is nothing to walk. */

static __always_inline bool after_mprotect(struct thread *thread, long result)
{
	if (result)
		tell_attempt(thread);
	/* mprotect goes region by region: what lies before a hole (ENOMEM) or before a region
	 * that may not be changed (EACCES; EPERM if it is sealed) has been changed when it fails. */
	thread->changes_only = result != 0;
	if (is_error(result) && !thread->prior_count && !thread->prior_incomplete)
		return false;
	set_range(thread, thread->address, thread->length);
	if (thread->low && thread->low < thread->next)
		thread->next = thread->low;
	return true;
}

/* Was a region before the call both executable and of a file? */
static __always_inline bool has_executable_file(const struct thread *thread)
{
	for (__u32 i = 0; i < MAX_PRIOR; i++) {
		if (i >= thread->prior_count)
			break;
		if (thread->prior[i].backing == HUSK_BACKING_FILE &&
		    (thread->prior[i].protection & HUSK_PROTECTION_EXECUTE))
			return true;
	}
	return thread->prior_incomplete;
}

static __always_inline bool after_mremap(struct thread *thread, long result)
{
	__u64 gone = thread->length;

	if (is_error(result)) {
		/* Of several regions (Linux 6.17) the first ones may have been moved. */
		if (!(thread->call_flags & MREMAP_FIXED) || !thread->prior_executable)
			return false;
		thread->mode = MODE_WRITTEN;
		set_range(thread, thread->new_address, thread->new_length);
		return true;
	}
	/* An old length of 0 makes a second view of shared memory and leaves the first. */
	if (gone && !(thread->call_flags & MREMAP_DONTUNMAP)) {
		set_range(thread, thread->address, gone);
		if ((__u64)result == thread->address)
			thread->next += (thread->new_length + HUSK_PAGE_SIZE - 1) & PAGE_MASK;
		if (thread->next < thread->end)
			tell_gone();
	}
	if ((thread->call_flags & MREMAP_DONTUNMAP) && has_executable_file(thread)) {
		/* What is left behind shows the file's bytes again. */
		set_range(thread, thread->address, gone);
		thread->then_next = thread->next;
		thread->then_end = thread->end;
	}
	set_range(thread, result, thread->new_length);
	return true;
}

static __always_inline bool after_shmat(struct thread *thread, long result)
{
	__u32 address = 0;

	if (is_error(result)) {
		tell_attempt(thread);
		return false;
	}
	if (thread->new_address) { /* i386's ipc() stores it */
		bpf_probe_read_user(&address, sizeof(address), (void *)thread->new_address);
		result = address;
	}
	set_range(thread, result, 1);
	thread->whole_region = 1;
	return true;
}

static __always_inline bool after_brk(struct thread *thread, long result)
{
	__u64 before = thread->new_address, after = result;

	if (after < before) {
		set_range(thread, after + HUSK_PAGE_SIZE - 1, 0);
		thread->end = (before + HUSK_PAGE_SIZE - 1) & PAGE_MASK;
		tell_gone();
		return false;
	}
	set_range(thread, before + HUSK_PAGE_SIZE - 1, 0);
	thread->end = (after + HUSK_PAGE_SIZE - 1) & PAGE_MASK;
	return thread->next < thread->end;
}

static __always_inline void after_unmapping(struct thread *thread, long result)
{
	if (result || (!thread->prior_executable && !thread->prior_view))
		return;
	set_range(thread, thread->address, thread->length);
	if (thread->call == HUSK_CALL_SHMDT && thread->prior_count)
		thread->end = thread->prior[0].end;
	tell_gone();
}

static __always_inline __u64 mapped_vdso(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return (__u64)BPF_CORE_READ(task, mm, context.vdso);
}

static __always_inline void after_call(struct thread *thread, long result)
{
	bool has_range = false;

	begin_walk(thread, MODE_CHANGE);
	thread->phase = PHASE_IDLE;
	thread->result = result;
	switch (thread->call) {
	case HUSK_CALL_MMAP:
		has_range = !is_error(result);
		if (has_range)
			set_range(thread, result, thread->is_unknown ? 1 : thread->length);
		else
			tell_attempt(thread);
		thread->whole_region = thread->is_unknown;
		break;
	case HUSK_CALL_ARCH_PRCTL:
		/* ARCH_MAP_VDSO_* returns the image's size; the place that it asks for is a hint. */
		has_range = result > 0;
		thread->mode = MODE_NEW;
		set_range(thread, mapped_vdso(), 1);
		thread->whole_region = 1;
		break;
	case HUSK_CALL_MADVISE:
		/* A private page that is given back shows its file's bytes again; when it fails,
		 * some of them may have been. */
		has_range = (has_executable_file(thread) || thread->prior_unseen) &&
			    thread->call_flags != MADV_GUARD_INSTALL;
		thread->mode = MODE_WRITTEN;
		set_range(thread, thread->address, thread->length);
		break;
	case HUSK_CALL_MPROTECT:
	case HUSK_CALL_PKEY_MPROTECT:
		has_range = after_mprotect(thread, result);
		break;
	case HUSK_CALL_MREMAP:
		has_range = after_mremap(thread, result);
		break;
	case HUSK_CALL_SHMAT:
		has_range = after_shmat(thread, result);
		break;
	case HUSK_CALL_BRK:
		has_range = after_brk(thread, result);
		break;
	case HUSK_CALL_REMAP_FILE_PAGES:
		has_range = !result;
		set_range(thread, thread->address, thread->length);
		break;
	default:
		after_unmapping(thread, result);
	}
	if (has_range)
		tell_changes(thread);
}

/* A call of the writing kind. */
static __always_inline void after_write(struct pt_regs *regs, __u32 abi, __u32 call, long result)
{
	bool returns_count = call <= HUSK_CALL_COPY_FILE_RANGE || call == HUSK_CALL_SPLICE ||
			     call == HUSK_CALL_PROCESS_VM_WRITEV;
	struct thread *thread = 0;
	__u32 how = call;

	if (call == HUSK_CALL_ASYNCHRONOUS) {
		if (!is_error(result) && current_is_target())
			send_write(call, current_pid(), 0, 0, 0);
		return;
	}
	if (call == HUSK_CALL_USERFAULTFD && frees_pages(call_argument(regs, abi, 1))) {
		/* Also when it fails: some of them may have been. */
		if (config.enforcer && current_changing() && current_is_target())
			stop_for_enforcer();
		return;
	}
	if ((returns_count ? result <= 0 : result != 0) && !may_have_written(call, result))
		return;
	if (call == HUSK_CALL_USERFAULTFD && !is_userfault_command(call_argument(regs, abi, 1)))
		return;
	if (current_is_target()) {
		how |= WRITER_IS_TARGET;
		thread = thread_state();
		if (thread && DEFERS_WALKS && config.back_pressure)
			how |= WRITER_IS_HELD;
	}
	if (config.enforcer && !thread && current_pid() == config.enforcer)
		return; /* it leaves what it writes as it was */
	switch (find_write(regs, abi, how, result, thread)) {
	case WRITTEN_OWN:
		if (!thread)
			break;
		begin_walk(thread, MODE_WRITTEN);
		thread->call = call;
		thread->abi = abi;
		thread->result = result;
		thread->call_flags = 0;
		thread->instruction_pointer = regs->ip;
		thread->stack_pointer = regs->sp;
		thread->says_protection = 0;
		thread->changes_only = 0;
		thread->whole_region = 0;
		set_range(thread, thread->address, thread->length);
		thread->phase = PHASE_WALKING;
		if (!walk_deferred(thread))
			walk_at_once();
		break;
	case WRITTEN_TOLD:
		if (thread)
			await_user_space(thread);
		break;
	default:
		break;
	}
}

static __always_inline void syscall_exit(struct pt_regs *regs, long result)
{
	long number = (int)regs->orig_ax; /* the kernel takes no more of it either */
	struct thread *thread;
	__u32 abi, call;

	if (is_enforcer_call(regs))
		return;
	stop_after_call(result);
	/* A tracer may take a call's number away (-1), execve's too. */
	if (number >= 0 && !may_matter(number))
		return;
	abi = current_abi(number);
	call = call_of(abi, number);
	/* A call of execve may be left in another ABI than it was entered. */
	if (!call && number >= 0 && !is_exec_number(number))
		return;
	if (is_write_call(call)) {
		after_write(regs, abi, call, result);
		return;
	}
	if (!current_is_target())
		return;
	thread = this_thread();
	if (thread && thread->in_change)
		end_change();
	if (thread && thread->phase == PHASE_EXECUTED) {
		thread->instruction_pointer = regs->ip; /* where the program is going to begin */
		thread->stack_pointer = regs->sp;
		thread->phase = PHASE_WALKING;
		if (!walk_deferred(thread))
			walk_at_once();
		return;
	}
	if (!call || call == HUSK_CALL_EXECVE || call == HUSK_CALL_EXIT ||
	    (call == HUSK_CALL_MADVISE && !thread))
		return;
	if (!thread) {
		/* It was inside the call when Husk came: what was there before is unknown. */
		thread = thread_state();
		if (!thread || !begin_call(thread, regs, abi, call))
			return;
		thread->prior_incomplete = 1;
		thread->phase = PHASE_IN_CALL;
	}
	if (thread->phase == PHASE_IN_CALL)
		after_call(thread, result);
	if (thread->phase == PHASE_IDLE)
		end_call(thread);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_syscall_exit, struct pt_regs *regs, long result)
{
	syscall_exit(regs, result);
	return 0;
}

SEC("kretprobe.multi")
int on_function_exit(struct pt_regs *context)
{
	syscall_exit(user_registers(), context->ax);
	return 0;
}

/* ---- processes ---------------------------------------------------------------------------- */

SEC("tp_btf/task_newtask")
int BPF_PROG(on_new_task, struct task_struct *task)
{
	follow_child(task);
	return 0;
}

/*
 * Everything that execve(2) has mapped: the program, its interpreter, the stack, the vdso. It is
 * walked at the call's exit, before the program's first instruction.
 */
static __always_inline void program_executed(const char *file_name)
{
	__u32 pid = current_pid();
	struct target *target;
	struct thread *thread;

	target = pid ? bpf_map_lookup_elem(&targets, &pid) : 0;
	if (!target || no_longer_borrows(pid, target))
		return;
	thread = thread_state();
	if (!thread) {
		send_loss_apart(0, WHOLE_END, HUSK_CAUSE_NO_STATE);
		return;
	}
	target->since_ns = bpf_ktime_get_ns();
	if (thread->leaves_space)
		forget_space(thread->leaves_space);
	thread->leaves_space = 0;
	thread->in_change = 0;
	note_known_code(0, WHOLE_END);
	tell_exec(thread, file_name);
	begin_walk(thread, MODE_NEW);
	thread->call = HUSK_CALL_EXECVE;
	thread->abi = current_abi(0);
	thread->result = 0;
	thread->address = thread->length = thread->call_flags = 0;
	thread->says_protection = 0;
	thread->asks = 1;
	thread->changes_only = 0;
	thread->whole_region = 0;
	thread->prior_count = 0;
	thread->prior_incomplete = 0;
	thread->next = 0;
	thread->end = WHOLE_END;
	thread->phase = PHASE_EXECUTED;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *program)
{
	program_executed(program->filename);
	return 0;
}

/* The last look, whatever has ended the process. */
static __always_inline void look_at_the_end(struct task_struct *task)
{
	struct thread *thread;

	if (only_borrows_memory())
		return;
	thread = thread_state();
	if (!thread) {
		send_loss_apart(0, WHOLE_END, HUSK_CAUSE_NO_STATE);
		return;
	}
	thread->call = HUSK_CALL_EXIT;
	thread->address = thread->length = thread->call_flags = 0;
	thread->says_protection = 0;
	thread->changes_only = 0;
	thread->whole_region = 0;
	look(thread, 0, WHOLE_END, HUSK_TRIGGER_CALL);
}

static __always_inline void thread_ended(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 key = thread_key();
	__u32 pid;

	bool is_target = current_is_target();
	struct thread *thread = this_thread();

	/* Two last threads may end at once: what is a thread's own goes in any case. */
	if (thread)
		end_copying();
	/* The end of its execve has been hidden, by a tracer that took the call's number away. */
	if (is_target && thread && thread->phase == PHASE_EXECUTED)
		send_loss_apart(0, WHOLE_END, HUSK_CAUSE_NO_RESULT);
	if (is_target && config.exit_has_memory && task->signal->live.counter <= 0 && task->mm)
		look_at_the_end(task);
	if (is_target && task->signal->live.counter <= 0) {
		if (task->mm)
			note_leaving();
		if (thread && thread->leaves_space)
			forget_space(thread->leaves_space);
	}
	bpf_map_delete_elem(&threads, &key);
	forget_callbacks();
	if (!is_target || task->signal->live.counter > 0)
		return;
	forget_copying();
	pid = current_pid();
	bpf_map_delete_elem(&targets, &pid); /* the number may be given to another process */
	tell_end(task);
}

/*
 * In do_exit(), before the memory goes. For kernels whose sched_process_exit comes later
 * (before Linux 6.16), where function hooks are allowed.
 */
SEC("fentry/taskstats_exit")
int BPF_PROG(on_memory_going, struct task_struct *task, int is_last)
{
	if (is_last && current_is_target())
		look_at_the_end(task);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_thread_exit)
{
	thread_ended();
	return 0;
}

/* ---- processes, at kernel functions ------------------------------------------------------- */

/*
 * The same where calls are seen at functions. From 7.0 on a program on a tracepoint can be
 * preempted, and is not run for another task that hits it on that CPU meanwhile; one at a
 * function's entry cannot.
 */

SEC("kprobe.multi")
int on_function_new_task(struct pt_regs *context) /* wake_up_new_task(task) */
{
	follow_child((struct task_struct *)context->di);
	return 0;
}

SEC("kprobe.multi")
int on_function_exec(struct pt_regs *context) /* finalize_exec(program) */
{
	struct linux_binprm *program = (struct linux_binprm *)context->di;

	program_executed(BPF_CORE_READ(program, filename));
	return 0;
}

SEC("kprobe.multi")
int on_function_thread_exit(struct pt_regs *context) /* taskstats_exit(task, is_last) */
{
	thread_ended();
	return 0;
}
