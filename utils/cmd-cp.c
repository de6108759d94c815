// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "buffer.h"
#include "outfile.h"
#include "parse.h"
#include "progress.h"
#include "report.h"
#include "source.h"
#include "streams.h"

/* Bytes that are hashed at once. */
#define CHUNK (1 << 20)

enum {
	OPTION_OFFSET = OPTION_OWN,
	OPTION_LENGTH,
	OPTION_CHECK,
	OPTION_NO_CHECKSUM
};

struct copy {
	const char *buffer; /* as an argument */
	const char *path;
	bool is_load; /* file to buffer */
	bool check;
	bool no_checksum;
	struct part part;
	uint64_t offset;
	uint64_t room; /* bytes at most */
	uint64_t done;
	uint64_t nanoseconds;
	/* of the buffer's bytes, or empty */
	char digest[SHA256_DIGEST_STRING_LENGTH];
	struct progress progress;
};

static bool is_stream(const struct copy *copy)
{
	return strcmp(copy->path, "-") == 0;
}

/* fd:N and PID:N; another file of such a name is given with a slash. */
static bool looks_like_buffer(const char *text)
{
	size_t holder = strspn(text, "0123456789");

	if (strncmp(text, "fd:", 3) == 0)
		return true;
	return holder && text[holder] == ':' &&
	       text[holder + 1 + strspn(text + holder + 1, "0123456789")] ==
		       '\0';
}

static void read_options(struct context *ctx, int argc, char **argv,
			 struct copy *copy)
{
	static const struct option options[] = {
		{"offset", required_argument, NULL, OPTION_OFFSET},
		{"length", required_argument, NULL, OPTION_LENGTH},
		{"check", no_argument, NULL, OPTION_CHECK},
		{"no-checksum", no_argument, NULL, OPTION_NO_CHECKSUM},
		COMMON_OPTIONS};
	int option;

	while ((option = next_option(ctx, argc, argv, ":", options)) !=
	       OPTION_END) {
		switch (option) {
		case OPTION_OFFSET:
			copy->part.offset = parse_size("--offset", optarg);
			break;
		case OPTION_LENGTH:
			copy->part.length =
				parse_nonzero_size("--length", optarg);
			break;
		case OPTION_CHECK:
			copy->check = true;
			break;
		case OPTION_NO_CHECKSUM:
			copy->no_checksum = true;
			break;
		}
	}
}

static void read_arguments(struct context *ctx, int argc, char **argv,
			   struct copy *copy)
{
	const char *from, *to;

	read_options(ctx, argc, argv, copy);
	if (argc - optind < 2)
		misused("a FILE and a BUFFER are needed, or a BUFFER and a "
			"FILE");
	expect_arguments(argc, argv, 2);
	from = argv[optind];
	to = argv[optind + 1];
	copy->is_load = looks_like_buffer(to);
	if (copy->is_load == looks_like_buffer(from))
		misused("one of '%s' and '%s' must be a buffer, fd:N or PID:N, "
			"and the other one a file",
			from, to);
	copy->path = copy->is_load ? from : to;
	copy->buffer = copy->is_load ? to : from;
	if (!is_stream(copy))
		return;
	if (copy->check)
		misused("--check reads the file again; give one that has a "
			"name");
	if (!copy->is_load && ctx->json)
		misused("the bytes are not JSON; --json needs a file that has "
			"a name");
	if (!copy->is_load && isatty(STDOUT_FILENO))
		misused("standard output is a terminal; give a file, or see "
			"'portalmem dump --hex'");
}

static int show_progress(void *data, uint64_t done, uint64_t total)
{
	struct copy *copy = data;

	(void)total;
	progress_update(&copy->progress, done);
	return 0;
}

static uint64_t nanoseconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Only such a file has positions, and can go past the page cache. */
static bool has_positions(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 &&
	       (S_ISREG(status.st_mode) || S_ISBLK(status.st_mode));
}

/* Between the buffer and FD from POSITION on, -1 for its own. */
static int transfer(struct copy *copy, struct portalmem_buffer *buffer, int fd,
		    int64_t position)
{
	struct portalmem_io_options options = PORTALMEM_IO_OPTIONS_INIT;
	uint64_t begin = nanoseconds_now();
	int ret;

	options.progress = show_progress;
	options.data = copy;
	progress_begin(&copy->progress, copy->room);
	if (copy->is_load)
		ret = portalmem_buffer_load(buffer, copy->offset, fd, position,
					    copy->room, &options, &copy->done);
	else
		ret = portalmem_buffer_save(buffer, copy->offset, fd, position,
					    copy->room, &options, &copy->done);
	progress_end(&copy->progress);
	copy->nanoseconds = nanoseconds_now() - begin;
	if (!ret)
		return EXIT_DONE;
	if (!copy->is_load && is_stream(copy))
		return failed_output(-ret);
	return failed("'%s': %s", copy->path, portalmem_error_message());
}

