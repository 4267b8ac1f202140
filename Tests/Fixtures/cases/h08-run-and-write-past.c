/* SPDX-License-Identifier: MIT */
/* Hostile: code is run, and written over past its protection (/proc/self/mem) before it was copied:
 * what was written last was told. */
#include <fcntl.h>
#include <unistd.h>

#include "race.h"

static int memory;

static void discard(unsigned char *page)
{
	static unsigned char other[PAGE];

	case_code(other, PAGE, RACE_RESULT + 1);
	if (pwrite(memory, other, PAGE, (off_t)(uintptr_t)page) != (ssize_t)PAGE)
		case_skip("this kernel lets no one write past a protection");
	case_serialise();
	case_run(page, RACE_RESULT + 1);
	case_truth(page, PAGE);
}

int main(void)
{
	memory = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	case_check(memory >= 0, "/proc/self/mem");
	return race(discard);
}
