/* SPDX-License-Identifier: MIT */
/* E27: executable memory whose pages another thread delivers when they are first touched. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"

static unsigned char content[2 * PAGE] __attribute__((aligned(4096)));
static int fault;

static void *deliver(void *code)
{
	struct uffd_msg message;

	while (read(fault, &message, sizeof(message)) == (ssize_t)sizeof(message)) {
		uintptr_t page = message.arg.pagefault.address & ~(uintptr_t)(PAGE - 1);
		struct uffdio_copy copy = {.dst = page, .len = PAGE};

		copy.src = (uintptr_t)content + (page - (uintptr_t)code);
		ioctl(fault, UFFDIO_COPY, &copy);
	}
	return NULL;
}

int main(void)
{
	struct uffdio_api api = {.api = UFFD_API};
	struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
	unsigned char *code = fixture_map(2 * PAGE, RW);
	pthread_t thread;

	fault = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (fault < 0 || ioctl(fault, UFFDIO_API, &api) != 0)
		case_skip("no userfaultfd");
	range.range.start = (uintptr_t)code;
	range.range.len = 2 * PAGE;
	case_check(ioctl(fault, UFFDIO_REGISTER, &range) == 0, "UFFDIO_REGISTER");
	case_code(content, PAGE, 0x27000001);
	case_code(content + PAGE, PAGE, 0x27000002);
	fixture_protect(code, 2 * PAGE, RX);
	case_check(pthread_create(&thread, NULL, deliver, code) == 0, "pthread_create");
	case_run(code, 0x27000001);
	case_truth_of(code, content, PAGE);
	case_run(code + PAGE, 0x27000002);
	case_truth_of(code + PAGE, content + PAGE, PAGE);
	return case_end();
}
