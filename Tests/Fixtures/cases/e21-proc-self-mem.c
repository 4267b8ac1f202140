/* SPDX-License-Identifier: MIT */
/* E21: /proc/self/mem writes into memory that is r-x and stays r-x, twice. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "case.h"

int main(void)
{
	unsigned char *code, content[700];
	int memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	if (memory < 0)
		case_skip("no /proc/self/mem");
	code = case_classic(2 * PAGE, 0x21000001);
	for (uint32_t i = 2; i <= 3; i++) {
		case_code(content, sizeof(content), 0x21000000 + i);
		if (pwrite(memory, content, sizeof(content), (off_t)(uintptr_t)code) !=
		    (ssize_t)sizeof(content)) {
			if (errno == EIO || errno == EFAULT || errno == EPERM || errno == EACCES)
				case_skip("/proc/self/mem does not write into r-x memory");
			fixture_fail("/proc/self/mem");
		}
		case_run(code, 0x21000000 + i);
		case_truth(code, sizeof(content));
	}
	return case_end();
}
