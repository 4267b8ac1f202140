/* SPDX-License-Identifier: MIT */
/* An mprotect that fails at a hole, after it has made the page before the hole executable. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "fixture.h"

int main(void)
{
	char *code = fixture_map(3 * 4096, PROT_READ | PROT_WRITE);

	memcpy(code, fixture_return_42, sizeof(fixture_return_42));
	munmap(code + 4096, 4096);
	if (mprotect(code, 2 * 4096, PROT_READ | PROT_EXEC) == 0)
		fixture_fail("mprotect over a hole");
	printf("%d\n", ((int (*)(void))code)());
	fixture_tell(code, 4096);
	return 0;
}
