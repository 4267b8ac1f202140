/* SPDX-License-Identifier: MIT */
/* E27: memfd_secret, where the kernel has it and lets it be executable. */
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

int main(void)
{
	int file = (int)syscall(SYS_memfd_secret, 0);
	unsigned char *code;

	if (file < 0 || ftruncate(file, PAGE) != 0)
		case_skip("no memfd_secret");
	code = mmap(NULL, PAGE, RW, MAP_SHARED, file, 0);
	if (code == MAP_FAILED)
		case_skip("memfd_secret cannot be mapped");
	case_code(code, PAGE, 0x27000011);
	if (mprotect(code, PAGE, RX) != 0)
		case_skip("memfd_secret cannot be executable");
	case_run(code, 0x27000011);
	case_truth(code, PAGE);
	return case_end();
}
