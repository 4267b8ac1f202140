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
	thread->unchanged = 0;
	thread->unreadable = 0;
	thread->lost = 0;
	thread->stalled_ns = 0;
	thread->checked_untouched = 0;
	thread->reads_outside = 0;
	thread->outside_position = 0;
}

/* What has been said of the file behind the region, for a record. */
static __always_inline void fill_file(struct husk_file *file, const struct region *region)
{
	file->inode = region->inode;
	file->device_major = region->device >> MINOR_BITS;
	file->device_minor = region->device & ((1u << MINOR_BITS) - 1);
	file->link_count = region->link_count;
	file->path_size = region->path_size;
	bpf_probe_read_kernel(file->path, sizeof(file->path), region->path);
}

/* From now on, whoever writes to this file changes code. */
static __always_inline void note_viewed_file(const struct region *region)
{
	struct viewed_file file = {.inode = region->inode, .device = region->device};
	struct viewed_file overlay = {.inode = region->overlay.inode,
				      .device = region->overlay.device};

	if (bpf_map_lookup_elem(&viewed, &file))
		return;
	if (overlay.inode)
		bpf_map_update_elem(&viewed, &overlay, &file, BPF_ANY);
	if (bpf_map_update_elem(&viewed, &file, &file, BPF_ANY))
		send_loss(region->start, region->end - region->start, HUSK_CAUSE_NO_STATE);
}

/* Has the region's file been executable somewhere? */
static __always_inline bool is_viewed(const struct region *region)
{
	struct viewed_file file = {.inode = region->inode, .device = region->device};

	return bpf_map_lookup_elem(&viewed, &file);
}

/* Sends a record of a walk that may have to be handled before the thread goes on. */
static __always_inline void submit_of(const struct thread *thread, void *record, __u64 size,
				      bool more_follow)
{
	if (thread->awaits_watch)
		submit_now(record);
	else
		submit(record, size, more_follow);
}

/* Tells the transition of [start, end) as thread->region describes it. 0: no room. */
GLOBAL int send_transition(__u64 start, __u64 end, __u32 previous, __u32 effective)
{
	struct thread *thread = this_thread();
	struct husk_transition *record;
	struct region *region;

	if (!thread)
		return 1;
	region = &thread->region;
	take_ticket(&thread->ticket);
	region->id = transition_id(&thread->ticket);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		if (waits_for_room(thread, start, end))
			return false;
		/* Its pages belong to nothing then, and are not in the capture. */
		forget_seen(start, end);
		region->remembers = 0;
		return true;
	}
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
	record->requested = thread->says_protection && thread->mode == MODE_CHANGE
				    ? thread->requested & 7
				    : effective;
	record->previous = previous;
	record->effective = effective;
	record->backing = region->backing;
	record->file_offset = region->file_offset;
	record->abi = thread->abi;
	record->stack_words = 0;
	record->trigger = thread->mode == MODE_LOOK ? thread->trigger : HUSK_TRIGGER_NONE;
	record->call_number = thread->call_number;
	/* After execve the stack is another one, and a look has no caller of interest. */
	if (thread->mode == MODE_CHANGE &&
	    !bpf_probe_read_user(record->stack, sizeof(record->stack),
				 (void *)thread->stack_pointer))
		record->stack_words = HUSK_STACK_WORDS;
	else
		__builtin_memset(record->stack, 0, sizeof(record->stack));
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	fill_file(&record->file, region);
	submit_of(thread, record, sizeof(*record), region->open);
	if ((effective & HUSK_PROTECTION_EXECUTE) && region->inode)
		note_viewed_file(region);
	return true;
}

static __always_inline void tell_locked(struct thread *thread)
{
	send_loss(thread->next, thread->end - thread->next, HUSK_CAUSE_LOCKED);
	thread->next = thread->end;
}

/*
 * [start, end) was executable for a moment, and another thread has taken it away, or its X,
 * before its pages could be copied.
 */
static __always_inline enum step tell_vanished(struct thread *thread, __u64 start, __u64 end,
					       __u32 previous)
{
	thread->region.flags |= HUSK_TRANSITION_VANISHED;
	if (!send_transition(start, end, previous, thread->requested))
		return stall(thread);
	send_loss(start, end - start, HUSK_CAUSE_VANISHED);
	return STEP_ON;
}

