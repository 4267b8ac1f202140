/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * husk_events.h - what crosses the border between the kernel and Husk.
 *
 * The one definition of every record: the BPF side (../bpf) writes these
 * structures into the ring buffer, Swift imports this same header and reads
 * them. Fixed-width types, explicit padding, no kernel headers. Sizes are
 * asserted below; Tests/HuskTests/RecordLayoutTests.swift compares each offset
 * with what the Swift decoder reads.
 *
 * Change anything here: raise HUSK_FORMAT_VERSION.
 */
#ifndef HUSK_EVENTS_H
#define HUSK_EVENTS_H

#ifdef __bpf__
#include <linux/types.h>
typedef __u8 husk_u8;
typedef __u16 husk_u16;
typedef __u32 husk_u32;
typedef __u64 husk_u64;
typedef __s64 husk_s64;
#else
#include <stdint.h>
typedef uint8_t husk_u8;
typedef uint16_t husk_u16;
typedef uint32_t husk_u32;
typedef uint64_t husk_u64;
typedef int64_t husk_s64;
#endif

#define HUSK_FORMAT_VERSION 4

#define HUSK_PAGE_SIZE 4096
/* Pages that lie side by side and exist are sent so many at once: 64, 16 or 1. */
#define HUSK_LARGE_GROUP_PAGES 64
#define HUSK_GROUP_PAGES 16
#define HUSK_COMM_SIZE 16
/* Room for a path; a component has at most 255 bytes (NAME_MAX) and a zero. */
#define HUSK_PATH_SIZE 512
#define HUSK_COMPONENT_SIZE 256
/* Words of the caller's stack that go with a transition. */
#define HUSK_STACK_WORDS 32

/* husk_header.kind: which structure follows. */
enum husk_record_kind {
	HUSK_RECORD_TRANSITION = 1,     /* struct husk_transition */
	HUSK_RECORD_PAGE = 2,           /* struct husk_page: one page, or a group of them */
	HUSK_RECORD_UNREADABLE = 3,     /* struct husk_page_range: no content */
	HUSK_RECORD_LOSS = 4,           /* struct husk_page_range: not captured */
	HUSK_RECORD_TRANSITION_END = 5, /* struct husk_transition_end */
	HUSK_RECORD_PROCESS_EXIT = 6,   /* struct husk_process_exit */
	HUSK_RECORD_PROCESS_FORK = 7,   /* struct husk_process_fork */
	HUSK_RECORD_PROCESS_EXEC = 8,   /* struct husk_process_exec */
	HUSK_RECORD_WRITE = 9,          /* struct husk_write */
};

/*
 * husk_transition.call, husk_write.call: the system call that changed (or tried to change) the
 * region or its bytes, or was the occasion to look at it. The 32-bit and x32 forms of a call
 * have the same number here; husk_transition.abi tells them apart.
 */
enum husk_call {
	HUSK_CALL_NONE = 0,
	HUSK_CALL_MMAP = 1,
	HUSK_CALL_MPROTECT = 2,
	HUSK_CALL_MUNMAP = 3,
	HUSK_CALL_PKEY_MPROTECT = 4,
	HUSK_CALL_MREMAP = 5,
	HUSK_CALL_SHMAT = 6,
	HUSK_CALL_SHMDT = 7,
	HUSK_CALL_BRK = 8,
	HUSK_CALL_REMAP_FILE_PAGES = 9,
	HUSK_CALL_EXECVE = 10,
	HUSK_CALL_MADVISE = 11,
	HUSK_CALL_ARCH_PRCTL = 13, /* ARCH_MAP_VDSO_* */
	HUSK_CALL_EXIT = 12, /* exit_group, the last thread's exit, or a signal */
	/* Calls that write, into memory or into what stands behind it. */
	HUSK_CALL_WRITE = 16,
	HUSK_CALL_PWRITE64 = 17,
	HUSK_CALL_WRITEV = 18,
	HUSK_CALL_PWRITEV = 19,
	HUSK_CALL_PWRITEV2 = 20,
	HUSK_CALL_SENDFILE = 21,
	HUSK_CALL_COPY_FILE_RANGE = 22,
	HUSK_CALL_FTRUNCATE = 23,
	HUSK_CALL_FALLOCATE = 24,
	HUSK_CALL_SPLICE = 25,
	HUSK_CALL_PTRACE = 26, /* PTRACE_POKETEXT, PTRACE_POKEDATA */
	HUSK_CALL_PROCESS_VM_WRITEV = 27,
	HUSK_CALL_USERFAULTFD = 28, /* ioctl(2): UFFDIO_COPY, _ZEROPAGE, _MOVE, _CONTINUE */
	HUSK_CALL_ASYNCHRONOUS = 29, /* io_uring_setup, io_setup: what follows is not seen */
	/* Not told to user space: forms that are decoded into others. */
	HUSK_CALL_OLD_MMAP = 64,
	HUSK_CALL_IPC = 65,
	HUSK_CALL_PROCESS_MADVISE = 66,
};

