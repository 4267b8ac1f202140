/* SPDX-License-Identifier: GPL-2.0-only */
/* regions.h - looking at the address space: what was there before, what is there now. */
#ifndef HUSK_REGIONS_H
#define HUSK_REGIONS_H

#define PAGE_MASK (~(__u64)(HUSK_PAGE_SIZE - 1))
#define MAX_REGIONS (1u << 17)   /* twice vm.max_map_count's default */
/* For a lock that another thread holds: some milliseconds. */
#define MAX_TRIES (1u << 14)
#define MAX_LOOK_TRIES 64
#define MAX_COMPONENTS 40         /* of a path, mount points included */
#define MINOR_BITS 20             /* include/linux/kdev_t.h */

static __always_inline __u32 protection_of(unsigned long vm_flags)
{
	return vm_flags & (HUSK_PROTECTION_READ | HUSK_PROTECTION_WRITE | HUSK_PROTECTION_EXECUTE);
}

static __always_inline bool is_mprotect(const struct thread *thread)
{
	return thread->call == HUSK_CALL_MPROTECT || thread->call == HUSK_CALL_PKEY_MPROTECT;
}

/* Rounds a range as mmap(2) and mprotect(2) do; an absurd one becomes empty. */
static __always_inline void set_range(struct thread *thread, __u64 address, __u64 length)
{
	__u64 end = (address + length + HUSK_PAGE_SIZE - 1) & PAGE_MASK;

	thread->next = address & PAGE_MASK;
	thread->end = end < address ? thread->next : end;
}

/* ---- before the call ---------------------------------------------------------------- */

/* Memory behind a file can be written through another mapping of it, or by a call. Of memfds
 * and shared memory this is what they are made for; of other files the kernel keeps count. */
static __always_inline bool is_written_elsewhere(struct file *file)
{
	struct dentry *dentry = file->f_path.dentry;

	return dentry->d_parent == dentry || file->f_mapping->i_mmap_writable.counter > 0;
}

/* Pages that are missing come from whoever has its userfaultfd. (One that only keeps writes is, if
 * W^X is enforced, the enforcer's.) */
static __always_inline bool is_served(struct vm_area_struct *vma)
{
	if (!bpf_core_field_exists(vma->vm_userfaultfd_ctx.ctx) || !vma->vm_userfaultfd_ctx.ctx)
		return false;
	return !config.enforcer || !(vma->vm_flags & VM_UFFD_WP) ||
	       (vma->vm_flags & VM_UFFD_MISSING);
}

/* Executable, and its bytes can change without a call that says so. `protection`: what the target
 * has asked for (asked_protection). */
static __always_inline bool is_changing(struct vm_area_struct *vma, __u32 protection)
{
	struct file *file = vma->vm_file;

	if (!(protection & HUSK_PROTECTION_EXECUTE))
		return false;
	if (protection & HUSK_PROTECTION_WRITE)
		return true;
	if (is_served(vma))
		return true;
	return vma->vm_ops && file && is_written_elsewhere(file);
}

static long note_prior(struct task_struct *task, struct vm_area_struct *vma,
		       struct thread **context)
{
	struct thread *thread = *context;
	__u32 protection = protection_of(
		asked_protection(vma->vm_flags, vma->vm_start, vma->vm_end));
	bool is_shared = vma->vm_flags & VM_SHARED;
	bool is_view = is_shared && (protection & HUSK_PROTECTION_WRITE);
	__u32 index = thread->prior_count;

	if (thread->grows_down && !thread->low)
		thread->low = vma->vm_start;
	if (thread->whole_region) {
		thread->end = vma->vm_end;
		thread->whole_region = 0;
	}
	thread->next = vma->vm_end;
	if (is_shared)
		thread->prior_view = 1;
	if (is_changing(vma, protection))
		thread->prior_changing = 1;
	/* What a call takes away that does not ask for execution matters only if it was
	 * executable, or a view of what may be executable elsewhere. */
	if (!is_mprotect(thread) && !thread->asks && !is_view &&
	    !(protection & HUSK_PROTECTION_EXECUTE))
		return 0;
	if (protection & HUSK_PROTECTION_EXECUTE)
		thread->prior_executable = 1;
	if (index >= MAX_PRIOR) {
		thread->prior_incomplete = 1;
		return 0;
	}
	thread->prior[index].start = vma->vm_start;
	thread->prior[index].end = vma->vm_end;
	thread->prior[index].protection = protection;
	thread->prior[index].backing = vma->vm_file ? HUSK_BACKING_FILE : HUSK_BACKING_ANONYMOUS;
	thread->prior[index].shared = is_shared;
	thread->prior[index].changing = is_changing(vma, protection);
	thread->prior_count = index + 1;
	return 0;
}

