/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * processes.h - which processes are targets: children are added before they run, programs that
 * are executed are told with the file behind them, and the end takes a process out again.
 */
#ifndef HUSK_PROCESSES_H
#define HUSK_PROCESSES_H

static __always_inline void tell_fork(__u32 child, __u32 child_host_pid, __u64 clone_flags)
{
	struct husk_process_fork *record;
	struct ticket ticket = {};

	take_ticket(&ticket);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count(HUSK_COUNTER_UNSENT);
		return;
	}
	fill_header(&record->header, &ticket, HUSK_RECORD_PROCESS_FORK, sizeof(*record), 0);
	record->clone_flags = clone_flags;
	record->child_pid = child;
	record->child_host_pid = child_host_pid;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	bpf_ringbuf_submit(record, 0);
}

/* In copy_process(): the new task has its numbers and has not run yet. */
static __always_inline void follow_child(struct task_struct *child, __u64 clone_flags)
{
	struct target born = {.since_ns = bpf_ktime_get_ns()}, *parent;
	__u32 pid = current_pid(), number;
	__u64 identity = (__u64)BPF_CORE_READ(child, thread_pid);

	parent = pid ? bpf_map_lookup_elem(&targets, &pid) : 0;
	if (!parent || (clone_flags & CLONE_THREAD))
		return;
	born.flags = parent->flags;
	if (!(born.flags & TARGET_FOLLOWED)) {
		if (!(clone_flags & CLONE_VM))
			return;
		/* It can change the target's memory, until it executes a program. */
		born.flags |= TARGET_BORROWS;
	}
	number = config.pid_namespace ? number_in_tracer_namespace(identity) : child->tgid;
	if (!number || bpf_map_update_elem(&targets, &number, &born, BPF_ANY)) {
		send_loss(0, 0, HUSK_CAUSE_NO_STATE);
		return;
	}
	tell_fork(number, child->tgid, clone_flags);
}

static __always_inline void tell_exec(struct thread *thread, struct linux_binprm *program)
{
	struct region *region = &thread->region;
	struct husk_process_exec *record;
	struct ticket ticket = {};

	forget_region(region);
	region->start = 0;
	if (program->file)
		describe_file(region, program->file);
	if (region->backing == HUSK_BACKING_FILE)
		describe_path((__u64)BPF_CORE_READ(program, file));
	take_ticket(&ticket);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count(HUSK_COUNTER_UNSENT);
		return;
	}
	fill_header(&record->header, &ticket, HUSK_RECORD_PROCESS_EXEC, sizeof(*record), 0);
	record->backing = region->backing;
	record->reserved = 0;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	if (bpf_probe_read_kernel_str(record->file_name, sizeof(record->file_name),
				      program->filename) < 0)
		record->file_name[0] = 0;
	fill_file(&record->file, region);
	bpf_ringbuf_submit(record, 0);
}

/* True: the process that shared a target's memory has memory of its own now. */
static __always_inline bool no_longer_borrows(__u32 pid, const struct target *target)
{
	if (!(target->flags & TARGET_BORROWS))
		return false;
	bpf_map_delete_elem(&targets, &pid);
	return true;
}

static __always_inline void tell_end(struct task_struct *task)
{
	struct husk_process_exit *record;
	struct ticket ticket = {};

	take_ticket(&ticket);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count(HUSK_COUNTER_UNSENT);
		return;
	}
	fill_header(&record->header, &ticket, HUSK_RECORD_PROCESS_EXIT, sizeof(*record), 0);
	record->status = task->signal->group_exit_code ?: task->exit_code;
	record->reserved = 0;
	bpf_ringbuf_submit(record, 0);
}

#endif /* HUSK_PROCESSES_H */
