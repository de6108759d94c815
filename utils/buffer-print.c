// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "buffer.h"
#include "parse.h"
#include "report.h"

/* Names may come from anyone: nothing in them reaches the terminal raw. */
static void print_name(const char *label, const char *name, const char *none)
{
	char escaped[4 * PORTALMEM_NAME_MAX + 1];

	escape_text(escaped, sizeof(escaped), name);
	printf("%-12s %s\n", label, name[0] ? escaped : none);
}

static void print_text(const struct portalmem_info *info, int holder_fd)
{
	char size[SIZE_TEXT_ROOM];

	format_size(size, info->size);
	printf("size:        %" PRIu64 " (%s)\n", info->size, size);
	printf("caching:     %s\n", portalmem_caching_name(info->caching));
	printf("effective:   %s\n", portalmem_caching_name(info->effective));
	if (info->segments)
		printf("segments:    %" PRIu32 "\n", info->segments);
	else
		puts("segments:    unknown");
	printf("attachments: %" PRIu32 "\n", info->attachments);
	if (info->pid)
		printf("pid:         %" PRId32 "\n", info->pid);
	else
		puts("pid:         unknown");
	printf("inode:       %" PRIu64 "\n", info->inode);
	print_name("heap:", info->heap, "unknown");
	print_name("name:", info->name, "none");
	if (holder_fd >= 0)
		printf("buffer:      %d:%d\n"
		       "path:        /proc/%d/fd/%d\n",
		       (int)getpid(), holder_fd, (int)getpid(), holder_fd);
}

static void json_number_or_null(struct json *json, const char *key,
				uint64_t value)
{
	if (value)
		json_number(json, key, value);
	else
		json_null(json, key);
}

static void json_holder(struct json *json, int holder_fd)
{
	char text[48];

	snprintf(text, sizeof(text), "%d:%d", (int)getpid(), holder_fd);
	json_string(json, "buffer", text);
	snprintf(text, sizeof(text), "/proc/%d/fd/%d", (int)getpid(),
		 holder_fd);
	json_string(json, "path", text);
}

static void print_json(const struct portalmem_info *info, int holder_fd)
{
	struct json json = {.out = stdout};

	json_object_begin(&json, NULL);
	json_number(&json, "size", info->size);
	json_string(&json, "caching", portalmem_caching_name(info->caching));
	json_string(&json, "effective",
		    portalmem_caching_name(info->effective));
	json_number_or_null(&json, "segments", info->segments);
	json_number(&json, "attachments", info->attachments);
	json_number_or_null(&json, "pid", (uint64_t)info->pid);
	json_number(&json, "inode", info->inode);
	json_string(&json, "heap", info->heap[0] ? info->heap : NULL);
	json_string(&json, "name", info->name[0] ? info->name : NULL);
	if (holder_fd >= 0)
		json_holder(&json, holder_fd);
	json_object_end(&json);
	json_finish(&json);
}

int print_buffer(const struct context *ctx, struct portalmem_buffer *buffer,
		 int holder_fd)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	int ret = portalmem_buffer_get_info(buffer, &info);

	if (ret)
		return failed_call("asking about the buffer", ret);
	if (ctx->json)
		print_json(&info, holder_fd);
	else
		print_text(&info, holder_fd);
	return EXIT_DONE;
}
