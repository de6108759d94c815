// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "top-report.h"

const char *const top_view_names[TOP_VIEWS] = {
	[TOP_BUFFERS] = "buffers",
	[TOP_PROCESSES] = "processes",
	[TOP_EXPORTERS] = "exporters",
};

const char *const top_order_names[TOP_ORDERS] = {
	[TOP_BY_SIZE] = "size",	      [TOP_BY_GROWTH] = "growth",
	[TOP_BY_SHARE] = "share",     [TOP_BY_BUFFERS] = "buffers",
	[TOP_BY_HOLDERS] = "holders", [TOP_BY_INODE] = "inode",
	[TOP_BY_PID] = "pid",	      [TOP_BY_EXPORTER] = "exporter",
	[TOP_BY_NAME] = "name",
};

#define ORDER(name) (1U << TOP_BY_##name)

bool top_view_has(enum top_view view, enum top_order order)
{
	static const unsigned int orders[TOP_VIEWS] = {
		[TOP_BUFFERS] = ORDER(SIZE) | ORDER(GROWTH) | ORDER(HOLDERS) |
				ORDER(INODE) | ORDER(EXPORTER) | ORDER(NAME),
		[TOP_PROCESSES] = ORDER(SIZE) | ORDER(GROWTH) | ORDER(SHARE) |
				  ORDER(BUFFERS) | ORDER(PID) | ORDER(NAME),
		[TOP_EXPORTERS] = ORDER(SIZE) | ORDER(GROWTH) | ORDER(BUFFERS) |
				  ORDER(NAME),
	};

	return orders[view] & 1U << order;
}

/* The order in which the census itself gives the buffers. */
static enum census_order census_order(enum top_order order)
{
	switch (order) {
	case TOP_BY_HOLDERS:
		return CENSUS_BY_HOLDERS;
	case TOP_BY_INODE:
		return CENSUS_BY_INODE;
	case TOP_BY_EXPORTER:
		return CENSUS_BY_EXPORTER;
	case TOP_BY_NAME:
		return CENSUS_BY_NAME;
	default:
		return CENSUS_BY_SIZE;
	}
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int compare_growth(const void *a, const void *b)
{
	const struct top_row *left = a, *right = b;

	return (right->growth > left->growth) - (right->growth < left->growth);
}

/* What compares equal otherwise is by this: each row is somewhere for good. */
static int by_identity(const struct top_row *a, const struct top_row *b)
{
	if (a->buffer)
		return compare(a->buffer->inode, b->buffer->inode);
	if (a->total->pid != b->total->pid)
		return a->total->pid < b->total->pid ? -1 : 1;
	return strcmp(a->total->label, b->total->label);
}

static uint64_t row_size(const struct top_row *row)
{
	return row->buffer ? row->buffer->size : row->total->size;
}

static int by_size(const void *a, const void *b)
{
	int order = compare(row_size(b), row_size(a));

	return order ? order : by_identity(a, b);
}

static int by_growth(const void *a, const void *b)
{
	int order = compare_growth(a, b);

	return order ? order : by_size(a, b);
}

static int by_share(const void *a, const void *b)
{
	const struct top_row *left = a, *right = b;
	int order = compare(right->total->share, left->total->share);

	return order ? order : by_size(a, b);
}

static int by_buffers(const void *a, const void *b)
{
	const struct top_row *left = a, *right = b;
	int order = compare(right->total->buffers, left->total->buffers);

	return order ? order : by_size(a, b);
}

static int by_pid(const void *a, const void *b)
{
	return by_identity(a, b);
}

static int by_label(const void *a, const void *b)
{
	const struct top_row *left = a, *right = b;
	int order = strcmp(left->total->label, right->total->label);

	return order ? order : by_size(a, b);
}

static void sort_rows(struct top_report *report, enum top_view view,
		      enum top_order order)
{
	static int (*const comparisons[TOP_ORDERS])(const void *,
						    const void *) = {
		[TOP_BY_SIZE] = by_size,   [TOP_BY_GROWTH] = by_growth,
		[TOP_BY_SHARE] = by_share, [TOP_BY_BUFFERS] = by_buffers,
		[TOP_BY_PID] = by_pid,	   [TOP_BY_NAME] = by_label,
	};

