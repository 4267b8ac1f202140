/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * deferred.h - walking in the target's own context, before it returns to user mode.
 *
 * The kernel runs the callback as task work (TWA_RESUME) on the way back from the
 * system call: the thread has executed no further instruction, and the callback may
 * sleep. When the ring is full it schedules another callback for the same thread,
 * so that the thread stays in the kernel, invisibly, until the consumer has made
 * room. Such a thread cannot be killed, therefore waiting is bounded: in all, in
 * silence (the consumer gives no sign of life), and by a pending death.
 */
#ifndef HUSK_DEFERRED_H
#define HUSK_DEFERRED_H

#if HUSK_TASK_WORK == HUSK_TASK_WORK_NONE

#define DEFERS_WALKS 0

static __always_inline bool walk_deferred(struct thread *thread)
{
	return false;
}

static __always_inline void await_user_space(struct thread *thread)
{
}

static __always_inline void forget_callbacks(void)
{
}

#else

#define DEFERS_WALKS 1
#define DYING_LIMIT_NS 100000000ULL /* a thread that has been killed may still copy */

/* A callback that can be scheduled: two for each thread. */
struct callback_key {
	__u64 thread;
	__u64 turn;
};

struct callback {
	struct bpf_task_work work;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * MAX_THREADS);
	__uint(map_flags, BPF_F_NO_PREALLOC); /* bpf_task_work requires it */
	__type(key, struct callback_key);
	__type(value, struct callback);
} callbacks SEC(".maps");

static char zero_callback[sizeof(struct callback)];

static int on_walk(struct bpf_map *map, void *key, void *value);

#if HUSK_TASK_WORK == HUSK_TASK_WORK_EXPLICIT
#define schedule_resume(work, map, callback)                                                    \
	bpf_task_work_schedule_resume_impl(bpf_get_current_task_btf(), work, map, callback, 0)
#else
#define schedule_resume(work, map, callback)                                                    \
	bpf_task_work_schedule_resume(bpf_get_current_task_btf(), work, map, callback)
#endif

/* A callback cannot schedule the element that it runs for: two elements take turns. */
static __always_inline bool schedule_walk(struct thread *thread)
{
	struct callback_key key = {.thread = thread_key()};
	struct callback *callback;

	thread->turn = !thread->turn;
	key.turn = thread->turn;
	callback = bpf_map_lookup_elem(&callbacks, &key);
	if (!callback) {
		bpf_map_update_elem(&callbacks, &key, zero_callback, BPF_NOEXIST);
		callback = bpf_map_lookup_elem(&callbacks, &key);
	}
	return callback && !schedule_resume(&callback->work, &callbacks, on_walk);
}

/* Sets give_up when the thread has waited long enough for room in the ring. */
static __always_inline void judge_stall(struct thread *thread)
{
	if (waits_in_vain(thread, config.stall_limit_ns, &stuck_consumer) || current_is_dying())
		thread->give_up = 1;
}

static __always_inline void end_stall(struct thread *thread)
{
	if (thread->stall_start_ns)
		thread->stalled_ns += bpf_ktime_get_ns() - thread->stall_start_ns;
	thread->stall_start_ns = 0;
}

/* Has user space handled the record that the thread waits for? Bounded as a full ring is. */
static __always_inline bool has_awaited(struct thread *thread)
{
	if (bpf_ringbuf_query(&ring, BPF_RB_CONS_POS) < thread->outside_position) {
		judge_stall(thread);
		if (!thread->give_up)
			return false;
	}
	thread->stall_start_ns = 0;
	thread->awaits_watch = 0;
	thread->phase = PHASE_IDLE;
	return true;
}

static long walk_step_sleeping(__u32 index, struct thread **context)
{
	return walk_step(context, true);
}

/* One share of the walk. Returns whether another one is wanted. */
static __always_inline bool walk_share(struct thread *thread)
{
	struct thread *context = thread;
	__u64 now;

	if (thread->phase == PHASE_AWAITING)
		return !has_awaited(thread);
	if (thread->phase != PHASE_WALKING)
		return false;
	thread->stalled = 0;
	thread->extent_end = 0; /* what was seen before may have changed */
	now = bpf_ktime_get_ns();
	if (!thread->dying && current_is_dying()) {
		/* Enough for most regions, not long enough to be felt as hanging. */
		thread->dying = 1;
		if (thread->deadline_ns > now + DYING_LIMIT_NS)
			thread->deadline_ns = now + DYING_LIMIT_NS;
	}
	if (now > thread->deadline_ns)
		thread->out_of_time = thread->give_up = 1;
	if (thread->region.open && !check_region()) {
		thread->stalled = 1;
		judge_stall(thread);
		return true;
	}
	bpf_loop(STEPS_PER_SHARE, walk_step_sleeping, &context, 0);
	if (thread->stalled)
		judge_stall(thread);
	else
		end_stall(thread);
	return thread->phase != PHASE_IDLE;
}

/* No further callback is to be had: what is left is done here. */
static __always_inline void walk_on(struct thread *thread)
{
	if (thread->phase == PHASE_WALKING)
		walk_at_once();
	thread->phase = PHASE_IDLE;
}

static int on_walk(struct bpf_map *map, void *key, void *value)
{
	struct thread *thread = this_thread();

	if (thread && walk_share(thread) && !schedule_walk(thread))
		walk_on(thread);
	return 0;
}

static __always_inline bool walk_deferred(struct thread *thread)
{
	thread->deferred = 1;
	thread->give_up = !config.back_pressure;
	thread->deadline_ns = thread->time_ns + config.walk_limit_ns;
	if (schedule_walk(thread))
		return true;
	count(HUSK_COUNTER_NOT_DEFERRED);
	return false;
}

/* Keeps the thread in the kernel until user space has handled all records sent so far. */
static __always_inline void await_user_space(struct thread *thread)
{
	if (!config.back_pressure)
		return;
	thread->phase = PHASE_AWAITING;
	thread->give_up = 0;
	thread->stall_start_ns = 0;
	thread->outside_position = bpf_ringbuf_query(&ring, BPF_RB_PROD_POS);
	if (!schedule_walk(thread)) {
		count(HUSK_COUNTER_NOT_DEFERRED);
		thread->phase = PHASE_IDLE;
	}
}

/* The thread is at its end. */
static __always_inline void forget_callbacks(void)
{
	struct callback_key key = {.thread = thread_key()};

	bpf_map_delete_elem(&callbacks, &key);
	key.turn = 1;
	bpf_map_delete_elem(&callbacks, &key);
}

#endif /* HUSK_TASK_WORK */

#endif /* HUSK_DEFERRED_H */
