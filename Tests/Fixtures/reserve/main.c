/* SPDX-License-Identifier: MIT */
/*
 * Reservations of every size that are hardly touched: 512 GiB that is not touched at all
 * (mapped RWX, and made RWX by mprotect), 512 MiB of which three pages are written before
 * it becomes executable (E36).
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "fixture.h"

static long resident_pages(void)
{
	long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || fscanf(file, "%ld %ld", &size, &resident) != 2)
		fixture_fail("statm");
	fclose(file);
	return resident;
}

int main(void)
{
	const size_t huge = (size_t)512 << 30, large = (size_t)512 << 20;
	const int rwx = PROT_READ | PROT_WRITE | PROT_EXEC;
	char *mapped = mmap(NULL, huge, rwx, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *reserved =
		mmap(NULL, huge, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char *partly = fixture_map(large, PROT_READ | PROT_WRITE);
	const size_t pages[3] = {0, 77777, large / 4096 - 1};
	long before, after;

	if (mapped == MAP_FAILED || reserved == MAP_FAILED)
		fixture_fail("mmap");
	for (int i = 0; i < 3; i++)
		memset(partly + pages[i] * 4096, 0x90 + i, 4096);
	before = resident_pages();
	fixture_protect(reserved, huge, rwx);
	fixture_protect(partly, large, rwx);
	after = resident_pages();
	for (int i = 0; i < 3; i++)
		fixture_tell(partly + pages[i] * 4096, 4096);
	printf("reserved %p %zu\n", (void *)mapped, huge);
	printf("reserved %p %zu\n", (void *)reserved, huge);
	printf("grown %ld\n", after - before);
	return 0;
}
