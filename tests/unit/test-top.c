// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What portalmem top makes of its samples, without a terminal: growth, rates,
 * orders, keys, and lines that fit.
 */
#include <config.h>

#include <inttypes.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "pmtest.h"
#include "text.h"
#include "top-report.h"
#include "top-sample.h"
#include "top-screen.h"
#include "top-table.h"
#include "top-ui.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1) << 20)

static void *make_room(size_t count, size_t size)
{
	void *room = calloc(count + 1, size);

	ck_assert_ptr_nonnull(room);
	return room;
}

/* A buffer, and the process that holds it. */
struct spec {
	uint64_t inode, size;
	const char *exporter, *name;
	pid_t pid;
};

/* A sample of these buffers, which are by inode, WHEN ms after the start. */
static struct top_sample *make_sample(int64_t when, const struct spec *specs,
				      size_t count)
{
	struct top_sample *sample = make_room(1, sizeof(*sample));
	struct census *census = &sample->census;

	sample->when = when;
	sample->born = make_room(count, sizeof(*sample->born));
	sample->processes = make_room(count, sizeof(*sample->processes));
	census->buffers = make_room(count, sizeof(*census->buffers));
	census->holders = make_room(count, sizeof(*census->holders));
	census->count = count;
	census->complete = true;
	for (size_t i = 0; i < count; i++) {
		struct dmabuf *buffer = &census->buffers[i];
		struct holder *holder = &census->holders[census->holder_count];

		buffer->inode = specs[i].inode;
		buffer->size = specs[i].size;
		buffer->listed = true;
		snprintf(buffer->exporter, sizeof(buffer->exporter), "%s",
			 specs[i].exporter);
		snprintf(buffer->name, sizeof(buffer->name), "%s",
			 specs[i].name ? specs[i].name : "");
		buffer->holders = holder;
		if (!specs[i].pid)
			continue;
		buffer->holder_count = 1;
		census->holder_count++;
		holder->inode = specs[i].inode;
		holder->pid = specs[i].pid;
		holder->fds = 1;
		snprintf(holder->command, sizeof(holder->command), "process%d",
			 (int)specs[i].pid);
		if (!top_sample_find(sample, specs[i].pid)) {
			struct top_process *process =
				&sample->processes[sample->process_count++];

			process->pid = specs[i].pid;
			process->timed = true;
			process->times = (struct process_times){7, 100};
		}
	}
	return sample;
}

static struct heap_state *add_heap(struct top_sample *sample, const char *name)
{
	struct heap_states *heaps = &sample->heaps;
	struct heap_state *heap;

	heaps->list =
		realloc(heaps->list, (heaps->count + 1) * sizeof(*heaps->list));
	ck_assert_ptr_nonnull(heaps->list);
	heap = &heaps->list[heaps->count++];
	memset(heap, 0, sizeof(*heap));
	snprintf(heap->name, sizeof(heap->name), "%s", name);
	heap->counted = true;
	return heap;
}

static struct top_history history;
static struct top_report report;
static struct top_ui ui;

static void set_up(void)
{
	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C.UTF-8"));
	top_ui_init(&ui);
}

static void tear_down(void)
{
	top_report_free(&report);
	top_history_free(&history);
}

/* The report of what the user looks at. */
static void look(void)
{
	struct top_request request = top_ui_request(&ui);

	top_report_free(&report);
	ck_assert_int_eq(top_report_make(&report, &history, &request), 0);
}

static const struct spec start[] = {
	{1, 4 * MIB, "system", "one", 10},
	{2, 1 * MIB, "portalmem", "two", 20},
	{3, 2 * MIB, "system", "three", 20},
	{4, 8 * MIB, "drm", "four", 0},
};

/* After two seconds: 1 is gone, and 5 and 6 are new. */
static const struct spec later[] = {
	{2, 1 * MIB, "portalmem", "two", 20},
	{3, 2 * MIB, "system", "three", 20},
	{4, 8 * MIB, "drm", "four", 0},
	{5, 16 * MIB, "udmabuf", "five", 20},
	{6, 32 * MIB, "system", "six", 30},
};

static void add_both(void)
{
	top_history_add(&history, make_sample(0, start, COUNT(start)));
	top_history_add(&history, make_sample(2000, later, COUNT(later)));
}

