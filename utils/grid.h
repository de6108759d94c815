/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows under a heading, on stdout. On a terminal that is too narrow, columns
 * shrink to what is in them; where that does not do, each row becomes lines of
 * "TITLE: cell", so that no line has to be wrapped.
 */
#ifndef GRID_H
#define GRID_H

#include <stdbool.h>
#include <stddef.h>

struct column {
	const char *title; /* empty: none */
	size_t width;	   /* where there is room */
	bool right;	   /* aligned to the right */
};

struct grid {
	const struct column *columns;
	size_t count;
	char **cells; /* rows of COUNT each */
	size_t used;
	bool out_of_memory;
};

void grid_begin(struct grid *grid, const struct column *columns, size_t count);

/* The next cell; what it says must not drive the terminal. */
void grid_cell(struct grid *grid, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Print the grid and free it. Gives an exit status. */
int grid_end(struct grid *grid);

#endif
