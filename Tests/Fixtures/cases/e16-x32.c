/* SPDX-License-Identifier: MIT */
/* E16: mmap and mprotect by their x32 numbers. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"

#define X32 0x40000000L

int main(void)
{
	long address = syscall(X32 | SYS_mmap, 0, PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *code = (unsigned char *)address;

	if (address == -1 && errno == ENOSYS)
		case_skip("no x32");
	case_check(address != -1, "mmap");
	case_code(code, PAGE, 0x16000001);
	case_check(syscall(X32 | SYS_mprotect, code, PAGE, RX) == 0, "mprotect");
	case_run(code, 0x16000001);
	case_truth(code, PAGE);
	return case_end();
}
