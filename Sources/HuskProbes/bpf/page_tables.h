/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * page_tables.h - which pages of a region exist?
 *
 * A region may name a thousand times more pages than it has. Asking for each costs a fault that is
 * not taken; the page tables (arch/x86/include/asm/pgtable_64.h) tell it for 512 pages, or 262,144,
 * with one word. And they tell a page that does not exist from one that is elsewhere (swapped out,
 * being moved), which a reader that may not fault cannot.
 *
 * They are read as bytes, through the kernel's direct map of all memory, without a lock: what is
 * there while they are read may be freed. So they are trusted only to say that something is not
 * there, as a read that fails would, and only of a region that is looked up again afterwards.
 */
#ifndef HUSK_PAGE_TABLES_H
#define HUSK_PAGE_TABLES_H

#define TABLE_WORDS 512
#define ENTRY_PRESENT 1ULL
#define ENTRY_LARGE 0x80ULL /* in an upper table: a huge page, not a table */
/* Not present: the type of what it is instead; the highest one marks a page that does not exist
 * (include/linux/swapops.h, make_pte_marker()). */
#define ENTRY_TYPE_SHIFT 59
#define ENTRY_TYPE_MARKER 31
#define DIRECT_MAP_STEP (1ULL << 30)
#define DIRECT_MAP_TRIES 16384 /* 16 TiB of memory */

/* Where all memory is mapped; 0: not found, page tables are not read. */
__u64 direct_map = 0;

struct table_walk {
	__u64 base; /* of the direct map */
	__u64 root;
	__u64 address;
	__u64 entry; /* the last one read */
	__u64 table; /* of the last level, if it has been reached */
	__u32 shift; /* how many bits of the address the entry stands for */
};

static __always_inline bool read_entry(__u64 table, __u64 address, __u32 shift, __u64 *entry)
{
	__u64 index = (address >> shift) & (TABLE_WORDS - 1);

	return !bpf_probe_read_kernel(entry, sizeof(*entry), (void *)(table + index * 8));
}

static __always_inline __u64 entry_memory(__u64 entry)
{
	return entry & ((1ULL << config.physical_bits) - 1) & PAGE_MASK;
}

/* Goes down to the last table, or to the entry above it that is none. False: it cannot be read. */
static __always_inline bool walk_tables(struct table_walk *walk)
{
	__u64 table = walk->root;

	walk->table = 0;
	for (__u32 level = 4; level >= 1; level--) {
		__u32 shift = 12 + 9 * level;

		if (level == 4 && config.page_table_levels < 5)
			continue;
		walk->shift = shift;
		if (!read_entry(table, walk->address, shift, &walk->entry))
			return false;
		if (!(walk->entry & ENTRY_PRESENT) || (level <= 2 && (walk->entry & ENTRY_LARGE)))
			return true;
		table = walk->base + entry_memory(walk->entry);
	}
	walk->table = table;
	walk->shift = 12;
	return true;
}

/* Where walk->address is in memory. False: no page is there, or it cannot be read. */
static __always_inline bool translate(struct table_walk *walk, __u64 *memory)
{
	__u64 inside;

	if (!walk_tables(walk))
		return false;
	if (walk->table && !read_entry(walk->table, walk->address, 12, &walk->entry))
		return false;
	inside = (1ULL << (walk->shift & 63)) - 1;
	*memory = (entry_memory(walk->entry) & ~inside) | (walk->address & inside);
	return walk->entry & ENTRY_PRESENT;
}

#define SECRET_WORDS 8

struct search {
	struct table_walk walk;
	__u64 secret[SECRET_WORDS];
};

/* Is it at walk->base? Then the secret is where the tables say. */
static long try_direct_map(__u32 index, struct search *search)
{
	__u64 memory, found[SECRET_WORDS], differs = 0;

	if (search->walk.base >> 63 == 0)
		return 1;
	if (translate(&search->walk, &memory) &&
	    !bpf_probe_read_kernel(found, sizeof(found), (void *)(search->walk.base + memory))) {
		for (int i = 0; i < SECRET_WORDS; i++)
			differs |= found[i] ^ search->secret[i];
		if (!differs) {
			direct_map = search->walk.base;
			return 1;
		}
	}
	search->walk.base -= DIRECT_MAP_STEP;
	return 0;
}

