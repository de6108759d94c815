// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "grid.h"
#include "json.h"
#include "outfile.h"
#include "parse.h"
#include "report.h"
#include "segments.h"

enum {
	OPTION_SVG = OPTION_OWN
};

/* The table of a buffer does not change, so that asking twice is enough. */
static int read_table(struct portalmem_buffer *buffer,
		      struct segment_table *table)
{
	int ret;

	ret = portalmem_buffer_get_segments(buffer, 0, NULL, 0, &table->count);
	if (ret < 0)
		return failed_call("reading the segments", ret);
	table->segments = calloc(table->count, sizeof(*table->segments));
	if (!table->segments)
		return failed_call("reading the segments", -ENOMEM);
	ret = portalmem_buffer_get_segments(buffer, 0, table->segments,
					    table->count, NULL);
	if (ret < 0)
		return failed_call("reading the segments", ret);
	table->count = (size_t)ret;
	return EXIT_DONE;
}

static int print_text(const struct segment_table *segments)
{
	static const struct column columns[] = {{"segment", 7, true},
						{"offset", 18, true},
						{"length", 18, true},
						{"size", 8, true},
						{"physical", 18, true}};
	char size[SIZE_TEXT_ROOM];
	struct grid table;

	grid_begin(&table, columns, 5);
	for (size_t i = 0; i < segments->count; i++) {
		const struct portalmem_segment *segment =
			&segments->segments[i];

		format_size_short(size, segment->length);
		grid_cell(&table, "%zu", i);
		grid_cell(&table, "%#" PRIx64, segment->offset);
		grid_cell(&table, "%#" PRIx64, segment->length);
		grid_cell(&table, "%s", size);
		if (segment->physical)
			grid_cell(&table, "%#" PRIx64, segment->physical);
		else
			grid_cell(&table, "-");
	}
	return grid_end(&table);
}

static void print_json(const struct segment_table *table)
{
	struct json json = {.out = stdout};

	json_object_begin(&json, NULL);
	json_array_begin(&json, "segments");
	for (size_t i = 0; i < table->count; i++) {
		const struct portalmem_segment *segment = &table->segments[i];

		json_object_begin(&json, NULL);
		json_number(&json, "offset", segment->offset);
		json_number(&json, "length", segment->length);
		if (segment->physical)
			json_number(&json, "physical", segment->physical);
		else
			json_null(&json, "physical");
		json_object_end(&json);
	}
	json_array_end(&json);
	json_object_end(&json);
	json_finish(&json);
}

static int draw(FILE *out, struct portalmem_buffer *buffer,
		const struct segment_table *table)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	int ret = portalmem_buffer_get_info(buffer, &info);

	if (ret)
		return failed_call("asking about the buffer", ret);
	ret = draw_segments(out, table, info.name);
	if (ret)
		return failed("drawing %zu segments: %s; free memory",
			      table->count, strerror(-ret));
	return EXIT_DONE;
}

static int draw_to_file(const char *path, struct portalmem_buffer *buffer,
			const struct segment_table *table)
{
	struct outfile file;
	FILE *out = NULL;
	int copy;
	int status = outfile_open(&file, path);

	if (status != EXIT_DONE)
		return status;
	copy = dup(file.fd);
	if (copy >= 0)
		out = fdopen(copy, "w");
	if (out)
		status = draw(out, buffer, table);
	else
		status = outfile_failed(&file, errno);
	errno = 0;
	if (out && (ferror(out) | fclose(out)) && status == EXIT_DONE)
		status = outfile_failed(&file, errno ? errno : EIO);
	return outfile_close(&file, status);
}

static int show_table(const struct context *ctx, const char *svg,
		      struct portalmem_buffer *buffer,
		      const struct segment_table *table)
{
	int status;

	if (svg && strcmp(svg, "-") == 0)
		return draw(stdout, buffer, table);
	status = svg ? draw_to_file(svg, buffer, table) : EXIT_DONE;
	if (status != EXIT_DONE)
		return status;
	if (ctx->json)
		print_json(table);
	else if (!svg)
		return print_text(table);
	return EXIT_DONE;
}

static int run_segments(struct context *ctx, int argc, char **argv)
{
	static const struct option options[] = {
		{"svg", required_argument, NULL, OPTION_SVG}, COMMON_OPTIONS};
	struct portalmem_buffer *buffer;
	struct segment_table table = {0};
	const char *svg = NULL;
	int status;

	while (next_option(ctx, argc, argv, ":", options) == OPTION_SVG)
		svg = optarg;
	expect_arguments(argc, argv, 1);
	if (ctx->json && svg && strcmp(svg, "-") == 0)
		misused("the drawing and --json cannot both go to standard "
			"output; give --svg a file");
	status = take_buffer(ctx, argv[optind], &buffer);
	if (status != EXIT_DONE)
		return status;
	status = read_table(buffer, &table);
	if (status == EXIT_DONE)
		status = show_table(ctx, svg, buffer, &table);
	free(table.segments);
	portalmem_buffer_unref(buffer);
	return status;
}

const struct command command_segments = {
	.name = "segments",
	.run = run_segments,
	.usage = "[BUFFER] [OPTION...]",
	.summary = "show the physically contiguous runs of a buffer",
	.help = "Prints the physically contiguous runs that a buffer is made "
		"of. It has\n"
		"physical addresses for root (CAP_SYS_RAWIO) only, unless the "
		"kernel is\n"
		"locked down.\n"
		"\n"
		"  --svg FILE  draw where they lie in memory, to be looked at "
		"in a browser;\n"
		"              - is standard output\n"
		"\n" BUFFER_HELP,
};
