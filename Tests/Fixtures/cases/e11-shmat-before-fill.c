/* SPDX-License-Identifier: MIT */
/* E11: the parent attaches an empty segment executable, and only then a child fills it. */
#include <sys/ipc.h>
#include <sys/shm.h>
#include <unistd.h>

#include "case.h"

int main(void)
{
	int segment = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0700);
	unsigned char *code;
	pid_t child;

	if (segment < 0)
		case_skip("no SysV shared memory");
	code = shmat(segment, NULL, SHM_RDONLY | SHM_EXEC);
	shmctl(segment, IPC_RMID, NULL);
	case_check(code != (void *)-1, "shmat SHM_EXEC");
	child = case_fork();
	if (child == 0) {
		unsigned char *view = shmat(segment, NULL, 0);

		case_check(view != (void *)-1, "shmat");
		case_code(view, 900, 0x11000002);
		_exit(0);
	}
	case_join(child);
	case_run(code, 0x11000002);
	case_truth(code, 900);
	return case_end();
}
