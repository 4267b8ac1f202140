/* SPDX-License-Identifier: MIT */
/* Hostile: an mprotect that fails at a sealed page; what comes before it was made executable. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <unistd.h>

#include "case.h"

#define SYS_MSEAL 462 /* since Linux 6.10 */

static sigjmp_buf back;

static void caught(int signal)
{
	siglongjmp(back, signal);
}

int main(void)
{
	struct sigaction action = {.sa_handler = caught};
	unsigned char *code = fixture_map(2 * PAGE, RW);

	case_code(code, PAGE, 0x09000101);
	case_code(code + PAGE, PAGE, 0x09000102);
	if (syscall(SYS_MSEAL, code + PAGE, PAGE, 0) != 0)
		case_skip("no mseal");
	sigaction(SIGSEGV, &action, NULL);
	case_check(mprotect(code, 2 * PAGE, RX) != 0, "the sealed page");
	if (sigsetjmp(back, 1) != 0)
		case_skip("mprotect looks for seals before it changes anything");
	case_run(code, 0x09000101);
	case_truth(code, PAGE);
	return case_end();
}
