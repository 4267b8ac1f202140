/* SPDX-License-Identifier: MIT */
/*
 * husk_privileges.h - system calls with which a thread gives up what it may do. Each is one call
 * or a few, returns 0 or -errno unless it says otherwise, and decides nothing.
 */
#ifndef HUSK_PRIVILEGES_H
#define HUSK_PRIVILEGES_H

#include <stddef.h>
#include <stdint.h>

/* capget(2): the effective set of the calling thread; 0 if it cannot be had. */
uint64_t husk_effective_capabilities(void);

/* capset(2): of what the calling thread has, `kept` remains; nothing is handed on to a program
 * that it executes as another user than root. */
int husk_keep_capabilities(uint64_t kept);

/* prctl(PR_SET_NO_NEW_PRIVS): no program that is executed from here on gets more. */
int husk_no_new_privileges(void);

/* landlock_create_ruleset(2): the version of Landlock's interface, or -errno if there is none. */
int husk_landlock_version(void);

/* A folder for the call below, which need not be readable: a descriptor or -errno. */
int husk_landlock_folder(const char *path);

/*
 * Landlock: from here on the calling thread, and those that it starts, execute nothing, make,
 * change and remove files only beneath `folders` (descriptors), and, where the kernel can tell, use
 * TCP only if `network` (version 4) and signal others only if `signals` (version 6).
 */
int husk_landlock_confine(const int *folders, size_t count, int network, int signals);

#endif /* HUSK_PRIVILEGES_H */
