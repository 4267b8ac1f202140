/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kernel_types.h - the few kernel fields that the probes read.
 *
 * CO-RE: libbpf finds each field's real offset in the running kernel's BTF by
 * name, so only names and types matter here, not order or completeness. This
 * replaces a vmlinux.h of 130,000 lines.
 */
#ifndef HUSK_KERNEL_TYPES_H
#define HUSK_KERNEL_TYPES_H

#define VM_EXEC 0x00000004UL
#define VM_SHARED 0x00000008UL
#define VM_HUGETLB 0x00400000UL
/* x86: the protection key of a region (arch/x86, VM_PKEY_SHIFT). */
#define VM_PKEY_SHIFT 32
#define VM_PKEY_MASK 15
#define PROT_GROWSDOWN 0x01000000
#define MAP_TYPE 0x0f
#define MAP_PRIVATE 0x02
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define MREMAP_FIXED 2
#define MREMAP_DONTUNMAP 4
#define SHM_RDONLY 010000
#define SHM_EXEC 0100000
#define PTRACE_POKETEXT 4
#define PTRACE_POKEDATA 5
#define SHM_REMAP 040000
#define O_APPEND 02000
/* include/linux/fs.h: bit 25 when it came (6.5), bit 24 later. On a file that is no backing file
 * the other one means nothing worse than a file that no one will write to. */
#define FMODE_BACKING (3u << 24)
#define RWF_APPEND 0x10
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#define MAP_HUGETLB 0x40000
#define PROC_SUPER_MAGIC 0x9fa0
#define TMPFS_MAGIC 0x01021994
#define HUGETLBFS_MAGIC 0x958458f6
#define READ_IMPLIES_EXEC 0x0400000U /* personality(2) */
#define SIGSTOP 19
#define SIGCONT 18
#define SIGNAL_GROUP_EXIT 0x00000004U

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	__u32 inum;
};

struct pid_namespace {
	struct ns_common ns;
};

struct upid {
	int nr;
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level;
	struct upid numbers[1];
};

struct signal_struct {
	struct {
		int counter;
	} live; /* threads that have not yet ended */
	unsigned int flags;
	int group_exit_code;
	struct pid *pids[4];
};

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
};

struct inode {
	unsigned long i_ino;
	unsigned int i_nlink;
	long long i_size;
	struct super_block *i_sb;
};

struct xarray {
	void *xa_head;
};

struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct address_space {
	struct inode *host;
	struct xarray i_pages;
	struct {
		int counter;
	} i_mmap_writable; /* shared mappings that may write */
};

struct qstr {
	const unsigned char *name;
};

struct inode;

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct vfsmount {
	int mnt_flags;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	struct path f_path;
	struct inode *f_inode;
	struct address_space *f_mapping;
	void *private_data;
	unsigned int f_flags;
	long long f_pos;
	unsigned int f_mode;
};