/* The pages from hole_start up to `next` are not mapped any more. */
GLOBAL int tell_hole(void)
{
	struct thread *thread = this_thread();
	__u32 previous, backing;
	__u64 end;

	if (!thread)
		return STEP_STOP;
	end = thread->next;

	if (thread->asks && !thread->changes_only) {
		forget_region(&thread->region);
		previous = prior_protection(thread, thread->hole_start, &end, &backing);
		if (tell_vanished(thread, thread->hole_start, thread->next, previous) == STEP_STOP)
			return STEP_STOP;
	}
	thread->in_hole = 0;
	return STEP_ON;
}

/* Can the call have mapped something where nothing was? */
static __always_inline bool makes_regions(const struct thread *thread)
{
	return thread->call == HUSK_CALL_MMAP || thread->call == HUSK_CALL_MREMAP ||
	       thread->call == HUSK_CALL_SHMAT || thread->call == HUSK_CALL_BRK;
}

/* Nothing is mapped at `next`: go on where something is. */
static __always_inline enum step cross_hole(struct thread *thread)
{
	__u64 next = thread->next;

	if (thread->changes_only) {
		thread->next = thread->end; /* mprotect stops at the first hole */
		return STEP_ON;
	}
	if (thread->mode == MODE_CHANGE) {
		if (!thread->in_hole)
			thread->hole_start = next;
		thread->in_hole = 1;
	}
	if (!find_next_region(next, 0) || thread->found.start >= thread->end)
		thread->next = thread->end;
	else
		thread->next = thread->found.start > next ? thread->found.start
							  : next + HUSK_PAGE_SIZE;
	return STEP_ON;
}

/* Is the region to be told, and with which protection before? */
static __always_inline bool region_matters(struct thread *thread, __u32 previous)
{
	const struct region *region = &thread->region;
	bool is_executable = region->protection & HUSK_PROTECTION_EXECUTE;

	switch (thread->mode) {
	case MODE_LOOK:
		/* Without a page there is nothing to look at. */
		return is_executable && (region->changing || thread->looks_at_all) &&
		       region->populated;
	case MODE_NEW:
	case MODE_WRITTEN:
		return is_executable;
	default:
		if (thread->changes_only && previous == region->protection)
			return false;
		if (thread->changes_only && previous == HUSK_PROTECTION_UNKNOWN)
			return is_executable;
		/* A shared mapping that may write is told too: what it shows may be executable
		 * elsewhere, now or later. */
		return is_executable || (previous & HUSK_PROTECTION_EXECUTE) ||
		       previous == HUSK_PROTECTION_UNKNOWN ||
		       ((region->flags & HUSK_TRANSITION_SHARED) &&
			((region->protection | previous) & HUSK_PROTECTION_WRITE));
	}
}

/*
 * A region has been described (or could not be: `is_unseen`): tells its transition if it matters,
 * and opens it if it has pages to copy. A step.
 */
