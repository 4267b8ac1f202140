/* SPDX-License-Identifier: MIT */
/* E10: the pages go to a new address, the old range stays executable and empty. */
#define _GNU_SOURCE
#include "case.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

int main(void)
{
	unsigned char *code = case_classic(PAGE, 0x10000005), *moved;

	moved = mremap(code, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	if (moved == MAP_FAILED)
		case_skip("no MREMAP_DONTUNMAP");
	case_run(moved, 0x10000005);
	case_truth(moved, PAGE);
	return case_end();
}
