/* SPDX-License-Identifier: MIT */
/*
 * R32: a file is code first, and gets a view that may write to it then: by mmap(2), by mprotect(2)
 * of one that could only be read, by mremap(2) of size 0.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 20

static uint32_t number = 0x32000000;

/* A new file of one page, and a view of it that may run, by a descriptor that cannot write. */
static int code_file(int kind, unsigned char **code)
{
	char path[256], again[64];
	unsigned char bytes[PAGE];
	int file = case_file(path), reading;

	case_code(bytes, PAGE, ++number);
	case_check(pwrite(file, bytes, PAGE, 0) == (ssize_t)PAGE, "pwrite");
	snprintf(again, sizeof(again), "/proc/self/fd/%d", file);
	reading = open(again, O_RDONLY | O_CLOEXEC);
	unlink(path);
	case_check(reading >= 0, "open");
	*code = mmap(NULL, PAGE, RX, kind, reading, 0);
	case_check(*code != MAP_FAILED, "mmap of the code");
	close(reading);
	case_run(*code, number);
	case_truth(*code, PAGE);
	return file;
}

static unsigned char *view(int file, int protection)
{
	unsigned char *made = mmap(NULL, PAGE, protection, MAP_SHARED, file, 0);

	case_check(made != MAP_FAILED, "mmap of the view");
	return made;
}

int main(void)
{
	for (int way = 0; way < 6; way++) {
		unsigned char *code, *writer;
		int file = code_file(way % 2 ? MAP_PRIVATE : MAP_SHARED, &code);

		writer = view(file, way < 2 ? RW : way < 4 ? R : PROT_NONE);
		if (way >= 4)
			writer = mremap(writer, 0, PAGE, MREMAP_MAYMOVE);
		case_check(writer != MAP_FAILED, "mremap");
		if (way >= 2)
			fixture_protect(writer, PAGE, RW);
		rounds_run(writer, code, PAGE, ROUNDS, &number);
		/* And where calls change the view that may run. */
		fixture_protect(code, PAGE, R);
		case_code(writer, PAGE, ++number);
		fixture_protect(code, PAGE, RX);
		case_run(code, number);
		case_truth(code, PAGE);
		rounds_run(writer, code, PAGE, ROUNDS, &number);
		munmap(writer, PAGE);
		munmap(code, PAGE);
		close(file);
	}
	return case_end();
}