START_TEST(at_the_start_nothing_has_grown)
{
	top_history_add(&history, make_sample(0, start, COUNT(start)));
	look();
	ck_assert_int_eq(report.growth, 0);
	ck_assert_int_eq(report.buffer_growth, 0);
	ck_assert(!report.rated);
	ck_assert_uint_eq(report.view.size, 15 * MIB);
	for (size_t i = 0; i < report.count; i++) {
		ck_assert_int_eq(report.rows[i].growth, 0);
		ck_assert_int_eq(report.rows[i].age, -1);
	}
}
END_TEST

START_TEST(growth_is_since_the_start)
{
	add_both();
	look();
	ck_assert_int_eq(report.growth, 44 * (int64_t)MIB);
	ck_assert_int_eq(report.buffer_growth, 1);
	/* Also much later, when nothing happens any more. */
	top_history_add(&history, make_sample(4000, later, COUNT(later)));
	top_history_add(&history, make_sample(6000, later, COUNT(later)));
	look();
	ck_assert_int_eq(report.growth, 44 * (int64_t)MIB);
	ck_assert_uint_eq(report.allocation_rate, 0);
	ck_assert_uint_eq(history.now->allocations, 2);
	top_history_add(&history, make_sample(8000, NULL, 0));
	look();
	ck_assert_int_eq(report.growth, -15 * (int64_t)MIB);
	ck_assert_int_eq(report.buffer_growth, -4);
}
END_TEST

static const struct top_row *row_of(pid_t pid, const char *label)
{
	for (size_t i = 0; i < report.count; i++) {
		const struct census_total *total = report.rows[i].total;

		if (total->pid == pid && (pid || !strcmp(total->label, label)))
			return &report.rows[i];
	}
	ck_abort_msg("there is no row of %d, %s", (int)pid, label ? label : "");
}

START_TEST(processes_and_exporters_grow)
{
	add_both();
	ui.view = TOP_PROCESSES;
	look();
	ck_assert_uint_eq(report.count, 2);
	ck_assert_int_eq(row_of(20, NULL)->growth, 16 * (int64_t)MIB);
	ck_assert_int_eq(row_of(30, NULL)->growth, 32 * (int64_t)MIB);
	ui.view = TOP_EXPORTERS;
	look();
	ck_assert_uint_eq(report.count, 4);
	ck_assert_int_eq(row_of(0, "system")->growth, 28 * (int64_t)MIB);
	ck_assert_int_eq(row_of(0, "udmabuf")->growth, 16 * (int64_t)MIB);
	ck_assert_int_eq(row_of(0, "drm")->growth, 0);
}
END_TEST

START_TEST(a_number_that_is_used_again_is_another_process)
{
	struct top_sample *sample = make_sample(2000, start, COUNT(start));

	top_history_add(&history, make_sample(0, start, COUNT(start)));
	ck_assert_int_eq(sample->processes[1].pid, 20);
	sample->processes[1].times.started = 101;
	top_history_add(&history, sample);
	ui.view = TOP_PROCESSES;
	look();
	ck_assert_int_eq(row_of(20, NULL)->growth, 3 * (int64_t)MIB);
	ck_assert_int_eq(row_of(10, NULL)->growth, 0);
}
END_TEST

START_TEST(a_buffer_has_its_age)
{
	add_both();
	top_history_add(&history, make_sample(5000, later, COUNT(later)));
	ck_assert(top_ui_set_order(&ui, "inode"));
	look();
	ck_assert_int_eq(report.rows[0].age, -1);
	ck_assert_int_eq(report.rows[4].age, 3000);
	ck_assert_int_eq(report.rows[4].growth, 32 * (int64_t)MIB);
}
END_TEST

START_TEST(what_is_new_is_counted_where_no_counter_does)
{
	add_both();
	look();
	ck_assert(report.rated);
	/* Two in two seconds. */
	ck_assert_uint_eq(report.allocation_rate, 1000);
}
END_TEST

static struct top_sample *with_heap(int64_t when, uint64_t allocations,
				    uint64_t failed)
{
	struct top_sample *sample = make_sample(when, start, COUNT(start));
	struct heap_state *heap = add_heap(sample, "system");

	heap->allocations = allocations;
	heap->failed = failed;
	heap->pooled = 3 * MIB;
	return sample;
}

