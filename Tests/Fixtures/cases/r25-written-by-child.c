/* SPDX-License-Identifier: MIT */
/*
 * R25: a child writes code into shared memory that is RWX, and the parent runs it: the parent's
 * page tables have nothing there when it does. Ten times, with new memory each time. The second
 * page lies in another block of those that the kernel maps together at a fault (64 KiB).
 */
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 10
#define LENGTH (2 * PAGE - 77)
#define BLOCK (16 * PAGE)

int main(void)
{
	static unsigned char content[LENGTH];
	char word = 0;
	int to_parent[2], to_child[2];

	case_check(pipe(to_parent) == 0 && pipe(to_child) == 0, "pipe");
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		unsigned char *region =
			mmap(NULL, 3 * BLOCK, RWX, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		unsigned char *code = region + (2 * BLOCK - (uintptr_t)region % BLOCK) - PAGE;
		pid_t child;

		case_check(region != MAP_FAILED, "mmap");
		case_code(content, LENGTH, 0x59000000 + i);
		child = case_fork();
		if (child == 0) {
			memcpy(code, content, LENGTH);
			case_check(write(to_parent[1], &word, 1) == 1, "write");
			/* No one looks at its memory before what it holds is gone. */
			case_check(read(to_child[0], &word, 1) == 1, "read");
			_exit(0);
		}
		case_check(read(to_parent[0], &word, 1) == 1, "read");
		case_run(code, 0x59000000 + i);
		case_truth_of(code, content, LENGTH);
		memset(code, 0, LENGTH);
		case_check(write(to_child[1], &word, 1) == 1, "write");
		case_join(child);
	}
	return case_end();
}
