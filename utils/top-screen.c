// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "text.h"
#include "top-screen.h"
#include "top-table.h"

/* From this many rows on, there is room for more than the most important. */
#define ROWS_FOR_STATUS 4
#define ROWS_FOR_HEAPS 8
#define ROWS_FOR_HINTS 12
#define ROWS_FOR_SPACE 20

#define FULL_PERCENT 90
#define BAR_LENGTH 10
#define CELL_ROOM 128

/* What is being drawn, and how much room is left for it. */
struct drawing {
	struct top_screen *screen;
	const struct top_report *report;
	struct top_ui *ui;
	unsigned int rows_left, columns;
};

static void add_line(struct drawing *drawing, enum top_style style,
		     const char *text)
{
	char fitting[TEXT_ROOM(TEXT_UNLIMITED)];
	struct top_screen *screen = drawing->screen;
	char *copy;

	if (!drawing->rows_left)
		return;
	if (screen->count == screen->room) {
		size_t room = screen->room ? screen->room * 2 : 64;
		struct top_line *lines =
			reallocarray(screen->lines, room, sizeof(*lines));

		if (!lines) {
			screen->out_of_memory = true;
			return;
		}
		screen->lines = lines;
		screen->room = room;
	}
	text_fit(fitting, text, drawing->columns);
	copy = strdup(fitting);
	if (!copy) {
		screen->out_of_memory = true;
		return;
	}
	screen->lines[screen->count].style = style;
	screen->lines[screen->count++].text = copy;
	drawing->rows_left--;
}