/* Whether the file had the bytes that are wanted, and no more. */
static int check_end(const struct copy *copy, int fd, bool positions)
{
	unsigned char beyond;
	ssize_t more;

	if (copy->part.length && copy->done < copy->room)
		return failed("'%s': it ends after %" PRIu64 " of %" PRIu64
			      " bytes; give a smaller --length",
			      copy->path, copy->done, copy->room);
	if (copy->part.length || copy->done < copy->room)
		return EXIT_DONE;
	do
		more = positions ? pread(fd, &beyond, 1, (off_t)copy->done)
				 : read(fd, &beyond, 1);
	while (more < 0 && errno == EINTR);
	if (more <= 0)
		return EXIT_DONE;
	return failed("'%s': it goes on after the buffer's end; give --length "
		      "to take its beginning",
		      copy->path);
}

/* The progress of reading all of it once more. */
static void begin_reading(struct copy *copy)
{
	progress_begin(&copy->progress, copy->done);
}

static int hash_buffer(struct copy *copy, struct portalmem_buffer *buffer,
		       unsigned char *bytes)
{
	SHA2_CTX sha;
	uint64_t count;
	int ret = 0;

	SHA256Init(&sha);
	begin_reading(copy);
	for (uint64_t at = 0; !ret && at < copy->done; at += count) {
		count = copy->done - at < CHUNK ? copy->done - at : CHUNK;
		ret = portalmem_buffer_read(buffer, copy->offset + at, bytes,
					    count);
		SHA256Update(&sha, bytes, (size_t)count);
		progress_update(&copy->progress, at);
	}
	progress_end(&copy->progress);
	if (ret)
		return failed_call("reading the buffer", ret);
	SHA256End(&sha, copy->digest);
	return EXIT_DONE;
}

static int compare_file(struct copy *copy, int fd, unsigned char *bytes)
{
	char digest[SHA256_DIGEST_STRING_LENGTH];
	SHA2_CTX sha;
	ssize_t got = 1;

	SHA256Init(&sha);
	begin_reading(copy);
	for (uint64_t at = 0; at < copy->done && got > 0; at += (uint64_t)got) {
		uint64_t count = copy->done - at;

		do
			got = pread(fd, bytes,
				    count < CHUNK ? (size_t)count : CHUNK,
				    (off_t)at);
		while (got < 0 && errno == EINTR);
		if (got > 0)
			SHA256Update(&sha, bytes, (size_t)got);
		progress_update(&copy->progress, at);
	}
	progress_end(&copy->progress);
	if (got < 0)
		return failed("reading '%s' again: %s; give a file that can "
			      "be read",
			      copy->path, strerror(errno));
	SHA256End(&sha, digest);
	if (strcmp(digest, copy->digest) == 0)
		return EXIT_DONE;
	return failed("'%s': it has other bytes than the buffer; see that "
		      "nobody writes to either, and copy again",
		      copy->path);
}

static int check_copy(struct copy *copy, struct portalmem_buffer *buffer,
		      int fd)
{
	unsigned char *bytes;
	int status;

	if (copy->no_checksum && !copy->check)
		return EXIT_DONE;
	bytes = malloc(CHUNK);
	if (!bytes)
		return failed("reading the buffer: %s; free memory",
			      strerror(ENOMEM));
	status = hash_buffer(copy, buffer, bytes);
	if (status == EXIT_DONE && copy->check)
		status = compare_file(copy, fd, bytes);
	free(bytes);
	return status;
}

static int no_positions(const struct copy *copy)
{
	return failed("'%s': it cannot be read twice; leave --check away",
		      copy->path);
}

static int load(struct copy *copy, struct portalmem_buffer *buffer)
{
	struct source source = {.kind = SOURCE_FILE, .path = copy->path};
	bool positions;
	int status = source_open(&source);

	if (status != EXIT_DONE)
		return status;
	/* Of what is redirected to stdin, others may have had a part. */
	positions = !is_stream(copy) && has_positions(source.fd);
	if (copy->check && !positions)
		status = no_positions(copy);
	if (status == EXIT_DONE && !copy->part.length)
		status = source_check_size(&source, copy->room);
	if (status == EXIT_DONE)
		status = transfer(copy, buffer, source.fd, positions ? 0 : -1);
	if (status == EXIT_DONE)
		status = check_end(copy, source.fd, positions);
	if (status == EXIT_DONE)
		status = check_copy(copy, buffer, source.fd);
	source_close(&source);
	return status;
}

