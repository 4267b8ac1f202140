/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * walk.h - after a call: go over its range, tell each region's transition, copy the
 * pages of those that are executable now.
 *
 * One flat state machine (walk_step) instead of nested loops: it can stop anywhere,
 * because the ring is full or its share of time is used up, and go on later.
 */
#ifndef HUSK_WALK_H
#define HUSK_WALK_H

/* One bpf_loop's share. A callback gives the CPU back between two shares. */
#define STEPS_PER_SHARE 4096
/* A call that is not deferred has one share only, and keeps its CPU: 4 GiB of pages. */
#define STEPS_AT_ONCE (1u << 20)

/* ---- one region ----------------------------------------------------------------------- */

static __always_inline void clear_counts(struct thread *thread)
{
	thread->captured = 0;
	thread->untouched = 0;
	thread->unreadable = 0;
	thread->lost = 0;
	thread->stalled_ns = 0;
	thread->checked_untouched = 0;
	thread->reads_outside = 0;
	thread->outside_position = 0;
}

/* Tells the transition of [start, end). False: no room. */
static __noinline bool send_transition(struct thread *thread, __u64 start, __u64 end,
				       __u32 previous, __u32 effective)
{
	struct region *region = &thread->region;
	struct husk_transition *record;

	take_ticket(&thread->ticket);
	region->id = transition_id(&thread->ticket);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record)
		return !waits_for_room(thread);
	fill_header(&record->header, &thread->ticket, HUSK_RECORD_TRANSITION, sizeof(*record),
		    region->id);
	record->header.time_ns = thread->time_ns; /* of the call, not of this moment */
	record->start = start;
	record->length = end - start;
	record->call_address = thread->address;
	record->call_length = thread->length;
	record->call_flags = thread->call_flags;
	record->result = thread->result;
	record->instruction_pointer = thread->instruction_pointer;
	record->stack_pointer = thread->stack_pointer;
	record->call = thread->call;
	record->flags = region->flags;
	record->requested = thread->requested;
	record->previous = previous;
	record->effective = effective;
	record->backing = region->backing;
	record->inode = region->inode;
	record->file_offset = region->file_offset;
	record->device_major = region->device >> MINOR_BITS;
	record->device_minor = region->device & ((1u << MINOR_BITS) - 1);
	record->link_count = region->link_count;
	record->path_size = region->path_size;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	bpf_probe_read_kernel(record->path, sizeof(record->path), region->path);
	bpf_ringbuf_submit(record, 0);
	return true;
}

/*
 * [start, end) was executable for a moment, and another thread has taken it away, or its X,
 * before its pages could be copied.
 */
static __always_inline enum step tell_vanished(struct thread *thread, __u64 start, __u64 end,
					       __u32 previous)
{
	thread->region.flags |= HUSK_TRANSITION_VANISHED;
	if (!send_transition(thread, start, end, previous, thread->requested))
		return stall(thread);
	send_loss(start, end - start, HUSK_CAUSE_VANISHED);
	return STEP_ON;
}

/* The pages from hole_start up to `next` are not mapped any more. */
static __noinline enum step tell_hole(struct thread *thread)
{
	__u64 end = thread->next;
	__u32 previous, backing;

	if (thread->asks && !thread->changes_only) {
		forget_region(&thread->region);
		previous = prior_protection(thread, thread->hole_start, &end, &backing);
		if (tell_vanished(thread, thread->hole_start, thread->next, previous) == STEP_STOP)
			return STEP_STOP;
	}
	thread->in_hole = 0;
	return STEP_ON;
}

