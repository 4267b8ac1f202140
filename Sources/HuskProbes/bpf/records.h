/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * records.h - numbering records and sending them.
 *
 * Pages may fill only 7/8 of the ring, and those of a thread that can wait for room only 3/4: so one
 * that cannot (a look before a call that takes memory away) finds some. The rest is kept for records
 * without content, so that what happened is known even when the bytes found no room.
 */
#ifndef HUSK_RECORDS_H
#define HUSK_RECORDS_H

/*
 * Never used. A type that no global names is left out of the object's BTF; these keep the
 * records in, so that a test can compare their layout with C's.
 */
struct husk_transition *transition_type;
struct husk_page *page_type;
struct husk_page_range *page_range_type;
struct husk_transition_end *transition_end_type;
struct husk_process_exit *process_exit_type;
struct husk_process_fork *process_fork_type;
struct husk_process_exec *process_exec_type;
struct husk_write *write_type;
struct husk_file *file_type;

static __always_inline void count_more(__u32 counter, __u64 more)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		*value += more; /* a statistic: a lost update does no harm */
}

static __always_inline void count(__u32 counter)
{
	count_more(counter, 1);
}

/* A record about [start, end) of the current process, with so many numbers, has found no room. */
GLOBAL int note_unsent(__u64 start, __u64 end, __u32 numbers)
{
	struct unsent first = {.start = start, .end = end}, *known;
	__u32 pid = current_pid();

	count_more(HUSK_COUNTER_UNSENT, numbers);
	known = bpf_map_lookup_elem(&unsent, &pid);
	if (!known) {
		bpf_map_update_elem(&unsent, &pid, &first, BPF_NOEXIST);
		known = bpf_map_lookup_elem(&unsent, &pid);
	}
	if (!known)
		return 0;
	/* Threads may get in each other's way here: a bound may be lost, the count is not. */
	if (start < known->start)
		known->start = start;
	if (end > known->end)
		known->end = end;
	__sync_fetch_and_add(&known->count, 1);
	return 0;
}

/* Takes the next numbers of this CPU, if none are held. Programs may preempt one another: atomic. */
static __always_inline void take_tickets(struct ticket *ticket, __u32 count)
{
	__u32 key = HUSK_COUNTER_SEQUENCE;
	__u64 *next;

	if (ticket->held)
		return;
	next = bpf_map_lookup_elem(&counters, &key);
	if (!next)
		return;
	ticket->cpu = bpf_get_smp_processor_id();
	ticket->sequence = __sync_fetch_and_add(next, count);
	ticket->held = count;
}

static __always_inline void take_ticket(struct ticket *ticket)
{
	take_tickets(ticket, 1);
}

static __always_inline __u64 transition_id(const struct ticket *ticket)
{
	/* Never 0, which says: of no transition. */
	return ((__u64)(ticket->cpu + 1) << 48) | (ticket->sequence & 0xffffffffffffULL);
}

static __always_inline void fill_header(struct husk_header *header, struct ticket *ticket,
					__u16 kind, __u32 size, __u64 transition)
{
	__u64 id = bpf_get_current_pid_tgid();

	header->size = size;
	header->kind = kind;
	header->version = HUSK_FORMAT_VERSION;
	header->sequence = ticket->sequence;
	header->time_ns = bpf_ktime_get_ns();
	header->cpu = ticket->cpu;
	header->host_pid = id >> 32;
	header->host_tid = id;
	header->pid = current_pid();
	header->tid = current_tid();
	header->numbers = ticket->held;
	header->transition = transition;
	ticket->held = 0;
}

static __always_inline __u64 consumer_word(__u32 index)
{
	__u64 *word = bpf_map_lookup_elem(&consumer, &index);

	return word ? *word : 0;
}

/*
 * Sends a record of so many bytes. Waking the consumer for each would cost more than most of them
 * do: one that more follow can wait for the last one, or for the next sixteenth of the ring to be
 * full.
 */
static __always_inline void submit(void *record, __u64 size, bool more_follow)
{
	__u64 waiting = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA), part = config.ring_size / 16;
	bool is_part_full = waiting >= part && (waiting & (part - 1)) <= size;
	bool can_wait = (more_follow || consumer_word(CONSUMER_LOOKS)) && !is_part_full;

	bpf_ringbuf_submit(record, can_wait ? BPF_RB_NO_WAKEUP : BPF_RB_FORCE_WAKEUP);
}

/* The same, of one that a thread waits for: the consumer is woken in any case. */
static __always_inline void submit_now(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_FORCE_WAKEUP);
}

static __always_inline bool ring_has_room_for(__u64 size, bool can_wait)
{
	__u64 kept = can_wait ? config.ring_size / 4 : config.ring_size / 8;

	return bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) + size < config.ring_size - kept;
}

/* Sends a run of pages without bytes. False: no room. */
static __always_inline bool send_page_range(struct ticket *ticket, __u16 kind, __u64 transition,
					    __u64 start, __u64 length, __u32 cause, __u32 error)
{
	struct husk_page_range *record;

	take_ticket(ticket);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record)
		return false;
	fill_header(&record->header, ticket, kind, sizeof(*record), transition);
	record->start = start;
	record->length = length;
	record->cause = cause;
	record->error = error;
	submit_now(record);
	return true;
}

/* A loss that belongs to no region that was seen. */
static __always_inline void send_loss(__u64 start, __u64 length, __u32 cause)
{
	struct ticket ticket = {};

	if (!send_page_range(&ticket, HUSK_RECORD_LOSS, 0, start, length, cause, 0))
		note_unsent(start, start + length, 1);
}

/* The same, as a function of its own: less of the stack is taken where it is called. */
GLOBAL int send_loss_apart(__u64 start, __u64 length, __u32 cause)
{
	send_loss(start, length, cause);
	return 0;
}

#endif /* HUSK_RECORDS_H */