/* What is written directly is not open for reading. */
static int check_saved(struct copy *copy, struct portalmem_buffer *buffer,
		       const struct outfile *file)
{
	int fd = file->fd;
	int status;

	if (copy->check && file->direct)
		fd = open(copy->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return failed("opening '%s': %s; leave --check away",
			      copy->path, strerror(errno));
	status = check_copy(copy, buffer, fd);
	if (fd != file->fd)
		close(fd);
	return status;
}

static int save_to_file(struct copy *copy, struct portalmem_buffer *buffer)
{
	struct outfile file;
	int status = outfile_open(&file, copy->path);
	bool positions;

	if (status != EXIT_DONE)
		return status;
	positions = has_positions(file.fd);
	if (copy->check && !positions)
		status = no_positions(copy);
	if (status == EXIT_DONE)
		status = transfer(copy, buffer, file.fd, positions ? 0 : -1);
	if (status == EXIT_DONE)
		status = check_saved(copy, buffer, &file);
	return outfile_close(&file, status);
}

static int copy_buffer(struct copy *copy, struct portalmem_buffer *buffer)
{
	int status =
		part_within(buffer, &copy->part, &copy->offset, &copy->room);

	if (status != EXIT_DONE)
		return status;
	if (copy->is_load)
		return load(copy, buffer);
	if (is_stream(copy))
		return transfer(copy, buffer, STDOUT_FILENO, -1);
	return save_to_file(copy, buffer);
}

static void print_text(const struct copy *copy)
{
	char length[SIZE_PHRASE_ROOM], rate[SIZE_TEXT_ROOM];
	double seconds = (double)copy->nanoseconds / 1e9;

	describe_size(length, copy->done);
	format_size_short(rate,
			  seconds > 0 ? (uint64_t)((double)copy->done / seconds)
				      : 0);
	printf("%s copied %s offset %" PRIu64 " in %.3f s, %s/s\n", length,
	       copy->is_load ? "to" : "from", copy->offset, seconds, rate);
	if (copy->digest[0])
		printf("sha256: %s\n", copy->digest);
}

static void print_json(const struct copy *copy)
{
	struct json json = {.out = stdout};

	json_object_begin(&json, NULL);
	json_string(&json, "file", copy->path);
	json_string(&json, "to", copy->is_load ? "buffer" : "file");
	json_number(&json, "offset", copy->offset);
	json_number(&json, "length", copy->done);
	json_number(&json, "nanoseconds", copy->nanoseconds);
	json_string(&json, "sha256", copy->digest[0] ? copy->digest : NULL);
	json_object_end(&json);
	json_finish(&json);
}

static int run_cp(struct context *ctx, int argc, char **argv)
{
	struct copy copy = {0};
	struct portalmem_buffer *buffer;
	int status;

	read_arguments(ctx, argc, argv, &copy);
	status = take_buffer(ctx, copy.buffer, &buffer);
	if (status != EXIT_DONE)
		return status;
	status = copy_buffer(&copy, buffer);
	portalmem_buffer_unref(buffer);
	if (status != EXIT_DONE || (!copy.is_load && is_stream(&copy)))
		return status;
	if (ctx->json)
		print_json(&copy);
	else
		print_text(&copy);
	return EXIT_DONE;
}

const struct command command_cp = {
	.name = "cp",
	.run = run_cp,
	.usage = "(FILE BUFFER | BUFFER FILE) [OPTION...]",
	.summary = "copy a file into a buffer, or a buffer into a file",
	.help = "Copies past the page cache where the file allows it, and "
		"prints the\n"
		"SHA-256 of the bytes that are in the buffer, as sha256sum "
		"does of a file.\n"
		"FILE is - for standard input and output. A file that is "
		"written is\n"
		"replaced once it is whole.\n"
		"\n"
		"  --offset SIZE   start here in the buffer [0]\n"
		"  --length SIZE   this many bytes [up to the end of the "
		"buffer or the file]\n"
		"  --check         read the file again, and fail when it "
		"differs\n"
		"  --no-checksum   do not read the buffer again\n"
		"\n"
		"A file may be shorter than the buffer: the bytes after its "
		"end are not\n"
		"touched. One that goes on after the buffer's end is a "
		"failure; with\n"
		"--length exactly that many of its bytes are used, and fewer "
		"are a\n"
		"failure.\n"
		"\n"
		"BUFFER is fd:N, a descriptor that this program inherits, or "
		"PID:N, one\n"
		"of another process.\n",
};
