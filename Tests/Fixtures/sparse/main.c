/* SPDX-License-Identifier: MIT */
/*
 * A memfd of 256 MiB with two pages in it, mapped RX: looking must not fill it. And a private
 * copy of a memfd's page whose original has been punched out.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

int main(void)
{
	const size_t length = (size_t)256 << 20, middle = length / 2 + 4096;
	int file = memfd_create("sparse", 0), other = memfd_create("punched", 0);
	struct stat status;
	char *view, *copy;

	if (ftruncate(file, (off_t)length) != 0 || ftruncate(other, 4096) != 0)
		fixture_fail("ftruncate");
	if (pwrite(file, fixture_return_42, 6, 0) != 6 ||
	    pwrite(file, fixture_return_42, 6, (off_t)middle) != 6)
		fixture_fail("pwrite");
	view = mmap(NULL, length, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
	if (view == MAP_FAILED)
		fixture_fail("mmap");
	fstat(file, &status);
	printf("blocks %ld\n", (long)status.st_blocks);
	fixture_tell(view, 4096);
	fixture_tell(view + middle, 4096);

	copy = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, other, 0);
	memcpy(copy, fixture_return_42, 6);
	fallocate(other, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
	fixture_protect(copy, 4096, PROT_READ | PROT_EXEC);
	fixture_tell(copy, 4096);
	return 0;
}
