/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * calls.h - which system call is this, and with which arguments?
 *
 * One table for each of the three ways to make a call on x86: 64-bit, 32-bit (int 0x80 and
 * sysenter, from ELF32 programs or from 64-bit code) and x32. From here on they are the same.
 */
#ifndef HUSK_CALLS_H
#define HUSK_CALLS_H

#define TS_COMPAT 0x0002            /* arch/x86/include/asm/thread_info.h */
#define X32_SYSCALL_BIT 0x40000000L /* arch/x86/include/uapi/asm/unistd.h */
#define IPC_SHMAT 21
#define IPC_SHMDT 22
#define ARCH_MAP_VDSO_X32 0x2001 /* arch/x86/include/uapi/asm/prctl.h */
#define ARCH_MAP_VDSO_64 0x2003

static __always_inline __u32 current_abi(long number)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (task->thread_info.status & TS_COMPAT)
		return HUSK_ABI_32;
	return number & X32_SYSCALL_BIT ? HUSK_ABI_X32 : HUSK_ABI_64;
}

#define N(number) (1ULL << ((number) & 63))

/*
 * Whether a number stands for a call of interest in any of the tables below. Asked first, for
 * every call of every process: of most, this is all that happens.
 */
static __always_inline bool may_matter(long number)
{
	__u64 known;

	number &= ~X32_SYSCALL_BIT;
	switch (number >> 6) {
	case 0:
		known = N(1) | N(4) | N(9) | N(10) | N(11) | N(12) | N(16) | N(18) | N(20) | N(25) | N(26) |
			N(28) | N(30) | N(40) | N(45) | N(54) | N(59);
		break;
	case 1:
		known = N(67) | N(77) | N(90) | N(91) | N(93) | N(101) | N(117) | N(125);
		break;
	case 2:
		known = N(146) | N(158) | N(163) | N(181) | N(187);
		break;
	case 3:
		known = N(192) | N(194) | N(206) | N(216) | N(219) | N(231) | N(239) | N(245) |
			N(252);
		break;
	case 4:
		known = N(257) | N(275) | N(285) | N(296) | N(311) | N(313);
		break;
	case 5:
		known = N(322) | N(324) | N(326) | N(328) | N(329) | N(334) | N(348) | N(358) |
			N(377) | N(379) | N(380);
		break;
	case 6:
		known = N(384) | N(397) | N(398) | N(425) | N(440);
		break;
	case 8:
		known = N(514) | N(516) | N(520) | N(521) | N(535) | N(540) | N(543) | N(545) | N(547);
		break;
	default:
		return false;
	}
	return known & N(number);
}

#undef N

/* arch/x86/entry/syscalls/syscall_64.tbl */
static __always_inline __u32 call_of_64(long number)
{
	switch (number & ~X32_SYSCALL_BIT) {
	case 1: return HUSK_CALL_WRITE;
	case 9: return HUSK_CALL_MMAP;
	case 10: return HUSK_CALL_MPROTECT;
	case 11: return HUSK_CALL_MUNMAP;
	case 12: return HUSK_CALL_BRK;
	case 18: return HUSK_CALL_PWRITE64;
	case 20:
	case 516: return HUSK_CALL_WRITEV;
	case 25: return HUSK_CALL_MREMAP;
	case 28: return HUSK_CALL_MADVISE;
	case 30: return HUSK_CALL_SHMAT;
	case 40: return HUSK_CALL_SENDFILE;
	case 59:
	case 322:
	case 520:
	case 545: return HUSK_CALL_EXECVE;
	case 67: return HUSK_CALL_SHMDT;
	case 16:
	case 514: return HUSK_CALL_USERFAULTFD;
	case 158: return HUSK_CALL_ARCH_PRCTL;
	case 77: return HUSK_CALL_FTRUNCATE;
	case 101:
	case 521: return HUSK_CALL_PTRACE;
	case 206:
	case 425:
	case 543: return HUSK_CALL_ASYNCHRONOUS;
	case 216: return HUSK_CALL_REMAP_FILE_PAGES;
	case 231: return HUSK_CALL_EXIT;
	case 275: return HUSK_CALL_SPLICE;
	case 285: return HUSK_CALL_FALLOCATE;
	case 296:
	case 535: return HUSK_CALL_PWRITEV;
	case 311:
	case 540: return HUSK_CALL_PROCESS_VM_WRITEV;
	case 326: return HUSK_CALL_COPY_FILE_RANGE;
	case 328:
	case 547: return HUSK_CALL_PWRITEV2;
	case 329: return HUSK_CALL_PKEY_MPROTECT;
	case 440: return HUSK_CALL_PROCESS_MADVISE;
	default: return HUSK_CALL_NONE;
	}
}

