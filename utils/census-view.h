/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A census as a user asked to see it: some of its buffers, in an order, with
 * totals.
 */
#ifndef CENSUS_VIEW_H
#define CENSUS_VIEW_H

#include "census.h"

enum census_order {
	CENSUS_BY_SIZE, /* the largest first */
	CENSUS_BY_INODE,
	CENSUS_BY_EXPORTER,
	CENSUS_BY_NAME,
	CENSUS_BY_HOLDERS, /* the most first */
	CENSUS_ORDERS
};

/* Their names, as --sort takes them. */
extern const char *const census_order_names[CENSUS_ORDERS];

struct census_filter {
	pid_t pid;	      /* 0: any */
	const char *exporter; /* NULL: any */
};

/* What one process, or one exporter, has in all. */
struct census_total {
	pid_t pid;
	const char *label; /* its command, or the exporter */
	size_t buffers;
	uint64_t size;	/* of these buffers */
	uint64_t share; /* of a process: its part of them */
};

struct census_view {
	const struct census *census;
	const struct dmabuf **buffers;
	size_t count;
	struct census_total *processes;
	size_t process_count;
	struct census_total *exporters;
	size_t exporter_count;
	uint64_t size; /* of all that are shown */
};

/* Gives 0 or -ENOMEM. The view refers to the census. */
int census_view_make(struct census_view *view, const struct census *census,
		     const struct census_filter *filter,
		     enum census_order order);

void census_view_free(struct census_view *view);

/* Is the holder one that the filter leaves? */
bool census_filter_has(const struct census_filter *filter,
		       const struct holder *holder);

#endif
