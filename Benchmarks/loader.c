/* SPDX-License-Identifier: MIT */
/*
 * loader OBJECT PID: the smallest program that does what `husk attach` does until the probes
 * are attached: open the object, set its configuration, load, filter, attach. Prints
 * "attached" and waits for its end. The yardstick for Husk's start-up time.
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "husk_events.h"

int main(int argc, char **argv)
{
	struct bpf_object *object = argc == 3 ? bpf_object__open_file(argv[1], NULL) : NULL;
	struct husk_config config = {
		.ring_size = 64 << 20,
		.stall_limit_ns = 10000000000,
		.stall_silence_ns = 500000000,
		.walk_limit_ns = 20000000000,
		.exit_has_memory = 1,
	};
	unsigned int pid = argc == 3 ? (unsigned int)atoi(argv[2]) : 0;
	struct {
		unsigned int flags, padding;
		unsigned long long since;
	} target = {.flags = 1};
	struct bpf_program *program;

	if (!object)
		return 64;
	bpf_map__set_initial_value(bpf_object__find_map_by_name(object, ".rodata"), &config,
				   sizeof(config));
	bpf_object__for_each_program(program, object) {
		const char *name = bpf_program__name(program);
		const char *section = bpf_program__section_name(program);

		if (strncmp(section, "tp_btf/", 7) != 0 || !strcmp(name, "on_syscall_exit"))
			bpf_program__set_autoload(program, false);
	}
	if (bpf_object__load(object) != 0)
		return 1;
	bpf_map_update_elem(bpf_object__find_map_fd_by_name(object, "targets"), &pid, &target, 0);
	bpf_object__for_each_program(program, object)
		if (bpf_program__autoload(program) && !bpf_program__attach(program))
			return 1;
	puts("attached");
	fflush(stdout);
	pause();
	return 0;
}
