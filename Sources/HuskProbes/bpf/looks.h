/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * looks.h - which parts of the memory that can change without a call one look goes over.
 *
 * The pages that are known to run (callers.h) are looked at each time; with the region around
 * them if it is small. Beyond that a look goes round all such memory, in parts, and rests
 * between two parts for so long that it takes a twentieth of the time.
 */
#ifndef HUSK_LOOKS_H
#define HUSK_LOOKS_H

#define SMALL_REGION (16 * HUSK_PAGE_SIZE)
#define AROUND (4 * HUSK_PAGE_SIZE) /* on both sides of the instruction pointer */
#define ROUND_PART (1024 * HUSK_PAGE_SIZE)
#define ROUND_REST 20         /* times as long as the part took */
#define ROUND_REST_CHANGED 10  /* if the caller's code has just been found to be new */

/* The range to walk is [start, end), unless it has been walked for this look. */
static __always_inline bool look_next_at(struct thread *thread, __u64 start, __u64 end)
{
	if (thread->looked_start <= start && end <= thread->looked_end)
		return false;
	thread->looked_start = thread->next = start;
	thread->looked_end = thread->end = end;
	return true;
}

/* The code at `address`: its page, and what is around it. */
static __always_inline bool look_next_at_code(struct thread *thread, __u64 page, __u64 around)
{
	__u64 start, end;

	if (thread->looked_start <= page && page < thread->looked_end)
		return false;
	if (find_next_region(page, VM_EXEC) != FOUND || thread->found.start > page ||
	    !thread->found.may_change)
		return false;
	start = thread->found.start;
	end = thread->found.end;
	if (end - start > SMALL_REGION) {
		if (page - start > around)
			start = page - around;
		if (end - page > around + HUSK_PAGE_SIZE)
			end = page + around + HUSK_PAGE_SIZE;
	}
	return look_next_at(thread, start, end);
}

/* What a thread returns to is mostly as it was: then its region need not be found. */
static __always_inline bool is_spot_as_seen(struct thread *thread, __u64 page)
{
	thread->next = thread->end = page;
	return !bpf_probe_read_user(thread->scratch, HUSK_PAGE_SIZE, (const void *)page) &&
	       is_as_seen(thread);
}

/* The next part of the look that goes round, if it has rested long enough. */
static __always_inline bool look_next_round(struct thread *thread)
{
	struct changing *known = current_changing();
	__u64 now = bpf_ktime_get_ns(), start, end;
	const struct hull *hull;

	if (!known || now - known->round_time_ns <
			      known->round_cost_ns *
				      (thread->has_found ? ROUND_REST_CHANGED : ROUND_REST))
		return false;
	/* It can wait: others need the room more. */
	if (bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > config.ring_size / 2)
		return false;
	/* Other threads of the process stay away meanwhile. */
	known->round_time_ns = now;
	hull = &known->hulls[known->round_hull & (MAX_HULLS - 1)];
	start = known->round_next > hull->start ? known->round_next : hull->start;
	end = hull->end;
	if (start >= end) {
		known->round_hull++;
		known->round_next = 0;
		return false;
	}
	if (end - start > ROUND_PART)
		end = start + ROUND_PART;
	known->round_next = end;
	return look_next_at(thread, start, end);
}

static __always_inline void end_round(void)
{
	struct changing *known = current_changing();
	__u64 now = bpf_ktime_get_ns();

	if (!known)
		return;
	known->round_cost_ns = now - known->round_time_ns;
	known->round_time_ns = now;
}

/* A look has gone over its range: sets the next one. Returns 0 if there is none. */
GLOBAL int next_look(void)
{
	struct thread *thread = this_thread();

	if (!thread)
		return 0;
	if (thread->spot < thread->spot_count) {
		__u32 spot = thread->spot++;
		__u64 page = thread->spots[spot & (MAX_SPOTS - 1)];

		/* If there is nothing to be looked at, the range stays empty. */
		if (spot == 0 && thread->spot_is_pointer)
			look_next_at_code(thread, page, AROUND);
		else if (!is_spot_as_seen(thread, page))
			look_next_at_code(thread, page, 0);
		return 1;
	}
	if (thread->goes_round == ROUND_DUE) {
		/* A sample interrupts whatever the CPU does: it has to be short. */
		thread->goes_round = ROUND_NONE;
		if (thread->trigger == HUSK_TRIGGER_OWN_CALL && look_next_round(thread)) {
			thread->goes_round = ROUND_UNDER_WAY;
			return 1;
		}
	} else if (thread->goes_round == ROUND_UNDER_WAY) {
		thread->goes_round = ROUND_NONE;
		end_round();
	}
	return 0;
}

#endif /* HUSK_LOOKS_H */
