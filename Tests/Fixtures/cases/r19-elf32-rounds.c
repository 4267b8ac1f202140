/* SPDX-License-Identifier: MIT */
/* R19: a static 32-bit program that rewrites and runs RWX code, and reads code into it (pipe). */
/* build-alone: -m32 -nostdlib -static -ffreestanding -fno-pie -fno-stack-protector */
#include "elf32.h"

#define ROUNDS 50
#define SYS_READ 3
#define SYS_PIPE 42

static u8 source[1000];

static void run(void)
{
	u8 *bytes = map(2 * PAGE, RW | RX), *across = bytes + PAGE - 500;
	u32 ends[2];

	check(call(SYS_PIPE, (u32)ends, 0, 0, 0, 0) == 0, "pipe");
	for (u32 i = 1; i <= ROUNDS; i++) {
		code(bytes, PAGE, 0x5a000000 + i);
		check(((u32(*)(void))bytes)() == 0x5a000000 + i, "wrong result");
		tell(bytes, PAGE);
		code(source, sizeof(source), 0x5b000000 + i);
		check(call(SYS_WRITE, ends[1], (u32)source, sizeof(source), 0, 0) ==
			      sizeof(source), "write");
		check(call(SYS_READ, ends[0], (u32)across, sizeof(source), 0, 0) ==
			      sizeof(source), "read");
		check(((u32(*)(void))across)() == 0x5b000000 + i, "wrong result");
		tell(across, sizeof(source));
	}
}