static long note_prior_step(__u32 index, struct thread **context)
{
	struct thread *thread = *context;
	__u64 next = thread->next;
	long error;

	if (next >= thread->end)
		return 1;
	error = bpf_find_vma(bpf_get_current_task_btf(), next, note_prior, context, 0);
	if (!error)
		return 0;
	if (error == -EBUSY)
		return ++thread->tries >= MAX_TRIES;
	/* A hole: mprotect fails there; munmap and MAP_FIXED go on. */
	if (!find_next_region(next, 0))
		thread->next = thread->end;
	else
		thread->next = thread->found.start > next ? thread->found.start
							  : next + HUSK_PAGE_SIZE;
	return 0;
}

/* Adds what is in [address, address + length) now to `prior`. */
GLOBAL int note_prior_regions(__u64 address, __u64 length)
{
	struct thread *thread = this_thread(), *context = thread;

	if (!thread)
		return 0;
	thread->tries = 0;
	set_range(thread, address, length);
	bpf_loop(MAX_REGIONS, note_prior_step, &context, 0);
	if (thread->next < thread->end)
		thread->prior_incomplete = thread->prior_unseen = 1;
	return 0;
}

/*
 * The protection before the call at `address`, and the backing; shortens *end to where
 * that answer ends.
 */
static __always_inline __u32 prior_protection(struct thread *thread, __u64 address,
					      __u64 *end, __u32 *backing)
{
	*backing = HUSK_BACKING_UNKNOWN;
	thread->prior_is_code = 0;
	for (__u32 i = 0; i < MAX_PRIOR; i++) {
		const struct prior *prior = &thread->prior[i];

		if (i >= thread->prior_count)
			break;
		if (address >= prior->end)
			continue;
		if (address < prior->start) {
			if (prior->start < *end)
				*end = prior->start;
			continue;
		}
		if (prior->end < *end)
			*end = prior->end;
		*backing = prior->backing;
		thread->prior_is_code =
			(prior->protection & HUSK_PROTECTION_EXECUTE) && !prior->changing;
		return prior->protection;
	}
	return thread->prior_incomplete ? HUSK_PROTECTION_UNKNOWN : 0;
}

/* ---- after the call ----------------------------------------------------------------- */

static __always_inline void forget_region(struct region *region)
{
	region->backing = HUSK_BACKING_UNKNOWN;
	region->flags = 0;
	region->inode = 0;
	region->file_offset = 0;
	region->device = 0;
	region->link_count = 0;
	region->absent = ABSENT_UNTOUCHED;
	region->path_size = 0;
	region->mapping = 0;
	region->image = 0;
	region->changing = 0;
	region->remembers = 0;
	region->on_disk = 0;
	region->overlay.inode = 0;
}

static __always_inline void set_changing(struct region *region)
{
	region->changing = 1;
	region->flags |= HUSK_TRANSITION_CHANGING;
}

/* Appends one component to the region's path. False: no room. */
static __always_inline bool add_component(struct region *region, struct dentry *dentry)
{
	__u32 used = region->path_size;
	long size;

	if (used > HUSK_PATH_SIZE - HUSK_COMPONENT_SIZE)
		return false;
	size = bpf_probe_read_kernel_str(region->path + used, HUSK_COMPONENT_SIZE,
					 BPF_CORE_READ(dentry, d_name.name));
	if (size > 0)
		region->path_size = used + size;
	return true;
}

/*
 * Collects a file's path as its mount namespace shows it, from the last component to the
 * first, across mount points. (bpf_d_path is not allowed in these programs.) Into thread->region.
 */
GLOBAL int describe_path(__u64 file_address)
{
	struct file *file = (void *)file_address;
	struct thread *thread = this_thread();
	struct dentry *dentry;
	struct region *region;
	struct mount *mount;

	if (!thread)
		return 0;
	region = &thread->region;
	dentry = BPF_CORE_READ(file, f_path.dentry);
	mount = (void *)BPF_CORE_READ(file, f_path.mnt) - bpf_core_field_offset(struct mount, mnt);
	for (int i = 0; i < MAX_COMPONENTS; i++) {
		struct dentry *folder = BPF_CORE_READ(dentry, d_parent);

		if (folder != dentry) {
			if (!add_component(region, dentry))
				break;
			dentry = folder;
		} else {
			/* The root of a mounted file system: go on where it is mounted. */
			struct mount *parent = BPF_CORE_READ(mount, mnt_parent);

			if (parent == mount)
				return 0;
			dentry = BPF_CORE_READ(mount, mnt_mountpoint);
			mount = parent;
		}
	}
	region->flags |= HUSK_TRANSITION_PATH_CUT;
	return 0;
}

