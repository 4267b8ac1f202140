/* SPDX-License-Identifier: MIT */
/*
 * R18: a program with a filter that ends it for every call but those that it needs; mprotect is
 * one of them, userfaultfd is not. It rewrites and runs code, and has calls write into it.
 */
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rounds.h"

#define ROUNDS 50
#define DENY(number)                                                                             \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),                                       \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)

int main(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		DENY(SYS_userfaultfd),
		DENY(SYS_clone),
		DENY(SYS_ptrace),
		DENY(SYS_rt_sigaction),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};
	unsigned char *code = fixture_map(PAGE, RWX);

	case_check(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "PR_SET_NO_NEW_PRIVS");
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		case_skip("no seccomp filters");
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		case_code(code, PAGE, 0x59000000 + i);
		case_run(code, 0x59000000 + i);
		case_truth(code, PAGE);
		case_check(getrandom(code + 64, 256, 0) == 256, "getrandom");
		case_run(code, 0x59000000 + i);
		case_truth(code, PAGE);
	}
	return case_end();
}
