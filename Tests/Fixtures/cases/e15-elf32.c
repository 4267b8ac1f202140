/* SPDX-License-Identifier: MIT */
/* E15: a static 32-bit program; the classic, and RWX memory written after it was mapped. */
/* build-alone: -m32 -nostdlib -static -ffreestanding -fno-pie -fno-stack-protector */
#include "elf32.h"

static void run(void)
{
	u8 *bytes = map(2 * PAGE, RW);

	code(bytes, PAGE + 99, 0x15000001);
	check(call(SYS_MPROTECT, (u32)bytes, 2 * PAGE, RX, 0, 0) == 0, "mprotect");
	check(((u32(*)(void))bytes)() == 0x15000001, "wrong result");
	tell(bytes, PAGE + 99);

	bytes = map(PAGE, RW | RX);
	code(bytes, PAGE, 0x15000002);
	check(((u32(*)(void))bytes)() == 0x15000002, "wrong result");
	tell(bytes, PAGE);
}
