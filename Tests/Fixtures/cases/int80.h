/* SPDX-License-Identifier: MIT */
/* int80.h - system calls of the i386 kind, from a 64-bit program (E14). */
#ifndef HUSK_INT80_H
#define HUSK_INT80_H

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>

#include "case.h"

#define I386_MMAP2 192
#define I386_MPROTECT 125

static sigjmp_buf int80_back;

/* The sixth argument, an offset, is always 0. */
static long int80(long number, uintptr_t a, uintptr_t b, long c, long d, long e)
{
	long result;

	__asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"
			 "pushq %%rbp\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "int $0x80\n\t"
			 "popq %%rbp\n\t"
			 "leaq 128(%%rsp), %%rsp"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory", "cc", "r8", "r9", "r10", "r11");
	return (int32_t)result;
}

static void int80_refused(int signal)
{
	siglongjmp(int80_back, signal);
}

/* mmap2 of private anonymous memory; ends with `skip` where there is no int 0x80. */
static unsigned char *int80_map(size_t length, int protection)
{
	struct sigaction action = {.sa_handler = int80_refused}, old;
	long address;

	sigaction(SIGSEGV, &action, &old);
	if (sigsetjmp(int80_back, 1) != 0)
		case_skip("no int 0x80");
	address = int80(I386_MMAP2, 0, length, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	sigaction(SIGSEGV, &old, NULL);
	if (address == -ENOSYS)
		case_skip("no int 0x80");
	case_check(address >= 0 || address < -4095, "mmap2");
	return (unsigned char *)(uintptr_t)(uint32_t)address;
}

#endif
