/* SPDX-License-Identifier: MIT */
/* E25: an mprotect that fails at a hole has made what lies before it executable. */
#include <errno.h>

#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(3 * PAGE, RW);

	case_check(munmap(code + PAGE, PAGE) == 0, "munmap");
	case_code(code, PAGE, 0x25000031);
	case_check(mprotect(code, 3 * PAGE, RX) == -1 && errno == ENOMEM, "a failing mprotect");
	case_run(code, 0x25000031);
	case_truth(code, PAGE);
	return case_end();
}
