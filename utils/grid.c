// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "grid.h"
#include "report.h"
#include "terminal.h"

#define BETWEEN 2 /* spaces */
#define GROW 256  /* cells at a time */
#define INDENT 2  /* of a cell that goes on */

void grid_begin(struct grid *grid, const struct column *columns, size_t count)
{
	memset(grid, 0, sizeof(*grid));
	grid->columns = columns;
	grid->count = count;
}

static bool make_room(struct grid *grid)
{
	char **cells;

	if (grid->used % GROW)
		return true;
	cells = reallocarray(grid->cells, grid->used + GROW, sizeof(*cells));
	if (cells)
		grid->cells = cells;
	return cells;
}

void grid_cell(struct grid *grid, const char *format, ...)
{
	va_list arguments;
	int length = -1;
	char *text;

	if (grid->out_of_memory)
		return;
	va_start(arguments, format);
	if (make_room(grid))
		length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0)
		grid->out_of_memory = true;
	else
		grid->cells[grid->used++] = text;
}

/* The width of a column that fits what is in it. */
static size_t fitting_width(const struct grid *grid, size_t column)
{
	size_t widest = text_width(grid->columns[column].title);

	for (size_t i = column; i < grid->used; i += grid->count) {
		size_t width = text_width(grid->cells[i]);

		if (width > widest)
			widest = width;
	}
	return widest;
}

/* What the longest line takes. The last column, aligned to the left, is no
 * wider than what is in it. */
static size_t line_width(const struct grid *grid, const size_t *widths)
{
	size_t all = 0;

	for (size_t i = 0; i < grid->count; i++) {
		size_t fitting = fitting_width(grid, i);

		if (fitting < widths[i] && i + 1 < grid->count)
			fitting = widths[i];
		all += fitting;
		if (i && fitting)
			all += BETWEEN;
	}
	return all;
}

static void put_spaces(size_t count)
{
	printf("%*s", (int)count, "");
}

/* Without spaces after the last cell that is not empty. */
static void put_line(const struct grid *grid, const size_t *widths,
		     char *const *cells)
{
	size_t due = 0; /* spaces */

	for (size_t i = 0; i < grid->count; i++) {
		const char *text = cells ? cells[i] : grid->columns[i].title;
		size_t width = text_width(text);
		size_t pad = width < widths[i] ? widths[i] - width : 0;

		if (i)
			due += BETWEEN;
		if (grid->columns[i].right)
			due += pad;
		if (width) {
			put_spaces(due);
			fputs(text, stdout);
			due = 0;
		}
		if (!grid->columns[i].right)
			due += pad;
	}
	putchar('\n');
}

/* Bytes of TEXT that go into WIDTH, cut at a space if there is one. */
static size_t piece_length(const char *text, size_t width)
{
	size_t seen = 0, length = 0, space = 0;

	for (; text[length]; length++) {
		if (((unsigned char)text[length] & 0xc0) != 0x80 &&
		    ++seen > width)
			return space ? space : length;
		if (text[length] == ' ')
			space = length + 1;
	}
	return length;
}

/* A line that goes on, where it must, in lines that are set in. */
static void put_wrapped(const char *text, size_t columns)
{
	size_t width = columns;
	size_t indent = columns > (size_t)4 * INDENT ? INDENT : 0;

	while (*text) {
		size_t length = piece_length(text, width);

		/* At least one character goes on each line. */
		if (!length)
			length = strlen(text);
		printf("%.*s\n", (int)length, text);
		text += length;
		if (*text)
			put_spaces(indent);
		width = columns - indent;
	}
}

static void put_record(const struct grid *grid, char *const *cells,
		       size_t columns)
{
	for (size_t i = 0; i < grid->count; i++) {
		const char *title = grid->columns[i].title;
		char *line;

		if (!cells[i][0])
			continue;
		if (asprintf(&line, "%s%s%s", title, title[0] ? ": " : "",
			     cells[i]) < 0)
			continue;
		put_wrapped(line, columns);
		free(line);
	}
}

static void put_records(const struct grid *grid, size_t columns)
{
	for (size_t i = 0; i < grid->used; i += grid->count) {
		if (i)
			putchar('\n');
		put_record(grid, grid->cells + i, columns);
	}
}

static void put_lines(const struct grid *grid, const size_t *widths)
{
	put_line(grid, widths, NULL);
	for (size_t i = 0; i < grid->used; i += grid->count)
		put_line(grid, widths, grid->cells + i);
}

static void put_grid(const struct grid *grid, size_t *widths)
{
	size_t columns = terminal_columns(STDOUT_FILENO);

	for (size_t i = 0; i < grid->count; i++)
		widths[i] = grid->columns[i].width;
	if (line_width(grid, widths) > columns)
		for (size_t i = 0; i < grid->count; i++)
			widths[i] = fitting_width(grid, i);
	if (line_width(grid, widths) > columns)
		put_records(grid, columns);
	else
		put_lines(grid, widths);
}

int grid_end(struct grid *grid)
{
	size_t *widths = calloc(grid->count, sizeof(*widths));
	bool complete = widths && !grid->out_of_memory;

	if (complete)
		put_grid(grid, widths);
	free(widths);
	for (size_t i = 0; i < grid->used; i++)
		free(grid->cells[i]);
	free(grid->cells);
	if (complete)
		return EXIT_DONE;
	return failed("printing the grid: %s; free memory", strerror(ENOMEM));
}
