/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stopping.h - the back-pressure of kernels on which a thread cannot wait in a callback.
 *
 * A walk at a system call's exit finds no room in the ring: then its pages are left to user space,
 * and the process is stopped (SIGSTOP) before it goes on in user mode. User space reads them from
 * outside, as fast as it can, and lets the process go on (SIGCONT) when the ring's consumer has
 * passed all that was sent before the stop. Who dies meanwhile is Husk: a helper of its own, which
 * has nothing but this map, lets all go then (Sources/CHuskSystem/guardian.c).
 */
#ifndef HUSK_STOPPING_H
#define HUSK_STOPPING_H

/* The consumer's last sign of life that was seen here, and when. */
__u64 stop_life = 0, stop_life_ns = 0;

/* Can what finds no room be left to user space? It must be alive for that. */
static __always_inline bool can_stop(struct thread *thread)
{
	__u64 now, life;

	if (config.back_pressure != HUSK_PRESSURE_STOPS || !thread->may_stop ||
	    current_is_dying())
		return false;
	now = bpf_ktime_get_ns();
	life = sign_of_life();
	if (life != stop_life) {
		stop_life = life;
		stop_life_ns = now;
	}
	return now - stop_life_ns < config.stall_silence_ns;
}

/* The walk is over. First the signal, then the note: who reads the note lets the process go. */
static __always_inline void stop_if_wanted(struct thread *thread)
{
	struct stop stop = {};
	struct stop_key key = {}, none = {};
	__u32 index = CONSUMER_STOPS;
	__u64 *stops;
	void *wake;

	if (!thread->wants_to_stop)
		return;
	thread->wants_to_stop = 0;
	stops = bpf_map_lookup_elem(&consumer, &index);
	key.pid = current_pid();
	stop.time_ns = bpf_ktime_get_ns();
	stop.position = bpf_ringbuf_query(&ring, BPF_RB_PROD_POS);
	if (!stops || bpf_send_signal_thread(SIGSTOP)) {
		leave_copying(thread, none);
		return;
	}
	key.number = __sync_fetch_and_add(stops, 1);
	if (bpf_map_update_elem(&stopped, &key, &stop, BPF_ANY)) {
		bpf_send_signal_thread(SIGCONT); /* no one would let it go */
		leave_copying(thread, none);
		return;
	}
	leave_copying(thread, key);
	/* All may have been read before this was noted: the consumer is to look once more. */
	wake = bpf_ringbuf_reserve(&ring, 8, 0);
	if (wake)
		bpf_ringbuf_discard(wake, BPF_RB_FORCE_WAKEUP);
}

#endif /* HUSK_STOPPING_H */