/* husk_transition.abi: how the call was made. */
enum husk_abi {
	HUSK_ABI_64 = 0,
	HUSK_ABI_32 = 1, /* int 0x80, sysenter: an ELF32, or 64-bit code that takes this door */
	HUSK_ABI_X32 = 2,
};

/* Protection bits have the values of PROT_READ, PROT_WRITE and PROT_EXEC. */
#define HUSK_PROTECTION_READ 1u
#define HUSK_PROTECTION_WRITE 2u
#define HUSK_PROTECTION_EXECUTE 4u
/* The region existed before, but its protection then was not seen. */
#define HUSK_PROTECTION_UNKNOWN 0x80000000u

/* husk_transition.backing: what stands behind the region, as its VMA says. */
enum husk_backing {
	HUSK_BACKING_UNKNOWN = 0,   /* nothing was mapped, or the call failed */
	HUSK_BACKING_ANONYMOUS = 1, /* private, no file */
	HUSK_BACKING_FILE = 2,      /* a file with a path (perhaps deleted since) */
	HUSK_BACKING_KERNEL = 3,    /* a file with no place in any folder: memfd,
				     * SysV segment, shared anonymous memory */
	HUSK_BACKING_HEAP = 4,      /* anonymous, within [start_brk, brk] */
	HUSK_BACKING_STACK = 5,     /* anonymous, holds the main thread's stack */
	HUSK_BACKING_SPECIAL = 6,   /* made by the kernel: vdso and the like */
};

/* husk_transition.flags */
#define HUSK_TRANSITION_FRESH 1u     /* nothing was mapped here before */
#define HUSK_TRANSITION_HAS_PAGES 2u /* page records and a TRANSITION_END follow */
#define HUSK_TRANSITION_SHARED 4u    /* VM_SHARED */
/* Another thread has taken it away, or its X, before it could be looked at. */
#define HUSK_TRANSITION_VANISHED 8u
/* The address-space lock was taken by another thread, in a context that cannot wait: the
 * effective protection is the one requested, the backing is what the arguments say. */
#define HUSK_TRANSITION_UNSEEN 16u
#define HUSK_TRANSITION_PATH_CUT 32u /* the path has more components than there was room for */
/* No change: executable memory that can be written without a call is looked at again; `trigger`
 * says why now. Told only if something in it is not as it was seen last. */
#define HUSK_TRANSITION_LOOK 64u
/* A private mapping of a file of which no page has been written: what it holds is in the file.
 * No pages follow, because config.reference_files asks for that. */
#define HUSK_TRANSITION_REFERENCED 128u
/* Its bytes can change without a call that says so: writable, registered with userfaultfd, or
 * what stands behind it is mapped writable elsewhere, by whomever. */
#define HUSK_TRANSITION_CHANGING 256u
/* It was executable before and could not be written to, and is so now: what it holds was captured
 * when it became so. No pages follow. */
#define HUSK_TRANSITION_KNOWN 512u
/* Bytes have been written, and another thread of the process may have written some before that
 * were not copied yet. */
