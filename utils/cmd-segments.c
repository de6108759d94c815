// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "buffer.h"
#include "json.h"
#include "report.h"

struct table {
	size_t count;
	struct portalmem_segment *segments;
};

/* The table of a buffer does not change, so that asking twice is enough. */
static int read_table(struct portalmem_buffer *buffer, struct table *table)
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

static void print_text(const struct table *table)
{
	printf("%7s  %18s  %18s  %18s\n", "segment", "offset", "length",
	       "physical");
	for (size_t i = 0; i < table->count; i++) {
		const struct portalmem_segment *segment = &table->segments[i];

		printf("%7zu  %#18" PRIx64 "  %#18" PRIx64 "  ", i,
		       segment->offset, segment->length);
		if (segment->physical)
			printf("%#18" PRIx64 "\n", segment->physical);
		else
			printf("%18s\n", "-");
	}
}

static void print_json(const struct table *table)
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

static int run_segments(struct context *ctx, int argc, char **argv)
{
	static const struct option options[] = {COMMON_OPTIONS};
	struct portalmem_buffer *buffer;
	struct table table = {0};
	int status;

	next_option(ctx, argc, argv, ":", options);
	expect_arguments(argc, argv, 1);
	status = take_buffer(ctx, argv[optind], &buffer);
	if (status != EXIT_DONE)
		return status;
	status = read_table(buffer, &table);
	if (status == EXIT_DONE && ctx->json)
		print_json(&table);
	else if (status == EXIT_DONE)
		print_text(&table);
	free(table.segments);
	portalmem_buffer_unref(buffer);
	return status;
}

const struct command command_segments = {
	.name = "segments",
	.run = run_segments,
	.usage = "[BUFFER]",
	.summary = "show the physically contiguous runs of a buffer",
	.help = "Prints the physically contiguous runs that a buffer is made "
		"of. It has\n"
		"physical addresses for root (CAP_SYS_RAWIO) only, unless the "
		"kernel is\n"
		"locked down.\n"
		"\n" BUFFER_HELP,
};
