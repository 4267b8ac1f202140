// SPDX-License-Identifier: GPL-2.0-only
/*
 * naive.bpf.c - what one writes first: two tracepoints, a copy of each page into a ring buffer.
 *
 * No room in the ring: the page is lost, and counted. A page that is not resident: the helper
 * takes no fault, so it is counted as unread.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "naive.h"

#define PROT_EXEC 4

char LICENSE[] SEC("license") = "GPL";

/* Set before the load. */
const volatile __u32 target;

/* Read by naive.c when all is over. */
__u64 lost;
__u64 unread;

struct entry_arguments {
	__u64 common;
	__u64 number, start, length, protection;
};

struct exit_arguments {
	__u64 common;
	__u64 number;
	long result;
};

struct range {
	__u64 start, length, protection;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct range);
} calls SEC(".maps");

/* naive.c sets its size. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 << 20);
} records SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_mprotect")
int on_entry(struct entry_arguments *arguments)
{
	__u64 who = bpf_get_current_pid_tgid();
	__u32 thread = (__u32)who;
	struct range range = {arguments->start, arguments->length, arguments->protection};

	if (who >> 32 == target)
		bpf_map_update_elem(&calls, &thread, &range, BPF_ANY);
	return 0;
}

static long copy_page(__u64 index, void *context)
{
	struct range *range = context;
	__u64 who = bpf_get_current_pid_tgid();
	struct naive_page *page = bpf_ringbuf_reserve(&records, sizeof(*page), 0);

	if (!page) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	page->address = range->start + index * NAIVE_PAGE;
	page->tgid = who >> 32;
	page->tid = (__u32)who;
	if (bpf_probe_read_user(page->content, NAIVE_PAGE, (const void *)page->address)) {
		__sync_fetch_and_add(&unread, 1);
		bpf_ringbuf_discard(page, 0);
		return 0;
	}
	bpf_ringbuf_submit(page, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_exit_mprotect")
int on_exit(struct exit_arguments *arguments)
{
	__u64 who = bpf_get_current_pid_tgid();
	__u32 thread = (__u32)who;
	struct range *kept, range;
	__u64 pages;

	if (who >> 32 != target)
		return 0;
	kept = bpf_map_lookup_elem(&calls, &thread);
	if (!kept)
		return 0;
	range = *kept;
	bpf_map_delete_elem(&calls, &thread);
	if (arguments->result || !(range.protection & PROT_EXEC))
		return 0;
	pages = (range.length + NAIVE_PAGE - 1) / NAIVE_PAGE;
	if (pages > NAIVE_PAGES_PER_CALL) {
		__sync_fetch_and_add(&lost, pages - NAIVE_PAGES_PER_CALL);
		pages = NAIVE_PAGES_PER_CALL;
	}
	bpf_loop(pages, copy_page, &range, 0);
	return 0;
}
