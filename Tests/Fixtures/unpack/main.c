/* SPDX-License-Identifier: MIT */
/*
 * unpack FILE [rx]: a packer's stub. FILE is a static x86-64 program, each byte of it xored with
 * 0x5a. Maps the whole of it writable and executable, decrypts it there, segment by segment, and
 * jumps to its entry with a stack as execve(2) makes one. `rx`: as packers do that avoid RWX: each
 * segment is mapped writable, filled, and gets its own protection then.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { KEY = 0x5a, PAGE = 4096, STACK = 1 << 20 };

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static void decrypt(unsigned char *to, const unsigned char *from, size_t length)
{
	for (size_t i = 0; i < length; i++)
		to[i] = from[i] ^ KEY;
}

static int protection(const Elf64_Phdr *segment)
{
	return (segment->p_flags & PF_R ? PROT_READ : 0) |
	       (segment->p_flags & PF_W ? PROT_WRITE : 0) |
	       (segment->p_flags & PF_X ? PROT_EXEC : 0);
}

static uint64_t *push_vector(uint64_t *at, const Elf64_Ehdr *header, uint64_t headers)
{
	const uint64_t vector[][2] = {
		{AT_PHDR, headers},
		{AT_PHENT, sizeof(Elf64_Phdr)},
		{AT_PHNUM, header->e_phnum},
		{AT_PAGESZ, PAGE},
		{AT_ENTRY, header->e_entry},
		{AT_UID, getuid()},
		{AT_EUID, geteuid()},
		{AT_GID, getgid()},
		{AT_EGID, getegid()},
		{AT_HWCAP, getauxval(AT_HWCAP)},
		{AT_RANDOM, getauxval(AT_RANDOM)},
		{AT_NULL, 0},
	};

	memcpy(at, vector, sizeof(vector));
	return at + sizeof(vector) / sizeof(uint64_t);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: unpack FILE [rx]\n");
		return 2;
	}
	int split = argc > 2 && strcmp(argv[2], "rx") == 0;
	int file = open(argv[1], O_RDONLY);
	struct stat status;

	if (file < 0 || fstat(file, &status) != 0)
		fail(argv[1]);
	const unsigned char *sealed =
		mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, file, 0);
	if (sealed == MAP_FAILED)
		fail("mmap");
	unsigned char head[PAGE];

	decrypt(head, sealed, sizeof(head));
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)head;
	const Elf64_Phdr *segments = (const Elf64_Phdr *)(head + header->e_phoff);
	uint64_t first = UINT64_MAX, last = 0, headers = 0;

	for (int i = 0; i < header->e_phnum; i++) {
		const Elf64_Phdr *segment = &segments[i];

		if (segment->p_type != PT_LOAD)
			continue;
		if (segment->p_vaddr < first)
			first = segment->p_vaddr;
		if (segment->p_vaddr + segment->p_memsz > last)
			last = segment->p_vaddr + segment->p_memsz;
		if (segment->p_offset == 0)
			headers = segment->p_vaddr + header->e_phoff;
	}
	first &= ~(uint64_t)(PAGE - 1);
	last = (last + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	int rights = PROT_READ | PROT_WRITE | (split ? 0 : PROT_EXEC);

	if (mmap((void *)first, last - first, rights,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED)
		fail("mmap");
	for (int i = 0; i < header->e_phnum; i++) {
		const Elf64_Phdr *segment = &segments[i];

		if (segment->p_type == PT_LOAD)
			decrypt((unsigned char *)segment->p_vaddr, sealed + segment->p_offset,
				segment->p_filesz);
	}
	for (int i = 0; split && i < header->e_phnum; i++) {
		const Elf64_Phdr *segment = &segments[i];
		uint64_t start = segment->p_vaddr & ~(uint64_t)(PAGE - 1);

		if (segment->p_type == PT_LOAD &&
		    mprotect((void *)start, segment->p_vaddr + segment->p_memsz - start,
			     protection(segment)) != 0)
			fail("mprotect");
	}

	unsigned char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack == MAP_FAILED)
		fail("mmap");
	uint64_t *top = (uint64_t *)(stack + STACK - PAGE), *at = top;

	*at++ = 1;
	*at++ = (uint64_t)argv[1];
	*at++ = 0;
	*at++ = 0; /* no environment */
	push_vector(at, header, headers);
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "xor %%edx, %%edx\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "jmp *%1"
			 :
			 : "c"(top), "a"(header->e_entry)
			 : "rdx", "memory");
	__builtin_unreachable();
}
