/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * spaces.h - what is kept of an address space as a whole: which of its code is in the capture
 * already and cannot have changed since.
 *
 * A JIT compiler may make one page of 128 MiB writable, write to it, and then make all 128 MiB
 * executable, thousands of times. What was executable and not writable before such a call, and is
 * so after it, has not changed: as long as no other thread was in a call that may have made it
 * writable in between.
 */
#ifndef HUSK_SPACES_H
#define HUSK_SPACES_H

struct space {
	__u64 begun, ended; /* calls that change regions */
	/* What is executable in here was captured when it became so. */
	__u64 known_start, known_end;
	__u64 has_granules; /* in `seen` */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TARGETS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64); /* mm_context_t.ctx_id */
	__type(value, struct space);
} spaces SEC(".maps");

static char zero_space[sizeof(struct space)];

static __always_inline __u64 address_space_id(void)
{
	return BPF_CORE_READ(bpf_get_current_task_btf(), mm, context.ctx_id);
}

/* Null: no memory for it. */
static __always_inline struct space *current_space(void)
{
	__u64 key = address_space_id();
	struct space *space;

	if (!key)
		return 0;
	space = bpf_map_lookup_elem(&spaces, &key);
	if (space)
		return space;
	bpf_map_update_elem(&spaces, &key, zero_space, BPF_NOEXIST);
	return bpf_map_lookup_elem(&spaces, &key);
}

/* A call that may change regions, or their protection, has ended. */
GLOBAL int end_change(void)
{
	struct thread *thread = this_thread();
	struct space *space;

	if (!thread || !thread->in_change)
		return 0;
	thread->in_change = 0;
	space = current_space();
	if (space)
		__sync_fetch_and_add(&space->ended, 1);
	return 0;
}

/* It begins. */
GLOBAL int begin_change(void)
{
	struct thread *thread = this_thread();
	struct space *space;
	__u64 before;

	if (!thread)
		return 0;
	end_change();
	thread->changes_alone = 0;
	space = current_space();
	if (!space)
		return 0;
	before = __sync_fetch_and_add(&space->begun, 1);
	thread->in_change = 1;
	thread->change = before + 1;
	thread->changes_alone = space->ended == before;
	return 0;
}

/* Has no other thread changed regions since before the call? And was all that is executable in
 * [start, end) captured when it became so? */
GLOBAL int is_known_code(__u64 start, __u64 end)
{
	struct thread *thread = this_thread();
	struct space *space = current_space();

	return thread && space && thread->changes_alone && space->begun == thread->change &&
	       space->known_start <= start && end <= space->known_end;
}

/* [start, end) has been captured. One range is kept: the largest that is known. */
GLOBAL int note_known_code(__u64 start, __u64 end)
{
	struct space *space = current_space();
	bool is_near;

	if (!space)
		return 0;
	is_near = start <= space->known_end && space->known_start <= end;
	if (!is_near && end - start < space->known_end - space->known_start)
		return 0;
	if (!is_near || start < space->known_start)
		space->known_start = start;
	if (!is_near || end > space->known_end)
		space->known_end = end;
	return 0;
}

/* The process executes a program, or ends: its address space goes, if no other one shares it. */
GLOBAL int note_leaving(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct thread *thread = this_thread();
	int threads = BPF_CORE_READ(task, signal, live.counter);

	if (!thread)
		return 0;
	thread->leaves_space = 0;
	/* A thread that ends is no longer counted among the living. */
	if (BPF_CORE_READ(task, mm, mm_users.counter) <= (threads ?: 1))
		thread->leaves_space = address_space_id();
	return 0;
}

/* A child's address space is a copy of its parent's, and what is known of that holds for it. */
GLOBAL int inherit_space(__u64 child)
{
	struct space *known = current_space(), copy = {};
	__u64 key = child;

	if (!known || !key || key == address_space_id())
		return 0;
	copy.known_start = known->known_start;
	copy.known_end = known->known_end;
	bpf_map_update_elem(&spaces, &key, &copy, BPF_NOEXIST);
	return 0;
}

#endif /* HUSK_SPACES_H */
