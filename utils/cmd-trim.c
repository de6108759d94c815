// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <stdio.h>

#include "command.h"
#include "json.h"
#include "parse.h"
#include "progress.h"
#include "report.h"

static void print_freed(const struct context *ctx, uint64_t freed)
{
	struct json json = {.out = stdout};
	char size[SIZE_PHRASE_ROOM];

	if (!ctx->json) {
		describe_size(size, freed);
		printf("%s given back\n", size);
		return;
	}
	json_object_begin(&json, NULL);
	json_number(&json, "freed", freed);
	json_object_end(&json);
	json_finish(&json);
}

static int run_trim(struct context *ctx, int argc, char **argv)
{
	static const struct option options[] = {COMMON_OPTIONS};
	struct portalmem_device *device;
	uint64_t freed;
	int ret, status;

	next_option(ctx, argc, argv, ":", options);
	expect_arguments(argc, argv, 0);
	status = open_device(ctx, &device);
	if (status != EXIT_DONE)
		return status;
	waiting_begin("giving memory back");
	ret = portalmem_device_trim(device, &freed);
	waiting_end();
	if (ret)
		status = failed_call("trimming", ret);
	else
		print_freed(ctx, freed);
	portalmem_device_unref(device);
	return status;
}

const struct command command_trim = {
	.name = "trim",
	.run = run_trim,
	.usage = "[OPTION...]",
	.summary = "give pooled memory back to the system",
	.help = "Has the portalmem module give back the freed memory that it "
		"keeps for\n"
		"the next buffers: that of the caller's memory cgroup, and for "
		"root\n"
		"(CAP_SYS_ADMIN) everybody's. Prints how many bytes that "
		"were.\n",
};
