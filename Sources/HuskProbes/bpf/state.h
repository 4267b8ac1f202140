/* SPDX-License-Identifier: GPL-2.0-only */
/* state.h - the maps: whom to watch, what each thread is in the middle of, the ring. */
#ifndef HUSK_STATE_H
#define HUSK_STATE_H

/* The verifier goes through such a function once, instead of once for each call of it; it takes
 * numbers only, and finds the thread's state by itself. */
#define GLOBAL __attribute__((noinline))

#define MAX_TARGETS 65536
#define MAX_THREADS 65536
#define WHOLE_END (~(__u64)(HUSK_PAGE_SIZE - 1)) /* of an address space, and of any range */
#define MAX_PRIOR 16
#define MAX_VIEWED 65536
#define MAX_SPOTS 16 /* pages that a caller's stack points to */
#define MAPLE_NODE_WORDS 32 /* 256 bytes */
#define EXTENT_PAGES 64 /* whose page table entries are read at once */

const volatile struct husk_config config = {};

/* Value of `targets`. */
#define TARGET_WATCHED 1u
#define TARGET_FOLLOWED 2u /* and its children */
#define TARGET_BORROWS 4u /* only for the memory that it shares with a target: until it executes */

struct target {
	__u32 flags;
	__u32 padding;
	/* When its memory began to be its own: its birth, or its last execve. User space reads
	 * memory by process number; this tells whether it is still the one that was meant. */
	__u64 since_ns;
};

/* Processes to watch, by their PID in Husk's own PID namespace. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TARGETS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct target);
} targets SEC(".maps");

/* Files that are mapped executable by a target: writing to them changes code. The value is the
 * file as its mapping knows it: through an overlay file system it is written to as another one. */
struct viewed_file {
	__u64 inode;
	__u32 device; /* in the kernel's encoding */
	__u32 padding;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_VIEWED);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct viewed_file);
	__type(value, struct viewed_file);
} viewed SEC(".maps");

/* User space sets the size before it loads the object. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 64 * 1024 * 1024);
} ring SEC(".maps");

/* What user space tells of the ring's consumer. */
enum consumer_word {
	CONSUMER_BEATS = 0, /* counted up while Husk lives, whatever else it does */
	CONSUMER_LOOKS = 1, /* not 0: it looks by itself, every other millisecond, and need not be woken */
	CONSUMER_STOPS = 2, /* (written here) how many processes have been stopped (stopping.h) */
	CONSUMER_LET_GO = 3, /* when husk-guardian has let stopped processes go, whatever was read of
			      * them: CLOCK_MONOTONIC, ns */
	CONSUMER_WORDS = 4,
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, CONSUMER_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} consumer SEC(".maps");

/* What was told to no one because the ring was full, by process: from the lowest address to the
 * highest one. */
struct unsent {
	__u64 start, end, count;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_TARGETS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct unsent);
} unsent SEC(".maps");

/* enum husk_counter, per CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, HUSK_COUNTER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* A region as it was before the call. */
struct prior {
	__u64 start, end;
	__u32 protection;
	__u32 backing; /* ANONYMOUS or FILE: enough to know what a missing page means */
	__u32 shared;
	__u32 changing; /* it could change without a call */
};

/* What it means when a page of the region is not resident. */
enum absent {
	ABSENT_UNTOUCHED = 0, /* it does not exist */
	ABSENT_FAULT = 1,     /* it is in the file */
	ABSENT_HIDDEN = 2,    /* anonymous: it may be swapped out */
	ABSENT_ASK_CACHE = 3, /* memfd, shared memory: it may be in the page cache */
	ABSENT_USERFAULT = 4, /* the same, but it must not be asked for */
	ABSENT_PROTECTED = 5, /* or a protection key keeps this thread from reading it */
};

/* Does a page exist (page_tables.h)? */
enum presence {
	PRESENCE_UNKNOWN = 0,
	PRESENCE_NONE = 1,
	PRESENCE_THERE = 2,
	PRESENCE_ELSEWHERE = 3, /* swapped out, or being moved: a fault brings it back */
};

