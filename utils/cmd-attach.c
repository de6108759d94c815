// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "attachment.h"
#include "buffer.h"
#include "command.h"
#include "hold.h"
#include "parse.h"
#include "report.h"

enum {
	OPTION_BUS = OPTION_OWN,
	OPTION_DIRECTION,
	OPTION_ADDRESS_BITS
};

/* Where a device is looked for when nobody says, in this order. */
static const char *const buses[] = {"pci", "platform", "amba"};

#define BUSES (sizeof(buses) / sizeof(buses[0]))

struct request {
	const char *bus; /* NULL: whichever has the device */
	const char *device;
	const char *buffer;
	struct portalmem_attach_options options;
	char **command;
};

static enum portalmem_direction parse_direction(const char *what,
						const char *text)
{
	enum portalmem_direction direction;

	for (direction = PORTALMEM_DIRECTION_TO_DEVICE;
	     direction <= PORTALMEM_DIRECTION_BOTH; direction++) {
		if (strcmp(text, direction_name(direction)) == 0)
			return direction;
	}
	misused("%s: '%s' is not a direction; use to, from or both", what,
		text);
}

static void read_arguments(struct context *ctx, int argc, char **argv,
			   struct request *request)
{
	static const struct option options[] = {
		{"bus", required_argument, NULL, OPTION_BUS},
		{"direction", required_argument, NULL, OPTION_DIRECTION},
		{"address-bits", required_argument, NULL, OPTION_ADDRESS_BITS},
		COMMON_OPTIONS};
	int option;

	request->command = split_command(&argc, argv);
	while ((option = next_option(ctx, argc, argv, ":", options)) !=
	       OPTION_END) {
		switch (option) {
		case OPTION_BUS:
			request->bus = optarg;
			break;
		case OPTION_DIRECTION:
			request->options.direction =
				parse_direction("--direction", optarg);
			break;
		case OPTION_ADDRESS_BITS:
			request->options.address_bits =
				(unsigned int)parse_number("--address-bits",
							   optarg, 64);
			break;
		}
	}
	if (optind == argc)
		misused("no device is given; name one of "
			"/sys/bus/pci/devices, like 0000:00:04.0");
	expect_arguments(argc, argv, 2);
	request->device = argv[optind];
	request->buffer = argv[optind + 1];
}

/* On the bus that was named, or on the first that has such a device. */
static int attach(struct portalmem_buffer *buffer,
		  const struct request *request,
		  struct portalmem_attachment **attachmentp)
{
	int ret = -ENODEV;

	if (request->bus)
		ret = portalmem_buffer_attach(buffer, request->bus,
					      request->device,
					      &request->options, attachmentp);
	for (size_t i = 0; !request->bus && ret == -ENODEV && i < BUSES; i++)
		ret = portalmem_buffer_attach(buffer, buses[i], request->device,
					      &request->options, attachmentp);
	if (!ret)
		return EXIT_DONE;
	if (ret == -ENODEV && !request->bus)
		return failed("no bus of pci, platform and amba has a device "
			      "'%s'; give a name that is in "
			      "/sys/bus/BUS/devices",
			      request->device);
	return failed_call("attaching", ret);
}

static int run_attach(struct context *ctx, int argc, char **argv)
{
	struct request request = {.options = PORTALMEM_ATTACH_OPTIONS_INIT};
	struct portalmem_attachment *attachment;
	struct portalmem_buffer *buffer;
	int status;

	read_arguments(ctx, argc, argv, &request);
	status = take_buffer(ctx, request.buffer, &buffer);
	if (status != EXIT_DONE)
		return status;
	status = attach(buffer, &request, &attachment);
	if (status == EXIT_DONE) {
		status = use_attachment(ctx, buffer, attachment,
					request.command);
		portalmem_attachment_unref(attachment);
	}
	portalmem_buffer_unref(buffer);
	return status;
}

const struct command command_attach = {
	.name = "attach",
	.run = run_attach,
	.usage = "DEVICE [BUFFER] [OPTION...] [-- COMMAND [ARGUMENT...]]",
	.summary = "map a buffer for a device and hold it there",
	.help = "Maps a buffer for DEVICE, which a program drives, and tells "
		"where the\n"
		"device finds it. For root (CAP_SYS_RAWIO) only. With COMMAND, "
		"runs it in\n"
		"place of portalmem with the open descriptors and the "
		"variables "
		"that\n"
		"'portalmem alloc -- COMMAND' sets, and\n"
		"  PORTALMEM_ATTACHMENT_FD  number of the attachment's "
		"descriptor\n"
		"Without COMMAND, prints the attachment and holds it until "
		"SIGINT, SIGTERM\n"
		"or SIGHUP comes, or fails when the device goes away.\n"
		"\n"
		"DEVICE is a name in /sys/bus/BUS/devices, like "
		"0000:00:04.0.\n" BUFFER_HELP "\n"
		"      --bus BUS           its bus; else pci, platform or "
		"amba, "
		"whichever has\n"
		"                          the device\n"
		"      --direction WHICH   to the device, from it, or both "
		"(the "
		"default)\n"
		"      --address-bits N    the device reaches addresses of N "
		"bits, where no\n"
		"                          driver of the kernel knows that\n",
};
