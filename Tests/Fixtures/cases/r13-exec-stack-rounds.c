/* SPDX-License-Identifier: MIT */
/*
 * R13: trampolines on an executable stack, as nested functions have them: each with an address
 * of its own and a chain to a variable of the round, and signal handlers on that same stack in
 * between, whose frames the kernel writes to pages that were just run.
 */
/* build: -Wl,-z,execstack */
#define _GNU_SOURCE
#include <alloca.h>
#include <signal.h>

#include "rounds.h"

#define ROUNDS 20
#define LENGTH 64

static volatile sig_atomic_t signals;
static unsigned char *volatile current; /* the trampoline that there is now */

/* What the trampolines lead to: with a variable of the function around in r10. */
__asm__("nested:	movl	(%r10), %eax\n"
	"	addl	%edi, %eax\n"
	"	ret\n");

extern const unsigned char nested[];

static void expect(const unsigned char *code, uint32_t argument, uint32_t result)
{
	case_check(((uint32_t(*)(uint32_t))code)(argument) == result, "what a trampoline returned");
}

/* Runs on the stack that the trampoline is on, and calls it as well. */
static void user(int number)
{
	volatile unsigned char there[256];

	there[number] = (unsigned char)number;
	case_check(there[number] == SIGUSR1, "the stack of the handler");
	signals++;
	expect(current, 1, 0x4d000000 + (uint32_t)signals + 1);
}

/* movabs r11, nested; movabs r10, &chain; jmp r11: as GCC writes it, with filler after it. */
static void trampoline(unsigned char *code, const uint32_t *chain)
{
	const unsigned char *target = nested;

	case_code(code, LENGTH, *chain);
	memcpy(code, "\x49\xBB", 2);
	memcpy(code + 2, &target, 8);
	memcpy(code + 10, "\x49\xBA", 2);
	memcpy(code + 12, &chain, 8);
	memcpy(code + 20, "\x49\xFF\xE3", 3);
}

__attribute__((noinline)) static void round_of(uint32_t i)
{
	uint32_t variable = 0x4d000000 + i;
	unsigned char *code = alloca(LENGTH * (1 + i % 3));

	trampoline(code, &variable);
	current = code;
	expect(code, i, variable + i);
	case_truth(code, LENGTH);
	case_check(raise(SIGUSR1) == 0 && signals == (int)i, "the signal");
	expect(code, 2 * i, variable + 2 * i);
}

int main(void)
{
	case_check(signal(SIGUSR1, user) != SIG_ERR, "signal");
	for (uint32_t i = 1; i <= ROUNDS; i++)
		round_of(i);
	return case_end();
}
