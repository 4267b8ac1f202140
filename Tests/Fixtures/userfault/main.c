/* SPDX-License-Identifier: MIT */
/*
 * Memory whose missing pages are answered by this very thread: a tracer that asks for them
 * while the thread waits for the tracer would wait for ever (E27). Status 77: no userfaultfd.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fixture.h"

int main(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	int file = memfd_create("slow", 0), fault = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	char *code;

	if (fault < 0 || ioctl(fault, UFFDIO_API, &api) != 0)
		return 77;
	if (ftruncate(file, 4 * 4096) != 0 || pwrite(file, fixture_return_42, 6, 0) != 6)
		fixture_fail("memfd");
	code = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	range.range.start = (unsigned long)code;
	range.range.len = 4 * 4096;
	if (ioctl(fault, UFFDIO_REGISTER, &range) != 0)
		fixture_fail("UFFDIO_REGISTER");
	fixture_protect(code, 4 * 4096, PROT_READ | PROT_EXEC);
	printf("slow %p\n", (void *)code);
	return 0;
}