START_TEST(counters_tell_what_came_and_went)
{
	const struct heap_state *heap;
	uint64_t rate;

	top_history_add(&history, with_heap(0, 50, 1));
	look();
	heap = &history.now->heaps.list[0];
	ck_assert(!top_report_heap_rate(&report, heap, &rate));
	ck_assert(!top_report_heap_failed(&report, heap));
	top_history_add(&history, with_heap(500, 52, 1));
	top_history_add(&history, with_heap(2500, 57, 2));
	look();
	heap = &history.now->heaps.list[0];
	ck_assert(top_report_heap_rate(&report, heap, &rate));
	ck_assert_uint_eq(rate, 2500);
	ck_assert_uint_eq(report.allocation_rate, 2500);
	ck_assert_uint_eq(history.now->allocations, 7);
	ck_assert_uint_eq(report.pooled, 3 * MIB);
	ck_assert(top_report_heap_failed(&report, heap));
}
END_TEST

START_TEST(own_buffers_are_counted_once)
{
	static const struct spec both[] = {
		{7, MIB, "portalmem", NULL, 10},
		{8, MIB, "udmabuf", NULL, 10},
	};
	struct top_sample *first = make_sample(0, NULL, 0);
	struct top_sample *second = make_sample(1000, both, COUNT(both));

	add_heap(first, "system");
	add_heap(second, "system")->allocations = 1;
	top_history_add(&history, first);
	top_history_add(&history, second);
	ck_assert_uint_eq(history.now->allocations, 2);
}
END_TEST

START_TEST(a_module_loaded_anew_counts_from_zero)
{
	uint64_t rate;

	top_history_add(&history, with_heap(0, 1000, 5));
	top_history_add(&history, make_sample(1000, start, COUNT(start)));
	top_history_add(&history, with_heap(2000, 4, 0));
	top_history_add(&history, with_heap(3000, 2, 0));
	look();
	ck_assert(top_report_heap_rate(&report, &history.now->heaps.list[0],
				       &rate));
	ck_assert_uint_eq(rate, 2000);
	ck_assert_uint_eq(history.now->allocations, 6);
	ck_assert(
		!top_report_heap_failed(&report, &history.now->heaps.list[0]));
}
END_TEST

START_TEST(a_rate_of_no_time_is_none)
{
	top_history_add(&history, with_heap(0, 0, 0));
	top_history_add(&history, with_heap(0, UINT64_MAX, 0));
	look();
	ck_assert_uint_eq(report.allocation_rate, 0);
	top_history_add(&history, with_heap(1000, 0, 0));
	top_history_add(&history, with_heap(2000, UINT64_MAX, 0));
	look();
	ck_assert_uint_eq(report.allocation_rate, 0);
}
END_TEST

static bool leaks(size_t index)
{
	return history.now->census.buffers[index].leaked;
}

START_TEST(what_idle_processes_hold_looks_leaked)
{
	struct top_sample *sample;

	top_history_add(&history, make_sample(0, start, COUNT(start)));
	ck_assert(!leaks(0));
	top_history_add(&history, make_sample(100, start, COUNT(start)));
	ck_assert(!leaks(0));
	sample = make_sample(200, start, COUNT(start));
	sample->census.buffers[2].attachments = 1;
	top_history_add(&history, sample);
	ck_assert(leaks(0));
	ck_assert(leaks(1));
	ck_assert(!leaks(2)); /* a device has it */
	ck_assert(!leaks(3)); /* no process has it */
	/* One of the processes works again. */
	sample = make_sample(1000, start, COUNT(start));
	sample->processes[0].times.used++;
	top_history_add(&history, sample);
	ck_assert(!leaks(0));
	ck_assert(leaks(1));
	/* Of one nothing can be told. */
	sample = make_sample(2000, start, COUNT(start));
	sample->processes[1].timed = false;
	top_history_add(&history, sample);
	ck_assert(!leaks(1));
}
END_TEST

