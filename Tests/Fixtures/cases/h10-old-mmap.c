/* SPDX-License-Identifier: MIT */
/* Hostile: old_mmap (i386), whose arguments lie in a page that is not resident: unreadable. */
#define _GNU_SOURCE
#include <unistd.h>

#include "int80.h"

#define I386_OLD_MMAP 90

int main(void)
{
	static unsigned char content[PAGE];
	char path[256], other[256];
	int file, arguments;
	uint32_t *block;
	long address;

	munmap(int80_map(PAGE, R), PAGE); /* skips where there is no int 0x80 */
	file = case_file(path);
	unlink(path);
	case_code(content, PAGE, 0x10000101);
	case_check(write(file, content, PAGE) == (ssize_t)PAGE, "write");

	uint32_t values[PAGE / 4] = {0, PAGE, RX, MAP_PRIVATE, (uint32_t)file, 0};

	arguments = case_file(other);
	unlink(other);
	case_check(write(arguments, values, PAGE) == (ssize_t)PAGE, "write");
	block = mmap(NULL, PAGE, R, MAP_PRIVATE | MAP_32BIT, arguments, 0); /* not touched */
	case_check(block != MAP_FAILED, "mmap");
	address = int80(I386_OLD_MMAP, (uintptr_t)block, 0, 0, 0, 0);
	case_check(address >= 0 || address < -4095, "old_mmap");

	unsigned char *code = (unsigned char *)(uintptr_t)(uint32_t)address;

	case_run(code, 0x10000101);
	case_truth(code, PAGE);
	return case_end();
}
