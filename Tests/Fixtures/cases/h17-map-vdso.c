/* SPDX-License-Identifier: MIT */
/* Hostile: arch_prctl maps the vdso executable where the program wants it; no mmap is seen. */
#define _GNU_SOURCE
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "case.h"

#ifndef ARCH_MAP_VDSO_64
#define ARCH_MAP_VDSO_64 0x2003
#endif

#define ROOM (64 * PAGE)

struct area {
	uintptr_t start, end;
};

/* The vdso and its data; the code is the last of them. */
static int kernel_areas(struct area areas[8], uintptr_t *code)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	int count = 0;

	if (maps == NULL)
		case_skip("no /proc/self/maps");
	*code = 0;
	while (count < 8 && fgets(line, sizeof(line), maps) != NULL) {
		if (strstr(line, "[vdso]") == NULL && strstr(line, "[vvar") == NULL)
			continue;
		case_check(sscanf(line, "%lx-%lx", &areas[count].start, &areas[count].end) == 2, line);
		if (strstr(line, "[vdso]") != NULL)
			*code = areas[count].start;
		count++;
	}
	fclose(maps);
	return count;
}

/* From the start of the vdso to a function that needs none of the vdso's data. */
static size_t getcpu_offset(const char *image)
{
	const Elf64_Ehdr *elf = (const void *)image;
	const Elf64_Shdr *sections = (const void *)(image + elf->e_shoff);

	for (int i = 0; elf->e_shoff != 0 && i < elf->e_shnum; i++) {
		const Elf64_Sym *symbols = (const void *)(image + sections[i].sh_offset);
		const char *names;

		if (sections[i].sh_type != SHT_DYNSYM)
			continue;
		names = image + sections[sections[i].sh_link].sh_offset;
		for (size_t n = 0; n < sections[i].sh_size / sizeof(*symbols); n++) {
			if (strcmp(names + symbols[n].st_name, "__vdso_getcpu") == 0)
				return symbols[n].st_value;
		}
	}
	return 0;
}

int main(void)
{
	const char *image = (const char *)getauxval(AT_SYSINFO_EHDR);
	unsigned char *place = fixture_map(ROOM, PROT_NONE);
	size_t offset = image != NULL ? getcpu_offset(image) : 0;
	long (*function)(unsigned *, unsigned *, void *);
	struct area areas[8];
	uintptr_t code;
	unsigned cpu = ~0u;
	int count = kernel_areas(areas, &code);

	if (offset == 0 || code != (uintptr_t)image)
		case_skip("no __vdso_getcpu");
	munmap(place, ROOM);
	for (int i = 0; i < count; i++)
		case_check(munmap((void *)areas[i].start, areas[i].end - areas[i].start) == 0, "munmap");
	if (syscall(SYS_arch_prctl, ARCH_MAP_VDSO_64, place) < 0)
		case_skip("no ARCH_MAP_VDSO_64");
	kernel_areas(areas, &code);
	case_check(code != 0 && code != (uintptr_t)image, "a vdso elsewhere");
	function = (long (*)(unsigned *, unsigned *, void *))(code + offset);
	case_check(function(&cpu, NULL, NULL) == 0 && cpu != ~0u, "__vdso_getcpu");
	case_truth((void *)(code + offset), 16);
	return case_end();
}
