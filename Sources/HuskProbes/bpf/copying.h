/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * copying.h - what has become executable and has not been copied yet: until it has, another thread
 * of the process may run it and throw it away.
 */
#ifndef HUSK_COPYING_H
#define HUSK_COPYING_H

struct stop_key {
	__u32 pid; /* in Husk's own PID namespace */
	__u32 number;
};

struct stop {
	__u64 position; /* the ring's producer's, then */
	__u64 time_ns;
};

/* Stops of processes: each has a number, so that who lets a process go never takes the note of its
 * next stop for that of the last one. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TARGETS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct stop_key);
	__type(value, struct stop);
} stopped SEC(".maps");

#define COPYING_SLOTS 8
#define UNSLOTTED (COPYING_SLOTS + 1)

struct copying_slot {
	__u64 owner; /* thread_key(); 0: free */
	__u64 start, end;
	/* User space copies the rest while the process is stopped (stopping.h). Other threads stop
	 * some time after that one has been told to. pid 0: it copies by itself. */
	struct stop_key stop;
};

/* Of an address space. */
struct copying {
	struct copying_slot slots[COPYING_SLOTS];
	__s64 unslotted; /* threads that have found no slot: their ranges are not known */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TARGETS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64); /* memory_key() */
	__type(value, struct copying);
} copying SEC(".maps");

static char zero_copying[sizeof(struct copying)];

/* Whoever lets a process go removes the note of its stop. */
static __always_inline bool is_taken(const struct copying_slot *slot)
{
	struct stop_key stop = slot->stop;

	return slot->owner && (!stop.pid || bpf_map_lookup_elem(&stopped, &stop));
}

/* From here on, until the walk has ended, others of the address space must not throw away what
 * becomes executable in [start, end) without a look. */
GLOBAL int begin_copying(__u64 start, __u64 end)
{
	struct thread *thread = this_thread();
	__u64 key = memory_key(), self = thread_key();
	struct copying *copies;

	if (!thread || thread->copying_slot)
		return 0;
	copies = bpf_map_lookup_elem(&copying, &key);
	if (!copies) {
		bpf_map_update_elem(&copying, &key, zero_copying, BPF_NOEXIST);
		copies = bpf_map_lookup_elem(&copying, &key);
	}
	if (!copies)
		return 0;
	thread->copying_key = key;
	for (int i = 0; i < COPYING_SLOTS; i++) {
		struct copying_slot *slot = &copies->slots[i];

		__u64 owner = slot->owner;

		if (is_taken(slot) ||
		    __sync_val_compare_and_swap(&slot->owner, owner, self) != owner)
			continue;
		slot->stop.pid = 0;
		slot->start = start;
		slot->end = end;
		thread->copying_slot = i + 1;
		return 0;
	}
	__sync_fetch_and_add(&copies->unslotted, 1);
	thread->copying_slot = UNSLOTTED;
	return 0;
}

/* The copying has ended, or goes on until this stop has (pid 0: there is none). */
static __always_inline void leave_copying(struct thread *thread, struct stop_key stop)
{
	__u64 key = thread->copying_key;
	__u32 slot = thread->copying_slot;
	struct copying *copies;

	/* Without a slot there is no place for it: until the thread's next call. */
	if (!slot || (slot == UNSLOTTED && stop.pid))
		return;
	thread->copying_slot = 0;
	copies = bpf_map_lookup_elem(&copying, &key);
	if (!copies)
		return;
	if (slot <= COPYING_SLOTS) {
		struct copying_slot *own;

		/* The compiler knows the bound and would leave the mask out. */
		slot--;
		asm volatile("" : "+r"(slot));
		own = &copies->slots[slot & (COPYING_SLOTS - 1)];
		/* The entry may have been made anew since, and the slot be another's. */
		if (own->owner != thread_key())
			return;
		own->stop = stop;
		if (!stop.pid)
			own->owner = 0;
	} else {
		__sync_fetch_and_add(&copies->unslotted, -1);
	}
}

GLOBAL int end_copying(void)
{
	struct thread *thread = this_thread();
	struct stop_key none = {};

	/* If the process is to be stopped, that will say how it goes on. */
	if (thread && !thread->wants_to_stop)
		leave_copying(thread, none);
	return 0;
}

/* Is another thread of this address space making something in [start, end) executable now? */
GLOBAL int others_are_copying(__u64 start, __u64 end)
{
	__u64 key = memory_key(), self = thread_key();
	struct copying *copies = bpf_map_lookup_elem(&copying, &key);
	struct thread *thread = this_thread();

	if (!copies)
		return 0;
	for (int i = 0; i < COPYING_SLOTS; i++) {
		const struct copying_slot *slot = &copies->slots[i];

		if (slot->owner != self && slot->start < end && start < slot->end &&
		    is_taken(slot))
			return 1;
	}
	/* Less than none: an entry that was made anew. Nothing is known then. */
	return copies->unslotted != (thread && thread->copying_slot == UNSLOTTED);
}

/* The address space goes with its last process; others may still use it. */
static __always_inline void forget_copying(void)
{
	__u64 key = memory_key();
	struct copying *copies = bpf_map_lookup_elem(&copying, &key);

	if (!copies || copies->unslotted)
		return;
	for (int i = 0; i < COPYING_SLOTS; i++)
		if (copies->slots[i].owner && !copies->slots[i].stop.pid)
			return;
	bpf_map_delete_elem(&copying, &key);
}

#endif /* HUSK_COPYING_H */
