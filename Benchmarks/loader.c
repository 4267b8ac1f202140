/* SPDX-License-Identifier: MIT */
/*
 * loader OBJECT PID: the smallest program that does what `husk attach` does until the probes
 * are attached: open the object, set its configuration, load, filter, attach. Prints
 * "attached" and waits for its end. The yardstick for Husk's start-up time.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "husk_events.h"

static int tracefs_open(void)
{
	int fs = (int)syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);

	syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	return (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
}

static int attach(struct bpf_program *program, int tracefs)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attributes), .sample_period = 1};
	char path[256], number[32] = {0};
	int file, event;

	snprintf(path, sizeof(path), "events/%s/id",
		 strchr(bpf_program__section_name(program), '/') + 1);
	file = openat(tracefs, path, O_RDONLY);
	if (file < 0 || read(file, number, sizeof(number) - 1) <= 0)
		return -1;
	close(file);
	attributes.config = strtoull(number, NULL, 10);
	event = (int)syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	return event >= 0 && bpf_program__attach_perf_event(program, event) ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct bpf_object *object = argc == 3 ? bpf_object__open_file(argv[1], NULL) : NULL;
	struct husk_config config = {
		.ring_size = 64 << 20,
		.stall_limit_ns = 10000000000,
		.stall_silence_ns = 500000000,
		.walk_limit_ns = 20000000000,
	};
	unsigned int pid = argc == 3 ? (unsigned int)atoi(argv[2]) : 0, one = 1;
	struct bpf_program *program;
	int tracefs;

	if (!object)
		return 64;
	bpf_map__set_initial_value(bpf_object__find_map_by_name(object, ".rodata"), &config,
				   sizeof(config));
	bpf_object__for_each_program(program, object) {
		const char *name = bpf_program__name(program);

		if (!strcmp(name, "on_mmap_exit") || !strcmp(name, "on_mprotect_exit"))
			bpf_program__set_autoload(program, false);
	}
	if (bpf_object__load(object) != 0)
		return 1;
	bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, "targets"), &pid, &one, 0);
	tracefs = tracefs_open();
	bpf_object__for_each_program(program, object)
		if (bpf_program__autoload(program) && attach(program, tracefs) != 0)
			return 1;
	puts("attached");
	fflush(stdout);
	pause();
	return 0;
}
