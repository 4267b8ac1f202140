/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * writes.h - bytes that change although no protection does: calls that write into a process's
 * memory past its protection, and into files that are mapped executable.
 *
 * The writer need not be a target. Of a process that is none, nothing is looked at but which
 * file it has written to, and nothing is told unless that file is a target's code.
 */
#ifndef HUSK_WRITES_H
#define HUSK_WRITES_H

#define MAX_TRACEES 1024
#define UNKNOWN_PROCESS (~0u)
/* include/uapi/linux/userfaultfd.h: ioctls that put pages where none are. */
#define UFFDIO_TYPE 0xaa
#define UFFDIO_COPY 3
#define UFFDIO_ZEROPAGE 4
#define UFFDIO_WRITEPROTECT 6
#define UFFDIO_MOVE 5
#define UFFDIO_CONTINUE 7
#define MAX_VECTORS 16
/* find_write()'s `how` */
#define CALL_MASK 0xffffu
#define WRITER_IS_TARGET 0x10000u
#define WRITER_IS_HELD 0x20000u

struct user_vector {
	__u64 base, length;
};

/*
 * `how`: the call, and whether the writer is going to be held. With an inode it is a file, of the
 * device `target`; else the memory of the process `target`.
 */
GLOBAL int send_write(__u32 how, __u32 target, __u64 inode, __u64 start, __u64 length)
{
	struct husk_write *record;
	struct ticket ticket = {};

	take_ticket(&ticket);
	record = bpf_ringbuf_reserve(&ring, sizeof(*record), 0);
	if (!record) {
		count(HUSK_COUNTER_UNSENT);
		return 0;
	}
	fill_header(&record->header, &ticket, HUSK_RECORD_WRITE, sizeof(*record), 0);
	record->start = start;
	record->length = length;
	record->call = how & CALL_MASK;
	record->is_held = !!(how & WRITER_IS_HELD);
	record->has_siblings = has_siblings();
	record->target_pid = inode ? 0 : target;
	record->inode = inode;
	record->device_major = inode ? target >> MINOR_BITS : 0;
	record->device_minor = inode ? target & ((1u << MINOR_BITS) - 1) : 0;
	bpf_get_current_comm(record->comm, sizeof(record->comm));
	submit_now(record);
	return 0;
}

static __always_inline struct file *open_file(__u32 descriptor)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **slots = BPF_CORE_READ(table, fd), *file = 0;

	if (descriptor >= BPF_CORE_READ(table, max_fds))
		return 0;
	bpf_probe_read_kernel(&file, sizeof(file), slots + descriptor);
	return file;
}

static __always_inline __u32 number_of(struct task_struct *task)
{
	if (!config.pid_namespace)
		return BPF_CORE_READ(task, tgid);
	return number_in_tracer_namespace(
		(__u64)BPF_CORE_READ(task, signal, pids[PIDTYPE_TGID]));
}

/* A position that the call has moved on by what it has written. */
static __always_inline __u64 moved_position(struct file *file, __u64 user_pointer, long result)
{
	__u64 position = 0;

	if (user_pointer)
		bpf_probe_read_user(&position, sizeof(position), (void *)user_pointer);
	else
		position = BPF_CORE_READ(file, f_pos);
	return position - result;
}

/* Where the call has begun to write, and how much it has written, from what it returned. */
static __always_inline void written_range(const struct pt_regs *regs, __u32 abi, __u32 call,
					  long result, struct file *file, __u64 *start,
					  __u64 *length)
{
	__u64 offset;

	*length = result;
	switch (call) {
	case HUSK_CALL_PWRITE64:
	case HUSK_CALL_PWRITEV:
	case HUSK_CALL_PWRITEV2:
		offset = call_argument(regs, abi, 3);
		if (abi == HUSK_ABI_32)
			offset |= call_argument(regs, abi, 4) << 32;
		*start = call == HUSK_CALL_PWRITEV2 && offset == ~0ULL
				 ? moved_position(file, 0, result)
				 : offset;
		/* pwrite(2) to a file that is opened for appending appends, whatever the offset. */
		if ((BPF_CORE_READ(file, f_flags) & O_APPEND) ||
		    (call == HUSK_CALL_PWRITEV2 && (call_argument(regs, abi, 5) & RWF_APPEND))) {
			*start = 0;
			*length = ~0ULL;
		}
		break;
	case HUSK_CALL_COPY_FILE_RANGE:
	case HUSK_CALL_SPLICE:
		*start = moved_position(file, call_argument(regs, abi, 3), result);
		break;
	case HUSK_CALL_FTRUNCATE:
	case HUSK_CALL_FALLOCATE:
		*start = 0;
		*length = ~0ULL;
		break;
	default:
		*start = moved_position(file, 0, result);
	}
	/* How far it has come is not known. */
	if (result < 0) {
		*start = 0;
		*length = ~0ULL;
	}
}

