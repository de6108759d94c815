// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "census-view.h"

const char *const census_order_names[CENSUS_ORDERS] = {
	[CENSUS_BY_SIZE] = "size",	   [CENSUS_BY_INODE] = "inode",
	[CENSUS_BY_EXPORTER] = "exporter", [CENSUS_BY_NAME] = "name",
	[CENSUS_BY_HOLDERS] = "holders",
};

typedef const struct dmabuf *buffer_ref;

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_inode(const void *a, const void *b)
{
	return compare_numbers((*(const buffer_ref *)a)->inode,
			       (*(const buffer_ref *)b)->inode);
}

/* What compares equal is by inode: the same list is printed the same way. */
static int by_size(const void *a, const void *b)
{
	int order = compare_numbers((*(const buffer_ref *)b)->size,
				    (*(const buffer_ref *)a)->size);

	return order ? order : by_inode(a, b);
}

static int by_exporter(const void *a, const void *b)
{
	int order = strcmp((*(const buffer_ref *)a)->exporter,
			   (*(const buffer_ref *)b)->exporter);

	return order ? order : by_size(a, b);
}

static int by_name(const void *a, const void *b)
{
	int order = strcmp((*(const buffer_ref *)a)->name,
			   (*(const buffer_ref *)b)->name);

	return order ? order : by_size(a, b);
}

static int by_holders(const void *a, const void *b)
{
	int order = compare_numbers((*(const buffer_ref *)b)->holder_count,
				    (*(const buffer_ref *)a)->holder_count);

	return order ? order : by_size(a, b);
}

static int (*const comparisons[CENSUS_ORDERS])(const void *, const void *) = {
	[CENSUS_BY_SIZE] = by_size,	    [CENSUS_BY_INODE] = by_inode,
	[CENSUS_BY_EXPORTER] = by_exporter, [CENSUS_BY_NAME] = by_name,
	[CENSUS_BY_HOLDERS] = by_holders,
};

bool census_filter_has(const struct census_filter *filter,
		       const struct holder *holder)
{
	return filter->pid == 0 || holder->pid == filter->pid;
}

static bool is_wanted(const struct census_filter *filter,
		      const struct dmabuf *buffer)
{
	if (filter->exporter && strcmp(buffer->exporter, filter->exporter) != 0)
		return false;
	if (filter->pid == 0)
		return true;
	for (size_t i = 0; i < buffer->holder_count; i++) {
		if (census_filter_has(filter, &buffer->holders[i]))
			return true;
	}
	return false;
}

static void add_to_total(struct census_total *total, uint64_t size,
			 uint64_t share)
{
	total->buffers++;
	total->size += size;
	total->share += share;
}

/* By process, and by exporter: the totals to be are entries of one buffer each.
 */
static int by_pid(const void *a, const void *b)
{
	const struct census_total *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

static int by_label(const void *a, const void *b)
{
	const struct census_total *left = a, *right = b;

	return strcmp(left->label, right->label);
}

static int by_total(const void *a, const void *b)
{
	const struct census_total *left = a, *right = b;

	return compare_numbers(right->size, left->size);
}

/* Make one of entries that are the same, and put the largest first. */
static size_t sum_up(struct census_total *totals, size_t count,
		     int (*compare)(const void *, const void *))
{
	size_t sums = 0;

	if (count == 0)
		return 0;
	qsort(totals, count, sizeof(*totals), compare);
	for (size_t i = 1; i < count; i++) {
		if (compare(&totals[sums], &totals[i]) == 0)
			add_to_total(&totals[sums], totals[i].size,
				     totals[i].share);
		else
			totals[++sums] = totals[i];
	}
	qsort(totals, sums + 1, sizeof(*totals), by_total);
	return sums + 1;
}

static void note_buffer(struct census_view *view, const struct dmabuf *buffer,
			const struct census_filter *filter)
{
	view->buffers[view->count++] = buffer;
	view->size += buffer->size;
	view->exporters[view->exporter_count++] = (struct census_total){
		.label = buffer->exporter, .buffers = 1, .size = buffer->size};
	for (size_t i = 0; i < buffer->holder_count; i++) {
		const struct holder *holder = &buffer->holders[i];

		if (census_filter_has(filter, holder))
			view->processes[view->process_count++] =
				(struct census_total){
					.pid = holder->pid,
					.label = holder->command,
					.buffers = 1,
					.size = buffer->size,
					.share = dmabuf_share(buffer)};
	}
}

int census_view_make(struct census_view *view, const struct census *census,
		     const struct census_filter *filter,
		     enum census_order order)
{
	memset(view, 0, sizeof(*view));
	view->census = census;
	/* One more: no room at all may be NULL. */
	view->buffers = calloc(census->count + 1, sizeof(*view->buffers));
	view->exporters = calloc(census->count + 1, sizeof(*view->exporters));
	view->processes =
		calloc(census->holder_count + 1, sizeof(*view->processes));
	if (!view->buffers || !view->exporters || !view->processes) {
		census_view_free(view);
		return -ENOMEM;
	}
	for (size_t i = 0; i < census->count; i++) {
		if (is_wanted(filter, &census->buffers[i]))
			note_buffer(view, &census->buffers[i], filter);
	}
	qsort(view->buffers, view->count, sizeof(*view->buffers),
	      comparisons[order]);
	view->exporter_count =
		sum_up(view->exporters, view->exporter_count, by_label);
	view->process_count =
		sum_up(view->processes, view->process_count, by_pid);
	return 0;
}

void census_view_free(struct census_view *view)
{
	free(view->buffers);
	free(view->exporters);
	free(view->processes);
	memset(view, 0, sizeof(*view));
}
