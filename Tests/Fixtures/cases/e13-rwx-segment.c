/* SPDX-License-Identifier: MIT */
/* E13: a segment of the ELF file is RWX: code from the file, then other code, no call. */
#include "case.h"

__asm__(".section .rwx, \"awx\", @progbits\n"
	".balign 4096\n"
	".globl segment\n"
	"segment:\n"
	"	movl $0x13000001, %eax\n"
	"	ret\n"
	"	.fill 1000, 2, 0x6b73\n"
	"	.balign 4096\n"
	".text\n");

extern unsigned char segment[PAGE];

int main(void)
{
	case_run(segment, 0x13000001);
	case_truth(segment, PAGE);
	case_code(segment, 640, 0x13000002);
	case_run(segment, 0x13000002);
	case_truth(segment, 640);
	return case_end();
}
