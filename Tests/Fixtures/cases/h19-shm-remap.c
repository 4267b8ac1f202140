/* SPDX-License-Identifier: MIT */
/* Hostile: shmat with SHM_REMAP over RWX memory, which is gone then without having been read. */
#define _GNU_SOURCE
#include <sys/ipc.h>
#include <sys/shm.h>

#include "case.h"

int main(void)
{
	int segment = shmget(IPC_PRIVATE, PAGE, IPC_CREAT | 0700);
	unsigned char *code = fixture_map(PAGE, RWX);
	void *over;

	if (segment < 0)
		case_skip("no SysV shared memory");
	case_code(code, PAGE, 0x19000101);
	case_run(code, 0x19000101);
	case_truth(code, PAGE);
	over = shmat(segment, code, SHM_REMAP);
	shmctl(segment, IPC_RMID, NULL);
	case_check(over == code, "shmat SHM_REMAP");
	return case_end();
}
