/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * changing.h - memory that is executable and can change without a call: where there is some, and
 * what each page of it held when it was seen last.
 *
 * A page is compared by a digest, which has to withstand targets that want a change to go unseen:
 * NH of UMAC (RFC 4418, 5.2.2), two lanes with a key that is shifted between them, so that two
 * different pages have the same digest with a probability of 2^-64, whatever they hold, as long as
 * the key is secret. A copy of each page would need 256 times the memory.
 */
#ifndef HUSK_CHANGING_H
#define HUSK_CHANGING_H

#define PAGE_WORDS (HUSK_PAGE_SIZE / 8)
#define PART_WORDS 64
#define PAGE_PARTS (PAGE_WORDS / PART_WORDS)
#define MAX_HULLS 8
#define HULL_TRIES 4
#define MAX_ENVELOPES 2
#define ENVELOPE_DISTANCE (1ULL << 30)
#define HULL_DISTANCE (1ULL << 20)
#define GRANULE_PAGES 256 /* pages whose digests are kept together */
#define GRANULE_SHIFT 20
#define MAX_GRANULES 16384 /* 4 GiB of such memory; what lies beyond is copied at each look */
#define MAX_FORGOTTEN_GRANULES (1u << 16)

/* ---- where ------------------------------------------------------------------------------ */

struct hull {
	__u64 start, end;
};

/* Of one address space. Never too little: regions that are near each other become one hull, and
 * a hull stays when the region has gone. */
struct changing {
	__u32 count; /* of hulls that have been taken; may exceed MAX_HULLS */
	__u32 round_hull;
	struct hull hulls[MAX_HULLS];
	/* What all hulls lie in: a word on the stack is compared with these first. */
	struct hull envelopes[MAX_ENVELOPES];
	/* Stacks were last looked at for all that points to such memory; how long that took. */
	__u64 loose_time_ns, loose_cost_ns;
	/* The look that goes round: where, when, and how long its last part took. */
	__u64 round_next, round_time_ns, round_cost_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TARGETS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64); /* mm_context_t.ctx_id */
	__type(value, struct changing);
} changing SEC(".maps");

static char zero_changing[sizeof(struct changing)];

/* Of processes that had such memory before Husk came, by PID: told by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TARGETS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct changing);
} changing_before SEC(".maps");

/* Some target has such memory: until then no call is looked at for its sake. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} changing_exists SEC(".maps");

static __always_inline bool some_memory_changes(void)
{
	__u32 index = 0;
	__u64 *exists = bpf_map_lookup_elem(&changing_exists, &index);

	return exists && *exists;
}

static __always_inline void note_that_memory_changes(void)
{
	__u32 index = 0;
	__u64 *exists = bpf_map_lookup_elem(&changing_exists, &index);

	if (exists)
		*exists = 1;
}

static __always_inline struct changing *current_changing(void)
{
	__u64 key;

	if (!some_memory_changes())
		return 0;
	key = address_space_id();
	return key ? bpf_map_lookup_elem(&changing, &key) : 0;
}

static __always_inline bool hull_covers(const struct changing *known, __u64 start, __u64 end)
{
	for (int i = 0; i < MAX_HULLS; i++)
		if (known->hulls[i].start <= start && end <= known->hulls[i].end)
			return true;
	return false;
}

struct widening {
	struct changing *known;
	__u64 start, end;
};

/* Does any of it lie in [start, end)? */
GLOBAL int overlaps_changing(__u64 start, __u64 end)
{
	struct changing *known = current_changing();

	if (!known)
		return 0;
	for (int i = 0; i < MAX_HULLS; i++)
		if (known->hulls[i].start < end && start < known->hulls[i].end)
			return 1;
	return 0;
}

static __always_inline bool is_near(const struct hull *hull, __u64 start, __u64 end,
				    __u64 distance)
{
	return start <= hull->end + distance && hull->start <= end + distance && hull->end;
}