/* The region that is being looked at. */
struct region {
	__u64 start, end;
	__u64 id; /* of its transition record */
	__u64 inode, file_offset;
	__u32 protection;
	__u32 backing; /* enum husk_backing */
	__u32 flags;   /* HUSK_TRANSITION_* */
	__u32 device, link_count;
	struct viewed_file overlay; /* the same file as an overlay shows it; inode 0: in none */
	__u8 open;     /* its transition has been sent, its pages have not all been */
	__u8 populated; /* false: no page of it can exist */
	__u8 absent;    /* enum absent */
	__u8 changing;  /* executable, and its bytes can change without a call that says so */
	__u8 on_disk;   /* a private mapping of a named file, no page of which has been written */
	__u8 untold;    /* open, and its transition is sent with its first page only */
	__u8 remembers; /* its pages are compared with what was sent of them before (changing.h) */
	__u8 padding[1];
	__u64 mapping; /* struct address_space of the file, for ABSENT_ASK_CACHE */
	__u64 image; /* where the kernel has what a page of it is made from; 0: no such place */
	__u32 path_size;
	__u32 path_padding;
	char path[HUSK_PATH_SIZE];
};

/* Record numbers that have been taken: so many, from `sequence` on. */
struct ticket {
	__u64 sequence;
	__u32 cpu;
	__u32 held;
};

enum thread_phase {
	PHASE_IDLE = 0,
	PHASE_IN_CALL = 1,  /* between a call's entry and its exit */
	PHASE_WALKING = 2,  /* regions are being looked at and pages copied */
	PHASE_AWAITING = 3, /* until user space has handled a WRITE record */
	PHASE_EXECUTED = 4, /* a program has been executed: to be walked at the call's exit */
};

/* What the walk is for. */
enum walk_mode {
	MODE_CHANGE = 0, /* a call has changed the range */
	MODE_LOOK = 1,   /* what can change without a call, while it is still there */
	MODE_NEW = 2,    /* a program has been executed: every executable region */
	MODE_WRITTEN = 3, /* the range has been written to past its protection */
};

/* A look that goes round all memory that can change without a call (looks.h). */
enum round {
	ROUND_NONE = 0,
	ROUND_DUE = 1, /* when it has rested long enough */
	ROUND_UNDER_WAY = 2,
};

/* A region that find_next_region() has found. */
struct found {
	__u64 address, start, end, flags; /* start: ~0: there is none */
	__u64 entry, limit;               /* the tree's node that is being gone through */
	__u64 wanted;                     /* bits that its flags must have */
	__u64 may_change;                 /* without a call: it is worth a look */
	__u64 is_populated;               /* false: no page of it can exist */
	__u64 node[MAPLE_NODE_WORDS];
};

/*
 * What one thread is doing. Made at its first call, deleted when it ends.
 * Written by the thread itself only: its own programs and its own callbacks, which
 * never overlap, so there is no lock.
 */
