// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fill and verify: the same bytes, written or compared.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "parse.h"
#include "progress.h"
#include "report.h"
#include "source.h"

/* Bytes between two looks at the clock. */
#define CHUNK (1 << 20)

enum {
	OPTION_OFFSET = OPTION_OWN,
	OPTION_LENGTH,
	OPTION_BYTE,
	OPTION_RANDOM
};

struct work {
	const char *argument; /* BUFFER, or NULL */
	struct part part;
	struct source source;
	struct view view;
	uint64_t done;
	/* What verify found. */
	bool differs;
	uint64_t difference; /* its offset in the buffer */
	unsigned char found;
	unsigned char expected;
};

/* Work on LENGTH bytes from work->done on: bytes that the source had, or -1. */
typedef ssize_t (*chunk_fn)(struct work *work, size_t length);

static void set_source(struct work *work, enum source_kind kind)
{
	if (work->source.kind != SOURCE_NONE)
		misused("more than one source is given; use one of --byte, "
			"--random, --file and -");
	work->source.kind = kind;
}

static void set_file(struct work *work, const char *path)
{
	set_source(work, SOURCE_FILE);
	work->source.path = path;
}

static void read_options(struct context *ctx, int argc, char **argv,
			 struct work *work)
{
	static const struct option options[] = {
		{"byte", required_argument, NULL, OPTION_BYTE},
		{"random", required_argument, NULL, OPTION_RANDOM},
		{"file", required_argument, NULL, 'f'},
		{"offset", required_argument, NULL, OPTION_OFFSET},
		{"length", required_argument, NULL, OPTION_LENGTH},
		COMMON_OPTIONS};
	int option;

	while ((option = next_option(ctx, argc, argv, ":f:", options)) !=
	       OPTION_END) {
		switch (option) {
		case OPTION_BYTE:
			set_source(work, SOURCE_BYTE);
			work->source.byte = (unsigned char)parse_number(
				"--byte", optarg, UINT8_MAX);
			break;
		case OPTION_RANDOM:
			set_source(work, SOURCE_RANDOM);
			work->source.seed =
				parse_number("--random", optarg, UINT64_MAX);
			break;
		case 'f':
			set_file(work, optarg);
			break;
		case OPTION_OFFSET:
			work->part.offset = parse_size("--offset", optarg);
			break;
		case OPTION_LENGTH:
			work->part.length =
				parse_nonzero_size("--length", optarg);
			break;
		}
	}
}

static void read_arguments(struct context *ctx, int argc, char **argv,
			   struct work *work)
{
	int i;

	read_options(ctx, argc, argv, work);
	for (i = optind; i < argc; i++) {
		if (strcmp(argv[i], "-") == 0)
			set_file(work, argv[i]);
		else if (!work->argument)
			work->argument = argv[i];
		else
			misused("unexpected argument '%s'", argv[i]);
	}
	if (work->source.kind == SOURCE_NONE)
		misused("no source is given; use one of --byte, --random, "
			"--file and -");
}

/* Whether the source has as many bytes as are wanted. */
static int check_end(struct work *work)
{
	const char *path = work->source.path;
	unsigned char beyond;
	ssize_t more;

	if (work->done == 0)
		return failed("'%s': it is empty; give a file with bytes in it",
			      path);
	if (work->part.length && work->done < work->view.length)
		return failed("'%s': it ends after %" PRIu64 " of %" PRIu64
			      " bytes; give a smaller --length",
			      path, work->done, work->view.length);
	if (work->part.length || work->source.kind != SOURCE_FILE ||
	    work->done < work->view.length)
		return EXIT_DONE;
	more = source_read(&work->source, 0, &beyond, 1);
	if (more < 0)
		return EXIT_FAILED;
	if (more > 0)
		return failed("'%s': it goes on after the buffer's end; give "
			      "--length to take its beginning",
			      path);
	return EXIT_DONE;
}

static int run_chunks(struct work *work, chunk_fn run_chunk)
{
	uint64_t length = work->view.length;
	struct progress progress;
	size_t want;
	ssize_t got = 0;

	progress_begin(&progress, length);
	while (work->done < length && !work->differs) {
		want = length - work->done < CHUNK
			       ? (size_t)(length - work->done)
			       : CHUNK;
		got = run_chunk(work, want);
		if (got <= 0)
			break;
		work->done += (uint64_t)got;
		progress_update(&progress, work->done);
	}
	progress_end(&progress);
	if (got < 0)
		return EXIT_FAILED;
	return work->differs ? EXIT_DONE : check_end(work);
}

static int work_on_view(struct work *work, chunk_fn run_chunk)
{
	int status = EXIT_DONE;
	int closed;

	/* Without --length a file that is too long is no good from the start. */
	if (!work->part.length)
		status = source_check_size(&work->source, work->view.length);
	if (status == EXIT_DONE)
		status = run_chunks(work, run_chunk);
	closed = view_close(&work->view);
	return status == EXIT_DONE ? closed : status;
}

