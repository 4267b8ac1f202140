/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pages.h - one page of the open region: copied into a record, faulted in first if need be, or
 * accounted for as missing.
 */
#ifndef HUSK_PAGES_H
#define HUSK_PAGES_H

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

/* Does the thread wait when there is no room? */
static __always_inline bool can_wait(const struct thread *thread)
{
	return thread->deferred && !thread->give_up;
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
	if (can_wait(thread))
		return true;
	note_unsent(start, end, thread->ticket.held);
	thread->ticket.held = 0;
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
	forget_page(thread);
	thread->next += HUSK_PAGE_SIZE;
	thread->gap_end = thread->next;
	if (kind == HUSK_RECORD_UNREADABLE)
		thread->unreadable++;
	else
		thread->lost++;
	return STEP_ON;
}

/* Grows while the ring's consumer reads, and while its process runs: handling one record may take
 * long. */
static __always_inline __u64 sign_of_life(void)
{
	return bpf_ringbuf_query(&ring, BPF_RB_CONS_POS) + consumer_word(CONSUMER_BEATS);
}

/* The thread is out of room: since when, and when the consumer has last given a sign of life. */
static __always_inline void note_progress(struct thread *thread, __u64 now)
{
	__u64 life = sign_of_life();

	if (!thread->stall_start_ns) {
		thread->stall_start_ns = now;
		thread->stall_consumer = bpf_ringbuf_query(&ring, BPF_RB_CONS_POS);
	}
	if (thread->stall_start_ns == now || life != thread->stall_life) {
		thread->stall_life = life;
		thread->stall_progress_ns = now;
	}
}

/* The sign of life when the consumer was found silent: until there is another, no one waits. */
__u64 silent_life = ~0ULL;
/* Where it stood when it was waited for in vain, though alive (its output is blocked): the same. */
__u64 stuck_consumer = ~0ULL;

/* Of those that may not sleep, and give up sooner. */
__u64 stuck_consumer_of_spinners = ~0ULL;

/* Has the thread waited long enough for room in the ring, or has another one for it? */
static __always_inline bool waits_in_vain(struct thread *thread, __u64 limit_ns, __u64 *stuck)
{
	__u64 now = bpf_ktime_get_ns(), consumer = bpf_ringbuf_query(&ring, BPF_RB_CONS_POS);
	bool is_over;

	note_progress(thread, now);
	is_over = now - thread->stall_start_ns >= limit_ns;
	if (now - thread->stall_progress_ns >= config.stall_silence_ns)
		silent_life = thread->stall_life;
	if (is_over && thread->stall_consumer == consumer)
		*stuck = consumer;
	return is_over || thread->stall_life == silent_life || consumer == *stuck ||
	       consumer == stuck_consumer;
}

#include "stopping.h"

/*
 * A process's memory is looked at for the last time, in a place where one cannot sleep: tries
 * again for as long as the consumer makes room, within bounds. False: it is over.
 */
static __always_inline bool tries_again(struct thread *thread)
{
	if (thread->may_spin &&
	    waits_in_vain(thread, SPIN_LIMIT_NS, &stuck_consumer_of_spinners))
		thread->may_spin = 0;
	return thread->may_spin;
}

