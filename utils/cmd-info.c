// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include "buffer.h"
#include "report.h"

static int run_info(struct context *ctx, int argc, char **argv)
{
	static const struct option options[] = {COMMON_OPTIONS};
	struct portalmem_buffer *buffer;
	int status;

	next_option(ctx, argc, argv, ":", options);
	expect_arguments(argc, argv, 1);
	status = take_buffer(ctx, argv[optind], &buffer);
	if (status != EXIT_DONE)
		return status;
	status = print_buffer(ctx, buffer, -1);
	portalmem_buffer_unref(buffer);
	return status;
}

const struct command command_info = {
	.name = "info",
	.run = run_info,
	.usage = "[BUFFER]",
	.summary = "describe a buffer",
	.help = "Prints size, caching asked for and got, physically "
		"contiguous\n"
		"segments, attached devices, allocating process, inode, heap "
		"and name.\n"
		"\n" BUFFER_HELP,
};
