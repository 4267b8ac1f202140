/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * processes.h - which processes are targets: children are added before they run, programs that
 * are executed are told with the file behind them, and the end takes a process out again.
 */
#ifndef HUSK_PROCESSES_H
#define HUSK_PROCESSES_H

static __always_inline void tell_fork(__u32 child, __u32 child_host_pid, bool shares_memory)
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
	record->shares_memory = shares_memory;
	record->reserved = 0;
	record->child_pid = child;
	record->child_host_pid = child_host_pid;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	submit(record, sizeof(*record), false);
}

/* The new task has its numbers and its memory, and has not run yet. */
static __always_inline void follow_child(struct task_struct *child)
{
	struct task_struct *self = (void *)bpf_get_current_task();
	bool shares_memory = BPF_CORE_READ(child, mm) == BPF_CORE_READ(self, mm);
	__u32 host_pid = BPF_CORE_READ(child, tgid);
	struct target born = {.since_ns = bpf_ktime_get_ns()}, *parent;
	__u32 pid = current_pid(), number;
	__u64 identity = (__u64)BPF_CORE_READ(child, thread_pid);

	parent = pid ? bpf_map_lookup_elem(&targets, &pid) : 0;
	if (!parent || host_pid == (__u32)BPF_CORE_READ(self, tgid)) /* a thread */
		return;
	born.flags = parent->flags;
	if (!(born.flags & TARGET_FOLLOWED)) {
		if (!shares_memory)
			return;
		/* It can change the target's memory, until it executes a program. */
		born.flags |= TARGET_BORROWS;
	}
	number = config.pid_namespace ? number_in_tracer_namespace(identity) : host_pid;
	if (!number || bpf_map_update_elem(&targets, &number, &born, BPF_ANY)) {
		send_loss(0, 0, HUSK_CAUSE_NO_STATE);
		return;
	}
	if (!shares_memory) {
		inherit_space(BPF_CORE_READ(child, mm, context.ctx_id));
		inherit_changing(BPF_CORE_READ(child, mm, context.ctx_id));
	}
	tell_fork(number, host_pid, shares_memory);
}

static __always_inline void tell_exec(struct thread *thread, const char *file_name)
{
	struct mm_struct *memory = bpf_get_current_task_btf()->mm;
	struct file *file = memory ? memory->exe_file : 0;
	struct region *region = &thread->region;
	struct husk_process_exec *record;
	struct ticket ticket = {};

	forget_region(region);
	region->start = 0;
	if (file)
		describe_file(region, file);
	if (region->backing == HUSK_BACKING_FILE)
		describe_path((__u64)BPF_CORE_READ(memory, exe_file));
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
				      file_name) < 0)
		record->file_name[0] = 0;
	fill_file(&record->file, region);
	submit(record, sizeof(*record), false);
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
	submit(record, sizeof(*record), false);
}

#endif /* HUSK_PROCESSES_H */