static __always_inline void widen(struct hull *hull, __u64 start, __u64 end)
{
	if (!hull->end || hull->start > start)
		hull->start = start;
	if (hull->end < end)
		hull->end = end;
}

/* The first envelope takes what is near it, the other one the rest. */
static __always_inline void widen_envelope(struct changing *known, __u64 start, __u64 end)
{
	struct hull *first = &known->envelopes[0];

	if (!first->end || is_near(first, start, end, ENVELOPE_DISTANCE))
		widen(first, start, end);
	else
		widen(&known->envelopes[1], start, end);
}

/* Puts [start, end) into a hull that is near it, or into a free one. */
static long widen_hulls(__u32 index, struct widening *widening)
{
	struct changing *known = widening->known;
	__u64 start = widening->start, end = widening->end;
	__u32 number = MAX_HULLS - 1;

	widen_envelope(known, start, end);
	if (hull_covers(known, start, end))
		return 1;
	for (int i = 0; i < MAX_HULLS; i++) {
		struct hull *hull = &known->hulls[i];

		/* The last one takes whatever finds no place. */
		if (!is_near(hull, start, end, HULL_DISTANCE) && (i < MAX_HULLS - 1 || !hull->end))
			continue;
		widen(hull, start, end);
		return 0;
	}
	if (known->count < MAX_HULLS)
		number = __sync_fetch_and_add(&known->count, 1);
	if (number >= MAX_HULLS)
		return 0; /* another thread has taken it: once more */
	known->hulls[number].start = start;
	known->hulls[number].end = end;
	return 0;
}

/* From now on [start, end) of the current address space can change without a call. */
GLOBAL int note_changing(__u64 start, __u64 end)
{
	struct widening widening = {.start = start, .end = end};
	__u64 key = address_space_id();
	struct changing *known;

	if (!key)
		return 0;
	known = bpf_map_lookup_elem(&changing, &key);
	if (!known) {
		bpf_map_update_elem(&changing, &key, zero_changing, BPF_NOEXIST);
		known = bpf_map_lookup_elem(&changing, &key);
	}
	if (!known)
		return 0;
	/* Another thread may be widening the same hull. */
	widening.known = known;
	bpf_loop(HULL_TRIES, widen_hulls, &widening, 0);
	note_that_memory_changes();
	return 0;
}

/* What the current process had before Husk came becomes its address space's. */
GLOBAL int adopt_changing_before(void)
{
	__u32 pid = current_pid();
	struct changing *before = bpf_map_lookup_elem(&changing_before, &pid);

	if (!before)
		return 0;
	for (int i = 0; i < MAX_HULLS && before->hulls[i].end; i++)
		note_changing(before->hulls[i].start, before->hulls[i].end);
	bpf_map_delete_elem(&changing_before, &pid);
	return 0;
}

/* A child, by its address space's ID, has what its parent has. */
GLOBAL int inherit_changing(__u64 child)
{
	struct changing *known;
	__u64 key = child;

	adopt_changing_before();
	known = current_changing();
	if (known && key && key != address_space_id())
		bpf_map_update_elem(&changing, &key, known, BPF_NOEXIST);
	return 0;
}

/* ---- what it held ------------------------------------------------------------------------ */

struct digest {
	__u64 first, second; /* second: 0: not known; then first: 1: it has been sent before */
};

struct granule_key {
	__u64 space; /* mm_context_t.ctx_id */
	__u64 number;
};

struct granule {
	struct digest pages[GRANULE_PAGES];
	__u64 changed; /* so many comparisons in a row have found another content */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_GRANULES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct granule_key);
	__type(value, struct granule);
} seen SEC(".maps");

static char zero_granule[sizeof(struct granule)];

/* User space fills it with random bytes. */
struct digest_key {
	__u64 words[PAGE_WORDS + 2];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct digest_key);
} digest_key SEC(".maps");

