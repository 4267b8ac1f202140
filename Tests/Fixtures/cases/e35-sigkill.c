/* SPDX-License-Identifier: MIT */
/* E35: a child makes memory executable, runs it and kills itself at once. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "case.h"

int main(void)
{
	pid_t child = case_fork();
	int status;

	if (child == 0) {
		unsigned char *code = fixture_map(2 * PAGE, RW);

		case_code(code, 2 * PAGE, 0x35000001);
		case_truth(code, 2 * PAGE);
		case_tell();
		fixture_protect(code, 2 * PAGE, RX);
		case_run(code, 0x35000001);
		kill(case_pid, SIGKILL);
	}
	case_check(waitpid(child, &status, 0) == child, "waitpid");
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? 0 : 99;
}