GLOBAL int tell_region(__u32 is_unseen)
{
	struct thread *thread = this_thread();
	__u32 previous, prior_backing;
	struct region *region;
	bool is_new, is_empty, is_known;
	__u64 end;

	if (!thread)
		return STEP_STOP;
	region = &thread->region;
	end = is_unseen ? thread->end : region->end;
	if (thread->mode == MODE_CHANGE) {
		previous = prior_protection(thread, thread->next, &end, &prior_backing);
	} else {
		previous = thread->mode == MODE_NEW ? 0 : region->protection;
		prior_backing = HUSK_BACKING_UNKNOWN;
	}
	if (is_unseen)
		describe_unseen(thread, prior_backing);
	region->start = thread->next;
	region->end = end;
	is_new = thread->mode == MODE_NEW || (thread->mode == MODE_CHANGE && makes_regions(thread));
	is_empty = thread->call == HUSK_CALL_MMAP && (thread->call_flags & MAP_ANONYMOUS);
	if (is_new && !previous)
		region->flags |= HUSK_TRANSITION_FRESH;
	if (thread->mode == MODE_LOOK)
		region->flags |= HUSK_TRANSITION_LOOK;
	if (thread->mode == MODE_WRITTEN && has_siblings())
		region->flags |= HUSK_TRANSITION_HAS_SIBLINGS;

	/* (personality(2) does not make executable what is on a noexec mount; and with an enforcer
	 * what mremap(2) moves may be memory beside that which may be executed.) */
	if (thread->mode == MODE_CHANGE && thread->asks && !thread->changes_only &&
	    !(config.enforcer && (thread->call == HUSK_CALL_MREMAP ||
				 thread->call == HUSK_CALL_REMAP_FILE_PAGES)) &&
	    (!thread->says_protection || (thread->requested & HUSK_PROTECTION_EXECUTE)) &&
	    !(region->protection & HUSK_PROTECTION_EXECUTE)) {
		if (tell_vanished(thread, thread->next, end, previous) == STEP_STOP)
			return STEP_STOP;
		thread->next = end;
		return STEP_ON;
	}
	/* It was code before, is code now, and no one can have written to it in between. */
	is_known = thread->mode == MODE_CHANGE && is_mprotect(thread) && thread->prior_is_code &&
		   (region->protection & HUSK_PROTECTION_EXECUTE) && !region->changing &&
		   is_known_code(thread->next, end);
	/* Not told: nothing has happened to it. */
	if (!region_matters(thread, previous) ||
	    (is_known && previous == region->protection && !thread->result)) {
		thread->next = end;
		return STEP_ON;
	}
	/* A new anonymous mapping has nothing in it yet: its record says all there is. */
	region->open = (region->protection & HUSK_PROTECTION_EXECUTE) &&
		       !(thread->mode == MODE_CHANGE && is_empty) &&
		       !(is_new && !region->populated) && !is_known;
	if (is_known)
		region->flags |= HUSK_TRANSITION_KNOWN;
	if (region->open && config.reference_files && region->on_disk) {
		region->open = 0;
		region->flags |= HUSK_TRANSITION_REFERENCED;
	}
	if (region->open)
		region->flags |= HUSK_TRANSITION_HAS_PAGES;
	if (is_new || thread->mode == MODE_WRITTEN)
		forget_seen(thread->next, end);
	/* What is made executable once may be so again and again. */
	region->remembers = region->changing ||
			    (thread->mode == MODE_CHANGE && is_mprotect(thread) &&
			     !region->on_disk);
	if (region->changing && thread->mode != MODE_LOOK) {
		if (config.watches_calls_later && !some_memory_changes())
			thread->awaits_watch = 1;
		note_changing(thread->next, end);
		if (config.enforcer)
			thread->wants_stop = 1;
	}
	/* The enforcer can see what is there: it looks without a lock that is held for long. */
	if (config.enforcer && is_unseen && thread->mode == MODE_CHANGE)
		thread->wants_stop = 1;
	/* What is written through it may be executed through another view. */
	if (config.enforcer && thread->mode == MODE_CHANGE && region->inode &&
	    (region->flags & HUSK_TRANSITION_SHARED) &&
	    (region->protection & HUSK_PROTECTION_WRITE) &&
	    (some_memory_changes() || is_viewed(region))) {
		if (config.watches_calls_later && !some_memory_changes())
			thread->awaits_watch = 1;
		note_that_memory_changes();
		thread->wants_stop = 1;
	}
	region->untold = region->open && thread->mode == MODE_LOOK;
	if (!region->untold && !send_transition(thread->next, end, previous, region->protection)) {
		region->open = 0;
		return stall(thread);
	}
	clear_counts(thread);
	thread->checked = thread->next;
	if (!region->open)
		thread->next = end;
	return STEP_ON;
}

/* Goes to the next region of the range. A step. */
GLOBAL int open_region(__u32 may_sleep)
{
	struct thread *thread = this_thread(), *context = thread;
	long error;

	if (!thread)
		return STEP_STOP;
	if (thread->mode != MODE_CHANGE) {
		int finding = find_next_region(thread->next, VM_EXEC);

		if (finding == FOUND_NOT_YET && thread->found.address < thread->end) {
			thread->next = thread->found.address;
			return STEP_ON;
		}
		if (finding != FOUND || thread->found.start >= thread->end) {
			thread->next = thread->end;
			return STEP_ON;
		}
		if (thread->found.start > thread->next)
			thread->next = thread->found.start;
		if (thread->mode == MODE_LOOK && !thread->looks_at_all &&
		    !thread->found.may_change) {
			thread->next = thread->found.end;
			return STEP_ON;
		}
	}
	error = bpf_find_vma(bpf_get_current_task_btf(), thread->next, describe_region, &context,
			     0);
	/* Another thread holds the address-space lock. A callback steps aside, so that this
	 * thread can run. Elsewhere preemption is off, and spinning may wait for a thread that
	 * waits for this CPU: then the region stays unseen, but its pages are copied. */
	if (error == -EBUSY && ++thread->tries < (thread->mode == MODE_LOOK ? MAX_LOOK_TRIES
									     : MAX_TRIES))
		return may_sleep ? STEP_STOP : STEP_ON;
	if (error == -EBUSY && thread->mode == MODE_LOOK) {
		/* What the tree says is good enough for a look. */
		describe_found(thread);
		error = 0;
	}
	if (error == -EBUSY && thread->mode != MODE_CHANGE) {
		tell_locked(thread);
		return STEP_ON;
	}
	if (error && error != -EBUSY)
		return cross_hole(thread);
	if (thread->in_hole)
		return tell_hole();
	thread->tries = 0;
	return tell_region(error != 0);
}

