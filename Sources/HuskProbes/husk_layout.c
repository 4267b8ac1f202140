/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "husk_layout.h"
#include "husk_events.h"

#define FIELD(type, name) \
	{#type, #name, offsetof(struct type, name), sizeof(((struct type *)0)->name)}

static const struct husk_field fields[] = {
	FIELD(husk_header, size),
	FIELD(husk_header, kind),
	FIELD(husk_header, version),
	FIELD(husk_header, sequence),
	FIELD(husk_header, time_ns),
	FIELD(husk_header, cpu),
	FIELD(husk_header, host_pid),
	FIELD(husk_header, host_tid),
	FIELD(husk_header, pid),
	FIELD(husk_header, tid),
	FIELD(husk_header, numbers),
	FIELD(husk_header, transition),

	FIELD(husk_transition, header),
	FIELD(husk_transition, start),
	FIELD(husk_transition, length),
	FIELD(husk_transition, call_address),
	FIELD(husk_transition, call_length),
	FIELD(husk_transition, call_flags),
	FIELD(husk_transition, result),
	FIELD(husk_transition, instruction_pointer),
	FIELD(husk_transition, stack_pointer),
	FIELD(husk_transition, call),
	FIELD(husk_transition, flags),
	FIELD(husk_transition, requested),
	FIELD(husk_transition, previous),
	FIELD(husk_transition, effective),
	FIELD(husk_transition, backing),
	FIELD(husk_transition, file_offset),
	FIELD(husk_transition, abi),
	FIELD(husk_transition, stack_words),
	FIELD(husk_transition, trigger),
	FIELD(husk_transition, call_number),
	FIELD(husk_transition, comm),
	FIELD(husk_transition, file),
	FIELD(husk_transition, stack),

	FIELD(husk_file, inode),
	FIELD(husk_file, device_major),
	FIELD(husk_file, device_minor),
	FIELD(husk_file, link_count),
	FIELD(husk_file, path_size),
	FIELD(husk_file, path),

	FIELD(husk_page, header),
	FIELD(husk_page, address),
	FIELD(husk_page, content_size),
	FIELD(husk_page, reader),
	FIELD(husk_page, content),

	FIELD(husk_page_range, header),
	FIELD(husk_page_range, start),
	FIELD(husk_page_range, length),
	FIELD(husk_page_range, cause),
	FIELD(husk_page_range, error),

	FIELD(husk_transition_end, header),
	FIELD(husk_transition_end, captured),
	FIELD(husk_transition_end, untouched),
	FIELD(husk_transition_end, unchanged),
	FIELD(husk_transition_end, unreadable),
	FIELD(husk_transition_end, lost),
	FIELD(husk_transition_end, stalled_ns),

	FIELD(husk_process_exit, header),
	FIELD(husk_process_exit, status),
	FIELD(husk_process_exit, reserved),

	FIELD(husk_process_fork, header),
	FIELD(husk_process_fork, shares_memory),
	FIELD(husk_process_fork, reserved),
	FIELD(husk_process_fork, child_pid),
	FIELD(husk_process_fork, child_host_pid),
	FIELD(husk_process_fork, comm),

	FIELD(husk_process_exec, header),
	FIELD(husk_process_exec, backing),
	FIELD(husk_process_exec, reserved),
	FIELD(husk_process_exec, comm),
	FIELD(husk_process_exec, file_name),
	FIELD(husk_process_exec, file),

	FIELD(husk_write, header),
	FIELD(husk_write, start),
	FIELD(husk_write, length),
	FIELD(husk_write, call),
	FIELD(husk_write, target_pid),
	FIELD(husk_write, inode),
	FIELD(husk_write, device_major),
	FIELD(husk_write, device_minor),
	FIELD(husk_write, is_held),
	FIELD(husk_write, reserved),
	FIELD(husk_write, comm),

	FIELD(husk_config, pid_namespace),
	FIELD(husk_config, hidden_pages),
	FIELD(husk_config, exit_has_memory),
	FIELD(husk_config, reference_files),
	FIELD(husk_config, looks_at_callers),
	FIELD(husk_config, ring_size),
	FIELD(husk_config, stall_limit_ns),
	FIELD(husk_config, stall_silence_ns),
	FIELD(husk_config, walk_limit_ns),
	FIELD(husk_config, enforcer),
	FIELD(husk_config, watches_calls_later),
	FIELD(husk_config, page_table_levels),
	FIELD(husk_config, physical_bits),
	FIELD(husk_config, never_stalls),
	FIELD(husk_config, enforcer_mark),
	{NULL, NULL, 0, 0},
};

const struct husk_field *husk_fields(void)
{
	return fields;
}
