// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "census-print.h"
#include "census-view.h"
#include "command.h"
#include "grid.h"
#include "json.h"
#include "parse.h"
#include "progress.h"
#include "report.h"

/* Long enough to tell a process that waits from one that works. */
#define IDLE_MS 200

/* Columns of the list. */
#define OF_BUFFER 5
#define OF_HOLDER 5

enum {
	OPTION_SORT = OPTION_OWN,
	OPTION_PID,
	OPTION_EXPORTER,
	OPTION_SYSROOT
};

struct request {
	struct census_filter filter;
	enum census_order order;
	const char *root;
};

static enum census_order parse_order(const char *text)
{
	for (int order = 0; order < CENSUS_ORDERS; order++) {
		if (strcmp(text, census_order_names[order]) == 0)
			return (enum census_order)order;
	}
	misused("--sort: '%s' is not an order; use size, inode, exporter, name "
		"or holders",
		text);
}

static void put_size(struct grid *table, uint64_t size)
{
	char text[SIZE_TEXT_ROOM];

	format_size_short(text, size);
	grid_cell(table, "%s", text);
}

/* Left of each holder's columns: the buffer's own, on its first line. */
static void put_buffer(struct grid *table, const struct dmabuf *buffer)
{
	char exporter[EXPORTER_ROOM * 4];
	char name[BUFFER_NAME_ROOM * 4];

	escape_text(exporter, sizeof(exporter),
		    buffer->exporter[0] ? buffer->exporter : "?");
	escape_text(name, sizeof(name), buffer->name[0] ? buffer->name : "-");
	grid_cell(table, "%" PRIu64, buffer->inode);
	put_size(table, buffer->size);
	grid_cell(table, "%s", exporter);
	grid_cell(table, "%s", name);
	if (buffer->listed)
		grid_cell(table, "%u", buffer->attachments);
	else
		grid_cell(table, "?");
}

static void put_holder(struct grid *table, const struct dmabuf *buffer,
		       const struct holder *holder)
{
	char command[COMMAND_ROOM * 4];

	escape_text(command, sizeof(command), holder->command);
	grid_cell(table, "%d", (int)holder->pid);
	grid_cell(table, "%s", command);
	grid_cell(table, "%u", holder->fds);
	put_size(table, holder->mapped);
	put_size(table, dmabuf_share(buffer));
}

static void put_same(struct grid *table, const char *text, size_t count)
{
	for (size_t i = 0; i < count; i++)
		grid_cell(table, "%s", text);
}

static void put_rows(struct grid *table, const struct dmabuf *buffer,
		     const struct census_filter *filter)
{
	bool first = true;

	for (size_t i = 0; i < buffer->holder_count; i++) {
		if (!census_filter_has(filter, &buffer->holders[i]))
			continue;
		if (first)
			put_buffer(table, buffer);
		else
			put_same(table, "", OF_BUFFER);
		put_holder(table, buffer, &buffer->holders[i]);
		grid_cell(table, "%s",
			  first && buffer->leaked ? dmabuf_note(buffer) : "");
		first = false;
	}
	if (first) {
		put_buffer(table, buffer);
		put_same(table, "-", OF_HOLDER);
		grid_cell(table, "%s", dmabuf_note(buffer));
	}
}

static int print_buffers(const struct census_view *view,
			 const struct census_filter *filter)
{
	static const struct column columns[] = {
		{"INODE", 8, true}, {"SIZE", 8, true},	  {"EXPORTER", 14, 0},
		{"NAME", 14, 0},    {"DEVICES", 7, true}, {"PID", 7, true},
		{"COMMAND", 15, 0}, {"FDS", 4, true},	  {"MAPPED", 8, true},
		{"SHARE", 8, true}, {"", 0, 0},
	};
	struct grid table;

	grid_begin(&table, columns, OF_BUFFER + OF_HOLDER + 1);
	for (size_t i = 0; i < view->count; i++)
		put_rows(&table, view->buffers[i], filter);
	return grid_end(&table);
}

static int print_exporters(const struct census_view *view)
{
	static const struct column columns[] = {
		{"EXPORTER", 14, 0}, {"BUFFERS", 7, true}, {"SIZE", 8, true}};
	char text[EXPORTER_ROOM * 4];
	struct grid table;

	grid_begin(&table, columns, 3);
	for (size_t i = 0; i < view->exporter_count; i++) {
		const struct census_total *total = &view->exporters[i];

		escape_text(text, sizeof(text),
			    total->label[0] ? total->label : "?");
		grid_cell(&table, "%s", text);
		grid_cell(&table, "%zu", total->buffers);
		put_size(&table, total->size);
	}
	putchar('\n');
	return grid_end(&table);
}

static int print_processes(const struct census_view *view)
{
	static const struct column columns[] = {{"PID", 7, true},
						{"COMMAND", 15, 0},
						{"BUFFERS", 7, true},
						{"SIZE", 8, true},
						{"SHARE", 8, true}};
	char text[COMMAND_ROOM * 4];
	struct grid table;

	if (!view->process_count)
		return EXIT_DONE;
	grid_begin(&table, columns, 5);
	for (size_t i = 0; i < view->process_count; i++) {
		const struct census_total *total = &view->processes[i];

		escape_text(text, sizeof(text), total->label);
		grid_cell(&table, "%d", (int)total->pid);
		grid_cell(&table, "%s", text);
		grid_cell(&table, "%zu", total->buffers);
		put_size(&table, total->size);
		put_size(&table, total->share);
	}
	putchar('\n');
	return grid_end(&table);
}

