// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "buffer.h"
#include "parse.h"
#include "report.h"

enum {
	OPTION_ACCESS = OPTION_OWN,
	OPTION_OFFSET,
	OPTION_LENGTH
};

struct request {
	unsigned int edge;
	unsigned int access;
	const char *buffer;
	struct part part;
};

static const struct {
	const char *name;
	unsigned int flags;
} accesses[] = {
	{"read", PORTALMEM_SYNC_READ},
	{"write", PORTALMEM_SYNC_WRITE},
	{"both", PORTALMEM_SYNC_RDWR},
};

#define ACCESSES (sizeof(accesses) / sizeof(accesses[0]))

static unsigned int parse_access(const char *text)
{
	for (size_t i = 0; i < ACCESSES; i++)
		if (strcmp(text, accesses[i].name) == 0)
			return accesses[i].flags;
	misused("--access: '%s' is not a kind of access; use read, write or "
		"both",
		text);
}

static const char *access_name(unsigned int flags)
{
	size_t i;

	for (i = 0; accesses[i].flags != flags; i++)
		continue;
	return accesses[i].name;
}

static const char *edge_name(unsigned int edge)
{
	return edge == PORTALMEM_SYNC_START ? "begin" : "end";
}

static unsigned int parse_edge(const char *text)
{
	if (strcmp(text, edge_name(PORTALMEM_SYNC_START)) == 0)
		return PORTALMEM_SYNC_START;
	if (strcmp(text, edge_name(PORTALMEM_SYNC_END)) == 0)
		return PORTALMEM_SYNC_END;
	misused("'%s' is neither begin nor end", text);
}

static void read_arguments(struct context *ctx, int argc, char **argv,
			   struct request *request)
{
	static const struct option options[] = {
		{"access", required_argument, NULL, OPTION_ACCESS},
		{"offset", required_argument, NULL, OPTION_OFFSET},
		{"length", required_argument, NULL, OPTION_LENGTH},
		COMMON_OPTIONS};
	int option;

	while ((option = next_option(ctx, argc, argv, ":", options)) !=
	       OPTION_END) {
		switch (option) {
		case OPTION_ACCESS:
			request->access = parse_access(optarg);
			break;
		case OPTION_OFFSET:
			request->part.offset = parse_size("--offset", optarg);
			break;
		case OPTION_LENGTH:
			request->part.length =
				parse_nonzero_size("--length", optarg);
			break;
		}
	}
	if (optind == argc)
		misused("neither begin nor end is given");
	expect_arguments(argc, argv, 2);
	request->edge = parse_edge(argv[optind]);
	request->buffer = argv[optind + 1];
}

static void print_result(const struct context *ctx,
			 const struct request *request,
			 const struct portalmem_range *range)
{
	struct json json = {.out = stdout};
	char length[SIZE_PHRASE_ROOM];

	if (!ctx->json) {
		describe_size(length, range->length);
		printf("%s of access (%s) to %s from offset %" PRIu64 "\n",
		       edge_name(request->edge), access_name(request->access),
		       length, range->offset);
		return;
	}
	json_object_begin(&json, NULL);
	json_string(&json, "sync", edge_name(request->edge));
	json_string(&json, "access", access_name(request->access));
	json_number(&json, "offset", range->offset);
	json_number(&json, "length", range->length);
	json_object_end(&json);
	json_finish(&json);
}

static int sync_part(struct portalmem_buffer *buffer,
		     const struct request *request,
		     struct portalmem_range *range)
{
	int status = part_within(buffer, &request->part, &range->offset,
				 &range->length);
	int ret;

	if (status != EXIT_DONE)
		return status;
	ret = portalmem_buffer_sync(buffer, request->edge | request->access,
				    range, 1);
	return ret ? failed_call("syncing the buffer", ret) : EXIT_DONE;
}

static int run_sync(struct context *ctx, int argc, char **argv)
{
	struct request request = {.access = PORTALMEM_SYNC_RDWR};
	struct portalmem_buffer *buffer;
	struct portalmem_range range;
	int status;

	read_arguments(ctx, argc, argv, &request);
	status = take_buffer(ctx, request.buffer, &buffer);
	if (status != EXIT_DONE)
		return status;
	status = sync_part(buffer, &request, &range);
	if (status == EXIT_DONE)
		print_result(ctx, &request, &range);
	portalmem_buffer_unref(buffer);
	return status;
}

const struct command command_sync = {
	.name = "sync",
	.run = run_sync,
	.usage = "begin|end [BUFFER] [OPTION...]",
	.summary = "begin or end CPU access to a buffer",
	.help = "Tells the kernel that the CPU begins to use a buffer, so "
		"that it sees\n"
		"what devices wrote and waits for those that still use it, or "
		"that it\n"
		"has ended, so that devices see what it wrote.\n"
		"\n"
		"  --access WHICH  the CPU will read, write, or does both "
		"[both]\n"
		"  --offset SIZE   start here in the buffer [0]\n"
		"  --length SIZE   this many bytes [up to the buffer's end]\n"
		"\n"
		"Only the portalmem module syncs a part; elsewhere it is the "
		"whole\n"
		"buffer.\n"
		"\n" BUFFER_HELP,
};
