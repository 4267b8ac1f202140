/* SPDX-License-Identifier: MIT */
/* E33: the child writes into RWX memory that it inherited; the parent's stays as it was. */
#include <unistd.h>

#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RWX);
	pid_t child;

	case_code(code, PAGE, 0x33000011);
	case_run(code, 0x33000011);
	case_truth(code, PAGE);
	child = case_fork();
	if (child == 0) {
		case_code(code, PAGE, 0x33000012);
		case_run(code, 0x33000012);
		case_truth(code, PAGE);
		case_tell();
		_exit(0);
	}
	case_join(child);
	case_run(code, 0x33000011);
	case_code(code, 200, 0x33000013);
	case_run(code, 0x33000013);
	case_truth(code, 200);
	return case_end();
}
