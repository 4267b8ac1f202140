/* SPDX-License-Identifier: MIT */
/* A file of an overlay file system (as in containers) is written to as another file than the one
 * that its mapping knows: writes to the code were not seen. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "case.h"

int main(void)
{
	static unsigned char content[PAGE];
	char folder[] = "/tmp/husk-overlay-XXXXXX";
	unsigned char *code;
	int file;

	/* A mount namespace of its own: everything is gone when it ends, but for one folder. */
	if (!mkdtemp(folder) || unshare(CLONE_NEWNS) != 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", folder, "tmpfs", 0, NULL) != 0) {
		rmdir(folder);
		case_skip("no mount namespace");
	}
	case_check(chdir(folder) == 0 && mkdir("lower", 0700) == 0 && mkdir("upper", 0700) == 0 &&
			   mkdir("work", 0700) == 0 && mkdir("merged", 0700) == 0,
		   "folders");
	if (mount("overlay", "merged", "overlay", 0,
		  "lowerdir=lower,upperdir=upper,workdir=work") != 0)
		case_skip("no overlay file system");
	file = open("merged/code", O_RDWR | O_CREAT, 0700);
	case_code(content, PAGE, 0x17000001);
	case_check(file >= 0 && write(file, content, PAGE) == (ssize_t)PAGE, "write");
	code = mmap(NULL, PAGE, RX, MAP_PRIVATE, file, 0);
	case_check(code != MAP_FAILED, "mmap");
	case_run(code, 0x17000001);
	case_truth(code, PAGE);
	for (uint32_t i = 2; i <= 3; i++) {
		case_code(content, PAGE, 0x17000000 + i);
		case_check(pwrite(file, content, PAGE, 0) == (ssize_t)PAGE, "pwrite");
		case_run(code, 0x17000000 + i);
		case_truth(code, PAGE);
	}
	case_check(chdir("/") == 0 && umount2(folder, MNT_DETACH) == 0, "umount");
	rmdir(folder);
	return case_end();
}