/* The file as a process opens it, if that is another one than the mapping has. */
static __always_inline void describe_overlay(struct region *region, struct file *file)
{
	struct inode *inode = BPF_CORE_READ(file, f_path.dentry, d_inode);

	if (bpf_core_type_exists(struct backing_file) &&
	    (BPF_CORE_READ(file, f_mode) & FMODE_BACKING)) {
		struct backing_file *backing =
			(void *)file - bpf_core_field_offset(struct backing_file, file);

		inode = BPF_CORE_READ(backing, user_path.dentry, d_inode);
	}
	if (!inode || inode == BPF_CORE_READ(file, f_inode))
		return;
	region->overlay.inode = BPF_CORE_READ(inode, i_ino);
	region->overlay.device = BPF_CORE_READ(inode, i_sb, s_dev);
}

/* Which file it is, whatever is made of it; the path of one in a folder is described apart. */
static __always_inline void describe_file(struct region *region, struct file *file)
{
	struct dentry *dentry = file->f_path.dentry;
	struct inode *inode = file->f_inode;

	region->inode = inode->i_ino;
	region->link_count = inode->i_nlink;
	region->device = inode->i_sb->s_dev;
	region->populated = 1;
	/* alloc_file_pseudo() gives memfds, SysV segments and shared anonymous memory a
	 * dentry that is its own parent; a file in a folder can never look like that. */
	if (dentry->d_parent == dentry) {
		region->backing = HUSK_BACKING_KERNEL;
		region->absent = ABSENT_ASK_CACHE;
		region->mapping = (__u64)file->f_mapping;
		add_component(region, dentry);
	} else {
		unsigned long magic = inode->i_sb->s_magic;

		region->backing = HUSK_BACKING_FILE;
		region->mapping = (__u64)file->f_mapping;
		/* Files in memory are sparse, as memfds are. */
		region->absent = magic == TMPFS_MAGIC || magic == HUGETLBFS_MAGIC
					 ? ABSENT_ASK_CACHE
					 : ABSENT_FAULT;
	}
}

static __always_inline void describe_anonymous(struct region *region, struct vm_area_struct *vma)
{
	struct mm_struct *mm = vma->vm_mm;

	if (vma->vm_start <= mm->start_stack && mm->start_stack < vma->vm_end)
		region->backing = HUSK_BACKING_STACK;
	else if (vma->vm_start < mm->brk && mm->start_brk < vma->vm_end)
		region->backing = HUSK_BACKING_HEAP;
	else
		region->backing = HUSK_BACKING_ANONYMOUS;
	/* The first write to a private mapping gives it an anon_vma (mm/rmap.c). Without
	 * one not a single page exists, whatever the region's size. */
	region->populated = vma->anon_vma != 0;
	region->absent = config.hidden_pages ? ABSENT_HIDDEN : ABSENT_UNTOUCHED;
}

/*
 * The vDSO's pages come from an image in the kernel (vdso_fault(), arch/x86/entry/vdso/vma.c): what
 * a process has not asked for yet can be read there. Other regions that the kernel makes have none.
 */
static __always_inline void describe_special(struct region *region, struct vm_area_struct *vma)
{
	static const char wanted[] = "[vdso]";
	struct vm_special_mapping *mapping = (void *)BPF_CORE_READ(vma, vm_private_data);
	struct vdso_image *image = BPF_CORE_READ(vma, vm_mm, context.vdso_image);
	__u64 place = (__u64)BPF_CORE_READ(vma, vm_mm, context.vdso);
	char name[sizeof(wanted)] = {};

	region->backing = HUSK_BACKING_SPECIAL;
	region->populated = 1;
	region->absent = ABSENT_FAULT;
	bpf_probe_read_kernel_str(name, sizeof(name), BPF_CORE_READ(mapping, name));
	for (__u32 i = 0; i < sizeof(wanted); i++)
		if (name[i] != wanted[i])
			return;
	if (image && region->start >= place &&
	    region->end - place <= BPF_CORE_READ(image, size))
		region->image = (__u64)BPF_CORE_READ(image, data) + (region->start - place);
}

