/* SPDX-License-Identifier: MIT */
/*
 * R15: one RWX mapping of which only some pages were run is handled as a whole: grown, moved,
 * moved with the old one left behind, unmapped in part, emptied, protected in part. Code is
 * rewritten and run after each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>

#include "rounds.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static uint32_t number;
static int can_leave; /* MREMAP_DONTUNMAP: not before Linux 5.7 */

/* Other code at this place; returns what it returns. */
static uint32_t rewrite(unsigned char *code)
{
	uint32_t result = 0x4f000000 + ++number;

	case_code(code, PAGE, result);
	case_run(code, result);
	case_truth(code, PAGE);
	return result;
}

/* The code, unchanged, at another address. */
static void again(unsigned char *code, uint32_t result)
{
	case_run(code, result);
	case_truth(code, PAGE);
}

static void write_only(unsigned char *page, unsigned char value)
{
	memset(page, value, PAGE);
}

static int holds(const unsigned char *page, unsigned char value)
{
	for (size_t i = 0; i < PAGE; i++)
		if (page[i] != value)
			return 0;
	return 1;
}

static int is_mapped(unsigned char *page)
{
	unsigned char resident;

	return mincore(page, PAGE, &resident) == 0 || errno != ENOMEM;
}

/* Moved, and an empty mapping left behind, which is RWX still. Twelve pages. */
static unsigned char *left_behind(unsigned char *old, uint32_t *result)
{
	unsigned char *code = mremap(old, 12 * PAGE, 12 * PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP,
				     NULL);

	case_check(code != MAP_FAILED && code != old, "mremap: MREMAP_DONTUNMAP");
	again(code + PAGE, *result);
	case_check(holds(old + PAGE, 0), "what was left behind");
	rewrite(old + PAGE);
	rewrite(old + 2 * PAGE);
	*result = rewrite(code + PAGE);
	case_check(munmap(old, 12 * PAGE) == 0 && !is_mapped(old), "munmap");
	return code;
}

/* One round on a new mapping: page 1 is run, page 2 only written to, 0 and 3 not touched. */
static void lifetime(void)
{
	/* Room for all of it, so that moves have a place and old addresses stay free. */
	unsigned char *room = fixture_map(64 * PAGE, PROT_NONE), *old, *code;
	uint32_t result;

	code = mmap(room + 8 * PAGE, 4 * PAGE, RWX, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	case_check(code != MAP_FAILED, "mmap");
	result = rewrite(code + PAGE);
	write_only(code + 2 * PAGE, 0xC2);

	/* Grown in place. */
	case_check(munmap(code + 4 * PAGE, 2 * PAGE) == 0, "munmap");
	case_check(mremap(code, 4 * PAGE, 6 * PAGE, 0) == code, "mremap: grown");
	case_run(code + PAGE, result);
	rewrite(code + 5 * PAGE);
	result = rewrite(code + PAGE);

	/* Moved as a whole. */
	old = code;
	code = mremap(old, 6 * PAGE, 6 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room + 24 * PAGE);
	case_check(code == room + 24 * PAGE, "mremap: moved");
	case_check(!is_mapped(old + PAGE), "the old place");
	again(code + PAGE, result);
	case_check(holds(code, 0) && holds(code + 2 * PAGE, 0xC2), "what was moved");
	rewrite(code + 2 * PAGE);
	result = rewrite(code + PAGE);

	/* Moved and grown, wherever to. */
	code = mremap(code, 6 * PAGE, 12 * PAGE, MREMAP_MAYMOVE);
	case_check(code != MAP_FAILED, "mremap: moved and grown");
	again(code + PAGE, result);
	rewrite(code + 11 * PAGE);
	result = rewrite(code + PAGE);

	if (can_leave)
		code = left_behind(code, &result);

	/* Shrunk, and unmapped in part. */
	case_check(mremap(code, 12 * PAGE, 6 * PAGE, 0) == code, "mremap: shrunk");
	case_check(!is_mapped(code + 6 * PAGE), "what was cut off");
	case_check(munmap(code, PAGE) == 0 && !is_mapped(code), "munmap of a part");
	case_run(code + PAGE, result);
	result = rewrite(code + PAGE);

	/* Emptied: what was run and what was written to. */
	rewrite(code + 2 * PAGE);
	write_only(code + 3 * PAGE, 0xC3);
	case_check(madvise(code + PAGE, 3 * PAGE, MADV_DONTNEED) == 0, "madvise");
	case_check(holds(code + PAGE, 0) && holds(code + 2 * PAGE, 0), "what was emptied");
	case_check(holds(code + 3 * PAGE, 0), "what was emptied");
	rewrite(code + 3 * PAGE);
	result = rewrite(code + PAGE);

	/* Protected in part. */
	fixture_protect(code + 2 * PAGE, 2 * PAGE, RW);
	write_only(code + 2 * PAGE, 0xC4);
	case_run(code + PAGE, result);
	result = rewrite(code + PAGE);
	case_code(code + 3 * PAGE, PAGE, 0x4f000000 + ++number);
	fixture_protect(code + 2 * PAGE, 2 * PAGE, RX);
	again(code + 3 * PAGE, 0x4f000000 + number);
	fixture_protect(code + PAGE, 5 * PAGE, RWX);
	case_check(holds(code + 2 * PAGE, 0xC4), "what was protected");
	rewrite(code + 2 * PAGE);
	rewrite(code + 5 * PAGE);
	case_run(code + PAGE, result);
	case_check(munmap(code + PAGE, 5 * PAGE) == 0, "munmap");
	case_check(munmap(room, 64 * PAGE) == 0, "munmap");
}

int main(void)
{
	void *probe = fixture_map(PAGE, RW);

	probe = mremap(probe, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	can_leave = probe != MAP_FAILED;
	for (int i = 0; i < 5; i++)
		lifetime();
	return case_end();
}
