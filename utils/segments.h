/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of a buffer's segments as output.
 */
#ifndef SEGMENTS_H
#define SEGMENTS_H

#include <stddef.h>
#include <stdio.h>

#include "portalmem.h"

struct segment_table {
	size_t count;
	struct portalmem_segment *segments;
};

/*
 * Draw where the segments lie, as SVG; NAME is the buffer's, or empty. Gives 0
 * or -ENOMEM. Errors of OUT stay with it.
 */
int draw_segments(FILE *out, const struct segment_table *table,
		  const char *name);

#endif