static void add_format(struct drawing *drawing, enum top_style style,
		       const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void add_format(struct drawing *drawing, enum top_style style,
		       const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	add_line(drawing, style, text);
}

/* The longest of some ways to say the same that fits. */
static void add_title(struct drawing *drawing)
{
	const struct top_report *report = drawing->report;
	char size[NUMBER_TEXT_ROOM], growth[NUMBER_TEXT_ROOM];
	char rate[NUMBER_TEXT_ROOM] = "-", pooled[NUMBER_TEXT_ROOM];
	size_t count = report->view.count;
	char ways[4][256];
	size_t i = 0;

	format_size_short(size, report->view.size);
	format_size_short(pooled, report->pooled);
	format_growth(growth, report->growth);
	if (report->rated)
		format_rate(rate, report->allocation_rate);
	snprintf(ways[0], sizeof(ways[0]),
		 "portalmem top: %zu buffers, %s, %s since start, "
		 "%s allocations/s, %s in pools",
		 count, size, growth, rate, pooled);
	snprintf(ways[1], sizeof(ways[1]),
		 "%zu buffers, %s, %s since start, %s/s", count, size, growth,
		 rate);
	snprintf(ways[2], sizeof(ways[2]), "%zu buffers %s %s %s/s", count,
		 size, growth, rate);
	snprintf(ways[3], sizeof(ways[3]), "%zu %s %s %s/s", count, size,
		 growth, rate);
	while (i < 3 && strlen(ways[i]) > drawing->columns)
		i++;
	add_line(drawing, TOP_TITLE, ways[i]);
}

/* What is seen, and what is not. */
static void add_status(struct drawing *drawing)
{
	const struct census *census = &drawing->report->history->now->census;
	const struct top_ui *ui = drawing->ui;
	char filter[EXPORTER_ROOM + 32] = "";
	char missing[64] = "";

	if (ui->filter.pid)
		snprintf(filter, sizeof(filter), " of process %d",
			 (int)ui->filter.pid);
	if (ui->filter.exporter)
		snprintf(filter + strlen(filter),
			 sizeof(filter) - strlen(filter), " from %.*s",
			 EXPORTER_ROOM - 1, ui->filter.exporter);
	if (census->unreadable)
		snprintf(missing, sizeof(missing),
			 ", processes not readable: %zu", census->unreadable);
	else if (!census->complete)
		snprintf(missing, sizeof(missing),
			 ", without the kernel's list");
	add_format(drawing, TOP_PLAIN, "%s%s%s by %s%s, every %d.%d s%s",
		   ui->paused ? "PAUSED: " : "", top_view_names[ui->view],
		   filter, top_order_names[ui->orders[ui->view]],
		   ui->reversed ? " reversed" : "", (int)(ui->delay / 1000),
		   (int)(ui->delay % 1000 / 100), missing);
}

static void put_size(struct table *table, bool known, uint64_t size)
{
	char text[NUMBER_TEXT_ROOM] = "-";

	if (known)
		format_size_short(text, size);
	table_add(table, text);
}

static void put_number(struct table *table, bool known, uint64_t number)
{
	char text[NUMBER_TEXT_ROOM] = "-";

	if (known)
		snprintf(text, sizeof(text), "%" PRIu64, number);
	table_add(table, text);
}

static void put_growth(struct table *table, int64_t growth)
{
	char text[NUMBER_TEXT_ROOM];

	format_growth(text, growth);
	table_add(table, text);
}

/* [####......] of what the heap can have at most. */
static void put_bar(struct table *table, const struct heap_state *heap)
{
	unsigned int percent = heap_state_percent(heap);
	/* A bar is full only when the heap is. */
	unsigned int full = percent * BAR_LENGTH / 100;
	char bar[BAR_LENGTH + 3] = "-", text[NUMBER_TEXT_ROOM] = "-";

	if (heap_state_room(heap)) {
		bar[0] = '[';
		memset(bar + 1, '.', BAR_LENGTH);
		memset(bar + 1, '#', full);
		bar[BAR_LENGTH + 1] = ']';
		bar[BAR_LENGTH + 2] = '\0';
		snprintf(text, sizeof(text), "%u%%", percent);
	}
	table_add(table, bar);
	table_add(table, text);
}

static const struct table_column heap_columns[] = {
	{.title = "HEAP", .least = 6, .cut_to = 8},
	{.title = "FILLED", .rank = 7},
	{.title = "", .right = true, .least = 3, .rank = 1},
	{.title = "LIVE", .right = true, .least = 6, .rank = 0},
	{.title = "OF", .right = true, .least = 6, .rank = 4},
	{.title = "PEAK", .right = true, .least = 6, .rank = 5},
	{.title = "POOLED", .right = true, .least = 6, .rank = 3},
	{.title = "BUFFERS", .right = true, .rank = 6},
	{.title = "ALLOC/S", .right = true, .rank = 8},
	{.title = "FAILED", .right = true, .rank = 2},
};

static void put_heap(struct table *table, const struct top_report *report,
		     const struct heap_state *heap)
{
	char rate_text[NUMBER_TEXT_ROOM] = "-";
	uint64_t room = heap_state_room(heap), rate;

	table_add(table, heap->name);
	put_bar(table, heap);
	put_size(table, true, heap->live);
	put_size(table, room, room);
	put_size(table, heap->counted, heap->peak);
	put_size(table, true, heap->pooled);
	put_number(table, true, heap->buffers);
	if (top_report_heap_rate(report, heap, &rate))
		format_rate(rate_text, rate);
	table_add(table, rate_text);
	put_number(table, heap->counted, heap->failed);
}

static enum top_style heap_style(const struct top_report *report,
				 const struct heap_state *heap)
{
	if (heap_state_percent(heap) >= FULL_PERCENT ||
	    top_report_heap_failed(report, heap))
		return TOP_ALERT;
	return TOP_PLAIN;
}

static void add_table_line(struct drawing *drawing, const struct table *table,
			   size_t row, enum top_style style)
{
	char line[TEXT_ROOM(TEXT_UNLIMITED)];

	table_line(table, row, line, drawing->columns);
	add_line(drawing, style, line);
}

static void add_space(struct drawing *drawing, unsigned int rows)
{
	if (rows >= ROWS_FOR_SPACE)
		add_line(drawing, TOP_PLAIN, "");
}

/* The heaps take at most half of the rows, and say when there are more. */
static void add_heaps(struct drawing *drawing, unsigned int rows)
{
	const struct top_report *report = drawing->report;
	const struct heap_states *heaps = &report->history->now->heaps;
	unsigned int most = drawing->rows_left / 2;
	size_t shown = heaps->count;
	struct table table;

	if (!heaps->count || drawing->ui->heaps_hidden || rows < ROWS_FOR_HEAPS)
		return;
	if (shown + 1 > most)
		shown = most - 2;
	add_space(drawing, rows);
	table_begin(&table, heap_columns,
		    sizeof(heap_columns) / sizeof(heap_columns[0]));
	for (size_t i = 0; i < shown; i++)
		put_heap(&table, report, &heaps->list[i]);
	table_fit(&table, drawing->columns);
	add_table_line(drawing, &table, TABLE_TITLES, TOP_HEADING);
	for (size_t i = 0; i < shown; i++)
		add_table_line(drawing, &table, i,
			       heap_style(report, &heaps->list[i]));
	if (shown < heaps->count)
		add_format(drawing, TOP_HINT, "and %zu heaps more",
			   heaps->count - shown);
	drawing->screen->out_of_memory |= table.out_of_memory;
	table_free(&table);
}

static const struct table_column buffer_columns[] = {
	{.title = "INODE", .right = true, .least = 6, .rank = 3},
	{.title = "SIZE", .right = true, .least = 6},
	{.title = "EXPORTER", .least = 9, .cut_to = 6, .rank = 4},
	{.title = "NAME", .least = 10, .cut_to = 8, .rank = 2},
	{.title = "DEV", .right = true, .rank = 6},
	{.title = "HOLD", .right = true, .rank = 5},
	{.title = "PID", .right = true, .least = 7, .rank = 7},
	{.title = "COMMAND", .least = 10, .cut_to = 8, .rank = 0},
	{.title = "AGE", .right = true, .least = 3, .rank = 8},
	{.title = "NOTE", .least = 7, .cut_to = 7, .rank = 1},
};

/* Of several holders, the first that the filter leaves stands for all. */
static const struct holder *first_holder(const struct dmabuf *buffer,
					 const struct census_filter *filter)
{
	for (size_t i = 0; i < buffer->holder_count; i++) {
		if (census_filter_has(filter, &buffer->holders[i]))
			return &buffer->holders[i];
	}
	return NULL;
}

static void put_buffer(struct table *table, const struct top_row *row,
		       const struct census_filter *filter)
{
	const struct dmabuf *buffer = row->buffer;
	const struct holder *holder = first_holder(buffer, filter);
	char age[NUMBER_TEXT_ROOM] = "-";

	put_number(table, true, buffer->inode);
	put_size(table, true, buffer->size);
	table_add(table, buffer->exporter[0] ? buffer->exporter : "?");
	table_add(table, buffer->name[0] ? buffer->name : "-");
	if (buffer->listed)
		put_number(table, true, buffer->attachments);
	else
		table_add(table, "?");
	put_number(table, true, buffer->holder_count);
	put_number(table, holder, holder ? (uint64_t)holder->pid : 0);
	table_add(table, holder ? holder->command : "-");
	if (row->age >= 0)
		format_age(age, row->age);
	table_add(table, age);
	table_add(table, dmabuf_note(buffer));
}

static const struct table_column process_columns[] = {
	{.title = "PID", .right = true, .least = 7, .rank = 3},
	{.title = "COMMAND", .least = 15, .cut_to = 6},
	{.title = "BUFFERS", .right = true, .rank = 4},
	{.title = "SIZE", .right = true, .least = 7},
	{.title = "SHARE", .right = true, .least = 7, .rank = 2},
	{.title = "GROWTH", .right = true, .least = 7, .rank = 1},
};

static void put_process(struct table *table, const struct top_row *row)
{
	const struct census_total *total = row->total;

	put_number(table, true, (uint64_t)total->pid);
	table_add(table, total->label);
	put_number(table, true, total->buffers);
	put_size(table, true, total->size);
	put_size(table, true, total->share);
	put_growth(table, row->growth);
}

static const struct table_column exporter_columns[] = {
	{.title = "EXPORTER", .least = 15, .cut_to = 6},
	{.title = "BUFFERS", .right = true, .rank = 2},
	{.title = "SIZE", .right = true, .least = 7},
	{.title = "GROWTH", .right = true, .least = 7, .rank = 1},
};

static void put_exporter(struct table *table, const struct top_row *row)
{
	const struct census_total *total = row->total;

	table_add(table, total->label[0] ? total->label : "?");
	put_number(table, true, total->buffers);
	put_size(table, true, total->size);
	put_growth(table, row->growth);
}

static void begin_rows(struct table *table, enum top_view view)
{
	switch (view) {
	case TOP_PROCESSES:
		table_begin(table, process_columns,
			    sizeof(process_columns) /
				    sizeof(process_columns[0]));
		break;
	case TOP_EXPORTERS:
		table_begin(table, exporter_columns,
			    sizeof(exporter_columns) /
				    sizeof(exporter_columns[0]));
		break;
	default:
		table_begin(table, buffer_columns,
			    sizeof(buffer_columns) / sizeof(buffer_columns[0]));
		break;
	}
}

static void put_row(struct table *table, const struct drawing *drawing,
		    const struct top_row *row)
{
	switch (drawing->ui->view) {
	case TOP_PROCESSES:
		put_process(table, row);
		break;
	case TOP_EXPORTERS:
		put_exporter(table, row);
		break;
	default:
		put_buffer(table, row, &drawing->ui->filter);
		break;
	}
}

/* Scroll no farther than to a full last page. */
static void note_page(struct top_ui *ui, size_t page, size_t count)
{
	size_t last = count > page ? count - page : 0;

	ui->page = page;
	ui->count = count;
	if (ui->offset > last)
		ui->offset = last;
}

static void add_rows(struct drawing *drawing, unsigned int rows)
{
	const struct top_report *report = drawing->report;
	struct top_ui *ui = drawing->ui;
	struct table table;
	size_t shown;

	add_space(drawing, rows);
	if (!drawing->rows_left)
		return;
	note_page(ui, drawing->rows_left - 1, report->count);
	shown = report->count - ui->offset;
	if (shown > ui->page)
		shown = ui->page;
	begin_rows(&table, ui->view);
	for (size_t i = 0; i < shown; i++)
		put_row(&table, drawing, &report->rows[ui->offset + i]);
	table_fit(&table, drawing->columns);
	add_table_line(drawing, &table, TABLE_TITLES, TOP_HEADING);
	for (size_t i = 0; i < shown; i++) {
		const struct top_row *row = &report->rows[ui->offset + i];

		add_table_line(drawing, &table, i,
			       row->buffer && row->buffer->leaked ? TOP_ALERT
								  : TOP_PLAIN);
	}
	drawing->screen->out_of_memory |= table.out_of_memory;
	table_free(&table);
}

static void add_help(struct drawing *drawing)
{
	struct top_ui *ui = drawing->ui;

	add_line(drawing, TOP_TITLE, "portalmem top: keys");
	note_page(ui, drawing->rows_left, top_help_count);
	for (size_t i = ui->offset; i < top_help_count; i++)
		add_line(drawing, TOP_PLAIN, top_help_lines[i]);
}

/* Is there something to tell in the last line, and what? */
static bool say_last(const struct drawing *drawing, unsigned int rows,
		     char *text, size_t room)
{
	const struct top_ui *ui = drawing->ui;

	if (ui->prompt == TOP_ASK_DELAY)
		snprintf(text, room, "seconds: %s_", ui->input);
	else if (ui->prompt == TOP_ASK_FILTER)
		snprintf(text, room, "process or exporter: %s_", ui->input);
	else if (ui->message[0])
		snprintf(text, room, "%s", ui->message);
	else if (rows < ROWS_FOR_HINTS || rows == TOP_ALL_ROWS)
		return false;
	else
		snprintf(text, room,
			 "q quit  h help  b buffers  p processes  e exporters  "
			 "< > order  f filter");
	return true;
}

/* Before the last line, nothing is left blank but what is not used. */
static void fill(struct drawing *drawing)
{
	while (drawing->rows_left && !drawing->screen->out_of_memory)
		add_line(drawing, TOP_PLAIN, "");
}

void top_screen_draw(struct top_screen *screen, const struct top_report *report,
		     struct top_ui *ui, unsigned int rows, unsigned int columns)
{
	struct drawing drawing = {screen, report, ui, rows,
				  columns < TEXT_UNLIMITED ? columns
							   : TEXT_UNLIMITED};
	char last[256];
	bool has_last = say_last(&drawing, rows, last, sizeof(last));

	memset(screen, 0, sizeof(*screen));
	if (has_last && rows)
		drawing.rows_left--;
	if (ui->help) {
		add_help(&drawing);
	} else {
		add_title(&drawing);
		if (rows >= ROWS_FOR_STATUS)
			add_status(&drawing);
		add_heaps(&drawing, rows);
		add_rows(&drawing, rows);
	}
	if (has_last) {
		fill(&drawing);
		drawing.rows_left = rows ? 1 : 0;
		add_line(&drawing, ui->message[0] ? TOP_ALERT : TOP_HINT, last);
	}
}

void top_screen_free(struct top_screen *screen)
{
	for (size_t i = 0; i < screen->count; i++)
		free(screen->lines[i].text);
	free(screen->lines);
	memset(screen, 0, sizeof(*screen));
}
