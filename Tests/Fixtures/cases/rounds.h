/* SPDX-License-Identifier: MIT */
/* rounds.h - code for RWX memory that is written and run again and again (R01, R02, ...). */
#ifndef HUSK_ROUNDS_H
#define HUSK_ROUNDS_H

#include <stdio.h>
#include <string.h>

#include "case.h"

/* Who traces this process, as /proc/self/status tells it; 0: no one. */
static inline int rounds_tracer(void)
{
	char line[256];
	int pid = -1;
	FILE *status = fopen("/proc/self/status", "r");

	case_check(status != NULL, "/proc/self/status");
	while (pid < 0 && fgets(line, sizeof(line), status))
		sscanf(line, "TracerPid: %d", &pid);
	fclose(status);
	return pid;
}

/* XORs the bytes with a keystream, in place: encrypts, or decrypts. Only stores. */
static inline void rounds_crypt(unsigned char *bytes, size_t length, uint64_t key)
{
	uint64_t state = 0x9E3779B97F4A7C15u * (key + 1);

	for (size_t i = 0; i < length; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		bytes[i] ^= (unsigned char)(state >> 32);
	}
}

/* Writes code through one view and runs it through another, or the same one, so many times: other
 * code each time, by `number`. */
static inline void rounds_run(unsigned char *write_view, const unsigned char *code, size_t length,
			      int times, uint32_t *number)
{
	for (int i = 0; i < times; i++) {
		case_code(write_view, length, ++*number);
		case_serialise();
		case_run(code, *number);
		case_truth_of(code, write_view, length);
	}
}

/* `mov eax, number; syscall; mov [rdi], rax; mov eax, result; ret`, and filler of its own. */
static inline void rounds_calling(unsigned char *to, size_t length, uint32_t number,
				  uint32_t result)
{
	unsigned char head[] = {0xB8, 0, 0, 0, 0, 0x0F, 0x05, 0x48,
				0x89, 0x07, 0xB8, 0, 0, 0, 0, 0xC3};

	memcpy(head + 1, &number, sizeof(number));
	memcpy(head + 11, &result, sizeof(result));
	case_code(to, length, result);
	memcpy(to, head, sizeof(head));
}

/* Runs such code, and checks what its system call returned, too. */
static inline void rounds_call(const unsigned char *code, long returned, uint32_t result)
{
	long got = -1;

	case_check(((uint32_t(*)(long *))code)(&got) == result, "what the code returned");
	case_check(got == returned, "what the system call in the code returned");
}

/* `mov eax, value; FIRST SECOND; ret`, an instruction of two bytes at ROUNDS_ACT. */
#define ROUNDS_ACT 5
static inline void rounds_acting(unsigned char *to, size_t length, uint32_t value,
				 unsigned char first, unsigned char second)
{
	unsigned char tail[] = {first, second, 0xC3};

	case_code(to, length, value);
	memcpy(to + ROUNDS_ACT, tail, sizeof(tail));
}

static inline uint32_t rounds_act(const unsigned char *code, const void *first, uintptr_t second)
{
	return ((uint32_t(*)(const void *, uintptr_t))code)(first, second);
}

#endif
