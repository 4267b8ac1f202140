/* SPDX-License-Identifier: MIT */
/* Hostile: changed pages of a private file mapping are moved; the old range is the file's code. */
#define _GNU_SOURCE
#include <unistd.h>

#include "case.h"

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

int main(void)
{
	static unsigned char content[PAGE];
	unsigned char *code, *moved;
	char path[256];
	int file = case_file(path);

	unlink(path);
	case_code(content, PAGE, 0x16000201);
	case_check(write(file, content, PAGE) == (ssize_t)PAGE, "write");
	code = mmap(NULL, PAGE, RW, MAP_PRIVATE, file, 0);
	case_check(code != MAP_FAILED, "mmap");
	case_code(code, PAGE, 0x16000202);
	fixture_protect(code, PAGE, RX);
	case_run(code, 0x16000202);
	case_truth(code, PAGE);
	moved = mremap(code, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
	if (moved == MAP_FAILED)
		case_skip("no MREMAP_DONTUNMAP of files"); /* since Linux 5.13 */
	case_run(moved, 0x16000202);
	case_truth(moved, PAGE);
	case_run(code, 0x16000201);
	case_truth(code, PAGE);
	return case_end();
}
