/* SPDX-License-Identifier: MIT */
/* The classic (E02): six bytes into RW memory, mprotect PROT_EXEC alone, call, 42. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "fixture.h"

int main(void)
{
	void *code = fixture_map(4096, PROT_READ | PROT_WRITE);
	char hex[65];

	memcpy(code, fixture_return_42, sizeof(fixture_return_42));
	fixture_sha256(code, 4096, hex); /* afterwards it may not be readable */
	fixture_protect(code, 4096, PROT_EXEC);
	printf("%d\n", ((int (*)(void))code)());
	fixture_tell_hash(code, 4096, hex);
	return 0;
}
