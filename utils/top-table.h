/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table that fits where there is little room: text is cut, and columns that
 * matter less are left out.
 */
#ifndef TOP_TABLE_H
#define TOP_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define TABLE_COLUMNS_MAX 12

struct table_column {
	const char *title;
	bool right;	     /* aligned so */
	unsigned int least;  /* columns of the terminal, also when empty */
	unsigned int cut_to; /* how far it may be cut; 0: not at all */
	unsigned int rank;   /* the highest goes first; 0 stays */
};

struct table {
	const struct table_column *columns;
	size_t column_count;
	char **cells; /* row by row */
	size_t cell_count, room;
	bool out_of_memory;
	unsigned int widths[TABLE_COLUMNS_MAX]; /* 0: left out */
	unsigned int gap;
};

void table_begin(struct table *table, const struct table_column *columns,
		 size_t column_count);

/* The next cell, row by row; TEXT is made harmless. */
void table_add(struct table *table, const char *text);

/* When all cells are there: decide how wide the columns are. */
void table_fit(struct table *table, unsigned int width);

/* Of table_line(): the titles. */
#define TABLE_TITLES ((size_t)-1)

/* Write a line of at most WIDTH columns into TEXT_ROOM(width). */
void table_line(const struct table *table, size_t row, char *line,
		unsigned int width);

void table_free(struct table *table);

#endif
