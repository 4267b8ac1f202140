/* SPDX-License-Identifier: MIT */
/* E33: parent and child after a fork; the child also runs what it inherited. */
#include <unistd.h>

#include "case.h"

int main(void)
{
	unsigned char *code = case_classic(PAGE, 0x33000001);
	pid_t child = case_fork();

	if (child == 0) {
		case_run(code, 0x33000001);
		case_classic(PAGE + 500, 0x33000002);
		case_tell();
		_exit(0);
	}
	case_join(child);
	case_classic(300, 0x33000003);
	return case_end();
}