/* Inodes, processes or labels, in the order of the rows. */
static const char *rows_in_order(void)
{
	static char text[256];

	text[0] = '\0';
	for (size_t i = 0; i < report.count; i++) {
		const struct top_row *row = &report.rows[i];
		size_t used = strlen(text);

		if (row->buffer)
			snprintf(text + used, sizeof(text) - used, "%" PRIu64,
				 row->buffer->inode);
		else if (row->total->pid)
			snprintf(text + used, sizeof(text) - used, "%d,",
				 (int)row->total->pid);
		else
			snprintf(text + used, sizeof(text) - used, "%c",
				 row->total->label[0]);
	}
	return text;
}

static const struct {
	enum top_view view;
	const char *order, *rows;
} ordered[] = {
	{TOP_BUFFERS, "size", "65432"},
	{TOP_BUFFERS, "growth", "65432"},
	{TOP_BUFFERS, "holders", "65324"},
	{TOP_BUFFERS, "inode", "23456"},
	{TOP_BUFFERS, "exporter", "42635"},
	{TOP_BUFFERS, "name", "54632"},
	{TOP_PROCESSES, "size", "30,20,"},
	{TOP_PROCESSES, "growth", "30,20,"},
	{TOP_PROCESSES, "share", "30,20,"},
	{TOP_PROCESSES, "buffers", "20,30,"},
	{TOP_PROCESSES, "pid", "20,30,"},
	{TOP_PROCESSES, "name", "20,30,"},
	{TOP_EXPORTERS, "size", "sudp"},
	{TOP_EXPORTERS, "growth", "sudp"},
	{TOP_EXPORTERS, "buffers", "sudp"},
	{TOP_EXPORTERS, "name", "dpsu"},
};

START_TEST(rows_are_in_the_order)
{
	struct top_row first;

	add_both();
	ui.view = ordered[_i].view;
	ck_assert(top_ui_set_order(&ui, ordered[_i].order));
	look();
	ck_assert_str_eq(rows_in_order(), ordered[_i].rows);
	first = report.rows[0];
	ui.reversed = true;
	look();
	ck_assert_int_eq(report.rows[report.count - 1].growth, first.growth);
	ck_assert_ptr_eq(report.rows[report.count - 1].buffer, first.buffer);
	ck_assert_str_ne(rows_in_order(), ordered[_i].rows);
}
END_TEST

START_TEST(a_view_lacks_some_orders)
{
	ck_assert(!top_ui_set_order(&ui, "pid"));
	ck_assert(!top_ui_set_order(&ui, "share"));
	ck_assert(!top_ui_set_order(&ui, "no such"));
	/* It was set where it is one. */
	ui.view = TOP_PROCESSES;
	ck_assert_int_eq(ui.orders[TOP_PROCESSES], TOP_BY_SHARE);
	ck_assert_int_eq(ui.orders[TOP_BUFFERS], TOP_BY_SIZE);
}
END_TEST

static void type(const char *keys)
{
	for (; *keys; keys++)
		top_ui_key(&ui, (unsigned char)*keys);
}

START_TEST(a_filter_is_for_the_start_too)
{
	add_both();
	type("f20\n");
	look();
	ck_assert_str_eq(rows_in_order(), "532");
	ck_assert_int_eq(report.growth, 16 * (int64_t)MIB);
	type("fsystem\n");
	look();
	ck_assert_str_eq(rows_in_order(), "63");
	ck_assert_int_eq(report.growth, 28 * (int64_t)MIB);
	type("fnone such\n");
	look();
	ck_assert_uint_eq(report.count, 0);
	ck_assert_int_eq(report.growth, 0);
	type("f\n");
	look();
	ck_assert_uint_eq(report.count, 5);
}
END_TEST

START_TEST(prompts_are_edited_and_left)
{
	type("f2");
	ck_assert_int_eq(ui.prompt, TOP_ASK_FILTER);
	top_ui_key(&ui, TOP_KEY_ESCAPE);
	ck_assert_int_eq(ui.prompt, TOP_NO_PROMPT);
	ck_assert_int_eq(ui.filter.pid, 0);
	type("f25\b\x7f");
	top_ui_key(&ui, TOP_KEY_BACKSPACE);
	type("317\n");
	ck_assert_int_eq(ui.filter.pid, 317);
	type("f0\n");
	ck_assert_str_eq(ui.message, "0 is no number of a process");
	type("f99999999999999999999999\n");
	ck_assert_int_eq(ui.filter.pid, 0);
	/* What else can be typed: no more than there is room for. */
	type("f");
	for (int i = 0; i < 1000; i++)
		top_ui_key(&ui, i % 0x180);
	ck_assert_uint_lt(strlen(ui.input), sizeof(ui.input));
}
END_TEST

