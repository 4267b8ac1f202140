/* SPDX-License-Identifier: MIT */
/* What the probe hands to the reader: one record per page. */
#ifndef NAIVE_H
#define NAIVE_H

#define NAIVE_PAGE 4096
#define NAIVE_PAGES_PER_CALL 65536

struct naive_page {
	unsigned long long address;
	unsigned int tgid, tid;
	unsigned char content[NAIVE_PAGE];
};

#endif
