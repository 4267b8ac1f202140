/* SPDX-License-Identifier: MIT */
/*
 * elf32.h - a 32-bit program without any library (E15): its start, its system calls, its
 * SHA-256 and its truths. To be included once, by a file that defines run().
 */
#ifndef HUSK_ELF32_H
#define HUSK_ELF32_H

typedef unsigned char u8;
typedef unsigned int u32;

#define PAGE 4096u
#define RW 3
#define RX 5

#define SYS_EXIT 1
#define SYS_WRITE 4
#define SYS_GETPID 20
#define SYS_MPROTECT 125
#define SYS_MMAP2 192

static void run(void);

static long call(long number, u32 a, u32 b, u32 c, u32 d, u32 e)
{
	long result;

	__asm__ volatile("pushl %%ebp\n\t"
			 "xorl %%ebp, %%ebp\n\t"
			 "int $0x80\n\t"
			 "popl %%ebp"
			 : "=a"(result)
			 : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory", "cc");
	return result;
}

__attribute__((noreturn)) static void leave(int status)
{
	for (;;)
		call(SYS_EXIT, (u32)status, 0, 0, 0, 0);
}

static void check(int good, const char *what)
{
	u32 length = 0;

	if (good)
		return;
	while (what[length])
		length++;
	call(SYS_WRITE, 2, (u32)what, length, 0, 0);
	call(SYS_WRITE, 2, (u32) "\n", 1, 0, 0);
	leave(99);
}

/* What compilers expect to find even without a library. */
void *memcpy(void *to, const void *from, u32 length)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
	return start;
}

void *memset(void *to, int byte, u32 length)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(length) : "a"(byte) : "memory");
	return start;
}

static u32 rotate(u32 x, int n)
{
	return x >> n | x << (32 - n);
}

/* The constants are the fractions of roots of the first primes: computed, not listed. */
static u32 fraction_of_root(u32 prime, int cube)
{
	u32 low = 0, whole = 1;

	while (cube ? (whole + 1) * (whole + 1) * (whole + 1) <= prime
		    : (whole + 1) * (whole + 1) <= prime)
		whole++;
	for (int bit = 31; bit >= 0; bit--) {
		/* (whole + tried / 2^32) to the power, in 32-bit limbs, the least first */
		u32 tried = low | 1u << bit;
		u32 factor[2] = {tried, whole}, power[6] = {tried, whole, 0, 0, 0, 0};
		int limbs = cube ? 2 : 1;

		for (int n = 0; n < limbs; n++) {
			u32 product[6] = {0};

			for (int i = 0; i < 2; i++) {
				u32 carry = 0;

				for (int j = 0; i + j < 6; j++) {
					unsigned long long sum =
						(unsigned long long)factor[i] * power[j] +
						product[i + j] + carry;

					product[i + j] = (u32)sum;
					carry = (u32)(sum >> 32);
				}
			}
			memcpy(power, product, sizeof(power));
		}
		if (power[cube ? 3 : 2] < prime)
			low = tried;
	}
	return low;
}

static void sha256(const u8 *bytes, u32 size, char hex[64])
{
	static u32 k[64], start[8];
	u32 h[8], padded = (size + 9 + 63) & ~63u;

	for (u32 prime = 2, n = 0; n < 64 && !k[63]; prime++) {
		u32 divisor = 2;

		while (divisor < prime && prime % divisor != 0)
			divisor++;
		if (divisor < prime)
			continue;
		if (n < 8)
			start[n] = fraction_of_root(prime, 0);
		k[n++] = fraction_of_root(prime, 1);
	}
	memcpy(h, start, sizeof(h));
	for (u32 at = 0; at < padded; at += 64) {
		u32 w[64], v[8];

		for (u32 i = 0; i < 64; i++) {
			u32 place = at + i, byte = 0;

			if (place < size)
				byte = bytes[place];
			else if (place == size)
				byte = 0x80;
			else if (place >= padded - 4)
				byte = size * 8 >> (8 * (padded - 1 - place)) & 255;
			w[i / 4] = w[i / 4] << 8 | byte;
		}
		for (int i = 16; i < 64; i++) {
			u32 a = w[i - 15], b = w[i - 2];

			w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
			       (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
		}
		memcpy(v, h, sizeof(v));
		for (int i = 0; i < 64; i++) {
			u32 s1 = rotate(v[4], 6) ^ rotate(v[4], 11) ^ rotate(v[4], 25);
			u32 t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i];
			u32 s0 = rotate(v[0], 2) ^ rotate(v[0], 13) ^ rotate(v[0], 22);
			u32 t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));

			for (int j = 7; j > 0; j--)
				v[j] = v[j - 1];
			v[4] += t1;
			v[0] = t1 + t2;
		}
		for (int i = 0; i < 8; i++)
			h[i] += v[i];
	}
	for (int i = 0; i < 64; i++)
		hex[i] = "0123456789abcdef"[h[i / 8] >> (28 - 4 * (i % 8)) & 15];
}

static char *decimal(char *to, u32 number)
{
	char digits[10];
	int count = 0;

	do
		digits[count++] = (char)('0' + number % 10);
	while ((number /= 10) != 0);
	while (count > 0)
		*to++ = digits[--count];
	return to;
}

static void tell(const u8 *address, u32 length)
{
	char line[160] = "code 0x", *to = line + 7;

	for (int shift = 28; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[(u32)address >> shift & 15];
	*to++ = ' ';
	to = decimal(to, length);
	*to++ = ' ';
	sha256(address, length, to);
	to += 64;
	*to++ = ' ';
	to = decimal(to, (u32)call(SYS_GETPID, 0, 0, 0, 0, 0));
	*to++ = '\n';
	call(SYS_WRITE, 1, (u32)line, (u32)(to - line), 0, 0);
}

static void code(u8 *to, u32 length, u32 result)
{
	u32 noise = result * 2654435761u + 1;

	to[0] = 0xB8;
	memcpy(to + 1, &result, 4);
	to[5] = 0xC3;
	for (u32 i = 6; i < length; i++) {
		noise = noise * 1664525u + 1013904223u;
		to[i] = (u8)(noise >> 24);
	}
}

static u8 *map(u32 length, int protection)
{
	long address = call(SYS_MMAP2, 0, length, (u32)protection, 0x22, ~0u);

	check(address >= 0 || address < -4095, "mmap2");
	return (u8 *)address;
}

__attribute__((noreturn, used)) static void begin(void)
{
	run();
	leave(0);
}

__asm__(".globl _start\n"
	"_start:\n"
	"	andl $-16, %esp\n"
	"	call begin\n");

#endif
