/* SPDX-License-Identifier: MIT */
/*
 * R35: a program lets writes through to its code by a userfaultfd of its own, with which it has
 * nothing registered there.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 40

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RWX), *other = fixture_map(PAGE, RW);
	struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_PAGEFAULT_FLAG_WP};
	struct uffdio_register all = {.range = {(uintptr_t)other, PAGE},
				      .mode = UFFDIO_REGISTER_MODE_WP};
	struct uffdio_writeprotect none = {.range = {(uintptr_t)code, PAGE}};
	uint32_t number = 0x35000000;
	int file = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (file < 0 || ioctl(file, UFFDIO_API, &api) != 0)
		case_skip("no userfaultfd");
	case_check(ioctl(file, UFFDIO_REGISTER, &all) == 0, "UFFDIO_REGISTER");
	for (int round = 0; round < ROUNDS; round++) {
		rounds_run(code, code, PAGE, 1, &number);
		/* Without a guard there it fails. */
		ioctl(file, UFFDIO_WRITEPROTECT, &none);
	}
	return case_end();
}