/* Sum of products of pairs of 32-bit words, to each of which its part of the key is added. */
static __always_inline __u64 nh_product(__u64 word, __u64 key)
{
	__u32 low = (__u32)word + (__u32)key;
	__u32 high = (__u32)(word >> 32) + (__u32)(key >> 32);

	return (__u64)low * high;
}

/* A part of thread->scratch: the verifier goes through a loop of 512 rounds, but not through the
 * rounds of bpf_loop(). */
static long digest_part(__u32 index, struct thread **context)
{
	struct thread *thread = *context;
	__u32 start = (index & (PAGE_PARTS - 1)) * PART_WORDS, number = 0;
	struct digest_key *key = bpf_map_lookup_elem(&digest_key, &number);
	const __u64 *words = (const __u64 *)thread->scratch + start;
	__u64 first = 0, second = 0;

	if (!key)
		return 1;
	for (int i = 0; i < PART_WORDS; i++) {
		first += nh_product(words[i], key->words[start + i]);
		second += nh_product(words[i], key->words[start + i + 2]);
	}
	thread->digest_first += first;
	thread->digest_second += second;
	return 0;
}

/* The digest of thread->scratch, into thread->digest_*. */
static __always_inline void digest_scratch(struct thread *thread)
{
	struct thread *context = thread;

	thread->digest_first = thread->digest_second = 0;
	bpf_loop(PAGE_PARTS, digest_part, &context, 0);
	if (!thread->digest_second)
		thread->digest_second = 1;
}

/* Where the digests of the page at thread->next and of those around it are kept; null: nowhere. */
static __always_inline struct granule *granule_at_next(struct thread *thread, bool make)
{
	struct granule_key key = {.space = address_space_id(),
				  .number = thread->next >> GRANULE_SHIFT};
	struct granule *granule = bpf_map_lookup_elem(&seen, &key);
	struct space *space;

	if (granule || !make)
		return granule;
	space = current_space();
	if (space)
		space->has_granules = 1;
	bpf_map_update_elem(&seen, &key, zero_granule, BPF_NOEXIST);
	return bpf_map_lookup_elem(&seen, &key);
}

static __always_inline __u32 index_in_granule(const struct thread *thread)
{
	return (thread->next / HUSK_PAGE_SIZE) & (GRANULE_PAGES - 1);
}

static __always_inline struct digest *digest_in(struct granule *granule, __u32 index)
{
	/* The compiler knows the bound and would leave the mask out; the verifier does not. */
	asm volatile("" : "+r"(index));
	return &granule->pages[index & (GRANULE_PAGES - 1)];
}

static __always_inline struct digest *seen_digest(struct thread *thread, bool make)
{
	struct granule *granule = granule_at_next(thread, make);

	return granule ? digest_in(granule, index_in_granule(thread)) : 0;
}

/* Does the page at thread->next, which is in thread->scratch, hold what it held? */
static __always_inline bool is_as_seen(struct thread *thread)
{
	struct granule *granule = granule_at_next(thread, false);
	struct digest *known;

	digest_scratch(thread);
	if (!granule)
		return false;
	known = digest_in(granule, index_in_granule(thread));
	if (known->first == thread->digest_first && known->second == thread->digest_second) {
		granule->changed = 0;
		return true;
	}
	if (known->second)
		granule->changed++;
	return false;
}

/* Where all is new each time, comparing is in vain: for a while it is not tried. */
#define CHANGED_ENOUGH (2 * HUSK_GROUP_PAGES)
#define CHANGED_TRY_AGAIN (CHANGED_ENOUGH + 64 * GRANULE_PAGES)

/* The page at thread->next has been sent, with the digest in `thread`. */
static __always_inline void note_seen(struct thread *thread)
{
	struct digest *known = seen_digest(thread, true);

	if (!known)
		return;
	known->first = thread->digest_first;
	known->second = thread->digest_second;
}

/* The page at thread->next may not reach the capture as it is: what was sent of it before is not
 * what the capture has had last. */
