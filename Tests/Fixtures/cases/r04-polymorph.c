/* SPDX-License-Identifier: MIT */
/*
 * R04: an engine that rewrites the RWX page that it runs on: the operand of the very next
 * instruction, the opcode of a later one, and an operand further ahead; fifty rounds in one
 * call. The truths are what the page holds at its start and after each of those stores.
 */
#include "rounds.h"

#define ROUNDS 50
#define SEED 0x44000001u

/* edi: rounds, esi: seed. r8: opcodes of sub, xor, or and add, the lowest one next. */
__asm__(".section .rodata\n"
	"engine:\n"
	"	xorl	%edx, %edx\n"
	"	movl	$0x01093129, %r8d\n"
	"again:	imull	$0x19660d, %esi, %esi\n"
	"	addl	$0x3c6ef35f, %esi\n"
	"	movl	%esi, near + 1(%rip)\n"
	"near:	movl	$0, %eax\n"
	"	movb	%r8b, opcode(%rip)\n"
	"	rorl	$8, %r8d\n"
	"	notl	%esi\n"
	"opcode: addl	%edx, %eax\n"
	"	movl	%esi, far + 1(%rip)\n"
	"	leal	(%rax, %rax, 2), %eax\n"
	"	roll	$7, %eax\n"
	"	jmp	1f\n"
	"	.fill	200, 1, 0x90\n"
	"1:\n"
	"far:	addl	$0x11223344, %eax\n"
	"	movl	%eax, %edx\n"
	"	decl	%edi\n"
	"	jnz	again\n"
	"	ret\n"
	"engine_end:\n"
	".text\n");

extern const unsigned char engine[], near[], opcode[], far[], engine_end[];

static unsigned char shadow[PAGE];

static void store(const unsigned char *page, const unsigned char *at, const void *bytes,
		  size_t length)
{
	memcpy(shadow + (at - engine), bytes, length);
	case_truth_of(page, shadow, PAGE);
}

/* What the engine does, told in C; `page` is where it does so. */
static uint32_t expect(const unsigned char *page)
{
	static const unsigned char opcodes[] = {0x29, 0x31, 0x09, 0x01};
	uint32_t seed = SEED, sum = 0;

	for (uint32_t i = 0; i < ROUNDS; i++) {
		uint32_t value;

		seed = seed * 0x19660d + 0x3c6ef35f;
		store(page, near + 1, &seed, sizeof(seed));
		value = seed;
		store(page, opcode, &opcodes[i % 4], 1);
		seed = ~seed;
		value = i % 4 == 0   ? value - sum
			: i % 4 == 1 ? (value ^ sum)
			: i % 4 == 2 ? (value | sum)
				     : value + sum;
		store(page, far + 1, &seed, sizeof(seed));
		value *= 3;
		value = value << 7 | value >> 25;
		sum = value + seed;
	}
	return sum;
}

int main(void)
{
	unsigned char *page = fixture_map(PAGE, RWX);
	uint32_t expected, got;

	case_code(shadow, PAGE, SEED);
	memcpy(shadow, engine, (size_t)(engine_end - engine));
	memcpy(page, shadow, PAGE);
	case_truth_of(page, shadow, PAGE);
	expected = expect(page);
	got = ((uint32_t(*)(uint32_t, uint32_t))page)(ROUNDS, SEED);
	case_check(got == expected, "what the engine returned");
	case_check(memcmp(page, shadow, PAGE) == 0, "what the engine left behind");
	return case_end();
}