static long describe_region(struct task_struct *task, struct vm_area_struct *vma,
			    struct thread **context)
{
	struct thread *thread = *context;
	struct region *region = &thread->region;
	struct file *file = vma->vm_file;

	if (thread->whole_region) {
		thread->end = vma->vm_end;
		thread->whole_region = 0;
	}
	/* The kernel rounds lengths up to the size of a huge page. */
	if ((vma->vm_flags & VM_HUGETLB) && vma->vm_end > thread->end)
		thread->end = vma->vm_end;
	region->start = thread->next;
	region->end = vma->vm_end < thread->end ? vma->vm_end : thread->end;
	region->protection = protection_of(
		thread->mode == MODE_LOOK
			? asked_protection(vma->vm_flags, vma->vm_start, vma->vm_end)
		/* It has taken with it what was enforced. */
		: thread->mode == MODE_CHANGE && thread->call == HUSK_CALL_MREMAP
			? asked_protection(vma->vm_flags, thread->address, thread->address + 1)
			: vma->vm_flags);
	forget_region(region);
	region->flags = vma->vm_flags & VM_SHARED ? HUSK_TRANSITION_SHARED : 0;
	if (!vma->vm_ops) {
		/* As the kernel's vma_is_anonymous(): a private mapping of /dev/zero too. */
		describe_anonymous(region, vma);
	} else if (file) {
		describe_file(region, file);
		region->file_offset =
			vma->vm_pgoff * HUSK_PAGE_SIZE + (region->start - vma->vm_start);
		if (region->backing == HUSK_BACKING_FILE) {
			describe_path((__u64)BPF_CORE_READ(vma, vm_file));
			describe_overlay(region, (struct file *)BPF_CORE_READ(vma, vm_file));
		}
	} else {
		describe_special(region, vma);
	}
	if ((vma->vm_flags >> VM_PKEY_SHIFT) & VM_PKEY_MASK)
		region->absent = ABSENT_PROTECTED;
	else if (region->absent != ABSENT_UNTOUCHED && is_served(vma))
		region->absent = ABSENT_USERFAULT;
	if (is_changing(vma, region->protection))
		set_changing(region);
	/* Without an anon_vma no page has been copied on write (mm/rmap.c). */
	region->on_disk = region->backing == HUSK_BACKING_FILE && !vma->anon_vma &&
			  !region->changing && !(vma->vm_flags & VM_SHARED) && region->link_count;
	return 0;
}

/* Is the region that is being copied still there? */
static long note_still_executable(struct task_struct *task, struct vm_area_struct *vma,
				  struct thread **context)
{
	(*context)->still_executable =
		!!(asked_protection(vma->vm_flags, vma->vm_start, vma->vm_end) &
		   HUSK_PROTECTION_EXECUTE);
	return 0;
}

/* What is known without the address-space lock: what the arguments say, and what was seen
 * before the call. The range is the rest of the call's; prior_protection() cuts it. */
static __always_inline void describe_unseen(struct thread *thread, __u32 prior_backing)
{
	struct region *region = &thread->region;
	bool is_file;

	forget_region(region);
	region->flags = HUSK_TRANSITION_UNSEEN;
	region->protection = thread->requested;
	if ((region->protection & HUSK_PROTECTION_WRITE) &&
	    (region->protection & HUSK_PROTECTION_EXECUTE))
		set_changing(region);
	region->populated = 1;
	if (thread->call == HUSK_CALL_MMAP)
		is_file = !(thread->call_flags & MAP_ANONYMOUS);
	else
		is_file = prior_backing == HUSK_BACKING_FILE;
	region->backing = is_file ? HUSK_BACKING_FILE : prior_backing;
	region->absent = is_file		 ? ABSENT_FAULT
			 : config.hidden_pages ? ABSENT_HIDDEN
					       : ABSENT_UNTOUCHED;
}

/* The same for a look: what the tree of regions says, read without the lock. */
static __always_inline void describe_found(struct thread *thread)
{
	struct region *region = &thread->region;
	const struct found *found = &thread->found;

	forget_region(region);
	region->start = thread->next;
	region->end = found->end < thread->end ? found->end : thread->end;
	region->flags = HUSK_TRANSITION_UNSEEN | HUSK_TRANSITION_CHANGING;
	region->protection = protection_of(found->flags);
	region->populated = !!found->is_populated;
	region->changing = !!found->may_change;
	region->absent = ABSENT_UNTOUCHED;
}

#endif /* HUSK_REGIONS_H */
