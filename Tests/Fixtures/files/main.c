/* SPDX-License-Identifier: MIT */
/*
 * files FILE: memory with a file behind it. A file mapped RX whose pages are not resident
 * (E18), one whose last page lies beyond the end of the file, a memfd filled by write()
 * (E07), shared anonymous memory. FILE is made, and deleted before it is mapped a second
 * time.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"

#define LENGTH (4 * 4096)

int main(int argc, char **argv)
{
	static char content[LENGTH];
	const int rx = PROT_READ | PROT_EXEC;
	int file, memory;
	char *address;

	if (argc != 2)
		return 64;
	file = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0600);
	for (int i = 0; i < LENGTH; i++)
		content[i] = (char)(i * 7 + i / 4096);
	if (file < 0 || write(file, content, LENGTH) != LENGTH || fsync(file) != 0)
		fixture_fail(argv[1]);
	posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
	address = mmap(NULL, LENGTH, rx, MAP_PRIVATE, file, 0);
	if (address == MAP_FAILED)
		fixture_fail("mmap of the file");
	fixture_tell(address, LENGTH);

	unlink(argv[1]);
	address = mmap(NULL, 2 * LENGTH, rx, MAP_PRIVATE, file, 0);
	fixture_tell(address, LENGTH);
	printf("beyond %p %d\n", (void *)(address + LENGTH), LENGTH);

	memory = memfd_create("a\nb", 0);
	if (memory < 0 || write(memory, content, LENGTH) != LENGTH)
		fixture_fail("memfd");
	address = mmap(NULL, LENGTH, rx, MAP_PRIVATE, memory, 0);
	fixture_tell(address, LENGTH);
	printf("memfd %p\n", (void *)address);

	address = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memcpy(address, content, LENGTH);
	fixture_protect(address, LENGTH, rx);
	fixture_tell(address, LENGTH);
	printf("shared %p\n", (void *)address);
	return 0;
}