/*
 * Its place is drawn at boot, in steps of 1 GiB, and no symbol tells it on every kernel. Husk, the
 * current process here, has a page with a secret in it: the right place is the one with which its
 * tables lead to the secret. (That they lead from the place to the place itself is no evidence:
 * whatever memory a wrong place takes for a table may say so, by chance or because a target has
 * filled the memory with that.)
 */
static __always_inline void find_direct_map(__u64 address)
{
	struct search search = {
		.walk.root = (__u64)BPF_CORE_READ(bpf_get_current_task_btf(), mm, pgd),
		.walk.address = address};

	if (!config.page_table_levels || !search.walk.root ||
	    bpf_probe_read_user(search.secret, sizeof(search.secret), (void *)address))
		return;
	search.walk.base = search.walk.root & ~(DIRECT_MAP_STEP - 1);
	bpf_loop(DIRECT_MAP_TRIES, try_direct_map, &search, 0);
}

static __always_inline __u32 presence_of(__u64 entry)
{
	if (entry & ENTRY_PRESENT)
		return PRESENCE_THERE;
	if (!entry || entry >> ENTRY_TYPE_SHIFT == ENTRY_TYPE_MARKER)
		return PRESENCE_NONE;
	return PRESENCE_ELSEWHERE;
}

static __always_inline __u32 presence_in(const struct thread *thread, __u32 index)
{
	/* The compiler knows the bound and would leave the mask out; the verifier does not. */
	asm volatile("" : "+r"(index));
	return presence_of(thread->entries[index & (EXTENT_PAGES - 1)]);
}

/* Of the entries from the page's on: how many in a row say the same. */
static __always_inline void find_extent_in_table(struct thread *thread, __u64 table, __u64 address)
{
	__u32 index = (address / HUSK_PAGE_SIZE) & (TABLE_WORDS - 1), first = 0, count = 1;

	/* Not beyond the table. */
	if (index > TABLE_WORDS - EXTENT_PAGES) {
		first = index - (TABLE_WORDS - EXTENT_PAGES);
		index = TABLE_WORDS - EXTENT_PAGES;
	}
	if (bpf_probe_read_kernel(thread->entries, sizeof(thread->entries),
				  (void *)(table + (__u64)index * 8)))
		return;
	thread->presence = presence_in(thread, first);
	for (__u32 i = 1; i < EXTENT_PAGES; i++) {
		if (first + i >= EXTENT_PAGES || presence_in(thread, first + i) != thread->presence)
			break;
		count++;
	}
	thread->extent_end = address + count * HUSK_PAGE_SIZE;
}

/* Sets thread->presence of the pages from `address` up to thread->extent_end. */
GLOBAL int find_extent(__u64 address)
{
	struct thread *thread = this_thread();
	struct table_walk walk = {
		.root = (__u64)BPF_CORE_READ(bpf_get_current_task_btf(), mm, pgd),
		.address = address};

	if (!thread)
		return 0;
	thread->presence = PRESENCE_UNKNOWN;
	thread->extent_end = address + HUSK_PAGE_SIZE;
	walk.base = direct_map;
	if (!walk.base || !walk_tables(&walk))
		return 0;
	if (walk.table) {
		find_extent_in_table(thread, walk.table, address);
		return 0;
	}
	thread->presence = presence_of(walk.entry);
	thread->extent_end = (address | ((1ULL << (walk.shift & 63)) - 1)) + 1;
	return 0;
}

/* Sees to it that thread->presence is that of the page at thread->next. */
static __always_inline void look_up_presence(struct thread *thread)
{
	if (thread->extent_start > thread->next || thread->next >= thread->extent_end) {
		thread->extent_start = thread->next;
		find_extent(thread->next);
	}
}

#endif /* HUSK_PAGE_TABLES_H */