	/* Most orders of buffers are the census's, and they are in it. */
	if ((view == TOP_BUFFERS && order != TOP_BY_GROWTH) ||
	    !comparisons[order])
		return;
	qsort(report->rows, report->count, sizeof(*report->rows),
	      comparisons[order]);
}

static void reverse_rows(struct top_report *report)
{
	for (size_t i = 0; i < report->count / 2; i++) {
		struct top_row *other = &report->rows[report->count - 1 - i];
		struct top_row row = report->rows[i];

		report->rows[i] = *other;
		*other = row;
	}
}

int64_t top_report_age(const struct top_report *report,
		       const struct dmabuf *buffer)
{
	const struct top_sample *now = report->history->now;
	int64_t born = now->born[buffer - now->census.buffers];

	return born == TOP_BORN_BEFORE ? -1 : now->when - born;
}

/* Has the process of this number been another one at the start? */
static bool is_another_process(const struct top_report *report, pid_t pid)
{
	const struct top_process *now =
		top_sample_find(report->history->now, pid);
	const struct top_process *then =
		top_sample_find(report->history->first, pid);

	return now && then && now->timed && then->timed &&
	       now->times.started != then->times.started;
}

int64_t top_report_growth(const struct top_report *report,
			  const struct census_total *total)
{
	const struct census_total *then = total->pid ? report->start.processes
						     : report->start.exporters;
	size_t count = total->pid ? report->start.process_count
				  : report->start.exporter_count;

	for (size_t i = 0; i < count; i++, then++) {
		if (then->pid != total->pid)
			continue;
		if (total->pid ? !is_another_process(report, total->pid)
			       : strcmp(then->label, total->label) == 0)
			return (int64_t)(total->size - then->size);
	}
	return (int64_t)total->size;
}

static void add_buffers(struct top_report *report)
{
	for (size_t i = 0; i < report->view.count; i++) {
		const struct dmabuf *buffer = report->view.buffers[i];
		struct top_row *row = &report->rows[report->count++];

		row->buffer = buffer;
		row->age = top_report_age(report, buffer);
		row->growth = row->age < 0 ? 0 : (int64_t)buffer->size;
	}
}

static void add_totals(struct top_report *report,
		       const struct census_total *totals, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct top_row *row = &report->rows[report->count++];

		row->total = &totals[i];
		row->growth = top_report_growth(report, &totals[i]);
	}
}

static int make_rows(struct top_report *report, enum top_view view)
{
	const struct census_view *now = &report->view;
	size_t most = now->count + now->process_count + now->exporter_count;

	report->rows = calloc(most + 1, sizeof(*report->rows));
	if (!report->rows)
		return -ENOMEM;
	if (view == TOP_BUFFERS)
		add_buffers(report);
	else if (view == TOP_PROCESSES)
		add_totals(report, now->processes, now->process_count);
	else
		add_totals(report, now->exporters, now->exporter_count);
	return 0;
}

static void sum_up(struct top_report *report)
{
	const struct top_history *history = report->history;
	const struct heap_states *heaps = &history->now->heaps;

	report->growth = (int64_t)(report->view.size - report->start.size);
	report->buffer_growth =
		(int64_t)report->view.count - (int64_t)report->start.count;
	for (size_t i = 0; i < heaps->count; i++)
		report->pooled += heaps->list[i].pooled;
	report->rated = history->before != history->now;
	if (report->rated)
		report->allocation_rate =
			top_history_rate(history, history->before->allocations,
					 history->now->allocations);
}

int top_report_make(struct top_report *report,
		    const struct top_history *history,
		    const struct top_request *request)
{
	int ret;

	memset(report, 0, sizeof(*report));
	report->history = history;
	ret = census_view_make(&report->view, &history->now->census,
			       &request->filter, census_order(request->order));
	if (ret == 0)
		ret = census_view_make(&report->start, &history->first->census,
				       &request->filter, CENSUS_BY_SIZE);
	if (ret == 0)
		ret = make_rows(report, request->view);
	if (ret) {
		top_report_free(report);
		return ret;
	}
	sort_rows(report, request->view, request->order);
	if (request->reversed)
		reverse_rows(report);
	sum_up(report);
	return 0;
}

void top_report_free(struct top_report *report)
{
	census_view_free(&report->view);
	census_view_free(&report->start);
	free(report->rows);
	memset(report, 0, sizeof(*report));
}

const struct heap_state *top_report_heap_first(const struct top_report *report,
					       const struct heap_state *heap)
{
	return heap_states_find(&report->history->first->heaps, heap->name);
}

bool top_report_heap_rate(const struct top_report *report,
			  const struct heap_state *heap, uint64_t *rate)
{
	const struct top_history *history = report->history;
	const struct heap_state *before;

	if (!report->rated || !heap->counted)
		return false;
	before = heap_states_find(&history->before->heaps, heap->name);
	if (before && !before->counted)
		return false;
	*rate = top_history_rate(history, before ? before->allocations : 0,
				 heap->allocations);
	return true;
}

bool top_report_heap_failed(const struct top_report *report,
			    const struct heap_state *heap)
{
	const struct heap_state *first = top_report_heap_first(report, heap);

	return heap->counted && heap->failed > (first ? first->failed : 0);
}