START_TEST(the_delay_is_asked_for)
{
	type("d0.25\n");
	ck_assert_int_eq(ui.delay, 250);
	type("d\n");
	ck_assert_int_eq(ui.delay, 250);
	ck_assert_str_eq(ui.message, "");
	type("d0.01\n");
	ck_assert_int_eq(ui.delay, 250);
	ck_assert_str_eq(ui.message,
			 "'0.01' is not a time in seconds from 0.1 on");
	type("dsoon\n");
	ck_assert_int_eq(ui.delay, 250);
	/* The next key takes the message away. */
	type("x");
	ck_assert_str_eq(ui.message, "");
}
END_TEST

START_TEST(keys_do_what_help_says)
{
	ck_assert_int_eq(top_ui_key(&ui, 'p'), TOP_REDRAW);
	ck_assert_int_eq(ui.view, TOP_PROCESSES);
	type("e");
	ck_assert_int_eq(ui.view, TOP_EXPORTERS);
	type("\t");
	ck_assert_int_eq(ui.view, TOP_BUFFERS);
	type("<");
	ck_assert_int_eq(ui.orders[TOP_BUFFERS], TOP_BY_NAME);
	type(">>");
	ck_assert_int_eq(ui.orders[TOP_BUFFERS], TOP_BY_GROWTH);
	type("r");
	ck_assert(ui.reversed);
	type("H");
	ck_assert(ui.heaps_hidden);
	ck_assert_int_eq(top_ui_key(&ui, ' '), TOP_REDRAW);
	ck_assert(ui.paused);
	ck_assert_int_eq(top_ui_key(&ui, ' '), TOP_SAMPLE);
	ck_assert(!ui.paused);
	ck_assert_int_eq(top_ui_key(&ui, '\n'), TOP_SAMPLE);
	ck_assert_int_eq(top_ui_key(&ui, '\f'), TOP_REPAINT);
	ck_assert_int_eq(top_ui_key(&ui, '?'), TOP_REDRAW);
	ck_assert(ui.help);
	/* A key that does something otherwise ends the help alone. */
	type("p");
	ck_assert(!ui.help);
	ck_assert_int_eq(ui.view, TOP_BUFFERS);
	top_ui_key(&ui, TOP_KEY_HELP);
	ck_assert_int_eq(top_ui_key(&ui, 'q'), TOP_QUIT);
}
END_TEST

static unsigned int columns_of(const char *text)
{
	char copy[TEXT_ROOM(TEXT_UNLIMITED)];

	return text_fit(copy, text, TEXT_UNLIMITED);
}

/* Draw a screen, which must fit. */
static void draw(struct top_screen *screen, unsigned int rows,
		 unsigned int columns)
{
	top_screen_draw(screen, &report, &ui, rows, columns);
	ck_assert(!screen->out_of_memory);
	ck_assert_uint_le(screen->count, rows);
	for (size_t i = 0; i < screen->count; i++)
		ck_assert_uint_le(columns_of(screen->lines[i].text), columns);
}

static void add_heaps(struct top_sample *sample)
{
	struct heap_state *heap;

	add_heap(sample, "a")->live = 5;
	heap = add_heap(sample, "camera");
	heap->size = 64 * MIB;
	heap->live = 16 * MIB;
	heap->peak = 63 * MIB;
	heap = add_heap(sample, "full");
	heap->limit = 4 * MIB;
	heap->live = 4 * MIB;
	heap->failed = 3;
	for (int i = 0; i < 9; i++)
		add_heap(sample, "one of many heaps");
}

START_TEST(every_size_of_terminal_is_kept)
{
	struct top_sample *sample = make_sample(0, later, COUNT(later));
	struct top_screen screen = {0};

	snprintf(sample->census.buffers[0].name,
		 sizeof(sample->census.buffers[0].name),
		 "\xe6\x98\xa0\xe5\x83\x8f\xff\x1b[31m of a wide\xc2\x85 name");
	add_heaps(sample);
	top_history_add(&history, sample);
	for (int keys = 0; keys < 6; keys++) {
		type((const char *const[]){"", "p", "e", "h", "xf123",
					   "\n"}[keys]);
		look();
		for (unsigned int rows = 0; rows < 40; rows++) {
			for (unsigned int columns = 1; columns < 130;
			     columns++) {
				draw(&screen, rows, columns);
				if (rows)
					ck_assert_uint_ge(screen.count, 1);
				top_screen_free(&screen);
			}
		}
	}
}
END_TEST

