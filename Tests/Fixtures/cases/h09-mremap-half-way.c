/* SPDX-License-Identifier: MIT */
/* Hostile: an mremap of two mappings that fails at the second one; the first one was moved. */
#define _GNU_SOURCE
#include <unistd.h>

#include "case.h"

#define SYS_MSEAL 462 /* since Linux 6.10 */

int main(void)
{
	const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
	unsigned char *code = fixture_map(2 * PAGE, RW), *place, resident;

	case_code(code, PAGE, 0x09000201);
	fixture_protect(code, PAGE, RX);
	fixture_protect(code + PAGE, PAGE, R);
	case_run(code, 0x09000201);
	case_truth(code, PAGE);
	if (syscall(SYS_MSEAL, code + PAGE, PAGE, 0) != 0)
		case_skip("no mseal");
	place = fixture_map(2 * PAGE, PROT_NONE);
	case_check(mremap(code, 2 * PAGE, 2 * PAGE, flags, place) == MAP_FAILED, "the sealed page");
	if (mincore(place, PAGE, &resident) != 0 || !(resident & 1))
		case_skip("mremap moves nothing if it cannot move all");
	case_run(place, 0x09000201);
	case_truth(place, PAGE);
	return case_end();
}
