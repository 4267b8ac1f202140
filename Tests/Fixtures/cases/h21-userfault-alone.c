/* SPDX-License-Identifier: MIT */
/* Hostile: a page for which only the program itself could call; whoever reads it waits forever. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"

int main(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	unsigned char *code;
	char path[64];
	int file, fault = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fault < 0 || ioctl(fault, UFFDIO_API, &api) != 0)
		case_skip("no userfaultfd");
	snprintf(path, sizeof(path), "/dev/shm/husk-case-%d", (int)getpid());
	file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
	if (file < 0)
		case_skip("no /dev/shm");
	unlink(path);
	case_check(ftruncate(file, 2 * PAGE) == 0, "ftruncate");
	code = mmap(NULL, 2 * PAGE, RW, MAP_SHARED, file, 0);
	case_check(code != MAP_FAILED, "mmap");
	case_code(code, PAGE, 0x21000101); /* and the second page is never there */
	range.range.start = (uintptr_t)code;
	range.range.len = 2 * PAGE;
	if (ioctl(fault, UFFDIO_REGISTER, &range) != 0)
		case_skip("no userfaultfd for shared memory");
	alarm(20); /* it takes a moment, or forever */
	fixture_protect(code, 2 * PAGE, RX);
	case_run(code, 0x21000101);
	case_truth(code, PAGE);
	return case_end();
}
