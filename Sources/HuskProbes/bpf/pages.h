/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pages.h - one page of the open region: copied into a record, faulted in first if need be, or
 * accounted for as missing.
 */
#ifndef HUSK_PAGES_H
#define HUSK_PAGES_H

#define SPIN_SILENCE_NS 50000000ULL
#define SPIN_LIMIT_NS 4000000000ULL

enum step {
	STEP_ON = 0,
	STEP_STOP = 1,
};

/* The verifier knows nothing of what a GLOBAL function returns, and wants 0 or 1 of a step; the
 * compiler knows it, and is kept from using that. */
static __always_inline enum step as_step(int value)
{
	asm volatile("" : "+r"(value));
	return value ? STEP_STOP : STEP_ON;
}

/* No room in the ring: come again. */
static __always_inline enum step stall(struct thread *thread)
{
	thread->stalled = 1;
	return STEP_STOP;
}

/* walk.h */
GLOBAL int send_transition(__u64 start, __u64 end, __u32 previous, __u32 effective);

/* The transition of a look that has found nothing so far has not been sent. False: no room. */
static __always_inline bool ensure_told(struct thread *thread)
{
	struct region *region = &thread->region;

	if (!region->untold)
		return true;
	if (!send_transition(region->start, region->end, region->protection, region->protection))
		return false;
	region->untold = 0;
	return true;
}

/* ---- pages without bytes: runs of them become one record ------------------------------ */

/* A record found no room. True: wait for some. Else its number stays taken: user space sees
 * that it is missing. */
static __always_inline bool waits_for_room(struct thread *thread, __u64 start, __u64 end)
{
	if (thread->deferred && !thread->give_up)
		return true;
	thread->ticket.held = 0;
	note_unsent(start, end);
	return false;
}

static __always_inline void begin_gap(struct thread *thread, __u64 start, __u64 end, __u32 kind,
				      __u32 cause, __u32 error)
{
	thread->gap_start = start;
	thread->gap_end = end;
	thread->gap_kind = kind;
	thread->gap_cause = cause;
	thread->gap_error = error;
}

/* False: no room for the record, the run is still pending. */
GLOBAL int flush_gap(void)
{
	struct thread *thread = this_thread();

	if (!thread || thread->gap_end == thread->gap_start)
		return true;
	if (!send_page_range(&thread->ticket, thread->gap_kind, thread->region.id,
			     thread->gap_start, thread->gap_end - thread->gap_start,
			     thread->gap_cause, thread->gap_error) &&
	    waits_for_room(thread, thread->gap_start, thread->gap_end))
		return false;
	thread->gap_start = thread->gap_end = 0;
	return true;
}

/* The page at thread->next is missing. A step. */
GLOBAL int extend_gap(__u32 kind, __u32 cause, __u32 error)
{
	struct thread *thread = this_thread();
	bool same;

	if (!thread)
		return STEP_STOP;
	same = thread->gap_end == thread->next && thread->gap_kind == kind &&
	       thread->gap_cause == cause && thread->gap_error == error;
	if (!same) {
		if (!ensure_told(thread) || !flush_gap())
			return stall(thread);
		begin_gap(thread, thread->next, thread->next, kind, cause, error);
	}
	thread->next += HUSK_PAGE_SIZE;
	thread->gap_end = thread->next;
	if (kind == HUSK_RECORD_UNREADABLE)
		thread->unreadable++;
	else
		thread->lost++;
	return STEP_ON;
}

/* The thread is out of room: since when, and when the ring's consumer has last made progress. */
static __always_inline void note_progress(struct thread *thread, __u64 now)
{
	__u64 consumer = bpf_ringbuf_query(&ring, BPF_RB_CONS_POS);

	if (!thread->stall_start_ns)
		thread->stall_start_ns = now;
	if (thread->stall_start_ns == now || consumer != thread->stall_consumer) {
		thread->stall_consumer = consumer;
		thread->stall_progress_ns = now;
	}
}

/*
 * A process's memory is looked at for the last time, in a place where one cannot sleep: tries
 * again for as long as the consumer makes room, within bounds. False: it is over.
 */