/* It has failed, perhaps after it had written. */
static __always_inline bool may_have_written(__u32 call, long result)
{
	if (call > HUSK_CALL_SPLICE && call != HUSK_CALL_PTRACE)
		return false;
	/* EINTR, EIO, EAGAIN, ENOMEM, EFAULT, EFBIG, ENOSPC, ERESTARTSYS */
	return result == -4 || result == -5 || result == -11 || result == -12 || result == -14 ||
	       result == -27 || result == -28 || result == -512;
}

/* Is it /proc/PID/mem? */
static __always_inline bool is_memory_file(struct file *file)
{
	char name[4] = {};

	if (BPF_CORE_READ(file, f_inode, i_sb, s_magic) != PROC_SUPER_MAGIC)
		return false;
	bpf_probe_read_kernel(name, sizeof(name), BPF_CORE_READ(file, f_path.dentry, d_name.name));
	return name[0] == 'm' && name[1] == 'e' && name[2] == 'm' && !name[3];
}

/* What a call has written into. */
enum written {
	WRITTEN_NOTHING = 0, /* that matters here */
	WRITTEN_TOLD = 1,    /* a WRITE record has been sent */
	WRITTEN_OWN = 2,     /* the caller's own memory: [*start, *start + *length) */
};

static __always_inline struct file *written_file(const struct pt_regs *regs, __u32 abi, __u32 call)
{
	bool second = call == HUSK_CALL_COPY_FILE_RANGE || call == HUSK_CALL_SPLICE;

	return open_file(second ? call_argument(regs, abi, 2) : call_argument(regs, abi, 0));
}

/* The key of `viewed`. */
static __always_inline void identify_file(struct file *file, struct viewed_file *key)
{
	struct inode *inode = BPF_CORE_READ(file, f_inode);

	key->inode = BPF_CORE_READ(inode, i_ino);
	key->device = BPF_CORE_READ(inode, i_sb, s_dev);
}

/* [start, start + length) of an address space has been written to from outside its protection. */
static __always_inline enum written tell_memory_write(__u32 how, struct mm_struct *memory,
						      __u64 start, __u64 length)
{
	struct task_struct *self = (void *)bpf_get_current_task();
	__u32 target;

	if (memory == BPF_CORE_READ(self, mm))
		return WRITTEN_OWN;
	if (!memory || !bpf_core_field_exists(memory->owner))
		return WRITTEN_NOTHING;
	target = number_of(BPF_CORE_READ(memory, owner));
	if (!target || !bpf_map_lookup_elem(&targets, &target))
		return WRITTEN_NOTHING;
	send_write(how, target, 0, start, length);
	return WRITTEN_TOLD;
}

/* Does a call write to the caller's own memory, past its protection? `start`: where it begins. */
static __always_inline bool writes_to_own_memory(const struct pt_regs *regs, __u32 abi, __u32 call,
						 __u64 *start)
{
	struct file *file = written_file(regs, abi, call);
	__u64 length;

	if (!file || !is_memory_file(file) ||
	    (__u64)BPF_CORE_READ(file, private_data) != memory_key())
		return false;
	written_range(regs, abi, call, 0, file, start, &length);
	return true;
}

/* At a writing call's entry. */
static __noinline void note_written_file(const struct pt_regs *regs, __u32 abi, __u32 call)
{
	struct thread *thread = this_thread();
	struct viewed_file key = {};
	struct file *file;

	if (thread)
		thread->written.inode = 0;
	if (call > HUSK_CALL_SPLICE)
		return;
	file = written_file(regs, abi, call);
	if (!file)
		return;
	identify_file(file, &key);
	if (!bpf_map_lookup_elem(&viewed, &key))
		return;
	if (!thread)
		thread = thread_state();
	if (thread)
		thread->written = key;
}

