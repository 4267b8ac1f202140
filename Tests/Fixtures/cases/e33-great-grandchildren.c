/* SPDX-License-Identifier: MIT */
/* E33: a child's child's child; the ones between have ended before it runs its code. */
#include <unistd.h>

#include "case.h"

int main(void)
{
	int ended[2];
	char byte;
	pid_t child;

	case_check(pipe(ended) == 0, "pipe");
	child = case_fork();
	if (child == 0) {
		int orphaned[2];

		close(ended[0]);
		case_classic(PAGE, 0x33000051);
		case_tell();
		case_check(pipe(orphaned) == 0, "pipe");
		if (case_fork() == 0) {
			case_classic(PAGE, 0x33000052);
			case_tell();
			if (case_fork() == 0) {
				close(orphaned[1]);
				case_check(read(orphaned[0], &byte, 1) == 0, "read");
				case_classic(PAGE + 1, 0x33000053);
				case_tell();
				case_check(write(ended[1], "", 1) == 1, "write");
				_exit(0);
			}
			_exit(0);
		}
		_exit(0);
	}
	close(ended[1]);
	case_join(child);
	case_check(read(ended[0], &byte, 1) == 1, "the great-grandchild");
	return 0;
}
