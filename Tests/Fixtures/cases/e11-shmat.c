/* SPDX-License-Identifier: MIT */
/* E11: a child fills a SysV segment, the parent attaches it executable. */
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include "case.h"

int main(void)
{
	int segment = shmget(IPC_PRIVATE, 2 * PAGE, IPC_CREAT | 0700);
	unsigned char *code;
	pid_t child;

	if (segment < 0)
		case_skip("no SysV shared memory");
	child = case_fork();
	if (child == 0) {
		code = shmat(segment, NULL, 0);
		case_check(code != (void *)-1, "shmat");
		case_code(code, 2 * PAGE, 0x11000001);
		_exit(0);
	}
	case_join(child);
	code = shmat(segment, NULL, SHM_RDONLY | SHM_EXEC);
	shmctl(segment, IPC_RMID, NULL);
	case_check(code != (void *)-1, "shmat SHM_EXEC");
	case_run(code, 0x11000001);
	case_truth(code, 2 * PAGE);
	return case_end();
}
