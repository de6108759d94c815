/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A report as lines of text, for a terminal of any size or for a file.
 */
#ifndef TOP_SCREEN_H
#define TOP_SCREEN_H

#include "top-ui.h"

enum top_style {
	TOP_PLAIN,
	TOP_TITLE,
	TOP_HEADING,
	TOP_ALERT, /* something is full, has failed or looks lost */
	TOP_HINT
};

struct top_line {
	enum top_style style;
	char *text;
};

struct top_screen {
	struct top_line *lines;
	size_t count, room;
	bool out_of_memory;
};

/* Room for all of it, however long it is. */
#define TOP_ALL_ROWS UINT32_MAX

/*
 * Lay the report out in at most so many rows and columns, and note in the UI
 * what there is to scroll. Release it in any case.
 */
void top_screen_draw(struct top_screen *screen, const struct top_report *report,
		     struct top_ui *ui, unsigned int rows,
		     unsigned int columns);

void top_screen_free(struct top_screen *screen);

#endif
