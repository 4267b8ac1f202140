/* SPDX-License-Identifier: MIT */
/* Hostile [COUNT]: 30000 executable mappings of one page, of which three are told. */
#include <stdio.h>
#include <stdlib.h>

#include "case.h"

int main(int argc, char **argv)
{
	uint32_t count = argc > 1 ? (uint32_t)atoi(argv[1]) : 30000, made = 0;
	unsigned char *room = fixture_map(2 * PAGE * count, RW);

	/* Every other page stays RW, so that no two are one mapping. */
	madvise(room, 2 * PAGE * count, MADV_NOHUGEPAGE);
	for (; made < count; made++) {
		unsigned char *code = room + 2 * PAGE * made;

		case_code(code, 32, made);
		case_code(code + PAGE - 32, 32, made);
		if (mprotect(code, PAGE, RX) != 0)
			break; /* vm.max_map_count */
	}
	if (made == 0)
		case_skip("no mapping at all");
	for (uint32_t i = 0; i < made; i++)
		case_run(room + 2 * PAGE * i, i);
	case_truth(room, PAGE);
	case_truth(room + 2 * PAGE * (made / 2), PAGE);
	case_truth(room + 2 * PAGE * (made - 1), PAGE);
	return case_end();
}
