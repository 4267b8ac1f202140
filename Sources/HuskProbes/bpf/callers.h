/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * callers.h - code that can change without a call is looked at when it shows that it runs: it makes
 * a system call, or a CPU sample finds it.
 *
 * Code cannot act on the world without a call. So at each call's entry the caller's instruction
 * pointer and the words on its stack are compared with where such code lies; the pages that they
 * point to are looked at (looks.h). Stacks hold other pointers to such memory too, most of all
 * those of compilers: what does not point behind a call instruction is looked at only for a
 * twentieth of the time.
 */
#ifndef HUSK_CALLERS_H
#define HUSK_CALLERS_H

#define NARROW_LIMIT (1ULL << 32)
#define NARROW_WORDS 128

struct marking {
	struct thread *thread;
	struct changing *known;
	__u64 start, span, any;
};

/* 1 if offset < span < 2^63, without a branch: each would double what the verifier has to go
 * through. (What lies below the start is an offset of 2^63 and more.) */
static __always_inline __u64 is_below(__u64 offset, __u64 span)
{
	return ((offset - span) & ~offset) >> 63;
}

/* Which words of a part of thread->scratch lie in [start, start + span): bits of thread->mask. */
static long mark_part(__u32 index, struct marking *marking)
{
	__u32 part = index & (PAGE_PARTS - 1);
	const __u64 *words = (const __u64 *)marking->thread->scratch + part * PART_WORDS;
	__u64 start = marking->start, span = marking->span, mask = 0;

	for (int i = 0; i < PART_WORDS; i++) {
		__u64 offset = words[i] - start;

		mask |= is_below(offset, span) << i;
	}
	marking->thread->mask[part] |= mask;
	marking->any |= mask;
	return 0;
}