static __always_inline void forget_page(struct thread *thread)
{
	struct digest *known = thread->region.remembers ? seen_digest(thread, false) : 0;

	if (known)
		known->second = 0;
}

static long forget_granule(__u32 index, struct granule_key *key)
{
	bpf_map_delete_elem(&seen, key);
	key->number++;
	return 0;
}

/* [start, end) is new: what was at these addresses before says nothing of it. */
GLOBAL int forget_seen(__u64 start, __u64 end)
{
	struct granule_key key = {.space = address_space_id(), .number = start >> GRANULE_SHIFT};
	__u64 count = ((end - 1) >> GRANULE_SHIFT) - key.number + 1;
	struct space *space = current_space();

	if (!space || !space->has_granules || start >= end)
		return 0;
	if (count > MAX_FORGOTTEN_GRANULES)
		count = MAX_FORGOTTEN_GRANULES;
	bpf_loop(count, forget_granule, &key, 0);
	return 0;
}

static long forget_if_of(struct bpf_map *map, struct granule_key *key, struct granule *granule,
			 __u64 *space)
{
	if (key->space == *space)
		bpf_map_delete_elem(map, key);
	return 0;
}

/* An address space is gone. */
GLOBAL int forget_space(__u64 id)
{
	__u64 key = id;
	struct space *space = bpf_map_lookup_elem(&spaces, &key);

	if (space && space->has_granules)
		bpf_for_each_map_elem(&seen, forget_if_of, &key, 0);
	bpf_map_delete_elem(&spaces, &key);
	bpf_map_delete_elem(&changing, &key);
	return 0;
}

/* ---- what was sent without being looked at ------------------------------------------------- */

struct group {
	struct granule *granule;
	__u32 first;
	__u64 any;
};

static long look_at_digest(__u32 index, struct group *group)
{
	const struct digest *digest = digest_in(group->granule, group->first + index);

	group->any |= digest->first | digest->second;
	return 0;
}

/* Has none of the group at thread->next been sent before? */
GLOBAL int is_new_group(__u32 pages)
{
	struct thread *thread = this_thread();
	struct group group = {};

	if (!thread)
		return 0;
	group.first = index_in_granule(thread);
	if (group.first + pages > GRANULE_PAGES)
		return 0; /* it is kept in two places */
	group.granule = granule_at_next(thread, false);
	if (!group.granule)
		return 1;
	if (group.granule->changed >= CHANGED_ENOUGH) {
		group.granule->changed += pages;
		if (group.granule->changed >= CHANGED_TRY_AGAIN)
			group.granule->changed = 0;
		return 1;
	}
	bpf_loop(pages, look_at_digest, &group, 0);
	return !group.any;
}

static long note_digest_sent(__u32 index, struct group *group)
{
	struct digest *digest = digest_in(group->granule, group->first + index);

	digest->first = 1;
	digest->second = 0; /* what it held before says nothing any more */
	return 0;
}

/* It has been sent. Digests are made from the second time on: most pages are sent once only. */
GLOBAL int note_group_sent(__u32 pages)
{
	struct thread *thread = this_thread();
	struct group group = {};

	if (!thread)
		return 0;
	group.granule = granule_at_next(thread, true);
	if (!group.granule)
		return 0;
	/* Where nothing is compared there is nothing to be noted. */
	if (group.granule->changed > CHANGED_ENOUGH + HUSK_LARGE_GROUP_PAGES)
		return 0;
	group.first = index_in_granule(thread);
	bpf_loop(pages, note_digest_sent, &group, 0);
	return 0;
}

/* The page at thread->next: the same, of one. */
static __always_inline bool was_sent(struct thread *thread)
{
	const struct digest *known = seen_digest(thread, false);

	return known && (known->first || known->second);
}

static __always_inline void note_sent(struct thread *thread)
{
	struct digest *known = seen_digest(thread, true);

	if (!known)
		return;
	known->first = 1;
	known->second = 0;
}

#endif /* HUSK_CHANGING_H */