static __always_inline enum written find_file_write(const struct pt_regs *regs, __u32 abi,
						    __u32 how, long result, struct thread *thread,
						    __u64 *start, __u64 *length)
{
	__u32 call = how & CALL_MASK;
	struct file *file = written_file(regs, abi, call);
	struct viewed_file key = {}, *mapped;

	if (file)
		identify_file(file, &key);
	if (thread && thread->written.inode &&
	    (thread->written.inode != key.inode || thread->written.device != key.device)) {
		/* The descriptor is another file's now: where it was written is not known. */
		send_write(how, thread->written.device, thread->written.inode, 0, ~0ULL);
		thread->written.inode = 0;
		return WRITTEN_TOLD;
	}
	if (!file)
		return WRITTEN_NOTHING;
	mapped = bpf_map_lookup_elem(&viewed, &key);
	if (mapped) {
		written_range(regs, abi, call, result, file, start, length);
		send_write(how, mapped->device, mapped->inode, *start, *length);
		return WRITTEN_TOLD;
	}
	if (is_memory_file(file) && result > 0) {
		written_range(regs, abi, call, result, file, start, length);
		return tell_memory_write(how, BPF_CORE_READ(file, private_data), *start, *length);
	}
	return WRITTEN_NOTHING;
}

/* The caller traces this thread: ptrace(2) takes its number in the caller's namespace. */
GLOBAL __u32 traced_process(__u32 number)
{
	struct task_struct *self = (void *)bpf_get_current_task();
	struct pid *own = BPF_CORE_READ(self, thread_pid);
	__u32 level = BPF_CORE_READ(own, level);
	void *head = (void *)self + bpf_core_field_offset(struct task_struct, ptraced);
	struct list_head *link = BPF_CORE_READ(self, ptraced.next);

	for (int i = 0; i < MAX_TRACEES; i++) {
		struct task_struct *tracee;
		struct upid *upid;

		if (!link || (void *)link == head)
			break;
		tracee = (void *)link - bpf_core_field_offset(struct task_struct, ptrace_entry);
		upid = (void *)BPF_CORE_READ(tracee, thread_pid) +
		       bpf_core_field_offset(struct pid, numbers) +
		       (level & 31) * bpf_core_type_size(struct upid);
		if (BPF_CORE_READ(upid, nr) == (int)number)
			return number_of(tracee);
		link = BPF_CORE_READ(link, next);
		if (i == MAX_TRACEES - 1)
			return UNKNOWN_PROCESS;
	}
	return 0;
}

static __always_inline enum written find_memory_write(const struct pt_regs *regs, __u32 abi,
						      __u32 how)
{
	__u32 call = how & CALL_MASK;
	struct user_vector vector = {};
	__u64 vectors, count;
	__u32 target;

	if (call == HUSK_CALL_PTRACE) {
		__u64 request = call_argument(regs, abi, 0);

		if (request != PTRACE_POKETEXT && request != PTRACE_POKEDATA)
			return WRITTEN_NOTHING;
		target = traced_process(call_argument(regs, abi, 1));
		if (target == UNKNOWN_PROCESS)
			target = 0;
		else if (!target || !bpf_map_lookup_elem(&targets, &target))
			return WRITTEN_NOTHING;
		send_write(how, target, 0, call_argument(regs, abi, 2), sizeof(long));
		return WRITTEN_TOLD;
	}
	target = call_argument(regs, abi, 0);
	if (!shares_tracer_namespace() || !bpf_map_lookup_elem(&targets, &target)) {
		/* A number of another namespace, or that of a thread: user space has to find out
		 * whose memory it was. Of strangers it is not worth asking. */
		if (!(how & WRITER_IS_TARGET))
			return WRITTEN_NOTHING;
		target = 0;
	}
	vectors = call_argument(regs, abi, 3);
	count = call_argument(regs, abi, 4);
	if (abi != HUSK_ABI_64 || count > MAX_VECTORS) {
		send_write(how, target, 0, 0, ~0ULL);
		return WRITTEN_TOLD;
	}
	for (__u32 i = 0; i < MAX_VECTORS; i++) {
		if (i >= count)
			break;
		if (bpf_probe_read_user(&vector, sizeof(vector),
					(void *)(vectors + i * sizeof(vector)))) {
			send_write(how, target, 0, 0, ~0ULL);
			break;
		}
		send_write(how, target, 0, vector.base, vector.length);
	}
	return WRITTEN_TOLD;
}