static const char *line_with(const struct top_screen *screen, const char *text)
{
	for (size_t i = 0; i < screen->count; i++) {
		if (strstr(screen->lines[i].text, text))
			return screen->lines[i].text;
	}
	ck_abort_msg("no line has '%s'", text);
}

START_TEST(a_screen_of_80_columns_has_it_all)
{
	struct top_screen screen = {0};
	struct top_sample *sample = make_sample(2000, later, COUNT(later));

	top_history_add(&history, make_sample(0, start, COUNT(start)));
	add_heaps(sample);
	top_history_add(&history, sample);
	look();
	draw(&screen, 24, 80);
	ck_assert_uint_eq(screen.count, 24);
	ck_assert_str_eq(screen.lines[0].text,
			 "portalmem top: 5 buffers, 59M, +44M since start, 1.0 "
			 "allocations/s, 0 in pools");
	ck_assert_str_eq(screen.lines[1].text, "buffers by size, every 2.0 s");
	ck_assert_str_eq(
		line_with(&screen, "camera"),
		"camera      [##........]  25%    16M    64M    63M      "
		"0       0     0.0      0");
	ck_assert_str_eq(
		line_with(&screen, "full"),
		"full        [##########] 100%     4M     4M      0      "
		"0       0     0.0      3");
	ck_assert_ptr_nonnull(line_with(&screen, "heaps more"));
	ck_assert_str_eq(line_with(&screen, "process30"),
			 "     6    32M system    six          0    1      30 "
			 "process30   0s");
	ck_assert_ptr_nonnull(strstr(line_with(&screen, "four"), "no process"));
	ck_assert_ptr_nonnull(line_with(&screen, "q quit"));
	for (size_t i = 0; i < screen.count; i++) {
		if (strstr(screen.lines[i].text, "100%"))
			ck_assert_int_eq(screen.lines[i].style, TOP_ALERT);
	}
	top_screen_free(&screen);
}
END_TEST

START_TEST(one_row_has_the_totals)
{
	struct top_screen screen = {0};

	add_both();
	look();
	draw(&screen, 1, 20);
	ck_assert_str_eq(screen.lines[0].text, "5 59M +44M 1.0/s");
	top_screen_free(&screen);
	draw(&screen, 3, 20);
	ck_assert_str_eq(screen.lines[1].text, "  SIZE  COMMAND");
	ck_assert_str_eq(screen.lines[2].text, "   32M  process30");
	top_screen_free(&screen);
}
END_TEST

START_TEST(scrolling_stays_in_the_table)
{
	struct top_screen screen = {0};

	add_both();
	look();
	/* The totals, the status, the heading and two rows. */
	draw(&screen, 5, 80);
	ck_assert_uint_eq(ui.page, 2);
	top_screen_free(&screen);
	top_ui_key(&ui, TOP_KEY_UP);
	ck_assert_uint_eq(ui.offset, 0);
	top_ui_key(&ui, TOP_KEY_DOWN);
	ck_assert_uint_eq(ui.offset, 1);
	top_ui_key(&ui, TOP_KEY_PAGE_DOWN);
	ck_assert_uint_eq(ui.offset, 3);
	top_ui_key(&ui, TOP_KEY_PAGE_DOWN);
	ck_assert_uint_eq(ui.offset, 3);
	draw(&screen, 5, 80);
	ck_assert_ptr_nonnull(strstr(screen.lines[4].text, "two"));
	top_screen_free(&screen);
	/* Where there is more room, the last page is longer. */
	draw(&screen, 7, 80);
	ck_assert_uint_eq(ui.offset, 1);
	top_screen_free(&screen);
	top_ui_key(&ui, TOP_KEY_PAGE_UP);
	ck_assert_uint_eq(ui.offset, 0);
	top_ui_key(&ui, TOP_KEY_END);
	ck_assert_uint_eq(ui.offset, 1);
	top_ui_key(&ui, TOP_KEY_HOME);
	ck_assert_uint_eq(ui.offset, 0);
	/* When there is less, too. */
	top_ui_key(&ui, TOP_KEY_END);
	top_history_add(&history, make_sample(3000, NULL, 0));
	look();
	draw(&screen, 5, 80);
	ck_assert_uint_eq(ui.offset, 0);
	top_screen_free(&screen);
	/* And the help, where it is longer than the terminal. */
	type("h");
	draw(&screen, 5, 80);
	top_ui_key(&ui, TOP_KEY_END);
	top_screen_free(&screen);
	draw(&screen, 5, 80);
	ck_assert_str_eq(screen.lines[4].text,
			 top_help_lines[top_help_count - 1]);
	top_screen_free(&screen);
}
END_TEST