#define HUSK_TRANSITION_HAS_SIBLINGS 1024u

/* husk_transition.trigger: why memory that can change without a call is looked at now. */
enum husk_trigger {
	HUSK_TRIGGER_NONE = 0,     /* it is no look */
	HUSK_TRIGGER_CALL = 1,     /* `call` is about to take it away, or its X */
	HUSK_TRIGGER_OWN_CALL = 2, /* code in it makes the system call `call_number` */
	HUSK_TRIGGER_SAMPLE = 3,   /* a CPU sample has found it running */
};

/* husk_page.reader: who took the bytes. */
enum husk_reader {
	HUSK_READER_NONE = 0,
	/* bpf_copy_from_user: may sleep, faults pages in (task-work callback). */
	HUSK_READER_BPF_SLEEPABLE = 1,
	/* bpf_probe_read_user: never faults; the page was resident. */
	HUSK_READER_BPF_NOFAULT = 2,
};

/* husk_page_range.cause: why bytes are missing. */
enum husk_cause {
	HUSK_CAUSE_NONE = 0,
	/* The reader may not fault pages in, and the page was not resident. */
	HUSK_CAUSE_NOT_RESIDENT = 1,
	/* The kernel could not produce the page: beyond the end of the file, I/O
	 * error, a userfaultfd that refuses. */
	HUSK_CAUSE_FAULT = 2,
	HUSK_CAUSE_RING_FULL = 3,
	/* The region was unmapped before it could be looked at. */
	HUSK_CAUSE_VANISHED = 4,
	/* The address-space lock stayed taken for too long. */
	HUSK_CAUSE_LOCKED = 5,
	/* No memory for the thread's state. */
	HUSK_CAUSE_NO_STATE = 6,
	/* Going over the region took longer than a thread may be held. */
	HUSK_CAUSE_TOO_LARGE = 7,
	/* Registered with userfaultfd: asking for the page might wait for ever. */
	HUSK_CAUSE_USERFAULTFD = 8,
	/* A protection key forbids the thread itself to read it (execute-only memory). */
	HUSK_CAUSE_PROTECTED = 9,
	/* The call's end was not seen (a return probe that found no free instance). */
	HUSK_CAUSE_NO_RESULT = 10,
	HUSK_CAUSE_BUDGET = 11, /* config.page_budget has been used up */
	/* No room in the ring: the process is stopped at the call's end, and user space reads. */
	HUSK_CAUSE_STOPPED = 12,
	HUSK_CAUSE_COUNT = 13,
};

/*
 * Every record begins so. A record's identity is (cpu, sequence): the number is
 * taken before anything can fail, so a missing number is a lost record. A page's number is
 * taken with it; those of a group that was not sent as one go with the next record.
 */
struct husk_header {
	husk_u32 size; /* of the whole record, in bytes */
	husk_u16 kind; /* enum husk_record_kind */
	husk_u16 version;
	husk_u64 sequence; /* per CPU, from 0 */
	husk_u64 time_ns;  /* CLOCK_MONOTONIC (bpf_ktime_get_ns) */
	husk_u32 cpu;      /* that gave the sequence number */
	husk_u32 host_pid; /* in the initial PID namespace */
	husk_u32 host_tid;
	husk_u32 pid; /* in Husk's own PID namespace; 0: not visible there */
	husk_u32 tid;
	husk_u32 numbers; /* that it has taken: from `sequence` on, mostly 1 */
	husk_u64 transition; /* id that joins a transition with its pages */
};

/* The file behind a region, or that was executed. */
struct husk_file {
	husk_u64 inode;        /* 0: no file */
	husk_u32 device_major; /* of the file's file system */
	husk_u32 device_minor;
	husk_u32 link_count; /* 0: the file has been deleted, or never had a name */
	husk_u32 path_size;  /* bytes used of `path` */
	/* The file's path, component by component from the last to the first, each ended by
	 * a zero: "libc.so.6", "lib", "usr". */
	char path[HUSK_PATH_SIZE];
};

