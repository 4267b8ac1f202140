/* SPDX-License-Identifier: MIT */
/* Hostile: every call with sizes near 2^64 and odd addresses; then the classic, unharmed. */
#define _GNU_SOURCE
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"

/* All beyond any user's memory: nothing that exists may be hit. */
static const unsigned long sizes[] = {
	~0UL, ~0UL - 1, ~0UL - 4094, ~0UL - 4095, ~0UL - 8191, (1UL << 63) + 1,
	1UL << 63, (1UL << 63) - 1, 1UL << 62, (1UL << 57) + 1, 1UL << 57,
};

static void attempt(unsigned long address, unsigned long size)
{
	const long anonymous = MAP_PRIVATE | MAP_ANONYMOUS;

	syscall(SYS_mprotect, address, size, PROT_EXEC);
	syscall(SYS_mprotect, address, size, ~0UL);
	syscall(SYS_mprotect, address, size, RX | PROT_GROWSDOWN | PROT_GROWSUP);
	syscall(SYS_pkey_mprotect, address, size, PROT_EXEC, -1L);
	syscall(SYS_pkey_mprotect, address, size, RX, 16L);
	syscall(SYS_mmap, address, size, RX, anonymous, -1L, 0L);
	syscall(SYS_mmap, address, size, RX, anonymous | MAP_FIXED, -1L, 0L);
	syscall(SYS_mmap, address, size, RX, MAP_SHARED, -1L, ~0xfffUL);
	syscall(SYS_mremap, address, PAGE, size, (long)MREMAP_MAYMOVE, 0L);
	syscall(SYS_mremap, address, size, size, (long)(MREMAP_MAYMOVE | MREMAP_FIXED), ~0xfffUL);
	syscall(SYS_madvise, address, size, (long)MADV_NORMAL);
	syscall(SYS_munmap, address, size);
	syscall(SYS_remap_file_pages, address, size, 0L, ~0UL, 0L);
}

int main(void)
{
	unsigned char *room = fixture_map(3 * PAGE, RW), *code = room + PAGE;
	const int segment = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0700);
	const unsigned long addresses[] = {
		(unsigned long)code, (unsigned long)code + 1, 0, 1, PAGE, ~0UL, ~0xfffUL,
		0x7ffffffff000UL, 0x7ffffffff001UL, 0x800000000000UL, 0xffff800000000000UL,
		0xffffffffff600000UL,
	};

	/* Nothing beside the page, so that a range that begins at it ends with it. */
	munmap(room, PAGE);
	munmap(code + PAGE, PAGE);
	for (size_t a = 0; a < sizeof(addresses) / sizeof(addresses[0]); a++) {
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++)
			attempt(addresses[a], sizes[s]);
		if (segment >= 0 && addresses[a] % PAGE != 0)
			syscall(SYS_shmat, segment, addresses[a], (long)SHM_EXEC);
	}
	if (segment >= 0) {
		syscall(SYS_shmat, segment, ~0xfffUL, (long)(SHM_EXEC | SHM_RDONLY));
		syscall(SYS_shmat, ~0UL, 0L, (long)SHM_EXEC);
		shmctl(segment, IPC_RMID, NULL);
	}
	syscall(SYS_shmget, (long)IPC_PRIVATE, ~0UL, (long)(IPC_CREAT | 0700));

	fixture_protect(code, PAGE, RW);
	case_code(code, PAGE, 0x04000101);
	fixture_protect(code, PAGE, RX);
	case_run(code, 0x04000101);
	case_truth(code, PAGE);
	return case_end();
}
