/* SPDX-License-Identifier: MIT */
/* E21: /proc/self/mem writes into the program's own text, which a file backs. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "case.h"

__asm__(".text\n"
	".balign 4096\n"
	"own_text:\n"
	"	movl $0x21000011, %eax\n"
	"	ret\n"
	"	.fill 2045, 2, 0x7561\n");

extern unsigned char own_text[PAGE];

int main(void)
{
	unsigned char content[128];
	int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	if (memory < 0)
		case_skip("no /proc/self/mem");
	case_run(own_text, 0x21000011);
	case_truth(own_text, PAGE);
	case_code(content, sizeof(content), 0x21000012);
	if (pwrite(memory, content, sizeof(content), (off_t)(uintptr_t)own_text) !=
	    (ssize_t)sizeof(content)) {
		if (errno == EIO || errno == EFAULT || errno == EPERM || errno == EACCES)
			case_skip("/proc/self/mem does not write into r-x memory");
		fixture_fail("/proc/self/mem");
	}
	case_run(own_text, 0x21000012);
	/* It lives on: who reads the first bytes only now must not take the second for them. */
	usleep(200000);
	case_truth(own_text, PAGE);
	return case_end();
}