static const struct {
	const char *text;
	unsigned int room;
	const char *fitting;
	unsigned int columns;
} texts[] = {
	{"", 5, "", 0},
	{"plain", 5, "plain", 5},
	{"plain", 4, "pla+", 4},
	{"plain", 1, "+", 1},
	{"plain", 0, "", 0},
	{"gr\xc3\xb6\xc3\x9f"
	 "e",
	 5,
	 "gr\xc3\xb6\xc3\x9f"
	 "e",
	 5},
	{"gr\xc3\xb6\xc3\x9f"
	 "e",
	 4, "gr\xc3\xb6+", 4},
	/* Two columns each. */
	{"\xe6\x98\xa0\xe5\x83\x8f", 4, "\xe6\x98\xa0\xe5\x83\x8f", 4},
	{"\xe6\x98\xa0\xe5\x83\x8f", 3, "\xe6\x98\xa0+", 3},
	{"\xe6\x98\xa0\xe5\x83\x8f", 2, "+", 1},
	/* Control characters, of ASCII and of Unicode. */
	{"\x1b[31m", 20, "\\x1b[31m", 8},
	{"a\nb\x7f", 20, "a\\x0ab\\x7f", 10},
	{"\xc2\x9b", 20, "\\xc2\\x9b", 8},
	{"\x1b", 3, "+", 1},
	/* What is no UTF-8: alone, cut off, overlong, a surrogate. */
	{"\x9b", 20, "\\x9b", 4},
	{"\xc3", 20, "\\xc3", 4},
	{"\xc0\xaf", 20, "\\xc0\\xaf", 8},
	{"\xed\xa0\x80", 20, "\\xed\\xa0\\x80", 12},
	/* From right to left from here on; and without a width. */
	{"\xe2\x80\xae", 20, "\\xe2\\x80\\xae", 12},
	{"\xe2\x80\x8b", 20, "\\xe2\\x80\\x8b", 12},
};

START_TEST(text_is_harmless_and_fits)
{
	char copy[TEXT_ROOM(32)];
	unsigned int columns = text_fit(copy, texts[_i].text, texts[_i].room);

	ck_assert_str_eq(copy, texts[_i].fitting);
	ck_assert_uint_eq(columns, texts[_i].columns);
}
END_TEST

START_TEST(without_utf8_all_but_ascii_is_escaped)
{
	char copy[TEXT_ROOM(32)];

	ck_assert_ptr_nonnull(setlocale(LC_CTYPE, "C"));
	text_fit(copy, "gr\xc3\xb6", 32);
	ck_assert_str_eq(copy, "gr\\xc3\\xb6");
}
END_TEST

START_TEST(numbers_are_written_shortly)
{
	char text[NUMBER_TEXT_ROOM];

	format_growth(text, 0);
	ck_assert_str_eq(text, "0");
	format_growth(text, 1536);
	ck_assert_str_eq(text, "+1.5K");
	format_growth(text, -(int64_t)MIB);
	ck_assert_str_eq(text, "-1M");
	format_growth(text, INT64_MIN);
	ck_assert_str_eq(text, "-8388608T");
	format_rate(text, 0);
	ck_assert_str_eq(text, "0.0");
	format_rate(text, 12999);
	ck_assert_str_eq(text, "12.9");
	format_age(text, 0);
	ck_assert_str_eq(text, "0s");
	format_age(text, 59999);
	ck_assert_str_eq(text, "59s");
	format_age(text, 60000);
	ck_assert_str_eq(text, "1m");
	format_age(text, 7200000);
	ck_assert_str_eq(text, "2h");
	format_age(text, 3 * INT64_C(86400000));
	ck_assert_str_eq(text, "3d");
}
END_TEST

