/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* husk_layout.h - every field of every record, as the C compiler has laid it out. */
#ifndef HUSK_LAYOUT_H
#define HUSK_LAYOUT_H

#include <stddef.h>

struct husk_field {
	const char *type;
	const char *name;
	size_t offset;
	size_t size;
};

/* Ends with an entry whose type is NULL. */
const struct husk_field *husk_fields(void);

#endif /* HUSK_LAYOUT_H */
