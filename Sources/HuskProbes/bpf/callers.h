/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * callers.h - code that can change without a call is looked at when it shows that it runs: it makes
 * a system call, or a CPU sample finds it.
 *
 * Code cannot act on the world without a call. So at each call's entry the caller's instruction
 * pointer and the words on its stack are compared with where such code lies; the pages that they
 * point to are looked at (looks.h).
 */
#ifndef HUSK_CALLERS_H
#define HUSK_CALLERS_H

#define NARROW_LIMIT (1ULL << 32)
#define NARROW_WORDS 128

struct marking {
	struct thread *thread;
	__u64 start, span, any;
};

/* Which words of a part of thread->scratch lie in [start, start + span): bits of thread->mask.
 * Without a branch: an address below 2^63 minus `start` is less than `span`. */
static long mark_part(__u32 index, struct marking *marking)
{
	__u32 part = index & (PAGE_PARTS - 1);
	const __u64 *words = (const __u64 *)marking->thread->scratch + part * PART_WORDS;
	__u64 start = marking->start, span = marking->span, mask = 0;

	for (int i = 0; i < PART_WORDS; i++) {
		__u64 offset = words[i] - start;

		mask |= (((offset - span) & ~offset) >> 63) << i;
	}
	marking->thread->mask[part] |= mask;
	marking->any |= mask;
	return 0;
}

/* Keeps a page that is to be looked at, once. Returns 1 if there is no room for more. */
static __always_inline long keep_spot(struct thread *thread, __u64 page)
{
	for (__u32 i = 0; i < MAX_SPOTS; i++) {
		if (i >= thread->spot_count) {
			thread->spots[i] = page;
			thread->spot_count = i + 1;
			return 0;
		}
		if (thread->spots[i] == page)
			return 0;
	}
	return 1;
}

static long keep_marked(__u32 index, struct thread **context)
{
	struct thread *thread = *context;

	if (!(thread->mask[(index / 64) & (PAGE_PARTS - 1)] >> (index & 63) & 1))
		return 0;
	return keep_spot(thread, ((const __u64 *)thread->scratch)[index & (PAGE_WORDS - 1)] &
					 PAGE_MASK);
}

/* Keeps the pages that the stack's page at `page` points to, from `stack` on. */
GLOBAL int scan_stack_page(__u64 page, __u64 stack)
{
	struct thread *thread = this_thread(), *context = thread;
	struct changing *known = current_changing();
	struct marking marking = {.thread = thread};

	if (!thread || !known)
		return 0;
	if (bpf_probe_read_user(thread->scratch, HUSK_PAGE_SIZE, (const void *)page))
		return 0;
	__builtin_memset(thread->mask, 0, sizeof(thread->mask));
	for (int i = 0; i < MAX_HULLS; i++) {
		marking.start = known->hulls[i].start;
		if (!known->hulls[i].end)
			break;
		marking.span = known->hulls[i].end - marking.start;
		bpf_loop(PAGE_PARTS, mark_part, &marking, 0);
	}
	if (!marking.any)
		return 0;
	/* What lies below the stack pointer is not on the stack any more. */
	for (int i = 0; i < PAGE_PARTS; i++) {
		__u64 from = page + i * PART_WORDS * 8;

		if (from + PART_WORDS * 8 <= stack)
			thread->mask[i] = 0;
		else if (from < stack)
			thread->mask[i] &= ~0ULL << (((stack - from) / 8) & 63);
	}
	bpf_loop(PAGE_WORDS, keep_marked, &context, 0);
	return 0;
}

/* The same for the stack of 32-bit code: its words are half as long. */
static long keep_narrow(__u32 index, struct thread **context)
{
	__u64 page = ((const __u32 *)(*context)->scratch)[index & 511] & PAGE_MASK;

	return overlaps_changing(page, page + 1) ? keep_spot(*context, page) : 0;
}

GLOBAL int scan_narrow_stack(__u64 stack)
{
	struct thread *thread = this_thread(), *context = thread;

	if (thread && !bpf_probe_read_user(thread->scratch, NARROW_WORDS * 4, (const void *)stack))
		bpf_loop(NARROW_WORDS, keep_narrow, &context, 0);
	return 0;
}

/*
 * The current thread runs at `pointer`, in user mode or in a call that it has just made. Looks
 * at the code there, and at what it returns to (`stack`; 0: that is not asked for).
 */
static __always_inline void look_at_caller(__u64 pointer, __u64 stack, __u32 trigger, __u32 number)
{
	struct thread *thread;
	__u32 phase, call;

	if (!current_changing())
		return;
	thread = thread_state();
	if (!thread) {
		send_loss(pointer, 1, HUSK_CAUSE_NO_STATE);
		return;
	}
	thread->spot_count = 0;
	thread->spot_is_pointer = overlaps_changing(pointer, pointer + 1);
	if (thread->spot_is_pointer)
		keep_spot(thread, pointer & PAGE_MASK);
	if (stack && stack < NARROW_LIMIT && pointer < NARROW_LIMIT) {
		scan_narrow_stack(stack);
	} else if (stack) {
		scan_stack_page(stack & PAGE_MASK, stack);
		scan_stack_page((stack & PAGE_MASK) + HUSK_PAGE_SIZE, stack);
	}
	if (!thread->spot_count)
		return;
	phase = thread->phase;
	call = thread->call;
	thread->call = HUSK_CALL_NONE;
	thread->call_number = number;
	thread->says_protection = 0;
	thread->changes_only = 0;
	thread->whole_region = 0;
	thread->instruction_pointer = pointer;
	thread->stack_pointer = stack;
	look_at_spots(thread, trigger);
	thread->phase = phase;
	thread->call = call;
}

#endif /* HUSK_CALLERS_H */