/* fs/file_table.c, Linux 6.5: the file below one of an overlay file system. */
struct backing_file {
	struct file file;
	struct path user_path;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct linux_binprm {
	const char *filename;
};

/* fs/mount.h: what a struct vfsmount is embedded in. */
struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct anon_vma;
struct vm_operations_struct;

/* fs/userfaultfd.c: a userfaultfd's file has it as its private_data. */
struct userfaultfd_ctx {
	struct mm_struct *mm;
};

struct vm_userfaultfd_ctx {
	struct userfaultfd_ctx *ctx;
};

/* Linux 6.1: the tree of a process's regions (lib/maple_tree.c). */
struct maple_tree {
	void *ma_root;
};

struct maple_range_64 {
	unsigned long pivot[15];
	void *slot[16];
};

struct maple_arange_64 {
	unsigned long pivot[9];
	void *slot[10];
};

struct task_struct;

struct mm_struct {
	struct maple_tree mm_mt;
	void *pgd; /* the page tables' root */
	struct {
		int counter;
	} mm_users; /* threads that use it, and whoever looks into it */
	unsigned long start_brk, brk, start_stack;
	struct task_struct *owner;
	struct file *exe_file;
	struct { /* arch/x86/include/asm/mmu.h */
		__u64 ctx_id; /* of this one only, never given again */
		void *vdso; /* where the image is mapped */
		struct vdso_image *vdso_image;
	} context;
};

/* arch/x86/include/asm/vdso.h: the kernel's own copy, of which a process has pages. */
struct vdso_image {
	void *data;
	unsigned long size;
};

/* include/linux/mm_types.h: what a region is that the kernel has made. */
struct vm_special_mapping {
	const char *name;
};

struct vm_area_struct {
	unsigned long vm_start, vm_end;
	unsigned long vm_flags;
	unsigned long vm_pgoff;
	struct mm_struct *vm_mm;
	struct anon_vma *anon_vma;
	struct vm_operations_struct *vm_ops;
	struct file *vm_file;
	void *vm_private_data;
	struct vm_userfaultfd_ctx vm_userfaultfd_ctx;
};

/* include/linux/mm.h */
#define VM_UFFD_MISSING 0x200UL
#define VM_UFFD_WP 0x1000UL

struct thread_info {
	__u32 status;
};

typedef struct {
	unsigned long sig[1];
} sigset_t;

struct sigaction {
	void *sa_handler;
	unsigned long sa_flags;
	void *sa_restorer;
	sigset_t sa_mask;
};

struct k_sigaction {
	struct sigaction sa;
};

struct sighand_struct {
	struct k_sigaction action[64];
};

struct list_head {
	struct list_head *next;
};

struct task_struct {
	struct thread_info thread_info;
	int pid, tgid;
	unsigned int personality;
	int exit_code;
	struct pid *thread_pid;
	struct signal_struct *signal;
	struct sighand_struct *sighand;
	sigset_t blocked;
	struct mm_struct *mm;
	struct files_struct *files;
	void *vfork_done; /* struct completion: the parent waits for it */
	unsigned int ptrace; /* 0: no one traces it */
	struct task_struct *real_parent;
	struct task_struct *parent; /* who traces it, if someone does */
	/* Those that it traces, linked by their ptrace_entry. */
	struct list_head ptraced, ptrace_entry;
};

struct pt_regs {
	unsigned long bp, bx, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, sp;
};

/* libbpf 1.1 wants a definition, not a declaration, to match a kfunc's prototype. */
struct bpf_map {
	__u32 id;
};

#pragma clang attribute pop

/*
 * The object is compiled once for each kind of kernel (kernel/bpf/helpers.c): 6.18 and 6.19 have a
 * task-work kfunc that takes the program as a fifth argument; from 7.0 on one to which the
 * verifier passes it; older ones have none. 7.x has both names, and libbpf refuses an object that
 * knows one of them by another prototype. Nor does the object for older kernels know either:
 * libbpf would look for it in the kernel's modules, for which CAP_BPF is not enough.
 */
#define HUSK_TASK_WORK_NONE 0
#define HUSK_TASK_WORK_EXPLICIT 1
#define HUSK_TASK_WORK_IMPLICIT 2

#if HUSK_TASK_WORK != HUSK_TASK_WORK_NONE
/* Linux 6.18, include/uapi/linux/bpf.h: opaque, found in a map's value by its name. */
struct bpf_task_work {
	__u64 __opaque;
} __attribute__((aligned(8)));

typedef int (*bpf_task_work_callback_t)(struct bpf_map *map, void *key, void *value);
#endif

#if HUSK_TASK_WORK == HUSK_TASK_WORK_EXPLICIT
extern int bpf_task_work_schedule_resume_impl(struct task_struct *task, struct bpf_task_work *work,
					      void *map__map, bpf_task_work_callback_t callback,
					      void *aux__prog) __ksym;
#elif HUSK_TASK_WORK == HUSK_TASK_WORK_IMPLICIT
extern int bpf_task_work_schedule_resume(struct task_struct *task, struct bpf_task_work *work,
					 void *map__map, bpf_task_work_callback_t callback) __ksym;
#endif

#endif /* HUSK_KERNEL_TYPES_H */
