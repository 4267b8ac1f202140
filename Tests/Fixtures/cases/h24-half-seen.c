/* SPDX-License-Identifier: MIT */
/*
 * H24: calls that say one thing and do another: a number or an advice of which the kernel takes the
 * lower half, calls that fail when they have done a part, pages that go by other ways than
 * madvise(2), a page that is code again as it was before it was written to.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "advise.h"
#include "case.h"

#define UPPER_HALF 0x100000000L
#define MANY 24

static uint32_t number = 0x24000000;

static long call(long which, long a, long b, long c, long d)
{
	register long fourth __asm__("r10") = d;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(which), "D"(a), "S"(b), "d"(c), "r"(fourth)
			 : "rcx", "r11", "memory");
	return result;
}

static unsigned char *memory(void)
{
	unsigned char *page = fixture_map(PAGE, RW);

	case_code(page, PAGE, ++number);
	return page;
}

static void run(const unsigned char *code, uint32_t result)
{
	case_serialise();
	case_run(code, result);
	case_truth(code, PAGE);
}

/* A file of one page of code. */
static int code_file(void)
{
	static unsigned char bytes[PAGE];
	char path[256];
	int file = case_file(path);

	unlink(path);
	case_code(bytes, PAGE, ++number);
	case_check(pwrite(file, bytes, PAGE, 0) == (ssize_t)PAGE, "pwrite");
	return file;
}

static unsigned char *view(int file, int protection)
{
	unsigned char *made = mmap(NULL, PAGE, protection, MAP_PRIVATE, file, 0);

	case_check(made != MAP_FAILED, "mmap of a file");
	return made;
}

static void upper_halves(void)
{
	static unsigned char bytes[PAGE];
	unsigned char *code = memory();
	int file = code_file();

	case_check(call(UPPER_HALF | SYS_mprotect, (long)code, PAGE, RX, 0) == 0, "mprotect");
	run(code, number - 1);
	code = view(file, RX);
	run(code, number);
	case_code(bytes, PAGE, ++number);
	case_check(call(UPPER_HALF | SYS_pwrite64, file, (long)bytes, PAGE, 0) == (long)PAGE,
		   "pwrite");
	run(code, number);
}

/* More regions than are noted before a call, and the last one is not there. */
static void half_protected(void)
{
	unsigned char *all = fixture_map((MANY + 1) * PAGE, PROT_NONE);
	uint32_t first = number + 1;

	for (size_t i = 0; i < MANY; i++) {
		fixture_protect(all + i * PAGE, PAGE, RW);
		case_code(all + i * PAGE, PAGE, ++number);
		if (i % 2) /* or they would be one */
			case_check(madvise(all + i * PAGE, PAGE, MADV_DONTDUMP) == 0, "madvise");
	}
	case_check(munmap(all + MANY * PAGE, PAGE) == 0, "munmap");
	case_check(mprotect(all, (MANY + 1) * PAGE, RX) == -1 && errno == ENOMEM, "ENOMEM");
	for (size_t i = 0; i < MANY; i++)
		run(all + i * PAGE, first + i);
}

enum way { BY_ADVICE_OF_64_BITS, OVER_A_HOLE, BY_PROCESS_MADVISE, BY_GUARD_PAGES };

/* A page that was written to shows its file's bytes again. */
static void discarded(enum way way)
{
	int file = code_file();
	uint32_t of_file = number;
	unsigned char *area = fixture_map(2 * PAGE, PROT_NONE);
	unsigned char *code = mmap(area, PAGE, RW, MAP_PRIVATE | MAP_FIXED, file, 0);

	case_check(code == area && munmap(area + PAGE, PAGE) == 0, "mmap");
	case_code(code, PAGE, ++number);
	fixture_protect(code, PAGE, RX);
	run(code, number);
	switch (way) {
	case BY_ADVICE_OF_64_BITS:
		case_check(call(SYS_madvise, (long)code, PAGE, UPPER_HALF | MADV_DONTNEED, 0) == 0,
			   "madvise");
		break;
	case OVER_A_HOLE:
		case_check(madvise(code, 2 * PAGE, MADV_DONTNEED) == -1 && errno == ENOMEM, "ENOMEM");
		break;
	case BY_PROCESS_MADVISE:
		if (advise_oneself(code, PAGE, MADV_DONTNEED) != (long)PAGE)
			return;
		break;
	case BY_GUARD_PAGES:
		if (madvise(code, PAGE, 102) != 0)
			return; /* MADV_GUARD_INSTALL, of file mappings from Linux 6.15 on */
		case_check(madvise(code, PAGE, 103) == 0, "MADV_GUARD_REMOVE");
		break;
	}
	run(code, of_file);
}

/* All is written, and then the offset cannot be stored. */
static void written_and_failed(void)
{
	int to = code_file(), from = code_file();
	uint32_t second = number;
	unsigned char *code = view(to, RX);
	loff_t *offset = (loff_t *)fixture_map(PAGE, RW);

	run(code, second - 1);
	*offset = 0;
	fixture_protect(offset, PAGE, R);
	if (syscall(SYS_copy_file_range, from, NULL, to, offset, PAGE, 0) == -1 && errno == EFAULT &&
	    lseek(from, 0, SEEK_SET) == 0 && memcmp(code + 1, &second, sizeof(second)) == 0)
		run(code, second);
}

static void as_it_was(void)
{
	static unsigned char other[PAGE];
	unsigned char *code = memory();
	uint32_t first = number;
	int self = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 2; i++) {
		fixture_protect(code, PAGE, RX);
		run(code, first);
		fixture_protect(code, PAGE, RW);
	}
	fixture_protect(code, PAGE, RX);
	case_code(other, PAGE, ++number);
	case_check(pwrite(self, other, PAGE, (off_t)code) == (ssize_t)PAGE, "/proc/self/mem");
	run(code, number);
	fixture_protect(code, PAGE, RW);
	case_code(code, PAGE, first);
	fixture_protect(code, PAGE, RX);
	run(code, first);
}

int main(void)
{
	upper_halves();
	half_protected();
	for (enum way way = BY_ADVICE_OF_64_BITS; way <= BY_GUARD_PAGES; way++)
		discarded(way);
	written_and_failed();
	as_it_was();
	return case_end();
}
