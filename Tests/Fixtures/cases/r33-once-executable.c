/* SPDX-License-Identifier: MIT */
/*
 * R33: memory of which a part was writable and executable once is ordinary memory again: mremap(2)
 * of all of it works, and keeps its content.
 */
#define _GNU_SOURCE
#include <string.h>

#include "case.h"

#define LENGTH (4 * PAGE)

static uint32_t number = 0x33000000;

/* Half of it is code for a while. */
static unsigned char *memory(void)
{
	unsigned char *made = fixture_map(LENGTH, RW);

	memset(made, 'd', LENGTH);
	fixture_protect(made + 2 * PAGE, 2 * PAGE, RWX);
	case_code(made + 2 * PAGE, PAGE, ++number);
	case_run(made + 2 * PAGE, number);
	case_truth(made + 2 * PAGE, PAGE);
	fixture_protect(made + 2 * PAGE, 2 * PAGE, RW);
	return made;
}

static void check(const unsigned char *moved)
{
	case_check(moved != MAP_FAILED, "mremap");
	for (size_t i = 0; i < 2 * PAGE; i++)
		case_check(moved[i] == 'd' && (i >= PAGE || moved[3 * PAGE + i] == 'd'), "content");
}

int main(void)
{
	unsigned char *place;

	check(mremap(memory(), LENGTH, 2 * LENGTH, MREMAP_MAYMOVE));
	place = mmap(NULL, LENGTH, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	case_check(place != MAP_FAILED, "mmap");
	check(mremap(memory(), LENGTH, LENGTH, MREMAP_MAYMOVE | MREMAP_FIXED, place));
	place = memory();
	case_check(mremap(place, LENGTH, PAGE, 0) == place && *place == 'd', "shrinking");
	return case_end();
}
