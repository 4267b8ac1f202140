/* SPDX-License-Identifier: MIT */
/* Hostile: MADV_DONTNEED of a private file mapping; the file's own code is back, and runs. */
#include <unistd.h>

#include "case.h"

int main(void)
{
	static unsigned char content[PAGE];
	char path[256];
	int file = case_file(path);
	unsigned char *code;

	unlink(path);
	case_code(content, PAGE, 0x16000101);
	case_check(write(file, content, PAGE) == (ssize_t)PAGE, "write");
	code = mmap(NULL, PAGE, RW, MAP_PRIVATE, file, 0);
	case_check(code != MAP_FAILED, "mmap");
	case_code(code, PAGE, 0x16000102);
	fixture_protect(code, PAGE, RX);
	case_run(code, 0x16000102);
	case_truth(code, PAGE);
	case_check(madvise(code, PAGE, MADV_DONTNEED) == 0, "MADV_DONTNEED");
	case_run(code, 0x16000101);
	case_truth(code, PAGE);
	return case_end();
}
