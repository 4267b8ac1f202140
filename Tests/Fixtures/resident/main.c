/* SPDX-License-Identifier: MIT */
/*
 * Large regions of which little has been touched, made executable and looked at: prints how many
 * of their pages are resident before and after. Looking must not make one resident.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fixture.h"

#define PAGES 65536 /* 256 MiB */

static int resident(void *start)
{
	static unsigned char pages[PAGES];
	int count = 0;

	if (mincore(start, (size_t)PAGES * 4096, pages) != 0)
		fixture_fail("mincore");
	for (int i = 0; i < PAGES; i++)
		count += pages[i] & 1;
	return count;
}

static void look_at(const char *name, char *start, int protection)
{
	int before, after;

	for (int page = 0; page < PAGES; page += 1024)
		start[(size_t)page * 4096] = (char)(page / 1024 + 1);
	before = resident(start);
	fixture_protect(start, (size_t)PAGES * 4096, protection);
	for (int i = 0; i < 50; i++)
		getppid();
	fixture_protect(start, (size_t)PAGES * 4096, PROT_READ | PROT_WRITE);
	after = resident(start);
	printf("resident %s %d %d\n", name, before, after);
}

int main(void)
{
	size_t length = (size_t)PAGES * 4096;
	int file = memfd_create("sparse", 0);
	char *shared;

	if (file < 0 || ftruncate(file, (off_t)length) != 0)
		fixture_fail("memfd_create");
	shared = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (shared == MAP_FAILED)
		fixture_fail("mmap");
	look_at("rx", fixture_map(length, PROT_READ | PROT_WRITE), PROT_READ | PROT_EXEC);
	look_at("rwx", fixture_map(length, PROT_READ | PROT_WRITE),
		PROT_READ | PROT_WRITE | PROT_EXEC);
	look_at("memfd", shared, PROT_READ | PROT_EXEC);
	return 0;
}
