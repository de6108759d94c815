// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "text.h"
#include "top-table.h"

void table_begin(struct table *table, const struct table_column *columns,
		 size_t column_count)
{
	memset(table, 0, sizeof(*table));
	table->columns = columns;
	table->column_count = column_count;
}

void table_add(struct table *table, const char *text)
{
	char harmless[TEXT_ROOM(256)];
	char *cell;

	if (table->cell_count == table->room) {
		size_t room = table->room ? table->room * 2 : 64;
		char **cells = reallocarray(table->cells, room, sizeof(*cells));

		if (!cells) {
			table->out_of_memory = true;
			return;
		}
		table->cells = cells;
		table->room = room;
	}
	text_fit(harmless, text, 256);
	cell = strdup(harmless);
	if (!cell)
		table->out_of_memory = true;
	else
		table->cells[table->cell_count++] = cell;
}

static const char *cell_at(const struct table *table, size_t row, size_t column)
{
	size_t index;

	if (row == TABLE_TITLES)
		return table->columns[column].title;
	index = row * table->column_count + column;
	return index < table->cell_count ? table->cells[index] : "";
}

static void set_widths(struct table *table)
{
	size_t rows = table->cell_count / table->column_count;
	char text[TEXT_ROOM(256)];

	for (size_t i = 0; i < table->column_count; i++) {
		unsigned int width =
			text_fit(text, table->columns[i].title, 256);

		if (width < table->columns[i].least)
			width = table->columns[i].least;
		for (size_t row = 0; row < rows; row++) {
			unsigned int cell =
				text_fit(text, cell_at(table, row, i), 256);

			if (cell > width)
				width = cell;
		}
		table->widths[i] = width;
	}
}

static unsigned int total_width(const struct table *table)
{
	unsigned int total = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		if (table->widths[i])
			total += (total ? table->gap : 0) + table->widths[i];
	}
	return total;
}

/* Take a column off the widest of those that may be cut. */
static bool cut_widest(struct table *table)
{
	size_t widest = table->column_count;

	for (size_t i = 0; i < table->column_count; i++) {
		unsigned int cut_to = table->columns[i].cut_to;

		if (cut_to && table->widths[i] > cut_to &&
		    (widest == table->column_count ||
		     table->widths[i] > table->widths[widest]))
			widest = i;
	}
	if (widest == table->column_count)
		return false;
	table->widths[widest]--;
	return true;
}

static bool leave_one_out(struct table *table, bool *left_out)
{
	size_t last = table->column_count;

	for (size_t i = 0; i < table->column_count; i++) {
		if (!left_out[i] && table->columns[i].rank &&
		    (last == table->column_count ||
		     table->columns[i].rank > table->columns[last].rank))
			last = i;
	}
	if (last == table->column_count)
		return false;
	left_out[last] = true;
	return true;
}

void table_fit(struct table *table, unsigned int width)
{
	bool left_out[TABLE_COLUMNS_MAX] = {false};

	do {
		set_widths(table);
		for (size_t i = 0; i < table->column_count; i++) {
			if (left_out[i])
				table->widths[i] = 0;
		}
		for (table->gap = 2; table->gap; table->gap--) {
			if (total_width(table) <= width)
				return;
		}
		table->gap = 1;
		while (total_width(table) > width && cut_widest(table))
			continue;
	} while (total_width(table) > width && leave_one_out(table, left_out));
}

/* Where a line is being written. */
struct line {
	char *text;
	size_t used;
	unsigned int left; /* columns */
};

static void put_spaces(struct line *line, unsigned int count)
{
	if (count > line->left)
		count = line->left;
	memset(line->text + line->used, ' ', count);
	line->used += count;
	line->left -= count;
}

static void put_text(struct line *line, const char *text, unsigned int width)
{
	if (width > line->left)
		width = line->left;
	line->left -= text_fit(line->text + line->used, text, width);
	line->used += strlen(line->text + line->used);
}

void table_line(const struct table *table, size_t row, char *text,
		unsigned int width)
{
	struct line line = {text, 0, width};
	char cell[TEXT_ROOM(256)];

	for (size_t i = 0; i < table->column_count; i++) {
		unsigned int columns = table->widths[i], taken;

		if (!columns)
			continue;
		if (line.used)
			put_spaces(&line, table->gap);
		taken = text_fit(cell, cell_at(table, row, i),
				 columns > 256 ? 256 : columns);
		if (table->columns[i].right)
			put_spaces(&line, columns - taken);
		put_text(&line, cell, columns);
		if (!table->columns[i].right)
			put_spaces(&line, columns - taken);
	}
	while (line.used && text[line.used - 1] == ' ')
		line.used--;
	text[line.used] = '\0';
}

void table_free(struct table *table)
{
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
	memset(table, 0, sizeof(*table));
}