static __always_inline bool tries_again(struct thread *thread)
{
	__u64 now;

	if (!thread->may_spin)
		return false;
	now = bpf_ktime_get_ns();
	note_progress(thread, now);
	if (now - thread->stall_progress_ns > SPIN_SILENCE_NS ||
	    now - thread->stall_start_ns > SPIN_LIMIT_NS)
		thread->may_spin = 0;
	return thread->may_spin;
}

/* No room for a page: wait if that is possible, else record the loss. */
static __always_inline int page_finds_no_room(struct thread *thread)
{
	if (tries_again(thread))
		return STEP_ON;
	if (thread->deferred && !thread->give_up)
		return stall(thread);
	return extend_gap(HUSK_RECORD_LOSS, HUSK_CAUSE_RING_FULL, 0);
}

/* ---- one page ------------------------------------------------------------------------- */

static __always_inline bool scratch_is_zero(const struct thread *thread)
{
	const __u64 *words = (const __u64 *)thread->scratch;
	__u64 any = 0;

	for (int i = 0; i < HUSK_PAGE_SIZE / 8; i++)
		any |= words[i];
	return !any;
}

enum missing {
	MISSING_UNTOUCHED,
	MISSING_FAULT,
	MISSING_USERFAULT,
	MISSING_PROTECTED,
};

/* What to make of a page that is not resident. */
static __noinline enum missing missing_page(struct thread *thread)
{
	const struct region *region = &thread->region;
	__u64 index = (region->file_offset + (thread->next - region->start)) / HUSK_PAGE_SIZE;

	/* What is not resident has not been executed through this mapping since it was seen
	 * last; and what is about to go must not be read in for it. */
	if (thread->mode == MODE_LOOK &&
	    (region->absent != ABSENT_HIDDEN || thread->trigger != HUSK_TRIGGER_CALL))
		return MISSING_UNTOUCHED;
	switch (region->absent) {
	case ABSENT_FAULT:
	case ABSENT_HIDDEN:
		return MISSING_FAULT;
	case ABSENT_PROTECTED:
		return MISSING_PROTECTED;
	case ABSENT_ASK_CACHE:
		return page_cache_has(region->mapping, index) ? MISSING_FAULT : MISSING_UNTOUCHED;
	case ABSENT_USERFAULT:
		if (!region->mapping) /* anonymous, perhaps swapped out */
			return MISSING_USERFAULT;
		return page_cache_has(region->mapping, index) ? MISSING_USERFAULT
							      : MISSING_UNTOUCHED;
	default:
		return MISSING_UNTOUCHED;
	}
}

/* Does the page at thread->next lie behind its file's end? There is none then: asking for it is a
 * SIGBUS (mmap(2)). */
static __always_inline bool is_behind_end(const struct thread *thread)
{
	const struct region *region = &thread->region;
	struct address_space *mapping = (void *)region->mapping;

	return mapping && region->file_offset + (thread->next - region->start) >=
				  (__u64)BPF_CORE_READ(mapping, host, i_size);
}

/* Where a page's bytes are. */
enum source {
	SOURCE_SCRATCH_FAULTED = 0, /* it had to be faulted in */
	SOURCE_PLACE = 1,
	SOURCE_SCRATCH = 2, /* it was resident, and has been looked at */
};