/* arch/x86/entry/syscalls/syscall_32.tbl */
static __always_inline __u32 call_of_32(long number)
{
	switch (number) {
	case 4: return HUSK_CALL_WRITE;
	case 11:
	case 358: return HUSK_CALL_EXECVE;
	case 26: return HUSK_CALL_PTRACE;
	case 45: return HUSK_CALL_BRK;
	case 54: return HUSK_CALL_USERFAULTFD;
	case 384: return HUSK_CALL_ARCH_PRCTL;
	case 90: return HUSK_CALL_OLD_MMAP;
	case 91: return HUSK_CALL_MUNMAP;
	case 93:
	case 194: return HUSK_CALL_FTRUNCATE;
	case 117: return HUSK_CALL_IPC;
	case 125: return HUSK_CALL_MPROTECT;
	case 146: return HUSK_CALL_WRITEV;
	case 163: return HUSK_CALL_MREMAP;
	case 181: return HUSK_CALL_PWRITE64;
	case 187:
	case 239: return HUSK_CALL_SENDFILE;
	case 245:
	case 425: return HUSK_CALL_ASYNCHRONOUS;
	case 192: return HUSK_CALL_MMAP;
	case 219: return HUSK_CALL_MADVISE;
	case 252: return HUSK_CALL_EXIT;
	case 257: return HUSK_CALL_REMAP_FILE_PAGES;
	case 313: return HUSK_CALL_SPLICE;
	case 324: return HUSK_CALL_FALLOCATE;
	case 334: return HUSK_CALL_PWRITEV;
	case 348: return HUSK_CALL_PROCESS_VM_WRITEV;
	case 377: return HUSK_CALL_COPY_FILE_RANGE;
	case 379: return HUSK_CALL_PWRITEV2;
	case 380: return HUSK_CALL_PKEY_MPROTECT;
	case 397: return HUSK_CALL_SHMAT;
	case 398: return HUSK_CALL_SHMDT;
	case 440: return HUSK_CALL_PROCESS_MADVISE;
	default: return HUSK_CALL_NONE;
	}
}

static __always_inline __u32 call_of(__u32 abi, long number)
{
	return abi == HUSK_ABI_32 ? call_of_32(number) : call_of_64(number);
}

/* execve or execveat, in whichever ABI. */
static __always_inline bool is_exec_number(long number)
{
	return number == 11 || number == 358 || call_of_64(number) == HUSK_CALL_EXECVE;
}

static __always_inline bool is_write_call(__u32 call)
{
	return call >= HUSK_CALL_WRITE && call <= HUSK_CALL_ASYNCHRONOUS;
}

/* `index` is a constant. A 32-bit caller's registers are 32 bits wide. */
static __always_inline __u64 call_argument(const struct pt_regs *regs, __u32 abi, int index)
{
	__u64 value;

	if (abi != HUSK_ABI_32) {
		switch (index) {
		case 0: return regs->di;
		case 1: return regs->si;
		case 2: return regs->dx;
		case 3: return regs->r10;
		case 4: return regs->r8;
		default: return regs->r9;
		}
	}
	switch (index) {
	case 0: value = regs->bx; break;
	case 1: value = regs->cx; break;
	case 2: value = regs->dx; break;
	case 3: value = regs->si; break;
	case 4: value = regs->di; break;
	default: value = regs->bp; break;
	}
	return (__u32)value;
}

static __always_inline __u32 protection_of_shmat(__u64 flags)
{
	return HUSK_PROTECTION_READ | (flags & SHM_RDONLY ? 0 : HUSK_PROTECTION_WRITE) |
	       (flags & SHM_EXEC ? HUSK_PROTECTION_EXECUTE : 0);
}

static __always_inline void decode_shmat(struct thread *thread, __u64 address, __u64 flags)
{
	thread->call = HUSK_CALL_SHMAT;
	thread->address = address;
	thread->call_flags = flags;
	thread->requested = protection_of_shmat(flags);
	thread->says_protection = 1;
	thread->whole_region = 1;
	thread->asks_for_view = 1;
}

static __always_inline void decode_shmdt(struct thread *thread, __u64 address)
{
	thread->call = HUSK_CALL_SHMDT;
	thread->address = address;
	thread->whole_region = 1;
}

