/* SPDX-License-Identifier: MIT */
/*
 * R26: code is written and run in rounds, and in between the memory is made another: a second view
 * of what is RWX, another mapping in its place by a call that is seldom made, other pages of its
 * file, a view that moves or goes. Nothing but the code's own pages may come to do what it may not.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include "rounds.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
#define ROUNDS 10
#define LENGTH (PAGE - 100)

static uint32_t number = 0x5a000000;

static void rounds(unsigned char *write_view, const unsigned char *code)
{
	rounds_run(write_view, code, LENGTH, ROUNDS, &number);
}

static unsigned char *view(int file, int protection)
{
	unsigned char *made = mmap(NULL, PAGE, protection, MAP_SHARED, file, 0);

	case_check(made != MAP_FAILED, "mmap of a file");
	return made;
}

static unsigned char *second_view(unsigned char *of)
{
	unsigned char *made = mremap(of, 0, PAGE, MREMAP_MAYMOVE);

	case_check(made != MAP_FAILED, "mremap of nothing: a second view");
	return made;
}

static unsigned char *shared_code(void)
{
	unsigned char *made = mmap(NULL, PAGE, RWX, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	case_check(made != MAP_FAILED, "mmap");
	return made;
}

static int new_file(void)
{
	int file = memfd_create("r26", MFD_CLOEXEC);

	case_check(file >= 0 && ftruncate(file, 2 * PAGE) == 0, "memfd");
	return file;
}

static void second_views(void)
{
	unsigned char *first = shared_code(), *second;
	int file = new_file();

	rounds(first, first);
	second = second_view(first);
	rounds(second, second);
	rounds(first, second);
	fixture_protect(second, PAGE, RW);
	rounds(second, first);

	first = view(file, RX);
	second = view(file, RW);
	rounds(second, first);
	rounds(second_view(second), first);
}

/* The right to write, or to do both, comes after the other view, by mprotect. */
static void later_rights(void)
{
	int file = new_file();
	unsigned char *write_view = view(file, RW), *code = view(file, RW);

	fixture_protect(code, PAGE, RWX);
	rounds(write_view, code);
	rounds(code, code);

	file = new_file();
	write_view = view(file, R);
	code = view(file, RX);
	fixture_protect(write_view, PAGE, RW);
	rounds(write_view, code);
}

static void in_its_place(void)
{
	int segment = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0700);
	unsigned char *code = fixture_map(PAGE, RWX);

	rounds(code, code);
	/* A call that writes to code that has run: whoever lets it must not take the next one for it. */
	madvise(code, PAGE, MADV_POPULATE_WRITE);
	if (segment >= 0) {
		case_check(shmat(segment, code, SHM_REMAP | SHM_EXEC) == code, "shmat");
		shmctl(segment, IPC_RMID, NULL);
		rounds(code, code);
	}
}

static void other_pages(void)
{
	int file = new_file();
	unsigned char *code = mmap(NULL, 2 * PAGE, RWX, MAP_SHARED, file, 0);

	case_check(code != MAP_FAILED, "mmap");
	rounds(code, code);
	if (remap_file_pages(code, PAGE, 0, 1, 0) != 0)
		return;
	rounds(code, code);
	rounds(code + PAGE, code);
}

static void view_that_moves(void)
{
	int file = new_file();
	unsigned char *write_view = view(file, RW), *code = view(file, RX);

	rounds(write_view, code);
	write_view = mremap(write_view, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	case_check(write_view != MAP_FAILED, "mremap");
	rounds(write_view, code);
}

/* What is mapped where a view was may not be written to, and is not. */
static void view_that_goes(void)
{
	int file = new_file(), zeros = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	unsigned char *write_view = view(file, RW), *code = view(file, RX);

	rounds(write_view, code);
	case_check(munmap(write_view, PAGE) == 0, "munmap");
	case_check(mmap(write_view, PAGE, R, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
			   write_view, "mmap");
	case_check(read(zeros, write_view, 10) == -1 && errno == EFAULT, "EFAULT");
	rounds(view(file, RW), code);
}

/* Half of it is done: what may be written and run still may. */
static void failed_call(void)
{
	unsigned char *code = fixture_map(3 * PAGE, RWX);

	case_check(munmap(code + PAGE, PAGE) == 0, "munmap");
	rounds(code, code);
	rounds(code + 2 * PAGE, code + 2 * PAGE);
	case_check(mprotect(code, 3 * PAGE, RWX) == -1 && errno == ENOMEM, "ENOMEM");
	rounds(code, code);
	rounds(code + 2 * PAGE, code + 2 * PAGE);
}

int main(void)
{
	second_views();
	later_rights();
	in_its_place();
	other_pages();
	view_that_moves();
	view_that_goes();
	failed_call();
	return case_end();
}
