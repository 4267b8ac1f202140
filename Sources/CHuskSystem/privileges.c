/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "husk_privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int capabilities(struct __user_cap_data_struct data[2])
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return syscall(SYS_capget, &header, data) == 0 ? 0 : -errno;
}

uint64_t husk_effective_capabilities(void)
{
	struct __user_cap_data_struct data[2] = {0};

	if (capabilities(data) != 0)
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

int husk_keep_capabilities(uint64_t kept)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};
	int result = capabilities(data);

	if (result != 0)
		return result;
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(kept >> (32 * i));
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0; /* and with it the ambient set */
	}
	return syscall(SYS_capset, &header, data) == 0 ? 0 : -errno;
}

int husk_no_new_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;
}

/* ---- Landlock ----------------------------------------------------------------------------- */

/* linux/landlock.h of Linux 6.12; Debian 12's knows the first field only. */
struct ruleset {
	uint64_t files;   /* version 1 */
	uint64_t network; /* version 4 */
	uint64_t scopes;  /* version 6 */
};

#define REFER (1ULL << 13)    /* version 2 */
#define TRUNCATE (1ULL << 14) /* version 3 */
#define TCP (1ULL << 0 | 1ULL << 1)                /* bind, connect */
#define ABSTRACT_SOCKETS (1ULL << 0)
#define SIGNALS (1ULL << 1)

#define CHANGES                                                                                 \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                        \
	 LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |                        \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |                            \
	 LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |                          \
	 LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM)

int husk_landlock_version(void)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0,
			       LANDLOCK_CREATE_RULESET_VERSION);

	return version < 0 ? -errno : (int)version;
}

int husk_landlock_folder(const char *path)
{
	int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int restrict_self(int ruleset, const int *folders, size_t count, uint64_t allowed)
{
	for (size_t i = 0; i < count; i++) {
		struct landlock_path_beneath_attr beneath = {
			.allowed_access = allowed,
			.parent_fd = folders[i],
		};

		if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath,
			    0) != 0)
			return -errno;
	}
	return syscall(SYS_landlock_restrict_self, ruleset, 0) == 0 ? 0 : -errno;
}

int husk_landlock_confine(const int *folders, size_t count, int network, int signals)
{
	int version = husk_landlock_version(), ruleset, result;
	struct ruleset attributes = {0};
	uint64_t changes = CHANGES;
	size_t size = sizeof(uint64_t);

	if (version < 0)
		return version;
	if (version >= 2)
		changes |= REFER;
	if (version >= 3)
		changes |= TRUNCATE;
	attributes.files = changes | LANDLOCK_ACCESS_FS_EXECUTE;
	if (version >= 4) {
		size = 2 * sizeof(uint64_t);
		attributes.network = network ? 0 : TCP;
	}
	if (version >= 6) {
		size = sizeof(attributes);
		attributes.scopes = ABSTRACT_SOCKETS | (signals ? 0 : SIGNALS);
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, size, 0);
	if (ruleset < 0)
		return -errno;
	result = restrict_self(ruleset, folders, count, changes);
	close(ruleset);
	return result;
}
