// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "top-ui.h"

#define CONTROL_L 0x0c

const char *const top_help_lines[] = {
	"q          quit",
	"h ? F1     help; a key ends it",
	"b p e      buffers, processes, exporters",
	"Tab        the next of these",
	"< >        the order before, the next order",
	"r          reverse the order",
	"Up Down    scroll; PgUp PgDn Home End, too",
	"f          filter by process or exporter",
	"Space      pause, and go on",
	"Enter      look again now",
	"d          seconds between two looks",
	"H          hide or show the heaps",
	"Ctrl-L     paint the screen anew",
};

const size_t top_help_count =
	sizeof(top_help_lines) / sizeof(top_help_lines[0]);

void top_ui_init(struct top_ui *ui)
{
	memset(ui, 0, sizeof(*ui));
	ui->delay = TOP_DELAY_DEFAULT;
}

bool top_ui_set_order(struct top_ui *ui, const char *name)
{
	bool found = false;

	for (int order = 0; order < TOP_ORDERS; order++) {
		if (strcmp(name, top_order_names[order]) != 0)
			continue;
		for (int view = 0; view < TOP_VIEWS; view++) {
			if (!top_view_has((enum top_view)view,
					  (enum top_order)order))
				continue;
			ui->orders[view] = (enum top_order)order;
			found |= (enum top_view)view == ui->view;
		}
	}
	return found;
}

struct top_request top_ui_request(const struct top_ui *ui)
{
	struct top_request request = {
		.view = ui->view,
		.order = ui->orders[ui->view],
		.reversed = ui->reversed,
		.filter = ui->filter,
	};

	return request;
}

static enum top_action show(struct top_ui *ui, enum top_view view)
{
	ui->view = view;
	ui->offset = 0;
	return TOP_REDRAW;
}

static enum top_action change_order(struct top_ui *ui, int step)
{
	int order = ui->orders[ui->view];

	do
		order = (order + step + TOP_ORDERS) % TOP_ORDERS;
	while (!top_view_has(ui->view, (enum top_order)order));
	ui->orders[ui->view] = (enum top_order)order;
	ui->offset = 0;
	return TOP_REDRAW;
}

/* Not past the last page. */
static enum top_action scroll_to(struct top_ui *ui, size_t offset)
{
	size_t last = ui->count > ui->page ? ui->count - ui->page : 0;

	ui->offset = offset < last ? offset : last;
	return TOP_REDRAW;
}

static enum top_action scroll(struct top_ui *ui, int key)
{
	size_t page = ui->page ? ui->page : 1;

	switch (key) {
	case TOP_KEY_UP:
		return scroll_to(ui, ui->offset ? ui->offset - 1 : 0);
	case TOP_KEY_DOWN:
		return scroll_to(ui, ui->offset + 1);
	case TOP_KEY_PAGE_UP:
		return scroll_to(ui, ui->offset > page ? ui->offset - page : 0);
	case TOP_KEY_PAGE_DOWN:
		return scroll_to(ui, ui->offset + page);
	case TOP_KEY_HOME:
		return scroll_to(ui, 0);
	case TOP_KEY_END:
		return scroll_to(ui, ui->count);
	default:
		return TOP_NOTHING;
	}
}

static void answer_delay(struct top_ui *ui)
{
	int64_t delay;

	if (!read_seconds(ui->input, &delay) || delay < TOP_DELAY_LEAST)
		snprintf(ui->message, sizeof(ui->message),
			 "'%s' is not a time in seconds from 0.1 on",
			 ui->input);
	else
		ui->delay = delay;
}

/* A number is a process, anything else an exporter, and nothing is all. */
static void answer_filter(struct top_ui *ui)
{
	size_t digits = strspn(ui->input, "0123456789");
	unsigned long pid = strtoul(ui->input, NULL, 10);

	ui->offset = 0;
	ui->filter = (struct census_filter){0};
	if (!ui->input[0])
		return;
	if (ui->input[digits]) {
		snprintf(ui->exporter, sizeof(ui->exporter), "%.*s",
			 EXPORTER_ROOM - 1, ui->input);
		ui->filter.exporter = ui->exporter;
	} else if (pid == 0 || pid > INT32_MAX) {
		snprintf(ui->message, sizeof(ui->message),
			 "%s is no number of a process", ui->input);
	} else {
		ui->filter.pid = (pid_t)pid;
	}
}

static enum top_action edit(struct top_ui *ui, int key)
{
	size_t length = strlen(ui->input);
	enum top_prompt prompt = ui->prompt;

	if (key == '\n' || key == '\r') {
		ui->prompt = TOP_NO_PROMPT;
		if (prompt == TOP_ASK_FILTER)
			answer_filter(ui);
		else if (ui->input[0])
			answer_delay(ui);
	} else if (key == TOP_KEY_ESCAPE) {
		ui->prompt = TOP_NO_PROMPT;
	} else if (key == TOP_KEY_BACKSPACE || key == 0x7f || key == '\b') {
		if (length)
			ui->input[length - 1] = '\0';
	} else if (key >= 0x20 && key < 0x7f && length + 1 < TOP_INPUT_ROOM) {
		ui->input[length] = (char)key;
		ui->input[length + 1] = '\0';
	}
	return TOP_REDRAW;
}

static enum top_action ask(struct top_ui *ui, enum top_prompt prompt)
{
	ui->prompt = prompt;
	ui->input[0] = '\0';
	return TOP_REDRAW;
}

static enum top_action toggle(struct top_ui *ui, bool *what)
{
	*what = !*what;
	ui->offset = 0;
	return TOP_REDRAW;
}

static enum top_action pause_or_go_on(struct top_ui *ui)
{
	ui->paused = !ui->paused;
	return ui->paused ? TOP_REDRAW : TOP_SAMPLE;
}

enum top_action top_ui_key(struct top_ui *ui, int key)
{
	enum top_action scrolled;

	ui->message[0] = '\0';
	if (key == CONTROL_L)
		return TOP_REPAINT;
	if (ui->prompt)
		return edit(ui, key);
	scrolled = scroll(ui, key);
	if (scrolled != TOP_NOTHING)
		return scrolled;
	if (ui->help && key != 'q')
		return toggle(ui, &ui->help);
	switch (key) {
	case 'q':
		return TOP_QUIT;
	case 'h':
	case '?':
	case TOP_KEY_HELP:
		return toggle(ui, &ui->help);
	case 'b':
		return show(ui, TOP_BUFFERS);
	case 'p':
		return show(ui, TOP_PROCESSES);
	case 'e':
		return show(ui, TOP_EXPORTERS);
	case '\t':
		return show(ui, (ui->view + 1) % TOP_VIEWS);
	case '<':
		return change_order(ui, -1);
	case '>':
		return change_order(ui, 1);
	case 'r':
		return toggle(ui, &ui->reversed);
	case 'f':
		return ask(ui, TOP_ASK_FILTER);
	case ' ':
		return pause_or_go_on(ui);
	case '\n':
	case '\r':
		return TOP_SAMPLE;
	case 'd':
		return ask(ui, TOP_ASK_DELAY);
	case 'H':
		return toggle(ui, &ui->heaps_hidden);
	default:
		return TOP_REDRAW; /* a message may have gone */
	}
}
