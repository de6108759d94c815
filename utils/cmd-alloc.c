// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <limits.h>

#include "command.h"
#include "hold.h"
#include "parse.h"
#include "progress.h"
#include "report.h"

enum {
	OPTION_NODE = OPTION_OWN,
	OPTION_ADDRESS_BITS,
	OPTION_ALIGN,
	OPTION_ADOPT
};

struct request {
	uint64_t size;
	struct portalmem_alloc_options options;
	char **command;
};

static void read_arguments(struct context *ctx, int argc, char **argv,
			   struct request *request)
{
	static const struct option options[] = {
		{"size", required_argument, NULL, 's'},
		{"caching", required_argument, NULL, 'c'},
		{"name", required_argument, NULL, 'n'},
		{"node", required_argument, NULL, OPTION_NODE},
		{"address-bits", required_argument, NULL, OPTION_ADDRESS_BITS},
		{"align", required_argument, NULL, OPTION_ALIGN},
		{"adopt", required_argument, NULL, OPTION_ADOPT},
		COMMON_OPTIONS};
	int option;

	request->command = split_command(&argc, argv);
	while ((option = next_option(ctx, argc, argv, ":s:c:n:", options)) !=
	       OPTION_END) {
		switch (option) {
		case 's':
			request->size = parse_nonzero_size("--size", optarg);
			break;
		case 'c':
			request->options.caching =
				parse_caching("--caching", optarg);
			break;
		case 'n':
			request->options.name = optarg;
			break;
		case OPTION_NODE:
			request->options.node =
				(int)parse_number("--node", optarg, INT_MAX);
			break;
		case OPTION_ADDRESS_BITS:
			request->options.address_bits =
				(unsigned int)parse_number("--address-bits",
							   optarg, 64);
			break;
		case OPTION_ALIGN:
			request->options.alignment =
				parse_nonzero_size("--align", optarg);
			break;
		case OPTION_ADOPT:
			request->options.adopt = 1;
			request->options.region_offset =
				parse_size("--adopt", optarg);
			break;
		}
	}
	if (optind < argc)
		misused("unexpected argument '%s'; put '--' before a command",
			argv[optind]);
	if (!request->size)
		misused("no size is given; use --size SIZE");
}

static int allocate(const struct context *ctx, const struct request *request,
		    struct portalmem_buffer **bufferp)
{
	struct portalmem_device *device;
	int status = open_device(ctx, &device);
	int ret;

	if (status != EXIT_DONE)
		return status;
	waiting_begin("allocating");
	ret = portalmem_buffer_alloc(device, request->size, &request->options,
				     bufferp);
	waiting_end();
	if (ret)
		status = failed_call("allocating", ret);
	portalmem_device_unref(device);
	return status;
}

static int run_alloc(struct context *ctx, int argc, char **argv)
{
	struct request request = {.options = PORTALMEM_ALLOC_OPTIONS_INIT};
	struct portalmem_buffer *buffer;
	int status;

	read_arguments(ctx, argc, argv, &request);
	status = allocate(ctx, &request, &buffer);
	if (status != EXIT_DONE)
		return status;
	status = use_buffer(ctx, buffer, request.command);
	portalmem_buffer_unref(buffer);
	return status;
}

const struct command command_alloc = {
	.name = "alloc",
	.run = run_alloc,
	.usage = "--size SIZE [OPTION...] [-- COMMAND [ARGUMENT...]]",
	.summary = "allocate a buffer and hold it, or run a command with it",
	.help = "Allocates a buffer, of zeros unless --adopt is given. With "
		"COMMAND,\n"
		"runs it in place of portalmem with the buffer's open "
		"descriptor and\n"
		"these variables:\n"
		"  PORTALMEM_FD       number of the descriptor\n"
		"  PORTALMEM_SIZE     size in bytes, whole pages\n"
		"  PORTALMEM_CACHING  caching that the buffer really has\n"
		"  PORTALMEM_NAME     name of the buffer, empty when it has "
		"none\n"
		"The exit status is COMMAND's; 126: it cannot be run, 127: it "
		"is not\n"
		"there. Without COMMAND, prints the buffer and holds it until "
		"SIGINT,\n"
		"SIGTERM or SIGHUP comes.\n"
		"\n"
		"  -s, --size SIZE        bytes, or with K, M, G, T (powers of "
		"1024)\n"
		"  -c, --caching CACHING  cached, wc, uc, or default: the "
		"node's own\n"
		"  -n, --name NAME        name for inspection\n"
		"      --node N           from this NUMA node only\n"
		"      --address-bits N   for a device whose addresses have N "
		"bits\n"
		"      --align SIZE       at a physical address that is a "
		"multiple of SIZE,\n"
		"                         where every buffer is one segment\n"
		"      --adopt OFFSET     what is at OFFSET of a reserved "
		"region, as it is,\n"
		"                         for root only\n",
};