/* One region, one previous and one effective protection, one backing. */
struct husk_transition {
	struct husk_header header;
	husk_u64 start; /* the region, page aligned */
	husk_u64 length;
	husk_u64 call_address; /* the arguments, as they were passed */
	husk_u64 call_length;
	husk_u64 call_flags; /* mmap, mremap, shmat; madvise: the advice */
	husk_s64 result;     /* as the system call returned it */
	husk_u64 instruction_pointer;
	husk_u64 stack_pointer;
	husk_u32 call;      /* enum husk_call */
	husk_u32 flags;     /* HUSK_TRANSITION_* */
	husk_u32 requested; /* protection: asked for, before, now */
	husk_u32 previous;
	husk_u32 effective;
	husk_u32 backing;     /* enum husk_backing */
	husk_u64 file_offset; /* of `start`, in bytes */
	husk_u32 abi;         /* enum husk_abi */
	husk_u32 stack_words; /* words of `stack` that could be read */
	husk_u32 trigger;     /* enum husk_trigger */
	husk_u32 call_number; /* as the thread passed it, for HUSK_TRIGGER_OWN_CALL */
	char comm[HUSK_COMM_SIZE];
	struct husk_file file;
	/* What lay on the caller's stack, from stack_pointer on: somewhere among it is the
	 * address to which the C library's function returns. */
	husk_u64 stack[HUSK_STACK_WORDS];
};

/*
 * One page and its bytes; or a group of them, side by side: then the record is so much longer, and has taken as many numbers, one for each page from header.sequence on.
 */
struct husk_page {
	struct husk_header header;
	husk_u64 address;
	husk_u32 content_size; /* bytes of content */
	husk_u32 reader;       /* enum husk_reader */
	husk_u8 content[HUSK_PAGE_SIZE];
};

/* A run of pages without bytes: UNREADABLE or LOSS. */
struct husk_page_range {
	struct husk_header header;
	husk_u64 start;
	husk_u64 length;
	husk_u32 cause; /* enum husk_cause */
	husk_u32 error; /* errno, or 0 */
};

/* The pages that a transition named: captured + untouched + unchanged + unreadable + lost. */
struct husk_transition_end {
	struct husk_header header;
	husk_u64 captured;
	husk_u64 untouched; /* never written: no page exists, nothing to read */
	husk_u64 unchanged; /* of a look: holds what it held when it was captured last */
	husk_u64 unreadable;
	husk_u64 lost;
	husk_u64 stalled_ns; /* how long the thread waited for room in the ring */
};

/* The last thread of a process has ended; its memory is gone. */
struct husk_process_exit {
	struct husk_header header;
	husk_u32 status; /* as wait(2) tells it */
	husk_u32 reserved;
};

/* A process of the tree has made another one, which has not run yet. */
struct husk_process_fork {
	struct husk_header header; /* of the parent */
	husk_u32 shares_memory; /* CLONE_VM */
	husk_u32 reserved;
	husk_u32 child_pid; /* in Husk's own PID namespace */
	husk_u32 child_host_pid;
	char comm[HUSK_COMM_SIZE];
};

/* A process has executed a program: its memory is new, and has not run yet. */
struct husk_process_exec {
	struct husk_header header;
	husk_u32 backing; /* enum husk_backing: FILE or KERNEL (a memfd) */
	husk_u32 reserved;
	char comm[HUSK_COMM_SIZE];
	char file_name[HUSK_COMPONENT_SIZE]; /* as execve was given it, ended by a zero */
	struct husk_file file;               /* what has been executed */
};

/*
 * A call has written into a process's memory past its protection, or into a file that is
 * mapped executable. The bytes are read by user space, while the writer waits if it is a target
 * and the kernel has task-work callbacks.
 */
struct husk_write {
	struct husk_header header; /* of the writer, which need not be a target */
	husk_u64 start;            /* address, or with a file its offset */
	husk_u64 length;
	husk_u32 call; /* enum husk_call */
	husk_u32 target_pid; /* whose memory, in Husk's own PID namespace; 0: not known, or a file */
	husk_u64 inode; /* 0: memory */
	husk_u32 device_major;
	husk_u32 device_minor;
	husk_u32 is_held; /* the writer waits until this record has been handled */
	husk_u32 has_siblings; /* its process has other threads, which do not wait */
	char comm[HUSK_COMM_SIZE];
};

