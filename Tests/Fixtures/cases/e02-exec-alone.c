/* SPDX-License-Identifier: MIT */
/* E02: the classic six bytes, mprotect with PROT_EXEC alone. */
#include <string.h>

#include "case.h"

int main(void)
{
	unsigned char *code = fixture_map(PAGE, RW);

	memcpy(code, fixture_return_42, sizeof(fixture_return_42));
	case_truth(code, sizeof(fixture_return_42)); /* afterwards it may not be readable */
	fixture_protect(code, PAGE, PROT_EXEC);
	case_run(code, 42);
	return case_end();
}
