/* SPDX-License-Identifier: GPL-2.0-only */
/* identity.h - who is calling, in which PID namespace, and is it a target? */
#ifndef HUSK_IDENTITY_H
#define HUSK_IDENTITY_H

#define MAX_PID_NS_LEVEL 32 /* include/linux/pid_namespace.h */
#define PIDTYPE_TGID 1

/* The number of `pid` in Husk's own PID namespace; 0: it is not visible there. */
GLOBAL __u32 number_in_tracer_namespace(__u64 identity)
{
	struct pid *pid = (void *)identity;
	unsigned int level = BPF_CORE_READ(pid, level);

	for (unsigned int i = 0; i < MAX_PID_NS_LEVEL; i++) {
		struct upid *upid;

		if (i > level)
			break;
		upid = (void *)pid + bpf_core_field_offset(struct pid, numbers) +
		       i * bpf_core_type_size(struct upid);
		if (BPF_CORE_READ(upid, ns, ns.inum) == config.pid_namespace)
			return BPF_CORE_READ(upid, nr);
	}
	return 0;
}

static __always_inline __u32 current_pid(void)
{
	struct task_struct *task;

	if (!config.pid_namespace)
		return bpf_get_current_pid_tgid() >> 32;
	task = (void *)bpf_get_current_task();
	return number_in_tracer_namespace(
		(__u64)BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]));
}

static __always_inline __u32 current_tid(void)
{
	struct task_struct *task;

	if (!config.pid_namespace)
		return bpf_get_current_pid_tgid();
	task = (void *)bpf_get_current_task();
	return number_in_tracer_namespace((__u64)BPF_CORE_READ(task, thread_pid));
}

/* Does the caller count processes as Husk does? */
static __always_inline bool shares_tracer_namespace(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct pid *own = BPF_CORE_READ(task, thread_pid);
	__u32 level = BPF_CORE_READ(own, level);
	struct upid *upid;

	if (!config.pid_namespace)
		return level == 0;
	upid = (void *)own + bpf_core_field_offset(struct pid, numbers) +
	       (level & (MAX_PID_NS_LEVEL - 1)) * bpf_core_type_size(struct upid);
	return BPF_CORE_READ(upid, ns, ns.inum) == config.pid_namespace;
}

/* The key of `threads`: the thread itself. Its ID would change when it executes a program
 * and is not the process's first (de_thread() in fs/exec.c). */
static __always_inline __u64 thread_key(void)
{
	return bpf_get_current_task();
}

/* What the current thread is doing; null before its first call that matters. */
static __always_inline struct thread *this_thread(void)
{
	__u64 key = thread_key();

	return bpf_map_lookup_elem(&threads, &key);
}

/* The same, made if need be; null: no memory for it. */
static __always_inline struct thread *thread_state(void)
{
	__u64 key = thread_key();
	struct thread *thread = bpf_map_lookup_elem(&threads, &key);

	if (thread)
		return thread;
	bpf_map_update_elem(&threads, &key, zero_thread, BPF_NOEXIST);
	return bpf_map_lookup_elem(&threads, &key);
}

static __always_inline __u64 memory_key(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return (__u64)BPF_CORE_READ(task, mm);
}

/* Between vfork(2), or posix_spawn(3), and execve or the end: the memory is the parent's, who
 * waits, and stays as it is. */
static __always_inline bool only_borrows_memory(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, vfork_done) &&
	       BPF_CORE_READ(task, mm) == BPF_CORE_READ(task, real_parent, mm);
}

/* Has the current process other threads? */
static __always_inline bool has_siblings(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, signal, live.counter) > 1;
}

static __always_inline bool current_is_target(void)
{
	__u32 pid = current_pid();

	return pid && bpf_map_lookup_elem(&targets, &pid);
}

/* Has the current process been told to die? Then it must not wait for anything. */
static __always_inline bool current_is_dying(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();

	return BPF_CORE_READ(task, signal, flags) & SIGNAL_GROUP_EXIT;
}

#endif /* HUSK_IDENTITY_H */