#define HUSK_ASSERT_SIZE(type, bytes) \
	_Static_assert(sizeof(struct type) == (bytes), #type " has changed its size")
HUSK_ASSERT_SIZE(husk_header, 56);
HUSK_ASSERT_SIZE(husk_file, 24 + HUSK_PATH_SIZE);
HUSK_ASSERT_SIZE(husk_transition, 184 + 536 + 8 * HUSK_STACK_WORDS);
HUSK_ASSERT_SIZE(husk_page, 72 + HUSK_PAGE_SIZE);
HUSK_ASSERT_SIZE(husk_page_range, 80);
HUSK_ASSERT_SIZE(husk_transition_end, 104);
HUSK_ASSERT_SIZE(husk_process_exit, 64);
HUSK_ASSERT_SIZE(husk_process_fork, 88);
HUSK_ASSERT_SIZE(husk_process_exec, 80 + HUSK_COMPONENT_SIZE + 536);
HUSK_ASSERT_SIZE(husk_write, 120);

/* husk_config.back_pressure: what a thread does that finds no room in the ring. */
enum husk_back_pressure {
	HUSK_PRESSURE_NONE = 0,  /* nothing: it is lost, and recorded as such */
	HUSK_PRESSURE_WAITS = 1, /* it waits in the kernel, where it can */
	HUSK_PRESSURE_STOPS = 2, /* its process is stopped (bpf/stopping.h) */
};

/*
 * Set by user space before the programs are loaded (read-only data from then on,
 * so that the verifier removes the branches that are not taken).
 */
struct husk_config {
	husk_u32 pid_namespace; /* inode of Husk's PID namespace; 0: the initial one */
	/* The machine has swap, or balances memory between NUMA nodes: an anonymous page that
	 * is not resident may have content nevertheless. */
	husk_u8 hidden_pages;
	/* sched_process_exit comes while the memory is still there (Linux 6.16). */
	husk_u8 exit_has_memory;
	/* Pages of files that are unchanged from disk are named, not copied. */
	husk_u8 reference_files;
	/* Memory that can change without a call is looked at whenever code in it makes a system
	 * call, or a CPU sample finds it running. */
	husk_u8 looks_at_callers;
	husk_u64 ring_size;
	/* A thread waits for room in the ring this long in all, and this long
	 * without a sign of life from the consumer. 0: it does not wait. */
	husk_u64 stall_limit_ns;
	husk_u64 stall_silence_ns;
	/* A thread is held for one call's walk this long in all. */
	husk_u64 walk_limit_ns;
	/* W^X is enforced from outside: the process (in Husk's own PID namespace) that traces the
	 * targets, and is to be told by a stop what their calls change. 0: none. */
	husk_u32 enforcer;
	/* The program that watches every call is attached when the first such memory is told. */
	husk_u8 watches_calls_later;
	/* How the machine's page tables are built: levels (0: not known, they are not read), and how
	 * many bits of an entry tell where memory is. */
	husk_u8 page_table_levels;
	husk_u8 physical_bits;
	husk_u8 back_pressure; /* enum husk_back_pressure */
	/* The sixth argument of calls that it makes in a target's name. */
	husk_u64 enforcer_mark;
	husk_u64 page_budget; /* pages with content in all; ~0: as many as there are */
};
HUSK_ASSERT_SIZE(husk_config, 64);

/* Index into the `counters` map (per CPU, u64 each). */
enum husk_counter {
	HUSK_COUNTER_SEQUENCE = 0, /* numbers given to records */
	HUSK_COUNTER_UNSENT = 1,   /* records that found no room in the ring */
	HUSK_COUNTER_NOT_DEFERRED = 2, /* a callback was refused: copied at once */
	HUSK_COUNTER_COUNT = 3,
};

#endif /* HUSK_EVENTS_H */
