// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "outfile.h"
#include "parse.h"
#include "progress.h"
#include "report.h"
#include "streams.h"

/* Bytes between two looks at the clock. */
#define CHUNK (1 << 20)

/* Bytes on a line of --hex. */
#define ROW 16

enum {
	OPTION_OFFSET = OPTION_OWN,
	OPTION_LENGTH,
	OPTION_HEX,
	OPTION_FORCE,
};

struct dump {
	const char *argument; /* BUFFER, or NULL */
	const char *path;     /* of the output; NULL: stdout */
	struct part part;
	bool hex;
	bool force;
	struct view view;
	struct outfile file;
	FILE *out;
};

static void read_options(struct context *ctx, int argc, char **argv,
			 struct dump *dump)
{
	static const struct option options[] = {
		{"output", required_argument, NULL, 'o'},
		{"hex", no_argument, NULL, OPTION_HEX},
		{"force", no_argument, NULL, OPTION_FORCE},
		{"offset", required_argument, NULL, OPTION_OFFSET},
		{"length", required_argument, NULL, OPTION_LENGTH},
		COMMON_OPTIONS};
	int option;

	while ((option = next_option(ctx, argc, argv, ":o:", options)) !=
	       OPTION_END) {
		switch (option) {
		case 'o':
			dump->path = optarg;
			break;
		case OPTION_HEX:
			dump->hex = true;
			break;
		case OPTION_FORCE:
			dump->force = true;
			break;
		case OPTION_OFFSET:
			dump->part.offset = parse_size("--offset", optarg);
			break;
		case OPTION_LENGTH:
			dump->part.length =
				parse_nonzero_size("--length", optarg);
			break;
		}
	}
}

static void read_arguments(struct context *ctx, int argc, char **argv,
			   struct dump *dump)
{
	read_options(ctx, argc, argv, dump);
	expect_arguments(argc, argv, 1);
	dump->argument = argv[optind];
	if (ctx->json && !dump->path)
		misused("the bytes are not JSON; --json needs --output FILE");
	if (!dump->path && !dump->hex && !dump->force && isatty(STDOUT_FILENO))
		misused("standard output is a terminal; use --hex, --output "
			"FILE or --force");
}

/* One line as "offset  hexadecimal bytes  |text|". */
static void write_row(FILE *out, uint64_t offset, const unsigned char *bytes,
		      size_t count)
{
	size_t i;

	fprintf(out, "%08" PRIx64 " ", offset);
	for (i = 0; i < ROW; i++) {
		if (i % 8 == 0)
			fputc(' ', out);
		if (i < count)
			fprintf(out, "%02x ", bytes[i]);
		else
			fputs("   ", out);
	}
	fputs(" |", out);
	for (i = 0; i < count; i++)
		fputc(bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : '.',
		      out);
	fputs("|\n", out);
}

static void write_hex(FILE *out, uint64_t offset, const unsigned char *bytes,
		      size_t count)
{
	size_t i;

	for (i = 0; i < count; i += ROW)
		write_row(out, offset + i, bytes + i,
			  count - i < ROW ? count - i : ROW);
}

static int failed_write(const struct dump *dump, int error)
{
	if (dump->out == stdout)
		return failed_output(error);
	return outfile_failed(&dump->file, error ? error : EIO);
}

static int write_chunk(const struct dump *dump, uint64_t done, size_t count)
{
	const unsigned char *bytes = dump->view.bytes + done;

	errno = 0;
	if (dump->hex)
		write_hex(dump->out, dump->view.offset + done, bytes, count);
	else
		fwrite(bytes, 1, count, dump->out);
	if (!ferror(dump->out))
		return EXIT_DONE;
	return failed_write(dump, errno);
}

static int write_chunks(const struct dump *dump)
{
	uint64_t length = dump->view.length;
	struct progress progress;
	int status = EXIT_DONE;
	uint64_t done = 0;
	size_t count;

	progress_begin(&progress, length);
	while (status == EXIT_DONE && done < length) {
		count = length - done < CHUNK ? (size_t)(length - done) : CHUNK;
		status = write_chunk(dump, done, count);
		done += count;
		progress_update(&progress, done);
	}
	progress_end(&progress);
	return status;
}

/* Stdout is checked when the program ends, a file here: once. */
static int close_output(struct dump *dump, int status)
{
	if (dump->out == stdout)
		return status;
	if (fclose(dump->out) && status == EXIT_DONE)
		status = failed_write(dump, errno);
	return outfile_close(&dump->file, status);
}

static int open_output(struct dump *dump)
{
	int status, copy;

	dump->out = stdout;
	if (!dump->path)
		return EXIT_DONE;
	status = outfile_open(&dump->file, dump->path);
	if (status != EXIT_DONE)
		return status;
	copy = dup(dump->file.fd);
	dump->out = copy < 0 ? NULL : fdopen(copy, "w");
	if (!dump->out)
		return outfile_close(&dump->file, failed_write(dump, errno));
	return EXIT_DONE;
}

static int dump_view(struct dump *dump)
{
	int status = open_output(dump);

	if (status != EXIT_DONE)
		return status;
	return close_output(dump, write_chunks(dump));
}

static void print_result(const struct dump *dump)
{
	struct json json = {.out = stdout};

	json_object_begin(&json, NULL);
	json_number(&json, "offset", dump->view.offset);
	json_number(&json, "length", dump->view.length);
	json_string(&json, "file", dump->path);
	json_object_end(&json);
	json_finish(&json);
}

static int dump_buffer(struct dump *dump, struct portalmem_buffer *buffer)
{
	int status = view_open(&dump->view, buffer, &dump->part,
			       PORTALMEM_SYNC_READ);
	int closed;

	if (status != EXIT_DONE)
		return status;
	status = dump_view(dump);
	closed = view_close(&dump->view);
	return status == EXIT_DONE ? closed : status;
}

static int run_dump(struct context *ctx, int argc, char **argv)
{
	struct dump dump = {0};
	struct portalmem_buffer *buffer;
	int status;

	read_arguments(ctx, argc, argv, &dump);
	status = take_buffer(ctx, dump.argument, &buffer);
	if (status != EXIT_DONE)
		return status;
	status = dump_buffer(&dump, buffer);
	portalmem_buffer_unref(buffer);
	if (status == EXIT_DONE && ctx->json)
		print_result(&dump);
	return status;
}

const struct command command_dump = {
	.name = "dump",
	.run = run_dump,
	.usage = "[BUFFER] [OPTION...]",
	.summary = "write a buffer's bytes out",
	.help = "Writes the bytes of a buffer, between the beginning and the "
		"end of CPU\n"
		"access.\n"
		"\n"
		"  -o, --output FILE  into FILE, which is replaced [standard "
		"output]\n"
		"  --hex              as lines of offset, hexadecimal bytes "
		"and text\n"
		"  --force            raw bytes even to a terminal\n"
		"  --offset SIZE      start here in the buffer [0]\n"
		"  --length SIZE      this many bytes [up to the buffer's "
		"end]\n"
		"\n"
		"With --json, FILE is needed, and what was written to it is "
		"printed.\n"
		"\n" BUFFER_HELP,
};