/* No room for a page: wait if that is possible, else record the loss. */
static __always_inline int page_finds_no_room(struct thread *thread)
{
	if (tries_again(thread))
		return STEP_ON;
	if (can_wait(thread))
		return stall(thread);
	if (can_stop(thread)) {
		thread->wants_to_stop = 1;
		return extend_gap(HUSK_RECORD_UNREADABLE, HUSK_CAUSE_STOPPED, 0);
	}
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

/* What to make of a page that cannot be read as it is. */
static __noinline enum missing missing_page(struct thread *thread)
{
	const struct region *region = &thread->region;
	__u64 index = (region->file_offset + (thread->next - region->start)) / HUSK_PAGE_SIZE;
	bool may_be_elsewhere = thread->presence == PRESENCE_ELSEWHERE ||
				(thread->presence == PRESENCE_UNKNOWN &&
				 region->absent == ABSENT_HIDDEN);

	/* What is not resident has not been executed through this mapping since it was seen
	 * last; and what is about to go must not be read in for it. */
	if (thread->mode == MODE_LOOK &&
	    !(may_be_elsewhere && thread->trigger == HUSK_TRIGGER_CALL))
		return MISSING_UNTOUCHED;
	switch (region->absent) {
	case ABSENT_FAULT:
		return MISSING_FAULT;
	case ABSENT_PROTECTED:
		return MISSING_PROTECTED;
	case ABSENT_ASK_CACHE:
		return may_be_elsewhere || page_cache_has(region->mapping, index)
			       ? MISSING_FAULT
			       : MISSING_UNTOUCHED;
	case ABSENT_USERFAULT:
		if (!region->mapping) /* anonymous, perhaps swapped out */
			return MISSING_USERFAULT;
		return page_cache_has(region->mapping, index) ? MISSING_USERFAULT
							      : MISSING_UNTOUCHED;
	default:
		return may_be_elsewhere ? MISSING_FAULT : MISSING_UNTOUCHED;
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

/* Pages with content that have been sent. */
__u64 pages_sent = 0;

#define NO_BUDGET (~0ULL)

/* Is there no budget for so many more pages? */
static __always_inline bool budget_is_used(__u64 count)
{
	return config.page_budget != NO_BUDGET && pages_sent + count > config.page_budget;
}

static __always_inline void note_budget(__u64 count)
{
	if (config.page_budget != NO_BUDGET)
		__sync_fetch_and_add(&pages_sent, count);
}

/* Does the page hold what was sent of it last? Else its digest is in `thread`. */
static __always_inline bool is_unchanged(struct thread *thread)
{
	if (is_as_seen(thread)) {
		thread->unchanged++;
		thread->next += HUSK_PAGE_SIZE;
		return true;
	}
	thread->has_found = 1;
	return false;
}

/* Sends the page at thread->next. A step. */
GLOBAL int send_page(__u32 source)
{
	struct thread *thread = this_thread();
	bool is_digested;
	struct husk_page *record;
	long error;

	if (!thread)
		return STEP_STOP;
	is_digested = thread->region.remembers && source != SOURCE_PLACE;
	if (is_digested && is_unchanged(thread))
		return STEP_ON;
	if (budget_is_used(1))
		return extend_gap(HUSK_RECORD_LOSS, HUSK_CAUSE_BUDGET, 0);
	/* First room, then the record of what was missed before: otherwise a full ring would
	 * get one such record for each page. */
	if (!ring_has_room_for(sizeof(*record), can_wait(thread)))
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
	submit(record, sizeof(*record), true);
	note_budget(1);
	if (is_digested && thread->region.remembers)
		note_seen(thread);
	else if (thread->region.remembers)
		note_sent(thread);
	thread->next += HUSK_PAGE_SIZE;
	thread->captured++;
	return STEP_ON;
}

#define GROUP_SIZE(pages) ((pages) * HUSK_PAGE_SIZE)
#define GROUP_RECORD_SIZE(pages) (sizeof(struct husk_page) - HUSK_PAGE_SIZE + GROUP_SIZE(pages))

/* Sends so many pages (a constant) from thread->next on as one record, if that can be. */
static __always_inline bool send_pages(struct thread *thread, const __u32 pages)
{
	struct husk_page *record;

	/* Numbers that are left from another record are that of a single page. */
	if (thread->ticket.held || budget_is_used(pages) ||
	    !ring_has_room_for(GROUP_RECORD_SIZE(pages), can_wait(thread)))
		return false;
	if (thread->region.remembers && !is_new_group(pages))
		return false;
	if (!ensure_told(thread) || !flush_gap())
		return false;
	take_tickets(&thread->ticket, pages);
	record = bpf_ringbuf_reserve(&ring, GROUP_RECORD_SIZE(pages), 0);
	if (!record)
		return false;
	if (bpf_probe_read_user(record->content, GROUP_SIZE(pages), (const void *)thread->next)) {
		bpf_ringbuf_discard(record, 0);
		return false;
	}
	record->reader = HUSK_READER_BPF_NOFAULT;
	record->address = thread->next;
	record->content_size = GROUP_SIZE(pages);
	fill_header(&record->header, &thread->ticket, HUSK_RECORD_PAGE, GROUP_RECORD_SIZE(pages),
		    thread->region.id);
	submit(record, GROUP_RECORD_SIZE(pages), true);
	note_budget(pages);
	if (thread->region.remembers)
		note_group_sent(pages);
	thread->next += GROUP_SIZE(pages);
	thread->captured += pages;
	return true;
}

/* False: page by page. */
GLOBAL int send_group(void)
{
	struct thread *thread = this_thread();

	return thread && send_pages(thread, HUSK_GROUP_PAGES);
}

GLOBAL int send_large_group(void)
{
	struct thread *thread = this_thread();

	return thread && send_pages(thread, HUSK_LARGE_GROUP_PAGES);
}

/* Passes over pages that do not exist, up to `end`. */
static __always_inline enum step pass_over(struct thread *thread, __u64 end)
{
	if (end > thread->region.end)
		end = thread->region.end;
	thread->untouched += (end - thread->next) / HUSK_PAGE_SIZE;
	thread->next = end;
	return STEP_ON;
}

/* Where anonymous memory has no page, there is nothing. */
static __always_inline bool is_nothing(const struct thread *thread)
{
	const struct region *region = &thread->region;

	return thread->presence == PRESENCE_NONE &&
	       (region->absent == ABSENT_UNTOUCHED || region->absent == ABSENT_HIDDEN);
}

/* Are so many pages there, and would a record of them fit well into the ring? */
static __always_inline bool has_group(const struct thread *thread, const __u32 pages)
{
	__u64 end = thread->next + GROUP_SIZE(pages);

	return config.ring_size >= 16 * GROUP_SIZE(pages) && thread->presence == PRESENCE_THERE &&
	       !thread->region.changing && end <= thread->extent_end && end <= thread->region.end;
}

/* Reads the page at thread->next without a fault. False: it is not resident. */
static __always_inline bool look_at_page(struct thread *thread, enum source *source)
{
	const void *place = (const void *)thread->next;
	__u64 word;

	*source = SOURCE_PLACE;
	if (thread->presence == PRESENCE_NONE || thread->presence == PRESENCE_ELSEWHERE)
		return false;
	if (thread->region.changing || (thread->region.remembers && was_sent(thread))) {
		*source = SOURCE_SCRATCH;
		return !bpf_probe_read_user(thread->scratch, HUSK_PAGE_SIZE, place);
	}
	/* Asked first, because a record that is given back still uses up the ring. */
	return !bpf_probe_read_user(&word, sizeof(word), place);
}

/* Reads what the page at thread->next will be once it is asked for, if the kernel has that. */
static __always_inline bool look_at_image(struct thread *thread)
{
	const struct region *region = &thread->region;

	return region->image && thread->presence == PRESENCE_NONE &&
	       !bpf_probe_read_kernel(thread->scratch, HUSK_PAGE_SIZE,
				      (void *)(region->image + (thread->next - region->start)));
}

/*
 * Gets the page at thread->next into a record or, if it is not resident and the
 * context may sleep, first into the scratch page. `may_sleep` is a constant: the
 * verifier refuses a program that even holds a sleeping call where none is allowed.
 */
static __always_inline enum step copy_page(struct thread *thread, const bool may_sleep)
{
	enum source source;
	long error;

	if (!thread->region.populated)
		return pass_over(thread, thread->region.end);
	look_up_presence(thread);
	if (is_nothing(thread))
		return pass_over(thread, thread->extent_end);
	if (has_group(thread, HUSK_LARGE_GROUP_PAGES) && send_large_group())
		return STEP_ON;
	if (has_group(thread, HUSK_GROUP_PAGES) && send_group())
		return STEP_ON;
	if (look_at_page(thread, &source))
		return as_step(send_page(source));
	switch (missing_page(thread)) {
	case MISSING_UNTOUCHED:
		return pass_over(thread, thread->next + HUSK_PAGE_SIZE);
	case MISSING_USERFAULT:
		return as_step(extend_gap(HUSK_RECORD_UNREADABLE, HUSK_CAUSE_USERFAULTFD, 0));
	case MISSING_PROTECTED:
		thread->reads_outside = 1;
		return as_step(extend_gap(HUSK_RECORD_UNREADABLE, HUSK_CAUSE_PROTECTED, 0));
	case MISSING_FAULT:
		break;
	}
	if (look_at_image(thread))
		return as_step(send_page(SOURCE_SCRATCH));
	if (!may_sleep)
		return as_step(extend_gap(HUSK_RECORD_UNREADABLE, HUSK_CAUSE_NOT_RESIDENT, 0));
	if (!ring_has_room_for(sizeof(struct husk_page), can_wait(thread)))
		return as_step(page_finds_no_room(thread));
	error = bpf_copy_from_user(thread->scratch, HUSK_PAGE_SIZE, (const void *)thread->next);
	if (error && !is_behind_end(thread))
		return as_step(extend_gap(HUSK_RECORD_UNREADABLE, HUSK_CAUSE_FAULT, -error));
	/* A page of zeros was made by the asking, and costs the target no memory (it is
	 * the zero page). */
	if (error || (thread->region.absent == ABSENT_HIDDEN &&
		      thread->presence == PRESENCE_UNKNOWN && scratch_is_zero(thread)))
		return pass_over(thread, thread->next + HUSK_PAGE_SIZE);
	return as_step(send_page(SOURCE_SCRATCH_FAULTED));
}

#endif /* HUSK_PAGES_H */
