/* SPDX-License-Identifier: MIT */
/* A library loaded by dlopen; the truth is the start of its function cos. */
/* build-dynamic: -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>

#include "case.h"

int main(void)
{
	void *library = dlopen("libm.so.6", RTLD_NOW);
	double (*function)(double);

	if (library == NULL)
		case_skip("no libm.so.6");
	*(void **)&function = dlsym(library, "cos");
	case_check(function != NULL && function(0.0) == 1.0, "cos");
	case_truth((void *)(uintptr_t)function, 64);
	return case_end();
}
