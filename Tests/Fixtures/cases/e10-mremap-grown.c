/* SPDX-License-Identifier: MIT */
/* E10: executable memory grows where it has no room, and so lies somewhere else. */
#define _GNU_SOURCE
#include "case.h"

int main(void)
{
	unsigned char *room = fixture_map(2 * PAGE, RW), *code;

	case_code(room, PAGE, 0x10000002);
	fixture_protect(room, PAGE, RX); /* the second page stays, and is in the way */
	case_run(room, 0x10000002);
	case_truth(room, PAGE);
	code = mremap(room, PAGE, 4 * PAGE, MREMAP_MAYMOVE);
	case_check(code != MAP_FAILED && code != room, "mremap");
	case_run(code, 0x10000002);
	case_truth(code, PAGE);
	return case_end();
}
