/* SPDX-License-Identifier: MIT */
/* Hostile: UFFDIO_COPY puts code into r-x memory, which no call was known to do; it runs, and is
 * overwritten before anybody looks at that memory again. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"

#define PAGES 3

int main(void)
{
	static unsigned char content[PAGE] __attribute__((aligned(4096)));
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	unsigned char *code = fixture_map(PAGES * PAGE, RX);
	int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	int fault = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fault < 0 || ioctl(fault, UFFDIO_API, &api) != 0)
		case_skip("no userfaultfd");
	range.range.start = (uintptr_t)code;
	range.range.len = PAGES * PAGE;
	case_check(ioctl(fault, UFFDIO_REGISTER, &range) == 0, "UFFDIO_REGISTER");
	for (uint32_t i = 0; i < PAGES; i++) {
		struct uffdio_copy copy = {.src = (uintptr_t)content, .len = PAGE};

		copy.dst = (uintptr_t)code + i * PAGE;
		case_code(content, PAGE, 0x11000101 + i);
		case_check(ioctl(fault, UFFDIO_COPY, &copy) == 0, "UFFDIO_COPY");
		case_run(code + i * PAGE, 0x11000101 + i);
		case_truth(code + i * PAGE, PAGE);
	}
	case_code(content, PAGE, 0x11000201);
	for (uint32_t i = 0; i < PAGES; i++) {
		off_t place = (off_t)(uintptr_t)(code + i * PAGE);

		if (pwrite(memory, content, PAGE, place) != (ssize_t)PAGE)
			break; /* no /proc, or it does not write here: the code stays */
		case_run(code + i * PAGE, 0x11000201);
		case_truth(code + i * PAGE, PAGE);
	}
	return case_end();
}
