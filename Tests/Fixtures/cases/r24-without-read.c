/* SPDX-License-Identifier: MIT */
/*
 * R24: code in memory that may not be read: 100 contents of an anonymous -WX mapping, and 100 of
 * a memfd that is mapped -W- and --X. (The CPU may read what it may write or run, but
 * process_vm_readv(2) may not.)
 */
#define _GNU_SOURCE
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 100
#define LENGTH (2 * PAGE - 77)

static void rounds_in(unsigned char *write_view, const unsigned char *code, uint32_t first)
{
	static unsigned char content[LENGTH];

	for (uint32_t i = first; i < first + ROUNDS; i++) {
		case_code(content, LENGTH, i);
		memcpy(write_view, content, LENGTH);
		case_serialise();
		case_run(code, i);
		case_truth_of(code, content, LENGTH);
	}
}

int main(void)
{
	int file = memfd_create("r24", MFD_CLOEXEC);
	unsigned char *both = fixture_map(2 * PAGE, PROT_WRITE | PROT_EXEC), *write_view, *code;

	case_check(file >= 0 && ftruncate(file, 2 * PAGE) == 0, "memfd");
	write_view = mmap(NULL, 2 * PAGE, PROT_WRITE, MAP_SHARED, file, 0);
	code = mmap(NULL, 2 * PAGE, PROT_EXEC, MAP_SHARED, file, 0);
	case_check(write_view != MAP_FAILED && code != MAP_FAILED, "mmap");
	rounds_in(both, both, 0x58000001);
	rounds_in(write_view, code, 0x58010001);
	return case_end();
}
