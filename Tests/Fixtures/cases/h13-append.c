/* SPDX-License-Identifier: MIT */
/* Hostile: pwrite with O_APPEND writes at the end of the file, not at the offset it is given. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <unistd.h>

#include "case.h"

#define PIECE 256

int main(void)
{
	unsigned char content[PIECE], *code;
	char path[256];
	int file = case_file(path);

	unlink(path);
	case_check(fcntl(file, F_SETFL, O_APPEND) == 0, "O_APPEND");
	case_code(content, PIECE, 0x13000101);
	case_check(write(file, content, PIECE) == PIECE, "write");
	code = mmap(NULL, PAGE, RX, MAP_PRIVATE, file, 0);
	case_check(code != MAP_FAILED, "mmap");
	case_run(code, 0x13000101);
	case_truth(code, PIECE);
	for (uint32_t i = 1; i <= 3; i++) {
		case_code(content, PIECE, 0x13000101 + i);
		case_check(pwrite(file, content, PIECE, 1 << 20) == PIECE, "pwrite");
		case_run(code + i * PIECE, 0x13000101 + i);
		case_truth(code + i * PIECE, PIECE);
	}
	return case_end();
}
