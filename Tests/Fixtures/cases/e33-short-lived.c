/* SPDX-License-Identifier: MIT */
/* E33: two hundred children that end as soon as their code has run. */
#include <unistd.h>

#include "case.h"

#define CHILDREN 200

int main(void)
{
	for (uint32_t i = 0; i < CHILDREN; i++) {
		pid_t child = case_fork();

		if (child == 0) {
			unsigned char *code = fixture_map(PAGE, RW);

			case_code(code, PAGE - i, 0x33000100 + i);
			case_truth(code, PAGE - i);
			case_tell(); /* first, so that nothing but the end follows the run */
			fixture_protect(code, PAGE, RX);
			case_run(code, 0x33000100 + i);
			_exit(0);
		}
		case_join(child);
	}
	return 0;
}
