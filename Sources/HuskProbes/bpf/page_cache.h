/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * page_cache.h - is there a page behind an address of a memfd or shared memory?
 *
 * Such memory is sparse: faulting a hole in would allocate a page in the target's name, and
 * a region of gigabytes may have one page. So the page cache is asked first. The answer is a
 * look at a tree that may be changing: what is being added at this moment may be missed, what
 * has been there before is seen.
 */
#ifndef HUSK_PAGE_CACHE_H
#define HUSK_PAGE_CACHE_H

/* include/linux/xarray.h */
#define XA_MAX_HEIGHT 11
#define XA_SLOT_MASK 63
#define XA_INTERNAL 2

static __always_inline bool xa_is_node(__u64 entry)
{
	return (entry & 3) == XA_INTERNAL && entry > 4096;
}

static __always_inline bool xa_is_sibling(__u64 entry)
{
	return (entry & 3) == XA_INTERNAL && entry < (XA_SLOT_MASK + 1) << 2;
}

static __always_inline __u64 xa_slot(__u64 node, __u64 slot)
{
	__u64 entry = 0;

	bpf_probe_read_kernel(&entry, sizeof(entry),
			      (void *)node + bpf_core_field_offset(struct xa_node, slots) +
				      (slot & XA_SLOT_MASK) * sizeof(entry));
	return entry;
}

/* A swapped-out page of shared memory has an entry too, so it counts as present. */
GLOBAL int page_cache_has(__u64 address_space, __u64 index)
{
	struct address_space *mapping = (void *)address_space;
	__u64 entry = (__u64)BPF_CORE_READ(mapping, i_pages.xa_head);

	if (!xa_is_node(entry))
		return entry && index == 0;
	for (int i = 0; i < XA_MAX_HEIGHT; i++) {
		struct xa_node *node = (void *)(entry - XA_INTERNAL);
		__u64 slot;

		slot = index >> (BPF_CORE_READ(node, shift) & 63);
		if (i == 0 && slot > XA_SLOT_MASK)
			return false; /* beyond the last page that there is */
		entry = xa_slot((__u64)node, slot);
		if (xa_is_sibling(entry))
			entry = xa_slot((__u64)node, entry >> 2);
		if (!xa_is_node(entry))
			return entry != 0;
	}
	return true;
}

#endif /* HUSK_PAGE_CACHE_H */
