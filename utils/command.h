/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the subcommands and the program around them know of each other.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <getopt.h>
#include <stdbool.h>

#include "portalmem.h"

/* The options that every subcommand takes, and where they are kept. */
struct context {
	const struct command *command;
	bool json;
	const char *device_path;
	enum portalmem_backend backend;
};

/* A subcommand: one entry both dispatches and explains itself. */
struct command {
	const char *name;
	int (*run)(struct context *ctx, int argc, char **argv);
	const char *usage;   /* what follows the name */
	const char *summary; /* for the list of subcommands */
	const char *help;    /* for "help NAME", whole lines */
};

extern const struct command command_alloc;
extern const struct command command_attach;
extern const struct command command_bench;
extern const struct command command_cp;
extern const struct command command_doctor;
extern const struct command command_dump;
extern const struct command command_fill;
extern const struct command command_heaps;
extern const struct command command_info;
extern const struct command command_ps;
extern const struct command command_receive;
extern const struct command command_segments;
extern const struct command command_share;
extern const struct command command_sync;
extern const struct command command_top;
extern const struct command command_trim;
extern const struct command command_verify;

/* Option values outside of what a character can be. */
enum {
	OPTION_END = -1,
	OPTION_JSON = 0x100,
	OPTION_DEVICE,
	OPTION_BACKEND,
	OPTION_HELP,
	OPTION_VERSION,
	OPTION_OWN /* the subcommands' own start here */
};

/* Closes each subcommand's table of long options. */
/* clang-format off */
#define COMMON_OPTIONS                                          \
	{"json", no_argument, NULL, OPTION_JSON},               \
	{"device", required_argument, NULL, OPTION_DEVICE},     \
	{"backend", required_argument, NULL, OPTION_BACKEND},   \
	{"help", no_argument, NULL, OPTION_HELP},               \
	{NULL, 0, NULL, 0}
/* clang-format on */

/*
 * The subcommand's next own option. The common ones are dealt with here, and
 * --help and mistakes end the program. SHORT_OPTIONS starts with a colon.
 */
int next_option(struct context *ctx, int argc, char **argv,
		const char *short_options, const struct option *long_options);

/* A mistake unless the arguments after the options are at most MOST. */
void expect_arguments(int argc, char **argv, int most);

/* Open what --device and --backend name. Gives an exit status. */
int open_device(const struct context *ctx, struct portalmem_device **devicep);

#endif