START_TEST(a_heap_fills)
{
	struct heap_state heap = {.live = 5};

	ck_assert_uint_eq(heap_state_percent(&heap), 0);
	heap.limit = 10;
	ck_assert_uint_eq(heap_state_percent(&heap), 50);
	heap.size = 5;
	ck_assert_uint_eq(heap_state_percent(&heap), 100);
	heap.live = UINT64_MAX - 1;
	ck_assert_uint_eq(heap_state_percent(&heap), 100);
	heap.size = UINT64_MAX;
	ck_assert_uint_ge(heap_state_percent(&heap), 99);
	heap.live = 0;
	ck_assert_uint_eq(heap_state_percent(&heap), 0);
}
END_TEST

START_TEST(columns_that_matter_less_go_first)
{
	static const struct table_column columns[] = {
		{.title = "A", .rank = 1},
		{.title = "TEXT", .cut_to = 4},
		{.title = "B", .right = true, .rank = 2},
	};
	static const char *const cells[] = {"1", "987654321", "22"};
	static const struct {
		unsigned int width;
		const char *line;
	} lines[] = {
		{80, "1  987654321  22"},
		{16, "1  987654321  22"},
		{14, "1 987654321 22"},
		{13, "1 9876543+ 22"},
		{9, "1 987+ 22"},
		{8, "1 98765+"},
		{6, "1 987+"},
		{5, "9876+"},
		{2, "9+"},
	};
	char line[TEXT_ROOM(80)];
	struct table table;

	table_begin(&table, columns, COUNT(columns));
	for (size_t i = 0; i < COUNT(cells); i++)
		table_add(&table, cells[i]);
	for (size_t i = 0; i < COUNT(lines); i++) {
		table_fit(&table, lines[i].width);
		table_line(&table, 0, line, lines[i].width);
		ck_assert_str_eq(line, lines[i].line);
	}
	table_free(&table);
}
END_TEST

static Suite *top_suite(void)
{
	Suite *suite = suite_create("top");
	TCase *tc = tcase_create("top");

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, at_the_start_nothing_has_grown);
	tcase_add_test(tc, growth_is_since_the_start);
	tcase_add_test(tc, processes_and_exporters_grow);
	tcase_add_test(tc, a_number_that_is_used_again_is_another_process);
	tcase_add_test(tc, a_buffer_has_its_age);
	tcase_add_test(tc, what_is_new_is_counted_where_no_counter_does);
	tcase_add_test(tc, counters_tell_what_came_and_went);
	tcase_add_test(tc, own_buffers_are_counted_once);
	tcase_add_test(tc, a_module_loaded_anew_counts_from_zero);
	tcase_add_test(tc, a_rate_of_no_time_is_none);
	tcase_add_test(tc, what_idle_processes_hold_looks_leaked);
	tcase_add_loop_test(tc, rows_are_in_the_order, 0, COUNT(ordered));
	tcase_add_test(tc, a_view_lacks_some_orders);
	tcase_add_test(tc, a_filter_is_for_the_start_too);
	tcase_add_test(tc, prompts_are_edited_and_left);
	tcase_add_test(tc, the_delay_is_asked_for);
	tcase_add_test(tc, keys_do_what_help_says);
	tcase_add_test(tc, every_size_of_terminal_is_kept);
	tcase_add_test(tc, a_screen_of_80_columns_has_it_all);
	tcase_add_test(tc, one_row_has_the_totals);
	tcase_add_test(tc, scrolling_stays_in_the_table);
	tcase_add_loop_test(tc, text_is_harmless_and_fits, 0, COUNT(texts));
	tcase_add_test(tc, without_utf8_all_but_ascii_is_escaped);
	tcase_add_test(tc, numbers_are_written_shortly);
	tcase_add_test(tc, a_heap_fills);
	tcase_add_test(tc, columns_that_matter_less_go_first);
	return suite;
}

PMTEST_MAIN(top_suite)
