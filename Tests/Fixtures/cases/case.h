/* SPDX-License-Identifier: MIT */
/*
 * case.h - what the programs of the case list (E01, E02, ...) have in common.
 *
 * A case prints one line for each time that bytes became, or already were, executable and
 * were executed, in that order:
 *
 *     code 0xADDRESS LENGTH SHA256 PID
 *
 * PID is the process in whose memory it was, or "-" where the program cannot know how others
 * call it. Truths are collected in memory without a system call, and told by whole lines.
 * Exit status: 0 done, 77 after a line "skip REASON", 99 when something did not work.
 */
#ifndef HUSK_CASE_H
#define HUSK_CASE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/types.h>

#include "fixture.h"

#define PAGE ((size_t)4096)
#define R PROT_READ
#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)
#define RWX (PROT_READ | PROT_WRITE | PROT_EXEC)

/* The PID that the next truths carry: set at the start and by case_fork; 0 prints "-". */
extern pid_t case_pid;

/* Writes `mov eax, result; ret` and then filler that no other result has. Only stores. */
void case_code(void *to, size_t length, uint32_t result);

/* What a CPU needs between writing code at one address and running it at another. No call. */
static inline void case_serialise(void)
{
	uint32_t leaf = 0, other = 0;

	__asm__ volatile("cpuid" : "+a"(leaf), "+c"(other) : : "ebx", "edx", "memory");
}

/* Calls the code and ends the program if it returns something else. */
void case_run(const void *code, uint32_t result);

/* Keeps the truth about bytes that can be read now; case_truth_of: the bytes lie elsewhere. */
void case_truth(const void *address, size_t length);
void case_truth_of(const void *address, const void *bytes, size_t length);

/* The truth about the page of this program's own text that holds case_run. */
void case_truth_text(void);

/* Makes room for more truths than the 4096 that there is room for at the start. */
void case_reserve(size_t truths);

/* Tells what has been kept so far, and forgets it. */
void case_tell(void);

/* Tells, and returns 0 for main. */
int case_end(void);

/* The classic: map RW, write, mprotect RX, call, keep the truth. Returns the address. */
unsigned char *case_classic(size_t length, uint32_t result);

/* fork; the child starts with no truths and its own PID. */
pid_t case_fork(void);

/* Waits for a child; ends the program with the child's status if that is not 0. */
void case_join(pid_t child);

/* A new file for reading and writing, in the first directory that takes one. */
int case_file(char path[256]);

/* Writes this program's own ELF file into `file`. */
void case_copy_self(int file);

void case_check(int good, const char *what);
void case_skip(const char *reason) __attribute__((noreturn));

#endif