static __always_inline void decode_mmap(struct thread *thread, __u64 address, __u64 length,
					__u64 protection, __u64 flags)
{
	thread->call = HUSK_CALL_MMAP;
	thread->address = address;
	thread->length = length;
	thread->requested = protection;
	thread->says_protection = 1;
	thread->call_flags = flags;
	thread->asks_for_view = (flags & MAP_TYPE) != MAP_PRIVATE &&
				(protection & HUSK_PROTECTION_WRITE);
}

/* Fills in what the call says. False: it is none that matters after all. */
static __always_inline bool decode_call(struct thread *thread, const struct pt_regs *regs,
					__u32 abi, __u32 call)
{
	thread->call = call;
	thread->abi = abi;
	thread->address = call_argument(regs, abi, 0);
	thread->length = 0;
	thread->call_flags = 0;
	thread->new_address = 0;
	thread->new_length = 0;
	thread->requested = 0;
	thread->says_protection = 0;
	thread->whole_region = 0;
	thread->asks_for_view = 0;
	thread->is_unknown = 0;
	thread->grows_down = 0;
	switch (call) {
	case HUSK_CALL_OLD_MMAP:
		/* Its arguments are in memory, which may not be resident, or be another thing when
		 * the kernel reads it: the result tells. */
		thread->call = HUSK_CALL_MMAP;
		thread->is_unknown = 1;
		break;
	case HUSK_CALL_ARCH_PRCTL:
		thread->address = (__u32)thread->address; /* an int */
		if (thread->address < ARCH_MAP_VDSO_X32 || thread->address > ARCH_MAP_VDSO_64)
			return false;
		thread->address = call_argument(regs, abi, 1);
		thread->is_unknown = 1;
		break;
	case HUSK_CALL_MMAP:
		decode_mmap(thread, thread->address, call_argument(regs, abi, 1),
			    call_argument(regs, abi, 2), call_argument(regs, abi, 3));
		break;
	case HUSK_CALL_MPROTECT:
	case HUSK_CALL_PKEY_MPROTECT:
		thread->length = call_argument(regs, abi, 1);
		thread->requested = call_argument(regs, abi, 2);
		thread->says_protection = 1;
		thread->grows_down = !!(thread->requested & PROT_GROWSDOWN);
		break;
	case HUSK_CALL_MREMAP:
		thread->length = call_argument(regs, abi, 1);
		thread->new_length = call_argument(regs, abi, 2);
		thread->call_flags = call_argument(regs, abi, 3);
		thread->new_address = call_argument(regs, abi, 4);
		break;
	case HUSK_CALL_MADVISE:
		thread->length = call_argument(regs, abi, 1);
		thread->call_flags = (__u32)call_argument(regs, abi, 2); /* an int */
		break;
	case HUSK_CALL_PROCESS_MADVISE:
		/* Its ranges are in memory, which another thread may change. */
		thread->call = HUSK_CALL_MADVISE;
		thread->address = 0;
		thread->length = 1ULL << 47;
		thread->call_flags = (__u32)call_argument(regs, abi, 3);
		break;
	case HUSK_CALL_IPC:
		thread->new_address = call_argument(regs, abi, 3);
		if ((thread->address & 0xffff) == IPC_SHMAT)
			decode_shmat(thread, call_argument(regs, abi, 4),
				     call_argument(regs, abi, 2));
		else if ((thread->address & 0xffff) == IPC_SHMDT)
			decode_shmdt(thread, call_argument(regs, abi, 4));
		else
			return false;
		break;
	case HUSK_CALL_SHMAT:
		decode_shmat(thread, call_argument(regs, abi, 1), call_argument(regs, abi, 2));
		break;
	case HUSK_CALL_SHMDT:
		decode_shmdt(thread, thread->address);
		break;
	case HUSK_CALL_MUNMAP:
	case HUSK_CALL_REMAP_FILE_PAGES:
		thread->length = call_argument(regs, abi, 1);
		break;
	}
	return true;
}

/* Takes something away, or its W: what can change without a call is looked at before. */
static __always_inline bool discards_pages(const struct thread *thread)
{
	/* MADV_DONTNEED, MADV_FREE, MADV_REMOVE, MADV_DONTNEED_LOCKED; guard pages (Linux 6.13)
	 * have no content: what is there when they are removed is new. */
	return thread->call_flags == 4 || thread->call_flags == 8 || thread->call_flags == 9 ||
	       thread->call_flags == 24 || thread->call_flags == MADV_GUARD_INSTALL ||
	       thread->call_flags == MADV_GUARD_REMOVE;
}

#endif /* HUSK_CALLS_H */