static int work_on_buffer(const struct context *ctx, struct work *work,
			  chunk_fn run_chunk, unsigned int access)
{
	struct portalmem_buffer *buffer;
	int status = take_buffer(ctx, work->argument, &buffer);

	if (status != EXIT_DONE)
		return status;
	status = source_open(&work->source);
	if (status == EXIT_DONE) {
		status = view_open(&work->view, buffer, &work->part, access);
		if (status == EXIT_DONE)
			status = work_on_view(work, run_chunk);
		source_close(&work->source);
	}
	portalmem_buffer_unref(buffer);
	return status;
}

static ssize_t fill_chunk(struct work *work, size_t length)
{
	return source_read(&work->source, work->view.offset + work->done,
			   work->view.bytes + work->done, length);
}

static void note_difference(struct work *work, const unsigned char *expected,
			    size_t length)
{
	const unsigned char *found = work->view.bytes + work->done;
	size_t i;

	for (i = 0; i < length && found[i] == expected[i]; i++)
		continue;
	if (i == length)
		return;
	work->differs = true;
	work->difference = work->view.offset + work->done + i;
	work->found = found[i];
	work->expected = expected[i];
}

static ssize_t verify_chunk(struct work *work, size_t length)
{
	static unsigned char expected[CHUNK];
	ssize_t got = source_read(&work->source, work->view.offset + work->done,
				  expected, length);

	if (got > 0 &&
	    memcmp(work->view.bytes + work->done, expected, (size_t)got) != 0)
		note_difference(work, expected, (size_t)got);
	return got;
}

static void print_part(struct json *json, const struct work *work)
{
	json_object_begin(json, NULL);
	json_number(json, "offset", work->view.offset);
	json_number(json, "length", work->done);
}

static int run_fill(struct context *ctx, int argc, char **argv)
{
	struct work work = {0};
	struct json json = {.out = stdout};
	char length[SIZE_PHRASE_ROOM];
	int status;

	read_arguments(ctx, argc, argv, &work);
	status = work_on_buffer(ctx, &work, fill_chunk, PORTALMEM_SYNC_WRITE);
	if (status != EXIT_DONE)
		return status;
	if (!ctx->json) {
		describe_size(length, work.done);
		printf("%s filled from offset %" PRIu64 "\n", length,
		       work.view.offset);
		return EXIT_DONE;
	}
	print_part(&json, &work);
	json_object_end(&json);
	json_finish(&json);
	return EXIT_DONE;
}

static void print_verified(const struct work *work)
{
	struct json json = {.out = stdout};

	print_part(&json, work);
	json_bool(&json, "equal", !work->differs);
	if (work->differs) {
		json_number(&json, "difference", work->difference);
		json_number(&json, "found", work->found);
		json_number(&json, "expected", work->expected);
	}
	json_object_end(&json);
	json_finish(&json);
}

static int run_verify(struct context *ctx, int argc, char **argv)
{
	struct work work = {0};
	char length[SIZE_PHRASE_ROOM];
	int status;

	read_arguments(ctx, argc, argv, &work);
	status = work_on_buffer(ctx, &work, verify_chunk, PORTALMEM_SYNC_READ);
	if (status != EXIT_DONE)
		return status;
	if (ctx->json) {
		print_verified(&work);
	} else if (!work.differs) {
		describe_size(length, work.done);
		printf("%s from offset %" PRIu64 " are as expected\n", length,
		       work.view.offset);
	}
	if (work.differs)
		return failed("the buffer differs at offset %" PRIu64
			      ": 0x%02x is there and 0x%02x is expected; see "
			      "'portalmem dump --hex --offset %" PRIu64 "'",
			      work.difference, work.found, work.expected,
			      work.difference);
	return EXIT_DONE;
}

#define SOURCE_HELP                                                           \
	"\n"                                                                  \
	"  --byte B         this byte, decimal or 0x hexadecimal\n"           \
	"  --random SEED    bytes that depend on SEED and on their offset "   \
	"in\n"                                                                \
	"                   the buffer, the same on every machine\n"          \
	"  -f, --file FILE  a file's bytes from its beginning; - is stdin\n"  \
	"  --offset SIZE    start here in the buffer [0]\n"                   \
	"  --length SIZE    this many bytes [up to the buffer's end]\n"       \
	"\n"                                                                  \
	"A file may be shorter than the buffer: the bytes after its end are " \
	"not\n"                                                               \
	"looked at. An empty one is a failure, as is one that goes on after " \
	"the\n"                                                               \
	"buffer's end; with --length exactly that many of its bytes are "     \
	"used, and\n"                                                         \
	"fewer are a failure.\n"                                              \
	"\n"

const struct command command_fill = {
	.name = "fill",
	.run = run_fill,
	.usage = "[BUFFER] (--byte B | --random SEED | --file FILE | -) "
		 "[OPTION...]",
	.summary = "write bytes into a buffer",
	.help = "Writes a byte, random bytes or a file into a buffer, between "
		"the\n"
		"beginning and the end of CPU access.\n" SOURCE_HELP BUFFER_HELP,
};

const struct command command_verify = {
	.name = "verify",
	.run = run_verify,
	.usage = "[BUFFER] (--byte B | --random SEED | --file FILE | -) "
		 "[OPTION...]",
	.summary = "compare a buffer with bytes that it should have",
	.help = "Compares a buffer with a byte, random bytes or a file, as "
		"fill writes\n"
		"them, and fails with the offset of the first byte that "
		"differs.\n" SOURCE_HELP BUFFER_HELP,
};