/*
 * Another thread may take the open region away while it is being copied; its pages would look
 * untouched then. Looks whether it is still there; if not, what has not been copied since the
 * last look is a loss. False: no room to say so.
 */
GLOBAL int check_region(void)
{
	struct thread *thread = this_thread(), *context = thread;
	__u64 address, untouched;
	struct region *region;
	long error;

	if (!thread)
		return 1;
	region = &thread->region;
	address = thread->next < region->end ? thread->next : region->end - HUSK_PAGE_SIZE;
	untouched = thread->untouched - thread->checked_untouched;
	thread->still_executable = 0;
	error = bpf_find_vma(bpf_get_current_task_btf(), address, note_still_executable, &context,
			     0);
	/* With the lock taken nothing is known: what has been passed over is looked at again later. */
	if (error == -EBUSY && thread->tries++ < MAX_TRIES)
		return 1;
	if (thread->still_executable) {
		thread->checked = thread->next;
		thread->checked_untouched = thread->untouched;
		return true;
	}
	if (!ensure_told(thread) || !flush_gap())
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

GLOBAL int close_region(void)
{
	struct thread *thread = this_thread();
	struct husk_transition_end *record;

	if (!thread)
		return STEP_STOP;
	if (thread->untouched > thread->checked_untouched && thread->region.populated &&
	    !check_region())
		return stall(thread);
	if (!flush_gap())
		return stall(thread);
	if (!outside_has_read(thread))
		return stall(thread);
	if (thread->region.untold) {
		thread->region.open = 0;
		return STEP_ON;
	}
	take_ticket(&thread->ticket);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		if (waits_for_room(thread, thread->region.start, thread->region.end))
			return stall(thread);
	} else {
		fill_header(&record->header, &thread->ticket, HUSK_RECORD_TRANSITION_END,
			    sizeof(*record), thread->region.id);
		record->captured = thread->captured;
		record->untouched = thread->untouched;
		record->unchanged = thread->unchanged;
		record->unreadable = thread->unreadable;
		record->lost = thread->lost;
		record->stalled_ns = thread->stalled_ns;
		submit_of(thread, record, sizeof(*record), false);
	}
	if (!thread->lost && !thread->unreadable && thread->mode == MODE_CHANGE)
		note_known_code(thread->region.start, thread->region.end);
	thread->region.open = 0;
	return STEP_ON;
}

/* Gives up the rest of the region, as one loss. */
static __always_inline void skip_rest(struct thread *thread)
{
	__u64 left = thread->region.end - thread->next;

	if (thread->next >= thread->region.end)
		return;
	if (ensure_told(thread) && flush_gap()) {
		begin_gap(thread, thread->next, thread->region.end, HUSK_RECORD_LOSS,
			  HUSK_CAUSE_TOO_LARGE, 0);
		thread->lost += left / HUSK_PAGE_SIZE;
		forget_seen(thread->next, thread->region.end);
		thread->next = thread->region.end;
	}
}

/* All has been told of what a call has done. */
static __always_inline void end_call(struct thread *thread)
{
	end_copying();
	if (thread->wants_stop)
		stop_for_enforcer();
	thread->wants_stop = 0;
}

static __always_inline long walk_step(struct thread **context, const bool may_sleep)
{
	struct thread *thread = *context;

	if (thread->region.open) {
		if (thread->out_of_time)
			skip_rest(thread);
		if (thread->next < thread->region.end)
			return copy_page(thread, may_sleep);
		return as_step(close_region());
	}
	if (thread->next < thread->end)
		return as_step(open_region(may_sleep));
	if (thread->in_hole)
		return as_step(tell_hole());
	if (thread->then_end) {
		thread->next = thread->then_next;
		thread->end = thread->then_end;
		thread->then_end = 0;
		thread->mode = MODE_WRITTEN;
		return STEP_ON;
	}
	if (thread->mode == MODE_LOOK && next_look())
		return STEP_ON;
	thread->phase = PHASE_IDLE;
	if (thread->mode != MODE_LOOK)
		end_call(thread);
	/* It is the first of its kind: user space begins to watch every call now. */
	thread->awaits_watch = thread->awaits_watch && thread->deferred && config.back_pressure;
	if (thread->awaits_watch) {
		thread->phase = PHASE_AWAITING;
		thread->outside_position = bpf_ringbuf_query(&ring, BPF_RB_PROD_POS);
	}
	return STEP_STOP;
}

