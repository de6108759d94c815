// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "attachment.h"
#include "grid.h"
#include "json.h"
#include "parse.h"
#include "report.h"

struct dma_table {
	size_t count;
	struct portalmem_dma_segment *segments;
};

static const struct {
	const char *label;
	const char *key;
	unsigned int feature;
} features[] = {
	{"translated:", "translated", PORTALMEM_ATTACHMENT_IS_TRANSLATED},
	{"bounced:", "bounced", PORTALMEM_ATTACHMENT_IS_BOUNCED},
	{"needs sync:", "needs_sync", PORTALMEM_ATTACHMENT_IS_SYNCED},
};

#define FEATURES (sizeof(features) / sizeof(features[0]))

const char *direction_name(enum portalmem_direction direction)
{
	switch (direction) {
	case PORTALMEM_DIRECTION_TO_DEVICE:
		return "to";
	case PORTALMEM_DIRECTION_FROM_DEVICE:
		return "from";
	case PORTALMEM_DIRECTION_BOTH:
		break;
	}
	return "both";
}

/* The table does not change while the device is there. */
static int read_table(struct portalmem_attachment *attachment,
		      struct dma_table *table)
{
	int ret;

	ret = portalmem_attachment_get_segments(attachment, 0, NULL, 0,
						&table->count);
	if (ret < 0)
		return failed_call("reading the DMA segments", ret);
	table->segments = calloc(table->count, sizeof(*table->segments));
	if (!table->segments)
		return failed("reading the DMA segments: %zu of them do not "
			      "fit into memory; free some",
			      table->count);
	ret = portalmem_attachment_get_segments(attachment, 0, table->segments,
						table->count, NULL);
	if (ret < 0)
		return failed_call("reading the DMA segments", ret);
	table->count = (size_t)ret;
	return EXIT_DONE;
}

static int print_segments(const struct dma_table *segments)
{
	static const struct column columns[] = {{"segment", 7, true},
						{"offset", 18, true},
						{"length", 18, true},
						{"address", 18, true}};
	struct grid table;

	grid_begin(&table, columns, 4);
	for (size_t i = 0; i < segments->count; i++) {
		const struct portalmem_dma_segment *segment =
			&segments->segments[i];

		grid_cell(&table, "%zu", i);
		grid_cell(&table, "%#" PRIx64, segment->offset);
		grid_cell(&table, "%#" PRIx64, segment->length);
		grid_cell(&table, "%#" PRIx64, segment->address);
	}
	return grid_end(&table);
}

static int print_text(const struct portalmem_attachment_info *info,
		      const struct dma_table *segments, int fd)
{
	char size[SIZE_TEXT_ROOM];

	format_size(size, info->size);
	printf("device:      %s %s\n", info->bus, info->device);
	printf("direction:   %s\n", direction_name(info->direction));
	printf("size:        %" PRIu64 " (%s)\n", info->size, size);
	printf("reaches:     %u bits\n", info->address_bits);
	for (size_t i = 0; i < FEATURES; i++)
		printf("%-12s %s\n", features[i].label,
		       info->features & features[i].feature ? "yes" : "no");
	printf("attachment:  %d:%d\n"
	       "path:        /proc/%d/fd/%d\n"
	       "\n",
	       (int)getpid(), fd, (int)getpid(), fd);
	return print_segments(segments);
}

static void json_table(struct json *json, const struct dma_table *table)
{
	json_array_begin(json, "segments");
	for (size_t i = 0; i < table->count; i++) {
		json_object_begin(json, NULL);
		json_number(json, "offset", table->segments[i].offset);
		json_number(json, "length", table->segments[i].length);
		json_number(json, "address", table->segments[i].address);
		json_object_end(json);
	}
	json_array_end(json);
}

static void print_json(const struct portalmem_attachment_info *info,
		       const struct dma_table *table, int fd)
{
	struct json json = {.out = stdout};
	char text[48];

	json_object_begin(&json, NULL);
	json_string(&json, "bus", info->bus);
	json_string(&json, "device", info->device);
	json_string(&json, "direction", direction_name(info->direction));
	json_number(&json, "size", info->size);
	json_number(&json, "address_bits", info->address_bits);
	for (size_t i = 0; i < FEATURES; i++)
		json_bool(&json, features[i].key,
			  info->features & features[i].feature);
	snprintf(text, sizeof(text), "%d:%d", (int)getpid(), fd);
	json_string(&json, "attachment", text);
	snprintf(text, sizeof(text), "/proc/%d/fd/%d", (int)getpid(), fd);
	json_string(&json, "path", text);
	json_table(&json, table);
	json_object_end(&json);
	json_finish(&json);
}

int print_attachment(const struct context *ctx,
		     struct portalmem_attachment *attachment)
{
	struct portalmem_attachment_info info = PORTALMEM_ATTACHMENT_INFO_INIT;
	int fd = portalmem_attachment_get_fd(attachment);
	struct dma_table table = {0};
	int ret = portalmem_attachment_get_info(attachment, &info);
	int status;

	if (ret)
		return failed_call("asking about the attachment", ret);
	status = read_table(attachment, &table);
	if (status == EXIT_DONE && ctx->json)
		print_json(&info, &table, fd);
	else if (status == EXIT_DONE)
		status = print_text(&info, &table, fd);
	free(table.segments);
	return status;
}
