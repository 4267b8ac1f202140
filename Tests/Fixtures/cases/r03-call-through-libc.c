/* SPDX-License-Identifier: MIT */
/*
 * R03: code on the fourth of eight RWX pages calls a function of this program, and that makes
 * a system call: only a return address on the stack leads to the code. Another page has data.
 */
#include <unistd.h>

#include "rounds.h"

#define PAGES ((size_t)8)
#define ROUNDS 100

static volatile pid_t parent;

__attribute__((noinline)) static void calls(void)
{
	parent = getppid();
}

int main(void)
{
	/* push rbp; mov rbp, rsp; call rdi; pop rbp; mov eax, result; ret */
	unsigned char head[] = {0x55, 0x48, 0x89, 0xE5, 0xFF, 0xD7, 0x5D, 0xB8, 0, 0, 0, 0, 0xC3};
	unsigned char *region = fixture_map(PAGES * PAGE, RWX), *code = region + 3 * PAGE;
	pid_t expected = getppid();

	for (uint32_t i = 1; i <= ROUNDS; i++) {
		uint32_t result = 0x43000000 + i;

		memcpy(head + 8, &result, sizeof(result));
		case_code(code, PAGE, result);
		memcpy(code, head, sizeof(head));
		memcpy(region + 5 * PAGE + 4 * i, &i, sizeof(i));
		parent = 0;
		case_check(((uint32_t(*)(void (*)(void)))code)(calls) == result, "the result");
		case_check(parent == expected, "getppid");
		case_truth(code, PAGE);
	}
	return case_end();
}
