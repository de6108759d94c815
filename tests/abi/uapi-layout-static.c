// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The layout, checked while compiling: for machines whose programs cannot run
 * here. It needs the kernel's headers and no C library.
 */
#include <linux/portalmem.h>
#include <stddef.h>

#define SIZE(type, bytes) \
	_Static_assert(sizeof(struct type) == (bytes), "size of " #type);
#define OFFSET(type, field, bytes, size)                            \
	_Static_assert(offsetof(struct type, field) == (bytes),     \
		       "place of " #type "." #field);               \
	_Static_assert(sizeof(((struct type *)0)->field) == (size), \
		       "size of " #type "." #field);
#define VALUE(constant, number) \
	_Static_assert((constant) == (number), "value of " #constant);

#include "uapi-layout.h"