static int print_view(const struct census_view *view,
		      const struct census_filter *filter)
{
	char size[SIZE_TEXT_ROOM];
	int status = EXIT_DONE;

	if (view->count) {
		status = print_buffers(view, filter);
		if (status == EXIT_DONE)
			status = print_exporters(view);
		if (status == EXIT_DONE)
			status = print_processes(view);
		putchar('\n');
	}
	format_size_short(size, view->size);
	printf("%zu buffers, %s in all\n", view->count, size);
	return status;
}

static void print_buffer_json(struct json *json, const struct dmabuf *buffer)
{
	json_object_begin(json, NULL);
	print_dmabuf_members(json, buffer);
	json_object_end(json);
}

static void print_totals_json(struct json *json, const char *key,
			      const struct census_total *totals, size_t count)
{
	json_array_begin(json, key);
	for (size_t i = 0; i < count; i++) {
		json_object_begin(json, NULL);
		print_total_members(json, &totals[i]);
		json_object_end(json);
	}
	json_array_end(json);
}

static void print_view_json(const struct census_view *view)
{
	struct json json = {.out = stdout};

	json_object_begin(&json, NULL);
	print_census_members(&json, view);
	json_array_begin(&json, "buffers");
	for (size_t i = 0; i < view->count; i++)
		print_buffer_json(&json, view->buffers[i]);
	json_array_end(&json);
	print_totals_json(&json, "exporters", view->exporters,
			  view->exporter_count);
	print_totals_json(&json, "processes", view->processes,
			  view->process_count);
	json_object_end(&json);
	json_finish(&json);
}

/* A process that is gone, or never was, is not one without buffers. */
static int check_process(const struct request *request)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/proc/%d", request->root,
		 (int)request->filter.pid);
	if (!request->filter.pid || access(path, F_OK) == 0)
		return EXIT_DONE;
	return failed("process %d: no such process; leave --pid away to see "
		      "who holds buffers",
		      (int)request->filter.pid);
}

static int show_census(const struct context *ctx, const struct request *request)
{
	struct census_view view;
	struct census census;
	int status = EXIT_DONE;
	int ret;

	if (check_process(request) != EXIT_DONE)
		return EXIT_FAILED;
	waiting_begin("reading /proc");
	ret = census_take(&census, request->root);
	if (!ret)
		census_mark_leaks(&census, request->root, IDLE_MS);
	waiting_end();
	if (ret)
		return failed("reading %s/proc: %s; see that /proc is mounted",
			      request->root, strerror(-ret));
	ret = census_view_make(&view, &census, &request->filter,
			       request->order);
	if (ret) {
		census_free(&census);
		return failed("listing the buffers: %s; free memory",
			      strerror(-ret));
	}
	if (ctx->json)
		print_view_json(&view);
	else
		status = print_view(&view, &request->filter);
	warn_of_missing(&census);
	census_view_free(&view);
	census_free(&census);
	return status;
}

static int run_ps(struct context *ctx, int argc, char **argv)
{
	static const struct option options[] = {
		{"sort", required_argument, NULL, OPTION_SORT},
		{"pid", required_argument, NULL, OPTION_PID},
		{"exporter", required_argument, NULL, OPTION_EXPORTER},
		{"sysroot", required_argument, NULL, OPTION_SYSROOT},
		COMMON_OPTIONS};
	struct request request = {.root = ""};
	int option;

	while ((option = next_option(ctx, argc, argv, ":", options)) !=
	       OPTION_END) {
		switch (option) {
		case OPTION_SORT:
			request.order = parse_order(optarg);
			break;
		case OPTION_PID:
			request.filter.pid =
				(pid_t)parse_number("--pid", optarg, INT32_MAX);
			if (!request.filter.pid)
				misused("--pid: 0 is no process");
			break;
		case OPTION_EXPORTER:
			request.filter.exporter = optarg;
			break;
		case OPTION_SYSROOT:
			request.root = optarg;
			break;
		}
	}
	expect_arguments(argc, argv, 0);
	return show_census(ctx, &request);
}

const struct command command_ps = {
	.name = "ps",
	.run = run_ps,
	.usage = "[OPTION...]",
	.summary = "list the dma-bufs of the system and who holds them",
	.help = "Lists every dma-buf, of whatever exporter: its inode, size, "
		"exporter\n"
		"and name, how many devices are attached, and for each process "
		"that\n"
		"holds it how many descriptors it has, how much of it is "
		"mapped, and\n"
		"its share: the size divided by the number of holders. Totals "
		"by\n"
		"exporter and by process follow.\n"
		"\n"
		"'leaked?' marks a buffer that no process maps, no device is "
		"attached\n"
		"to, and whose holders all use no processor time just now; "
		"'no process'\n"
		"one that no process has, such as one in a message that nobody "
		"has\n"
		"received. Both take the kernel's list in debugfs, which is "
		"root's; as\n"
		"another user, the command shows that user's processes and "
		"says so.\n"
		"\n"
		"      --sort ORDER      size (default), inode, exporter, "
		"name, "
		"holders\n"
		"      --pid PID         only what this process holds\n"
		"      --exporter NAME   only the buffers of this exporter\n"
		"      --sysroot DIR     read DIR/proc and DIR/sys\n",
};