static __always_inline enum step open_region(struct thread *thread, struct thread **context,
					     const bool may_sleep)
{
	struct region *region = &thread->region;
	__u32 previous, prior_backing;
	bool is_new, was_or_is;
	__u64 end;
	long error;

	error = bpf_find_vma(bpf_get_current_task_btf(), thread->next, describe_region, context, 0);
	/* Another thread holds the address-space lock. A callback steps aside, so that this
	 * thread can run. Elsewhere preemption is off, and spinning may wait for a thread that
	 * waits for this CPU: then the region stays unseen, but its pages are copied. */
	if (error == -EBUSY && ++thread->tries < MAX_TRIES)
		return may_sleep ? STEP_STOP : STEP_ON;
	if (error && error != -EBUSY) {
		if (thread->changes_only) {
			thread->next = thread->end; /* mprotect stops at the first hole */
			return STEP_ON;
		}
		if (!thread->in_hole)
			thread->hole_start = thread->next;
		thread->in_hole = 1;
		thread->next += HUSK_PAGE_SIZE;
		return STEP_ON;
	}
	if (thread->in_hole)
		return tell_hole(thread);
	thread->tries = 0;
	end = error ? thread->end : region->end;
	previous = prior_protection(thread, thread->next, &end, &prior_backing);
	if (error)
		describe_unseen(thread, prior_backing);
	region->start = thread->next;
	region->end = end;
	is_new = thread->call == HUSK_CALL_MMAP;
	if (is_new && !previous)
		region->flags |= HUSK_TRANSITION_FRESH;

	if (thread->changes_only &&
	    (previous == region->protection || previous == HUSK_PROTECTION_UNKNOWN)) {
		thread->next = end;
		return STEP_ON;
	}
	if (thread->asks && !thread->changes_only &&
	    !(region->protection & HUSK_PROTECTION_EXECUTE)) {
		if (tell_vanished(thread, thread->next, end, previous) == STEP_STOP)
			return STEP_STOP;
		thread->next = end;
		return STEP_ON;
	}
	was_or_is = ((region->protection | previous) & HUSK_PROTECTION_EXECUTE) ||
		    previous == HUSK_PROTECTION_UNKNOWN;
	if (!was_or_is) {
		thread->next = end;
		return STEP_ON;
	}
	/* A new anonymous mapping has nothing in it yet: its record says all there is. */
	region->open = (region->protection & HUSK_PROTECTION_EXECUTE) &&
		       !(is_new && (thread->call_flags & MAP_ANONYMOUS)) &&
		       !(is_new && !region->populated);
	if (region->open)
		region->flags |= HUSK_TRANSITION_HAS_PAGES;
	if (!send_transition(thread, thread->next, end, previous, region->protection)) {
		region->open = 0;
		return stall(thread);
	}
	clear_counts(thread);
	thread->checked = thread->next;
	if (!region->open)
		thread->next = end;
	return STEP_ON;
}

/*
 * Another thread may take the open region away while it is being copied; its pages would look
 * untouched then. Looks whether it is still there; if not, what has not been copied since the
 * last look is a loss. False: no room to say so.
 */
static __always_inline bool check_region(struct thread *thread, struct thread **context)
{
	struct region *region = &thread->region;
	__u64 address = thread->next < region->end ? thread->next : region->end - HUSK_PAGE_SIZE;
	__u64 untouched = thread->untouched - thread->checked_untouched;
	long error;

	thread->still_executable = 0;
	error = bpf_find_vma(bpf_get_current_task_btf(), address, note_still_executable, context, 0);
	if (thread->still_executable || error == -EBUSY) {
		thread->checked = thread->next;
		thread->checked_untouched = thread->untouched;
		return true;
	}
	if (!flush_gap(thread))
		return false;
	thread->lost += untouched + (region->end - thread->next) / HUSK_PAGE_SIZE;
	thread->untouched = thread->checked_untouched;
	begin_gap(thread, thread->checked, region->end, HUSK_RECORD_LOSS, HUSK_CAUSE_VANISHED, 0);
	thread->next = region->end;
	thread->checked = region->end;
	return true;
}

/*
 * Pages under a protection key are read by user space, while it handles their record. The
 * thread stays here until the ring's consumer has passed that record: so the bytes are those of
 * this moment, and the process cannot end before. Bounded as waiting for room is.
 */
static __always_inline bool outside_has_read(struct thread *thread)
{
	if (!thread->reads_outside || !thread->deferred || thread->give_up)
		return true;
	if (!thread->outside_position)
		thread->outside_position = bpf_ringbuf_query(&ring, BPF_RB_PROD_POS);
	return bpf_ringbuf_query(&ring, BPF_RB_CONS_POS) >= thread->outside_position;
}

