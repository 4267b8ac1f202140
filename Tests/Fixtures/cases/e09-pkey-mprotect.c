/* SPDX-License-Identifier: MIT */
/* E09: pkey_mprotect with the key -1, which means none and works on every CPU. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RW);

	case_code(code, PAGE, 0x09000001);
	if (syscall(SYS_pkey_mprotect, code, PAGE, RX, -1) != 0) {
		if (errno == ENOSYS || errno == EINVAL)
			case_skip("no pkey_mprotect");
		fixture_fail("pkey_mprotect");
	}
	case_run(code, 0x09000001);
	case_truth(code, PAGE);
	return case_end();
}
