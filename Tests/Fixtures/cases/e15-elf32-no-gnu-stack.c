/* SPDX-License-Identifier: MIT */
/* E15: a 32-bit program without PT_GNU_STACK, where plain RW memory is executable. */
/* build-alone: -m32 -nostdlib -static -ffreestanding -fno-pie -fno-stack-protector */
/* build-alone: -Wl,-T,no-gnu-stack.ld */
#include "elf32.h"

static void run(void)
{
	u8 *bytes = map(PAGE, RW);

	code(bytes, PAGE, 0x15000003);
	check(((u32(*)(void))bytes)() == 0x15000003, "wrong result");
	tell(bytes, PAGE);
}