/* Keeps a page that is to be looked at, once. Returns 1 if there is no room for more. */
GLOBAL int keep_spot(__u64 page)
{
	struct thread *thread = this_thread();

	if (!thread)
		return 1;
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

/* Do the bytes before `address` end with a call instruction? (E8 rel32, FF /2) */
GLOBAL int is_behind_call(__u64 address)
{
	__u8 code[8] = {};

	if (bpf_probe_read_user(code + 1, 7, (const void *)(address - 7)))
		return true; /* it may be */
	return code[3] == 0xe8 || (code[6] == 0xff && (code[7] & 0x38) == 0x10) ||
	       (code[5] == 0xff && (code[6] & 0x38) == 0x10) ||
	       (code[4] == 0xff && (code[5] & 0x38) == 0x10) ||
	       (code[2] == 0xff && (code[3] & 0x38) == 0x10) ||
	       (code[1] == 0xff && (code[2] & 0x38) == 0x10);
}

/* Is it in such memory? */
static __always_inline bool is_in_hull(const struct changing *known, __u64 pointer)
{
	__u64 inside = 0;

	for (int i = 0; i < MAX_HULLS; i++)
		inside |= is_below(pointer - known->hulls[i].start,
				   known->hulls[i].end - known->hulls[i].start);
	return inside;
}

/* Keeps what a word of the stack points to, if it is such memory. */
static __always_inline long keep_pointer(struct thread *thread, const struct changing *known,
					 __u64 pointer)
{
	if (!is_in_hull(known, pointer) || (!thread->is_loose && !is_behind_call(pointer)))
		return 0;
	return as_step(keep_spot(pointer & PAGE_MASK));
}

/* 1 if any bit is set, without a branch. (The compiler would make one of it.) */
static __always_inline __u32 is_any(__u64 mask)
{
	__u64 negative = -mask;

	asm volatile("" : "+r"(negative));
	return (mask | negative) >> 63;
}

/* The number of the lowest bit that is set. (There is no instruction for it.) */
static __always_inline __u32 lowest_bit(__u64 mask)
{
	mask &= -mask;
	return is_any(mask & 0xaaaaaaaaaaaaaaaaULL) | is_any(mask & 0xccccccccccccccccULL) << 1 |
	       is_any(mask & 0xf0f0f0f0f0f0f0f0ULL) << 2 |
	       is_any(mask & 0xff00ff00ff00ff00ULL) << 3 |
	       is_any(mask & 0xffff0000ffff0000ULL) << 4 |
	       is_any(mask & 0xffffffff00000000ULL) << 5;
}

/* Takes the next word that is marked. */
static long keep_marked(__u32 index, struct marking *marking)
{
	struct thread *thread = marking->thread;
	__u32 part = thread->scan_part & (PAGE_PARTS - 1), word;
	__u64 mask = thread->mask[part];

	if (!mask)
		return ++thread->scan_part >= PAGE_PARTS;
	thread->mask[part] = mask & (mask - 1);
	word = part * PART_WORDS + lowest_bit(mask);
	/* The compiler knows that it is small and leaves the mask out; older verifiers do not. */
	asm volatile("" : "+r"(word));
	return keep_pointer(thread, marking->known,
			    ((const __u64 *)thread->scratch)[word & (PAGE_WORDS - 1)]);
}

/* Keeps the pages that thread->scratch, a piece of the stack, points to. */
GLOBAL int scan_scratch(__u32 first_word)
{
	struct thread *thread = this_thread();
	struct changing *known = current_changing();
	struct marking marking = {.thread = thread, .known = known};

	if (!thread || !known)
		return 0;
	__builtin_memset(thread->mask, 0, sizeof(thread->mask));
	thread->scan_part = 0;
	for (int i = 0; i < MAX_ENVELOPES; i++) {
		marking.start = known->envelopes[i].start;
		if (!known->envelopes[i].end)
			break;
		marking.span = known->envelopes[i].end - marking.start;
		bpf_loop(PAGE_PARTS, mark_part, &marking, 0);
	}
	if (!marking.any)
		return 0;
	/* What lies below the stack pointer is not on the stack any more. */
	for (__u32 i = 0; i < PAGE_PARTS; i++) {
		if ((i + 1) * PART_WORDS <= first_word)
			thread->mask[i] = 0;
		else if (i * PART_WORDS < first_word)
			thread->mask[i] &= ~0ULL << (first_word & (PART_WORDS - 1));
	}
	bpf_loop(PAGE_WORDS + PAGE_PARTS, keep_marked, &marking, 0);
	return 0;
}

/* The 4 KiB above the stack pointer; near its end, what there is. */
GLOBAL int scan_stack(__u64 stack)
{
	struct thread *thread = this_thread();
	__u64 page = stack & PAGE_MASK;

	if (!thread)
		return 0;
	if (!bpf_probe_read_user(thread->scratch, HUSK_PAGE_SIZE, (const void *)stack))
		return scan_scratch(0);
	if (!bpf_probe_read_user(thread->scratch, HUSK_PAGE_SIZE, (const void *)page))
		return scan_scratch((stack - page) / 8);
	return 0;
}

/* The same for the stack of 32-bit code: its words are half as long. */
static long keep_narrow(__u32 index, struct marking *marking)
{
	return keep_pointer(marking->thread, marking->known,
			    ((const __u32 *)marking->thread->scratch)[index & 511]);
}

GLOBAL int scan_narrow_stack(__u64 stack)
{
	struct thread *thread = this_thread();
	struct changing *known = current_changing();
	struct marking marking = {.thread = thread, .known = known};

	if (thread && known && !bpf_probe_read_user(thread->scratch, NARROW_WORDS * 4, (const void *)stack))
		bpf_loop(NARROW_WORDS, keep_narrow, &marking, 0);
	return 0;
}

/*
 * The current thread runs at `pointer`, in user mode or in a call that it has just made. Looks
 * at the code there, and at what it returns to (`stack`; 0: that is not asked for).
 */
static __always_inline void look_at_caller(__u64 pointer, __u64 stack, __u32 trigger, __u32 number)
{
	struct changing *known = current_changing();
	__u64 begun = bpf_ktime_get_ns();
	struct thread *thread;
	__u32 phase, call;

	if (!known)
		return;
	thread = thread_state();
	if (!thread) {
		send_loss(pointer, 1, HUSK_CAUSE_NO_STATE);
		return;
	}
	thread->is_loose = begun - known->loose_time_ns > known->loose_cost_ns * ROUND_REST;
	thread->spot_count = 0;
	thread->spot_is_pointer = is_in_hull(known, pointer);
	if (thread->spot_is_pointer)
		keep_spot(pointer & PAGE_MASK);
	if (stack && stack < NARROW_LIMIT && pointer < NARROW_LIMIT) {
		scan_narrow_stack(stack);
	} else if (stack) {
		scan_stack(stack);
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
	if (thread->is_loose) {
		known->loose_time_ns = bpf_ktime_get_ns();
		known->loose_cost_ns = known->loose_time_ns - begun;
	}
}

#endif /* HUSK_CALLERS_H */
