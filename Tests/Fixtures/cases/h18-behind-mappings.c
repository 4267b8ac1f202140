/* SPDX-License-Identifier: MIT */
/* Hostile [COUNT]: RWX memory behind 30000 mappings, which the last look did not come to. */
#include <stdlib.h>

#include "case.h"

int main(int argc, char **argv)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	size_t count = argc > 1 ? (size_t)atoi(argv[1]) : 30000;
	unsigned char *room = fixture_map((count + 1) * PAGE, PROT_NONE);
	unsigned char *code = room + count * PAGE;

	/* Every other page becomes readable, so that no two are one mapping. */
	for (size_t i = 0; i < count; i += 2) {
		if (mprotect(room + i * PAGE, PAGE, R) != 0)
			break; /* vm.max_map_count */
	}
	if (mmap(code, PAGE, RWX, flags, -1, 0) != code)
		case_skip("no room for one more mapping");
	case_code(code, PAGE, 0x18000101);
	case_run(code, 0x18000101);
	case_truth(code, PAGE);
	return case_end();
}
