// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "census-print.h"
#include "census-view.h"
#include "command.h"
#include "json.h"
#include "parse.h"
#include "report.h"

/* Long enough to tell a process that waits from one that works. */
#define IDLE_MS 200

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

static void print_size(uint64_t size)
{
	char text[SIZE_TEXT_ROOM];

	format_size_short(text, size);
	printf("  %8s", text);
}

/* Left of each holder's columns: the buffer's own, on its first line. */
static void print_buffer(const struct dmabuf *buffer)
{
	char exporter[EXPORTER_ROOM * 4];
	char name[BUFFER_NAME_ROOM * 4];

	escape_text(exporter, sizeof(exporter),
		    buffer->exporter[0] ? buffer->exporter : "?");
	escape_text(name, sizeof(name), buffer->name[0] ? buffer->name : "-");
	printf("%8" PRIu64, buffer->inode);
	print_size(buffer->size);
	printf("  %-14s  %-14s  ", exporter, name);
	if (buffer->listed)
		printf("%7u", buffer->attachments);
	else
		printf("%7s", "?");
}

static void print_holder(const struct dmabuf *buffer,
			 const struct holder *holder)
{
	char command[COMMAND_ROOM * 4];

	escape_text(command, sizeof(command), holder->command);
	printf("  %7d  %-15s  %4u", (int)holder->pid, command, holder->fds);
	print_size(holder->mapped);
	print_size(dmabuf_share(buffer));
}

static void print_rows(const struct dmabuf *buffer,
		       const struct census_filter *filter)
{
	bool first = true;

	for (size_t i = 0; i < buffer->holder_count; i++) {
		if (!census_filter_has(filter, &buffer->holders[i]))
			continue;
		if (first)
			print_buffer(buffer);
		else
			printf("%8s  %8s  %-14s  %-14s  %7s", "", "", "", "",
			       "");
		print_holder(buffer, &buffer->holders[i]);
		printf(first && buffer->leaked ? "  %s\n" : "\n",
		       dmabuf_note(buffer));
		first = false;
	}
	if (first) {
		print_buffer(buffer);
		printf("  %7s  %-15s  %4s  %8s  %8s  %s\n", "-", "-", "-", "-",
		       "-", dmabuf_note(buffer));
	}
}

static void print_totals(const struct census_view *view)
{
	char text[EXPORTER_ROOM * 4];

	printf("\n%-14s  %7s  %8s\n", "EXPORTER", "BUFFERS", "SIZE");
	for (size_t i = 0; i < view->exporter_count; i++) {
		const struct census_total *total = &view->exporters[i];

		escape_text(text, sizeof(text),
			    total->label[0] ? total->label : "?");
		printf("%-14s  %7zu", text, total->buffers);
		print_size(total->size);
		putchar('\n');
	}
	if (!view->process_count)
		return;
	printf("\n%7s  %-15s  %7s  %8s  %8s\n", "PID", "COMMAND", "BUFFERS",
	       "SIZE", "SHARE");
	for (size_t i = 0; i < view->process_count; i++) {
		const struct census_total *total = &view->processes[i];

		escape_text(text, sizeof(text), total->label);
		printf("%7d  %-15s  %7zu", (int)total->pid, text,
		       total->buffers);
		print_size(total->size);
		print_size(total->share);
		putchar('\n');
	}
}

static void print_view(const struct census_view *view,
		       const struct census_filter *filter)
{
	char size[SIZE_TEXT_ROOM];

	if (view->count) {
		printf("%8s  %8s  %-14s  %-14s  %7s  %7s  %-15s  %4s  %8s  "
		       "%8s\n",
		       "INODE", "SIZE", "EXPORTER", "NAME", "DEVICES", "PID",
		       "COMMAND", "FDS", "MAPPED", "SHARE");
		for (size_t i = 0; i < view->count; i++)
			print_rows(view->buffers[i], filter);
		print_totals(view);
		putchar('\n');
	}
	format_size_short(size, view->size);
	printf("%zu buffers, %s in all\n", view->count, size);
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

static int show_census(const struct context *ctx, const struct request *request)
{
	struct census_view view;
	struct census census;
	int ret = census_take(&census, request->root);

	if (ret)
		return failed("reading %s/proc: %s; see that /proc is mounted",
			      request->root, strerror(-ret));
	census_mark_leaks(&census, request->root, IDLE_MS);
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
		print_view(&view, &request->filter);
	warn_of_missing(&census);
	census_view_free(&view);
	census_free(&census);
	return EXIT_DONE;
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
