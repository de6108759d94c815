// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The portalmem command: the options that come before a subcommand, and the
 * table of subcommands.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "manual.h"
#include "parse.h"
#include "report.h"
#include "signals.h"
#include "streams.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

static int run_help(struct context *ctx, int argc, char **argv);

static const struct command command_help = {
	.name = "help",
	.run = run_help,
	.usage = "[SUBCOMMAND]",
	.summary = "explain portalmem or one of its subcommands",
	.help = "Shows the manual page of SUBCOMMAND on a terminal, and else "
		"prints what\n"
		"its --help prints. Without SUBCOMMAND, lists the "
		"subcommands.\n",
};

static const struct command *const commands[] = {
	&command_ps,	 &command_top,	  &command_doctor,   &command_heaps,
	&command_alloc,	 &command_info,	  &command_segments, &command_sync,
	&command_attach, &command_share,  &command_receive,  &command_fill,
	&command_dump,	 &command_verify, &command_cp,	     &command_trim,
	&command_bench,	 &command_help,
};

/* clang-format off */
static const struct option main_options[] = {
	{"version", no_argument, NULL, OPTION_VERSION},
	COMMON_OPTIONS
};
/* clang-format on */

static const struct command *find_command(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i]->name, name) == 0)
			return commands[i];
	}
	misused("there is no subcommand '%s'", name);
}

static void print_program_help(void)
{
	size_t i;

	fputs("Usage: portalmem [OPTION...] SUBCOMMAND [ARGUMENT...]\n"
	      "Memory that processes and devices share without copying.\n"
	      "\n"
	      "Subcommands:\n",
	      stdout);
	for (i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-8s  %s\n", commands[i]->name, commands[i]->summary);
	fputs("\n"
	      "Options, before or after the subcommand:\n"
	      "  --device NODE   allocate from this node, or the heap of "
	      "that name\n"
	      "  --backend NAME  portalmem, dma-heap, udmabuf, memfd or any\n"
	      "  --json          print results as one line of JSON\n"
	      "  --help          print help\n"
	      "  --version       print the version; before the subcommand\n"
	      "\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage.\n",
	      stdout);
}

static void print_command_help(const struct command *command)
{
	printf("Usage: portalmem %s %s\n\n%s", command->name, command->usage,
	       command->help);
}

void expect_arguments(int argc, char **argv, int most)
{
	if (argc - optind > most)
		misused("unexpected argument '%s'", argv[optind + most]);
}

static int run_help(struct context *ctx, int argc, char **argv)
{
	static const struct option options[] = {COMMON_OPTIONS};
	const struct command *command;

	next_option(ctx, argc, argv, ":", options);
	expect_arguments(argc, argv, 1);
	if (optind == argc) {
		print_program_help();
		return EXIT_DONE;
	}
	command = find_command(argv[optind]);
	show_manual(command->name);
	print_command_help(command);
	return EXIT_DONE;
}

/* Find the subcommand behind the options before it, and run it. */
static int run_program(struct context *ctx, int argc, char **argv)
{
	if (next_option(ctx, argc, argv, "+:", main_options) ==
	    OPTION_VERSION) {
		puts(PACKAGE_NAME " " PACKAGE_VERSION);
		return EXIT_DONE;
	}
	if (optind == argc)
		misused("no subcommand is given");
	ctx->command = find_command(argv[optind]);
	report_for(ctx->command->name);
	argc -= optind;
	argv += optind;
	optind = 0; /* starts getopt_long() afresh on the rest */
	return ctx->command->run(ctx, argc, argv);
}

/*
 * For a short option optopt is its letter, which may stand in the middle of an
 * argument; a long one is the whole argument before optind. Long options
 * without an argument never have a letter's value, so that only one whose
 * argument is missing can be either.
 */
static bool mistake_is_short(int option, const char *last)
{
	if (optopt <= 0 || optopt >= OPTION_JSON)
		return false;
	return option == '?' || strncmp(last, "--", 2) != 0;
}

static void misused_option(int option, char **argv) __attribute__((noreturn));

static void misused_option(int option, char **argv)
{
	const char *last = argv[optind - 1];
	const char *problem = "is not an option here";

	if (option == ':')
		problem = "needs an argument";
	else if (optopt >= OPTION_JSON)
		problem = "takes no argument";
	if (mistake_is_short(option, last))
		misused("-%c %s", optopt, problem);
	misused("%s %s", last, problem);
}

/* Print what --help asks for: the program's own before the subcommand. */
static void print_help(const struct context *ctx)
{
	if (ctx->command)
		print_command_help(ctx->command);
	else
		print_program_help();
}

/* Deal with an option that any place takes; false when it is none. */
static bool take_common_option(struct context *ctx, int option, char **argv)
{
	switch (option) {
	case OPTION_JSON:
		ctx->json = true;
		return true;
	case OPTION_DEVICE:
		ctx->device_path = optarg;
		return true;
	case OPTION_BACKEND:
		ctx->backend = parse_backend("--backend", optarg);
		return true;
	case OPTION_HELP:
		print_help(ctx);
		exit(finish_output(EXIT_DONE));
	case '?':
	case ':':
		misused_option(option, argv);
	default:
		return false;
	}
}

int next_option(struct context *ctx, int argc, char **argv,
		const char *short_options, const struct option *long_options)
{
	int option;

	opterr = 0;
	do {
		option = getopt_long(argc, argv, short_options, long_options,
				     NULL);
	} while (take_common_option(ctx, option, argv));
	return option;
}

int open_device(const struct context *ctx, struct portalmem_device **devicep)
{
	int ret =
		portalmem_device_open(ctx->device_path, ctx->backend, devicep);

	if (ret)
		return failed_call("opening a place to allocate from", ret);
	return EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct context ctx = {.backend = PORTALMEM_BACKEND_ANY};

	keep_standard_streams();
	ignore_broken_pipes();
	return finish_output(run_program(&ctx, argc, argv));
}
