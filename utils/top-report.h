/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one screen of 'portalmem top' is about: the present beside the start,
 * filtered and in an order.
 */
#ifndef TOP_REPORT_H
#define TOP_REPORT_H

#include "census-view.h"
#include "top-sample.h"

enum top_view {
	TOP_BUFFERS,
	TOP_PROCESSES,
	TOP_EXPORTERS,
	TOP_VIEWS
};

enum top_order {
	TOP_BY_SIZE,
	TOP_BY_GROWTH,
	TOP_BY_SHARE,
	TOP_BY_BUFFERS,
	TOP_BY_HOLDERS,
	TOP_BY_INODE,
	TOP_BY_PID,
	TOP_BY_EXPORTER,
	TOP_BY_NAME,
	TOP_ORDERS
};

/* Their names, as --view and --sort take them. */
extern const char *const top_view_names[TOP_VIEWS];
extern const char *const top_order_names[TOP_ORDERS];

/* Does the view have the order? */
bool top_view_has(enum top_view view, enum top_order order);

struct top_request {
	enum top_view view;
	enum top_order order; /* one that the view has */
	bool reversed;
	struct census_filter filter;
};

struct top_row {
	const struct dmabuf *buffer; /* or */
	const struct census_total *total;
	int64_t growth;
	int64_t age; /* of a buffer, in ms; -1: it was there at the start */
};

struct top_report {
	const struct top_history *history;
	struct census_view view, start;
	struct top_row *rows;
	size_t count;
	int64_t growth;
	int64_t buffer_growth;
	uint64_t pooled;
	bool rated; /* there is a sample before this one */
	uint64_t allocation_rate;
};

/* Gives 0 or -ENOMEM. The report refers to the history's samples. */
int top_report_make(struct top_report *report,
		    const struct top_history *history,
		    const struct top_request *request);

void top_report_free(struct top_report *report);

/* What has changed about one process or exporter since the start. */
int64_t top_report_growth(const struct top_report *report,
			  const struct census_total *total);

/* How old a buffer is, as in struct top_row. */
int64_t top_report_age(const struct top_report *report,
		       const struct dmabuf *buffer);

/* A heap as it was at the start, and in the sample before; or NULL. */
const struct heap_state *top_report_heap_first(const struct top_report *report,
					       const struct heap_state *heap);

/* Allocations per second, in thousandths; false when nothing is known. */
bool top_report_heap_rate(const struct top_report *report,
			  const struct heap_state *heap, uint64_t *rate);

/* Did allocations fail since the start? */
bool top_report_heap_failed(const struct top_report *report,
			    const struct heap_state *heap);

#endif
