/* SPDX-License-Identifier: MIT */
/*
 * fixture.h - what the programs that play the target have in common.
 *
 * A fixture knows its own truth and prints it, one line for each time that bytes became
 * executable:
 *
 *     code 0xADDRESS LENGTH SHA256
 *
 * The tests compare what Husk captured with these lines, not with expectations of their own.
 */
#ifndef HUSK_FIXTURE_H
#define HUSK_FIXTURE_H

#include <stddef.h>
#include <stdint.h>

/* mov eax, 42; ret */
extern const unsigned char fixture_return_42[6];

/* SHA-256 of `size` bytes, as 64 hexadecimal digits and a zero. */
void fixture_sha256(const void *bytes, size_t size, char hex[65]);

/* Prints the truth about [address, address + length), which must be readable now. */
void fixture_tell(const void *address, size_t length);

/* Prints a truth taken earlier with fixture_sha256, for memory that cannot be read any more. */
void fixture_tell_hash(const void *address, size_t length, const char *hex);

/* mmap, private and anonymous; ends the program if it fails. */
void *fixture_map(size_t length, int protection);

/* mprotect; ends the program if it fails. */
void fixture_protect(void *address, size_t length, int protection);

/* Ends the program with status 99 and a message. */
void fixture_fail(const char *what) __attribute__((noreturn));

#endif