struct thread {
	/* The call, from its entry. */
	__u32 phase;
	__u32 call; /* enum husk_call */
	__u64 address, length, call_flags;
	__u64 new_address, new_length; /* mremap; ipc(SHMAT): where the address is stored */
	__u64 low; /* with PROT_GROWSDOWN: where the region began */
	__u32 abi; /* enum husk_abi */
	__u32 mode; /* enum walk_mode */
	__u32 requested;
	__u32 prior_count;
	__u8 prior_incomplete; /* more regions than `prior` holds, or the lock was taken */
	__u8 prior_executable; /* one of them was executable */
	__u8 prior_view;       /* one of them was shared */
	__u8 prior_changing;   /* one of them was executable and could change without a call */
	__u8 deferred;         /* walking in a callback: may sleep, may wait */
	__u8 give_up;          /* waited long enough: record losses from now on */
	__u8 asks;            /* the call asked for execution, personality(2) included */
	__u8 asks_for_view;   /* it may have made a shared, writable view */
	__u8 says_protection; /* `requested` is an argument of the call */
	__u8 changes_only;    /* it failed: tell only what it has changed all the same */
	__u8 grows_down;      /* PROT_GROWSDOWN: the range begins where the region does */
	__u8 whole_region;    /* the range's end is that of the region at its start */
	__u8 dying;
	__u8 reads_outside; /* some page of the open region is left to user space */
	__u8 turn;          /* which of the thread's two callbacks was scheduled last */
	__u8 copying_slot;  /* in `copying`, under copying_key: its number from 1 on; 0: none */
	__u8 looks_at_all;  /* a look at what is executable, changing or not */
	__u8 is_unknown;    /* the arguments could not be read: the result tells the range */
	__u8 prior_unseen; /* the lock was taken: what was there before the call is not known */
	__u8 has_found; /* a look has found a page that is not as it was */
	__u8 wants_stop; /* the enforcer of W^X is to see what the call has done */
	__u8 awaits_watch; /* user space is to handle the records so far before it goes on */
	__u8 may_spin; /* when the ring is full */
	__u8 may_stop; /* its process, when the ring is full */
	__u8 wants_to_stop; /* there was no room: at the end of the walk */
	__u8 write_races; /* enum write_race */
	__u8 stop_padding[5];
	__u8 prior_is_code; /* the last one asked for was executable and could not change */
	__u64 copying_key;
	/* Among the calls that change the address space's regions (spaces.h). */
	__u64 change;
	__u8 in_change;
	__u8 changes_alone; /* no other thread was in such a call when it began */
	__u8 change_padding[6];
	__u64 leaves_space; /* the address space that ends with the call; 0: others use it too */
	struct viewed_file written; /* a call is writing to it; inode 0: to none of interest */
	struct prior prior[MAX_PRIOR];
	__s64 result;
	__u64 instruction_pointer, stack_pointer;

	/* A look (callers.h). */
	__u32 trigger; /* enum husk_trigger */
	__u32 call_number;
	__u64 looked_start, looked_end;
	__u64 spots[MAX_SPOTS];
	__u64 mask[HUSK_PAGE_SIZE / 8 / 64]; /* words of `scratch` that point to changing code */
	__u32 spot_count;
	__u32 spot; /* the next one to be looked at */
	__u8 spot_is_pointer; /* the first one: where the thread runs, not what it returns to */
	__u8 goes_round; /* enum round */
	__u8 is_loose; /* all that the stack points to is kept, return addresses or not */
	__u8 look_padding[1];
	__u32 scan_part; /* of `mask`: not in a register, where the verifier would follow its value */
	__u64 digest_first, digest_second; /* of `scratch` */

	/* The walk over [next, end). */
	__u64 time_ns;
	__u64 deadline_ns; /* of the whole walk */
	__u64 next, end;
	__u64 then_next, then_end; /* what is to be walked afterwards, as if written to */
	struct region region;
	struct found found;
	struct ticket ticket;
	__u32 tries;
	__u8 stalled;     /* no room in the ring: come again */
	__u8 out_of_time; /* the rest of the pages is given up */
	__u8 padding[2];
	__u64 stall_start_ns, stall_progress_ns, stall_life, stall_consumer;
	__u64 hole_start; /* of the pages before `next` that are not mapped any more */
	__u8 in_hole;
	__u8 still_executable;
	__u8 hole_padding[6];
	/* The ring's position after the record of pages that user space has to read. */
	__u64 outside_position;
	/* Of the pages from extent_start to extent_end it is known whether they exist. */
	__u64 extent_start, extent_end;
	__u64 entries[EXTENT_PAGES];
	__u32 presence; /* enum presence */
	__u32 extent_padding;
	/* Up to here the open region was seen to be there still, with so many untouched. */
	__u64 checked, checked_untouched;

	/* Counts of the open region, for its TRANSITION_END. */
	__u64 captured, untouched, unchanged, unreadable, lost, stalled_ns;
	/* A run of pages without bytes that has not been sent yet. */
	__u64 gap_start, gap_end;
	__u32 gap_kind, gap_cause, gap_error;
	__u32 gap_padding;

	/* Where a page that had to be faulted in lands: never in a reserved record,
	 * because a fault may sleep for as long as a userfaultfd likes, and a record
	 * that is reserved and not submitted stops the reader of the ring. */
	__u8 scratch[HUSK_PAGE_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_THREADS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u64); /* task_struct: a thread that executes a program changes its ID */
	__type(value, struct thread);
} threads SEC(".maps");

static char zero_thread[sizeof(struct thread)];

#endif /* HUSK_STATE_H */
