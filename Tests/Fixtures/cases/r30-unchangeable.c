/* SPDX-License-Identifier: MIT */
/*
 * R30: code is written and run in rounds, and in between a process makes it hard to change the
 * memory's protection: the vdso goes, with the call instruction in it; the memory is sealed; a
 * filter refuses mprotect(2); SIGTRAP is blocked. Or the pages go by process_madvise(2).
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "advise.h"
#include "rounds.h"

#define ROUNDS 10
#define LENGTH ((size_t)64) /* where each store is stepped, that takes long enough */
#define MSEAL 462

static uint32_t number = 0x5e000000;
static unsigned char *code;

static void rounds(void)
{
	rounds_run(code, code, LENGTH, ROUNDS, &number);
}

static void unmap_vdso(void)
{
	void *vdso = (void *)getauxval(AT_SYSINFO_EHDR);
	size_t pages = 1;

	/* It goes as a whole or not at all. */
	while (vdso && munmap(vdso, pages * PAGE) != 0)
		case_check(++pages < 8, "munmap of the vdso");
}

static void seal(void)
{
	case_check(syscall(MSEAL, code, PAGE, 0) == 0 || errno == ENOSYS, "mseal");
}

static void refuse(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};

	case_check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
	case_check(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0, "PR_SET_SECCOMP");
}

static void discard(void)
{
	advise_oneself(code, PAGE, MADV_DONTNEED);
}

static void handler(int signal)
{
	(void)signal;
}

static void block(void)
{
	sigset_t all;

	sigfillset(&all);
	case_check(signal(SIGTRAP, handler) != SIG_ERR, "signal");
	case_check(sigprocmask(SIG_SETMASK, &all, NULL) == 0, "sigprocmask");
}

static void check_blocked(void)
{
	struct sigaction action;
	sigset_t blocked;

	case_check(sigaction(SIGTRAP, NULL, &action) == 0 && action.sa_handler == handler,
		   "the handler");
	case_check(sigprocmask(SIG_SETMASK, NULL, &blocked) == 0 &&
			   sigismember(&blocked, SIGTRAP) == 1, "the mask");
}

static void in_a_child(void (*act)(void), void (*check)(void))
{
	pid_t child = case_fork();

	if (child == 0) {
		code = fixture_map(PAGE, RWX);
		rounds();
		act();
		rounds();
		if (check)
			check();
		_exit(case_end());
	}
	case_join(child);
	number += 2 * ROUNDS;
}

int main(void)
{
	in_a_child(unmap_vdso, NULL);
	in_a_child(seal, NULL);
	in_a_child(refuse, NULL);
	in_a_child(discard, NULL);
	in_a_child(block, check_blocked);
	return case_end();
}
