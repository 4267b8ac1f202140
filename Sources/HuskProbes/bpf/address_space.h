/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * address_space.h - where is the next region?
 *
 * bpf_find_vma() answers for one address and does not say where a hole ends; an address space
 * has 2^35 pages. So the tree of regions (lib/maple_tree.c, since Linux 6.1) is read, without
 * its lock. It may be changing: what is found is only a candidate, which bpf_find_vma() then
 * looks at under the lock. A region that exists all the time is found; one that appears or goes
 * meanwhile has a call of its own that tells it.
 */
#ifndef HUSK_ADDRESS_SPACE_H
#define HUSK_ADDRESS_SPACE_H

/* lib/maple_tree.c, include/linux/maple_tree.h */
#define MAPLE_NODE_MASK 255ULL
#define MAPLE_TYPE_SHIFT 3
#define MAPLE_TYPE_MASK 15
#define MAPLE_LEAF_64 1
#define MAPLE_RANGE_64 2
#define MAPLE_ARANGE_64 3
#define MAPLE_RANGE_SLOTS 16
#define MAPLE_ARANGE_SLOTS 10
/* Levels, and restarts behind holes: a leaf has at most 16 entries. */
#define MAX_TREE_STEPS 4096

#define NO_ADDRESS (~0ULL)

/* Only the root is marked as a node, to tell it from a tree of one entry (mte_safe_root()). */
static __always_inline bool is_root_node(__u64 entry)
{
	return (entry & 3) == 2 && entry > 4096;
}

static __always_inline __u64 node_word(const struct found *found, __u32 offset, __u32 index)
{
	return found->node[(offset / 8 + index) & (MAPLE_NODE_WORDS - 1)];
}

/* What is_changing() (regions.h) says under the lock. */
static __always_inline bool may_change(struct vm_area_struct *vma, __u64 flags)
{
	struct file *file = BPF_CORE_READ(vma, vm_file);
	struct dentry *dentry;

	if (flags & HUSK_PROTECTION_WRITE)
		return true;
	if (bpf_core_field_exists(vma->vm_userfaultfd_ctx.ctx) &&
	    BPF_CORE_READ(vma, vm_userfaultfd_ctx.ctx))
		return true;
	if (!file || !BPF_CORE_READ(vma, vm_ops))
		return false;
	dentry = BPF_CORE_READ(file, f_path.dentry);
	return BPF_CORE_READ(dentry, d_parent) == dentry ||
	       BPF_CORE_READ(file, f_mapping, i_mmap_writable.counter) > 0;
}

/* A leaf's entry: a region, or nothing. */
static __always_inline bool take_entry(struct found *found, __u64 entry)
{
	struct vm_area_struct *vma = (void *)entry;
	__u64 flags;

	if (entry <= 4096 || (entry & 3))
		return false;
	flags = asked_protection(BPF_CORE_READ(vma, vm_flags), BPF_CORE_READ(vma, vm_start),
				 BPF_CORE_READ(vma, vm_end));
	if ((flags & found->wanted) != found->wanted)
		return false;
	found->start = BPF_CORE_READ(vma, vm_start);
	found->end = BPF_CORE_READ(vma, vm_end);
	found->flags = flags;
	found->is_populated = BPF_CORE_READ(vma, anon_vma) || BPF_CORE_READ(vma, vm_file);
	found->may_change = may_change(vma, flags);
	return found->end > found->address && found->start < found->end;
}

/* Goes through one node: down into the child that holds found->address, or along a leaf. */
static long tree_step(__u32 index, struct thread **context)
{
	struct found *found = &(*context)->found;
	__u32 type = (found->entry >> MAPLE_TYPE_SHIFT) & MAPLE_TYPE_MASK;
	bool is_leaf = type == MAPLE_LEAF_64;
	__u32 pivots, slots, count;

	found->start = NO_ADDRESS;
	if (type == MAPLE_ARANGE_64) {
		pivots = bpf_core_field_offset(struct maple_arange_64, pivot);
		slots = bpf_core_field_offset(struct maple_arange_64, slot);
		count = MAPLE_ARANGE_SLOTS;
	} else if (is_leaf || type == MAPLE_RANGE_64) {
		pivots = bpf_core_field_offset(struct maple_range_64, pivot);
		slots = bpf_core_field_offset(struct maple_range_64, slot);
		count = MAPLE_RANGE_SLOTS;
	} else {
		return 1;
	}
	if (bpf_probe_read_kernel(found->node, sizeof(found->node),
				  (void *)(found->entry & ~MAPLE_NODE_MASK)))
		return 1;
	for (__u32 i = 0; i < MAPLE_RANGE_SLOTS; i++) {
		__u64 pivot, child;

		if (i >= count)
			break;
		/* The last entry has no pivot of its own: the node's limit, or a zero. */
		pivot = i + 1 < count ? node_word(found, pivots, i) : 0;
		if (!pivot)
			pivot = found->limit;
		if (found->address > pivot)
			continue;
		child = node_word(found, slots, i);
		if (!is_leaf) {
			found->entry = child;
			found->limit = pivot;
			return !(child & ~MAPLE_NODE_MASK);
		}
		if (take_entry(found, child))
			return 1;
		found->start = NO_ADDRESS;
		if (pivot >= found->limit)
			break;
		found->address = pivot + 1;
	}
	if (!is_leaf || found->limit == NO_ADDRESS)
		return 1;
	/* Behind this leaf: from the root again. */
	found->address = found->limit + 1;
	found->limit = NO_ADDRESS;
	found->entry = (__u64)BPF_CORE_READ(bpf_get_current_task_btf(), mm, mm_mt.ma_root);
	return !is_root_node(found->entry);
}

enum finding {
	FOUND_NONE = 0,
	FOUND = 1,
	FOUND_NOT_YET = 2, /* so many regions have been passed over: go on from found.address */
};

/*
 * Finds the first region that ends behind `address` and has all `wanted` bits in its flags:
 * thread->found. Returns an enum finding.
 */
GLOBAL int find_next_region(__u64 address, __u64 wanted)
{
	struct thread *thread = this_thread(), *context = thread;
	struct found *found;
	long steps;

	if (!thread)
		return FOUND_NONE;
	found = &thread->found;
	found->address = address;
	found->wanted = wanted;
	found->limit = NO_ADDRESS;
	found->start = NO_ADDRESS;
	found->entry = (__u64)BPF_CORE_READ(bpf_get_current_task_btf(), mm, mm_mt.ma_root);
	if (!is_root_node(found->entry))
		return found->entry && take_entry(found, found->entry) ? FOUND : FOUND_NONE;
	steps = bpf_loop(MAX_TREE_STEPS, tree_step, &context, 0);
	if (found->start != NO_ADDRESS)
		return FOUND;
	return steps >= MAX_TREE_STEPS ? FOUND_NOT_YET : FOUND_NONE;
}

#endif /* HUSK_ADDRESS_SPACE_H */