/* Sends the page at thread->next. A step. */
GLOBAL int send_page(__u32 source)
{
	struct thread *thread = this_thread();
	struct husk_page *record;
	long error;

	if (!thread)
		return STEP_STOP;
	if (thread->region.changing && source != SOURCE_PLACE) {
		/* A call that makes it executable sends it in any case. */
		if (is_as_seen(thread) && thread->mode == MODE_LOOK) {
			thread->unchanged++;
			thread->next += HUSK_PAGE_SIZE;
			return STEP_ON;
		}
		thread->has_found = 1;
	}
	/* First room, then the record of what was missed before: otherwise a full ring would
	 * get one such record for each page. */
	if (!ring_has_room_for_pages())
		return page_finds_no_room(thread);
	if (!ensure_told(thread) || !flush_gap())
		return stall(thread);
	take_ticket(&thread->ticket);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record)
		return page_finds_no_room(thread);
	record->reader = source == SOURCE_SCRATCH_FAULTED ? HUSK_READER_BPF_SLEEPABLE
							  : HUSK_READER_BPF_NOFAULT;
	if (source == SOURCE_PLACE) {
		error = bpf_probe_read_user(record->content, HUSK_PAGE_SIZE,
					    (const void *)thread->next);
	} else {
		error = bpf_probe_read_kernel(record->content, HUSK_PAGE_SIZE, thread->scratch);
	}
	if (error) {
		/* It went away between the two reads (another thread's munmap or
		 * MADV_DONTNEED). The ticket is still held: the gap's record uses it. */
		bpf_ringbuf_discard(record, 0);
		return extend_gap(HUSK_RECORD_UNREADABLE, HUSK_CAUSE_NOT_RESIDENT, 0);
	}
	record->address = thread->next;
	record->content_size = HUSK_PAGE_SIZE;
	fill_header(&record->header, &thread->ticket, HUSK_RECORD_PAGE, sizeof(*record),
		    thread->region.id);
	bpf_ringbuf_submit(record, 0);
	if (thread->region.changing)
		note_seen(thread);
	thread->next += HUSK_PAGE_SIZE;
	thread->captured++;
	return STEP_ON;
}

/*
 * Gets the page at thread->next into a record or, if it is not resident and the
 * context may sleep, first into the scratch page. `may_sleep` is a constant: the
 * verifier refuses a program that even holds a sleeping call where none is allowed.
 */
static __always_inline enum step copy_page(struct thread *thread, const bool may_sleep)
{
	const void *source = (const void *)thread->next;
	bool resident;
	__u64 word;
	long error;

	if (!thread->region.populated) {
		thread->untouched += (thread->region.end - thread->next) / HUSK_PAGE_SIZE;
		thread->next = thread->region.end;
		return STEP_ON;
	}
	if (thread->region.changing) {
		resident = !bpf_probe_read_user(thread->scratch, HUSK_PAGE_SIZE, source);
		if (resident)
			return as_step(send_page(SOURCE_SCRATCH));
	} else {
		/* Asked first, because a record that is given back still uses up the ring. */
		resident = !bpf_probe_read_user(&word, sizeof(word), source);
	}
	if (!resident) {
		switch (missing_page(thread)) {
		case MISSING_UNTOUCHED:
			thread->untouched++;
			thread->next += HUSK_PAGE_SIZE;
			return STEP_ON;
		case MISSING_USERFAULT:
			return as_step(extend_gap(HUSK_RECORD_UNREADABLE, HUSK_CAUSE_USERFAULTFD, 0));
		case MISSING_PROTECTED:
			thread->reads_outside = 1;
			return as_step(extend_gap(HUSK_RECORD_UNREADABLE, HUSK_CAUSE_PROTECTED, 0));
		case MISSING_FAULT:
			break;
		}
		if (!may_sleep)
			return as_step(extend_gap(HUSK_RECORD_UNREADABLE,
						  HUSK_CAUSE_NOT_RESIDENT, 0));
		if (!ring_has_room_for_pages())
			return as_step(page_finds_no_room(thread));
		error = bpf_copy_from_user(thread->scratch, HUSK_PAGE_SIZE, source);
		if (error && !is_behind_end(thread))
			return as_step(extend_gap(HUSK_RECORD_UNREADABLE, HUSK_CAUSE_FAULT, -error));
		/* A page of zeros was made by the asking, and costs the target no memory (it is
		 * the zero page). */
		if (error ||
		    (thread->region.absent == ABSENT_HIDDEN && scratch_is_zero(thread))) {
			thread->untouched++;
			thread->next += HUSK_PAGE_SIZE;
			return STEP_ON;
		}
	}
	return as_step(send_page(resident ? SOURCE_PLACE : SOURCE_SCRATCH_FAULTED));
}

#endif /* HUSK_PAGES_H */