/* A userfaultfd has been told to put pages into the memory that it serves. */
static __always_inline enum written find_userfault_write(const struct pt_regs *regs, __u32 abi,
							 __u32 how, __u64 *start, __u64 *length)
{
	__u64 command = call_argument(regs, abi, 1), argument = call_argument(regs, abi, 2);
	struct userfaultfd_ctx *context;
	__u64 words[3] = {};
	struct mm_struct *memory;
	struct file *file;

	file = open_file(call_argument(regs, abi, 0));
	if (!file || bpf_probe_read_user(words, sizeof(words), (void *)argument))
		return WRITTEN_NOTHING;
	context = BPF_CORE_READ(file, private_data);
	memory = BPF_CORE_READ(context, mm);
	*start = words[0];
	/* struct uffdio_copy and uffdio_move: to, from, length; the others: to, length. */
	*length = (command & 0xff) == UFFDIO_COPY || (command & 0xff) == UFFDIO_MOVE ? words[2]
										     : words[1];
	return tell_memory_write(how, memory, *start, *length);
}

/* It may take the mark of any guard from pages, whoever has set it. */
static __always_inline bool frees_pages(__u64 command)
{
	return (command >> 8 & 0xff) == UFFDIO_TYPE && (command & 0xff) == UFFDIO_WRITEPROTECT;
}

static __always_inline bool is_userfault_command(__u64 command)
{
	__u32 number = command & 0xff;

	return (command >> 8 & 0xff) == UFFDIO_TYPE &&
	       (number == UFFDIO_COPY || number == UFFDIO_ZEROPAGE || number == UFFDIO_MOVE ||
		number == UFFDIO_CONTINUE);
}

/* What a write past a protection (/proc/self/mem) is over has just been made executable by another
 * thread, perhaps run, and has not been copied yet. */
enum write_race {
	RACE_NONE = 0,
	RACE_SEEN,   /* it has been looked at before the write */
	RACE_UNSEEN, /* how much is written is not known before */
};

/* At the call's entry. A function of its own: what it needs of the stack, a walk does not have to
 * spare. */
static __noinline enum write_race find_write_race(const struct pt_regs *regs, __u32 abi, __u32 call)
{
	struct thread *thread = this_thread();
	__u64 start, length;

	if (thread)
		thread->write_races = RACE_NONE;
	if (call > HUSK_CALL_SPLICE || !others_are_copying(0, WHOLE_END) ||
	    !writes_to_own_memory(regs, abi, call, &start))
		return RACE_NONE;
	if (!thread)
		thread = thread_state();
	if (!thread)
		return RACE_NONE;
	if (call != HUSK_CALL_WRITE && call != HUSK_CALL_PWRITE64) {
		thread->write_races = RACE_UNSEEN;
		return RACE_UNSEEN;
	}
	length = call_argument(regs, abi, 2);
	if (start >= WHOLE_END || length > WHOLE_END - start ||
	    !others_are_copying(start, start + length))
		return RACE_NONE;
	thread->write_races = RACE_SEEN;
	thread->address = start;
	thread->length = length;
	return RACE_SEEN;
}

/* The write has been done: what stood there has not been looked at. */
GLOBAL int tell_write_race(void)
{
	struct thread *thread = this_thread();

	if (!thread || thread->write_races == RACE_SEEN)
		return 0;
	if (thread->write_races == RACE_UNSEEN ||
	    others_are_copying(thread->address, thread->address + thread->length))
		send_loss_apart(thread->address, thread->length, HUSK_CAUSE_VANISHED);
	return 0;
}

/* After a call of the writing kind that has succeeded. */
static __noinline enum written find_write(struct pt_regs *regs, __u32 abi, __u32 how, long result,
					  struct thread *thread)
{
	__u32 call = how & CALL_MASK;
	enum written written;
	__u64 start = 0, length = 0;

	if (call == HUSK_CALL_PTRACE || call == HUSK_CALL_PROCESS_VM_WRITEV)
		return find_memory_write(regs, abi, how);
	if (call == HUSK_CALL_USERFAULTFD)
		written = find_userfault_write(regs, abi, how, &start, &length);
	else
		written = find_file_write(regs, abi, how, result, thread, &start, &length);
	if (written == WRITTEN_OWN && thread) {
		thread->address = start;
		thread->length = length;
		if (call <= HUSK_CALL_SPLICE)
			tell_write_race();
	}
	return written;
}

#endif /* HUSK_WRITES_H */
