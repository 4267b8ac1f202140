/* SPDX-License-Identifier: MIT */
/*
 * The two layers of R12 in the clear, and the program that prints packed.h, where they are
 * encrypted: see Tools/pack-fixture. It is no case itself; R12 has nothing of this file but
 * what packed.h has. Neither layer depends on where it is.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "packer.h"

#define LAYER1_KEY 0x4c61796572203121u
#define LAYER2_KEY "0x4c61796572203221"
#define LAYER2_REGION "0x3000"

/*
 * Layer 2: uint32_t (uint32_t seed, int file). Nearly three pages, all of which are run: what
 * it returns depends on each instruction and on each byte.
 */
__asm__(".section pack2, \"ax\", @progbits\n"
	"layer2:\n"
	"	.set	noise, 0x12b0a1c5\n"
	"mix_a:	.rept	400\n"
	"	.set	noise, (noise * 1103515245 + 12345) & 0x7fffffff\n"
	"	imull	$(noise | 1), %eax, %eax\n"
	"	xorl	$(noise | 0x40000000), %eax\n"
	"	roll	$5, %eax\n"
	"	.endr\n"
	"	ret\n"
	"text:	.ascii	\"unpacked twice, and running\\n\"\n"
	"text_end:\n"
	"layer2_entry:\n"
	"	pushq	%rbx\n"
	"	movl	%esi, %r8d\n"
	"	movl	%edi, %eax\n"
	"	call	mix_a\n"
	"	call	mix_b\n"
	"	movl	%eax, %ebx\n"
	"	leaq	layer2(%rip), %rsi\n"
	"	leaq	layer2_end(%rip), %rdx\n"
	"1:	movzbl	(%rsi), %ecx\n"
	"	xorl	%ecx, %ebx\n"
	"	imull	$0x01000193, %ebx, %ebx\n"
	"	incq	%rsi\n"
	"	cmpq	%rdx, %rsi\n"
	"	jb	1b\n"
	"	movl	$1, %eax\n" /* write */
	"	movl	%r8d, %edi\n"
	"	leaq	text(%rip), %rsi\n"
	"	movl	$(text_end - text), %edx\n"
	"	syscall\n"
	"	addl	%ebx, %eax\n"
	"	popq	%rbx\n"
	"	ret\n"
	"mix_b:	.rept	400\n"
	"	.set	noise, (noise * 1103515245 + 12345) & 0x7fffffff\n"
	"	imull	$(noise | 1), %eax, %eax\n"
	"	xorl	$(noise | 0x40000000), %eax\n"
	"	roll	$11, %eax\n"
	"	.endr\n"
	"	ret\n"
	"layer2_end:\n"
	".text\n");

/* Layer 1: uint32_t (struct packer_order *). Maps, decrypts, and jumps into the second. */
__asm__(".section pack1, \"ax\", @progbits\n"
	"layer1:\n"
	"next:	movq	%rax, %rcx\n"
	"	shlq	$13, %rcx\n"
	"	xorq	%rcx, %rax\n"
	"	movq	%rax, %rcx\n"
	"	shrq	$7, %rcx\n"
	"	xorq	%rcx, %rax\n"
	"	movq	%rax, %rcx\n"
	"	shlq	$17, %rcx\n"
	"	xorq	%rcx, %rax\n"
	"	ret\n"
	"layer1_entry:\n"
	"	pushq	%rbx\n"
	"	movq	%rdi, %rbx\n"
	"	movl	$9, %eax\n" /* mmap: RWX, private and anonymous */
	"	xorl	%edi, %edi\n"
	"	movl	$" LAYER2_REGION ", %esi\n"
	"	movl	$7, %edx\n"
	"	movl	$0x22, %r10d\n"
	"	movq	$-1, %r8\n"
	"	xorl	%r9d, %r9d\n"
	"	syscall\n"
	"	cmpq	$-4096, %rax\n"
	"	ja	2f\n"
	"	movq	%rax, 8(%rbx)\n"
	"	movq	%rax, %r8\n"
	"	movq	(%rbx), %rsi\n"
	"	movabsq	$" LAYER2_KEY ", %rax\n"
	"	xorl	%edx, %edx\n"
	"1:	call	next\n"
	"	movq	(%rsi, %rdx, 8), %rcx\n"
	"	xorq	%rax, %rcx\n"
	"	movq	%rcx, (%r8, %rdx, 8)\n"
	"	incl	%edx\n"
	"	cmpl	$((layer2_end - layer2 + 7) / 8), %edx\n"
	"	jb	1b\n"
	"	leaq	(layer2_entry - layer2)(%r8), %rax\n"
	"	movl	16(%rbx), %edi\n"
	"	movl	20(%rbx), %esi\n"
	"	popq	%rbx\n"
	"	jmp	*%rax\n"
	"2:	xorl	%eax, %eax\n"
	"	popq	%rbx\n"
	"	ret\n"
	"layer1_end:\n"
	".text\n");

extern const unsigned char layer1[], layer1_entry[], layer1_end[];
extern const unsigned char layer2[], layer2_entry[], layer2_end[];

static void seal(int number, const unsigned char *code, const unsigned char *entry,
		 const unsigned char *end, uint64_t key)
{
	size_t length = (size_t)(end - code);
	char hash[65];

	fixture_sha256(code, length, hash);
	printf("\n#define LAYER%d_LENGTH %zu\n", number, length);
	printf("#define LAYER%d_ENTRY %td\n", number, entry - code);
	printf("#define LAYER%d_SHA256 \"%s\"\n", number, hash);
	printf("static const uint64_t layer%d_sealed[] = {", number);
	for (size_t at = 0; at < length; at += 8) {
		uint64_t word = 0;

		memcpy(&word, code + at, length - at < 8 ? length - at : 8);
		key = packer_next(key);
		printf("%s0x%016" PRIx64 ",", at % 32 ? " " : "\n\t", word ^ key);
	}
	printf("\n};\n");
}

int main(void)
{
	int nowhere = open("/dev/null", O_WRONLY);
	uint32_t result = ((uint32_t(*)(uint32_t, int))layer2_entry)(PACKER_SEED, nowhere);

	printf("/* SPDX-License-Identifier: MIT */\n"
	       "/* packed.h - the layers of R12, encrypted: printed by Tools/pack-fixture. */\n"
	       "#ifndef HUSK_PACKED_H\n"
	       "#define HUSK_PACKED_H\n\n"
	       "#include <stdint.h>\n\n"
	       "#define LAYER1_KEY 0x%" PRIx64 "u\n"
	       "#define LAYER2_REGION " LAYER2_REGION "\n"
	       "#define LAYER2_RESULT 0x%08" PRIx32 "u\n",
	       (uint64_t)LAYER1_KEY, result);
	seal(1, layer1, layer1_entry, layer1_end, LAYER1_KEY);
	seal(2, layer2, layer2_entry, layer2_end, strtoull(LAYER2_KEY, NULL, 0));
	printf("\n#endif\n");
	return 0;
}
