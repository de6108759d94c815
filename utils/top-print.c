// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "census-print.h"
#include "report.h"
#include "text.h"
#include "top-print.h"
#include "top-screen.h"

#define TIME_ROOM sizeof("-2147481748-01-01T00:00:00Z")

/* The time of day where no zone has a say. */
static void format_now(char text[TIME_ROOM])
{
	time_t now = time(NULL);
	struct tm tm;

	text[0] = '\0';
	if (gmtime_r(&now, &tm))
		strftime(text, TIME_ROOM, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int top_print_text(const struct top_report *report, struct top_ui *ui)
{
	struct top_screen screen = {0};
	char now[TIME_ROOM];
	int status = EXIT_DONE;

	top_screen_draw(&screen, report, ui, TOP_ALL_ROWS, TEXT_UNLIMITED);
	format_now(now);
	if (screen.out_of_memory)
		status = failed("printing a sample: %s; free memory",
				strerror(ENOMEM));
	else
		puts(now);
	for (size_t i = 0; i < screen.count && status == EXIT_DONE; i++)
		puts(screen.lines[i].text);
	putchar('\n');
	top_screen_free(&screen);
	return status;
}

/* What is not known is null. */
static void json_known(struct json *json, const char *key, bool known,
		       uint64_t value)
{
	if (known)
		json_number(json, key, value);
	else
		json_null(json, key);
}

static void json_rate(struct json *json, const char *key, bool known,
		      uint64_t rate)
{
	if (known)
		json_thousandths(json, key, rate);
	else
		json_null(json, key);
}

static void print_failures(struct json *json, const struct heap_state *heap)
{
	if (!heap->counted) {
		json_null(json, "failures");
		return;
	}
	json_object_begin(json, "failures");
	for (size_t i = 0; i < heap->failure_count; i++)
		json_number(json, heap->failures[i].reason,
			    heap->failures[i].count);
	json_object_end(json);
}

static void print_heap(struct json *json, const struct top_report *report,
		       const struct heap_state *heap)
{
	uint64_t rate = 0;
	bool rated = top_report_heap_rate(report, heap, &rate);

	json_object_begin(json, NULL);
	json_string(json, "name", heap->name);
	json_known(json, "size", heap->size, heap->size);
	json_known(json, "limit", heap->limit, heap->limit);
	json_number(json, "live", heap->live);
	json_number(json, "buffers", heap->buffers);
	json_number(json, "pooled", heap->pooled);
	json_known(json, "peak", heap->counted, heap->peak);
	json_known(json, "allocations", heap->counted, heap->allocations);
	json_known(json, "frees", heap->counted, heap->frees);
	json_rate(json, "allocations_per_second", rated, rate);
	print_failures(json, heap);
	json_object_end(json);
}

static void print_heaps(struct json *json, const struct top_report *report)
{
	const struct heap_states *heaps = &report->history->now->heaps;

	json_array_begin(json, "heaps");
	for (size_t i = 0; i < heaps->count; i++)
		print_heap(json, report, &heaps->list[i]);
	json_array_end(json);
}

static void print_buffers(struct json *json, const struct top_report *report)
{
	json_array_begin(json, "buffers");
	for (size_t i = 0; i < report->view.count; i++) {
		const struct dmabuf *buffer = report->view.buffers[i];
		int64_t age = top_report_age(report, buffer);

		json_object_begin(json, NULL);
		print_dmabuf_members(json, buffer);
		json_rate(json, "age", age >= 0, age >= 0 ? (uint64_t)age : 0);
		json_object_end(json);
	}
	json_array_end(json);
}

static void print_totals(struct json *json, const char *key,
			 const struct top_report *report,
			 const struct census_total *totals, size_t count)
{
	json_array_begin(json, key);
	for (size_t i = 0; i < count; i++) {
		json_object_begin(json, NULL);
		print_total_members(json, &totals[i]);
		json_signed(json, "growth",
			    top_report_growth(report, &totals[i]));
		json_object_end(json);
	}
	json_array_end(json);
}

void top_print_json(const struct top_report *report)
{
	const struct top_history *history = report->history;
	const struct census_view *view = &report->view;
	struct json json = {.out = stdout};
	char now[TIME_ROOM];

	format_now(now);
	json_object_begin(&json, NULL);
	json_string(&json, "time", now);
	json_thousandths(&json, "elapsed",
			 (uint64_t)(history->now->when - history->first->when));
	print_census_members(&json, view);
	json_signed(&json, "growth", report->growth);
	json_signed(&json, "buffer_growth", report->buffer_growth);
	json_number(&json, "allocations", history->now->allocations);
	json_rate(&json, "allocations_per_second", report->rated,
		  report->allocation_rate);
	json_number(&json, "pooled", report->pooled);
	print_heaps(&json, report);
	print_buffers(&json, report);
	print_totals(&json, "exporters", report, view->exporters,
		     view->exporter_count);
	print_totals(&json, "processes", report, view->processes,
		     view->process_count);
	json_object_end(&json);
	json_finish(&json);
}