static enum step close_region(struct thread *thread, struct thread **context)
{
	struct husk_transition_end *record;

	if (thread->untouched > thread->checked_untouched && thread->region.populated &&
	    !check_region(thread, context))
		return stall(thread);
	if (!flush_gap(thread))
		return stall(thread);
	if (!outside_has_read(thread))
		return stall(thread);
	take_ticket(&thread->ticket);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		if (waits_for_room(thread))
			return stall(thread);
	} else {
		fill_header(&record->header, &thread->ticket, HUSK_RECORD_TRANSITION_END,
			    sizeof(*record), thread->region.id);
		record->captured = thread->captured;
		record->untouched = thread->untouched;
		record->unreadable = thread->unreadable;
		record->lost = thread->lost;
		record->stalled_ns = thread->stalled_ns;
		bpf_ringbuf_submit(record, 0);
	}
	thread->region.open = 0;
	return STEP_ON;
}

/* Gives up the rest of the region, as one loss. */
static __always_inline void skip_rest(struct thread *thread)
{
	__u64 left = thread->region.end - thread->next;

	if (thread->next >= thread->region.end)
		return;
	if (flush_gap(thread)) {
		begin_gap(thread, thread->next, thread->region.end, HUSK_RECORD_LOSS,
			  HUSK_CAUSE_TOO_LARGE, 0);
		thread->lost += left / HUSK_PAGE_SIZE;
		thread->next = thread->region.end;
	}
}

static __always_inline long walk_step(struct thread **context, const bool may_sleep)
{
	struct thread *thread = *context;

	if (thread->region.open) {
		if (thread->out_of_time)
			skip_rest(thread);
		if (thread->next < thread->region.end)
			return copy_page(thread, may_sleep);
		return close_region(thread, context);
	}
	if (thread->next < thread->end)
		return open_region(thread, context, may_sleep);
	if (thread->in_hole)
		return tell_hole(thread);
	thread->phase = PHASE_IDLE;
	return STEP_STOP;
}

static long walk_step_sleeping(__u32 index, struct thread **context)
{
	return walk_step(context, true);
}

static long walk_step_atomic(__u32 index, struct thread **context)
{
	return walk_step(context, false);
}

/* ---- munmap: what is gone is told from what was there before --------------------------- */

static long unmap_step(__u32 index, struct thread **context)
{
	struct thread *thread = *context;
	__u64 limit = thread->end, start, end;

	if (index >= MAX_PRIOR || index >= thread->prior_count)
		return STEP_STOP;
	start = thread->prior[index].start;
	end = thread->prior[index].end;
	thread->next = start > thread->next ? start : thread->next;
	if (end > limit)
		end = limit;
	send_transition(thread, thread->next, end, thread->prior[index].protection, 0);
	thread->next = end;
	return STEP_ON;
}

static __always_inline void tell_unmapped(struct thread *thread)
{
	struct thread *context = thread;

	forget_region(&thread->region);
	bpf_loop(MAX_PRIOR, unmap_step, &context, 0);
	/* The rest of what could not be seen beforehand. */
	if (thread->prior_incomplete && thread->prior_executable && thread->next < thread->end)
		send_transition(thread, thread->next, thread->end, HUSK_PROTECTION_UNKNOWN, 0);
	thread->phase = PHASE_IDLE;
}

/* ---- in which context ------------------------------------------------------------------ */

static __always_inline void walk_at_once(struct thread *thread)
{
	struct thread *context = thread;

	thread->deferred = 0;
	bpf_loop(STEPS_AT_ONCE, walk_step_atomic, &context, 0);
	if (thread->phase == PHASE_IDLE)
		return;
	/* More pages than one share: what is left of this region and of further ones. */
	thread->out_of_time = 1;
	bpf_loop(MAX_TRIES, walk_step_atomic, &context, 0);
	if (thread->phase != PHASE_IDLE) {
		send_loss(thread->next, thread->end - thread->next, HUSK_CAUSE_LOCKED);
		thread->phase = PHASE_IDLE;
	}
}

#endif /* HUSK_WALK_H */