static long walk_step_atomic(__u32 index, struct thread **context)
{
	return walk_step(context, false);
}

/* ---- what is gone is told from what was there before ------------------------------------ */

static long gone_step(__u32 index, struct thread **context)
{
	struct thread *thread = *context;
	__u64 limit = thread->end, start, end;

	if (index >= MAX_PRIOR || index >= thread->prior_count)
		return STEP_STOP;
	start = thread->prior[index].start;
	end = thread->prior[index].end;
	if (end <= thread->next || start >= limit)
		return STEP_ON;
	if (start < thread->next)
		start = thread->next;
	if (end > limit)
		end = limit;
	forget_region(&thread->region);
	thread->region.flags = thread->prior[index].shared ? HUSK_TRANSITION_SHARED : 0;
	send_transition(start, end, thread->prior[index].protection, 0);
	thread->next = end;
	return STEP_ON;
}

/* [next, end) is not mapped any more. */
GLOBAL int tell_gone(void)
{
	struct thread *thread = this_thread(), *context = thread;

	if (!thread)
		return 0;
	thread->deferred = 0;
	thread->mode = MODE_CHANGE;
	bpf_loop(MAX_PRIOR, gone_step, &context, 0);
	/* The rest of what could not be seen beforehand. */
	forget_region(&thread->region);
	if (thread->prior_incomplete && thread->prior_executable && thread->next < thread->end)
		send_transition(thread->next, thread->end, HUSK_PROTECTION_UNKNOWN, 0);
	return 0;
}

/* ---- in which context ------------------------------------------------------------------ */

/* Clears what a walk before may have left. */
static __always_inline void begin_walk(struct thread *thread, __u32 mode)
{
	thread->mode = mode;
	thread->time_ns = bpf_ktime_get_ns();
	thread->deferred = 0;
	thread->tries = 0;
	thread->give_up = 0;
	thread->out_of_time = 0;
	thread->dying = 0;
	thread->in_hole = 0;
	thread->stall_start_ns = 0;
	thread->region.open = 0;
	thread->then_end = 0;
	thread->ticket.held = 0;
	thread->gap_start = thread->gap_end = 0;
	thread->may_spin = 0;
	thread->may_stop = 0;
	thread->wants_to_stop = 0;
	thread->extent_start = thread->extent_end = 0;
}

/* The walk that has been begun, in a context that may not sleep. */
GLOBAL int walk_at_once(void)
{
	struct thread *thread = this_thread(), *context = thread;

	if (!thread)
		return 0;
	thread->deferred = 0;
	/* At a call's exit; a look comes before a call. */
	thread->may_stop = thread->mode != MODE_LOOK;
	bpf_loop(STEPS_AT_ONCE, walk_step_atomic, &context, 0);
	stop_if_wanted(thread);
	if (thread->phase == PHASE_IDLE)
		return 0;
	/* More pages than one share: what is left of this region and of further ones. */
	thread->out_of_time = 1;
	bpf_loop(MAX_TRIES, walk_step_atomic, &context, 0);
	if (thread->phase != PHASE_IDLE) {
		tell_locked(thread);
		thread->phase = PHASE_IDLE;
	}
	return 0;
}

/*
 * Looks at what can change without a call in [start, end). Not in a callback: that would come
 * after the call that is the occasion.
 */
static __always_inline void look(struct thread *thread, __u64 start, __u64 end, __u32 trigger)
{
	begin_walk(thread, MODE_LOOK);
	thread->trigger = trigger;
	thread->result = 0;
	thread->next = start;
	thread->end = end;
	thread->phase = PHASE_WALKING;
	thread->spot_count = 0;
	thread->goes_round = ROUND_NONE;
	thread->may_spin = config.back_pressure && (thread->call == HUSK_CALL_EXIT ||
						     thread->call == HUSK_CALL_EXECVE);
	walk_at_once();
}

/* Looks at the pages in thread->spots. */
static __always_inline void look_at_spots(struct thread *thread, __u32 trigger)
{
	begin_walk(thread, MODE_LOOK);
	thread->trigger = trigger;
	thread->result = 0;
	thread->next = thread->end = 0;
	thread->looked_start = thread->looked_end = 0;
	thread->phase = PHASE_WALKING;
	thread->spot = 0;
	thread->has_found = 0;
	thread->goes_round = ROUND_DUE;
	walk_at_once();
}

#endif /* HUSK_WALK_H */
