/* SPDX-License-Identifier: MIT */
/* The kernel's own code in every process; the truth is the start of a clock function. */
#include <elf.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

#include "case.h"

static void *find(const char *image, const char *wanted)
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
			if (strcmp(names + symbols[n].st_name, wanted) == 0)
				return (void *)(image + symbols[n].st_value);
		}
	}
	return NULL;
}

int main(void)
{
	const char *image = (const char *)getauxval(AT_SYSINFO_EHDR);
	int (*function)(clockid_t, struct timespec *);
	struct timespec now;

	if (image == NULL)
		case_skip("no vdso");
	*(void **)&function = find(image, "__vdso_clock_gettime");
	if (function == NULL)
		case_skip("no __vdso_clock_gettime");
	case_check(function(CLOCK_MONOTONIC, &now) == 0, "__vdso_clock_gettime");
	case_truth((void *)(uintptr_t)function, 64);
	return case_end();
}
