/* SPDX-License-Identifier: MIT */
/* Hostile: a tree of 127 processes, each of which runs the classic. */
#include <unistd.h>

#include "case.h"

static void grow(int depth, uint32_t number)
{
	pid_t children[2];

	case_classic(PAGE, 0x06000100 + number);
	case_tell();
	if (depth == 0)
		return;
	for (uint32_t i = 0; i < 2; i++) {
		children[i] = case_fork();
		if (children[i] == 0) {
			grow(depth - 1, 2 * number + i);
			_exit(0);
		}
	}
	case_join(children[0]);
	case_join(children[1]);
}

int main(void)
{
	grow(6, 1);
	return 0;
}
