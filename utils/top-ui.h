/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the user of 'portalmem top' looks at, and what the keys do to it.
 */
#ifndef TOP_UI_H
#define TOP_UI_H

#include "top-report.h"

/* Milliseconds between two samples. */
#define TOP_DELAY_DEFAULT 2000
#define TOP_DELAY_LEAST 100

#define TOP_INPUT_ROOM 64

/* Keys that are no characters. */
enum top_key {
	TOP_KEY_UP = 0x100,
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_BACKSPACE,
	TOP_KEY_HELP,
	TOP_KEY_OTHER
};

#define TOP_KEY_ESCAPE 0x1b

enum top_action {
	TOP_NOTHING,
	TOP_REDRAW,  /* what is shown is another thing */
	TOP_SAMPLE,  /* look again now */
	TOP_REPAINT, /* what is on the terminal may be spoilt */
	TOP_QUIT
};

enum top_prompt {
	TOP_NO_PROMPT,
	TOP_ASK_DELAY,
	TOP_ASK_FILTER
};

struct top_ui {
	enum top_view view;
	enum top_order orders[TOP_VIEWS];
	bool reversed;
	struct census_filter filter; /* its exporter may be the one below */
	char exporter[EXPORTER_ROOM];
	int64_t delay;
	bool paused, help, heaps_hidden;
	size_t offset; /* the first row that is shown, or the help's line */
	/* what the last screen had: rows of a page, and of the whole table */
	size_t page, count;
	enum top_prompt prompt;
	char input[TOP_INPUT_ROOM];
	char message[128]; /* until the next key */
};

void top_ui_init(struct top_ui *ui);

/* The order that a view of this name has; false when it has none so called. */
bool top_ui_set_order(struct top_ui *ui, const char *name);

/* What the report is to be about. */
struct top_request top_ui_request(const struct top_ui *ui);

enum top_action top_ui_key(struct top_ui *ui, int key);

/* The lines that help shows. */
extern const char *const top_help_lines[];
extern const size_t top_help_count;

#endif
