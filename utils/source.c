// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report.h"
#include "source.h"

static bool is_stdin(const struct source *source)
{
	return strcmp(source->path, "-") == 0;
}

int source_open(struct source *source)
{
	if (source->kind != SOURCE_FILE)
		return EXIT_DONE;
	source->fd = STDIN_FILENO;
	if (is_stdin(source))
		return EXIT_DONE;
	source->fd = open(source->path, O_RDONLY | O_CLOEXEC);
	if (source->fd < 0)
		return failed("opening '%s': %s; give a file that can be read",
			      source->path, strerror(errno));
	return EXIT_DONE;
}

void source_close(struct source *source)
{
	if (source->kind == SOURCE_FILE && !is_stdin(source))
		close(source->fd);
}

int source_check_size(const struct source *source, uint64_t room)
{
	struct stat status;

	if (source->kind != SOURCE_FILE || fstat(source->fd, &status) ||
	    !S_ISREG(status.st_mode))
		return EXIT_DONE;
	/* What was read before us from a shared stdin is not ours. */
	status.st_size -= lseek(source->fd, 0, SEEK_CUR);
	if (status.st_size < 0 || (uint64_t)status.st_size <= room)
		return EXIT_DONE;
	return failed("'%s': it has %jd bytes and there is room for %" PRIu64
		      "; give --length to take its beginning",
		      source->path, (intmax_t)status.st_size, room);
}

/*
 * The INDEX-th 64 bits of the stream that SEED names (the splitmix64
 * generator, which reaches any place at once).
 */
static uint64_t random_word(uint64_t seed, uint64_t index)
{
	uint64_t word = seed + (index + 1) * UINT64_C(0x9e3779b97f4a7c15);

	word = (word ^ (word >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	word = (word ^ (word >> 27)) * UINT64_C(0x94d049bb133111eb);
	return word ^ (word >> 31);
}

/* Little-endian everywhere: a seed names the same bytes on every machine. */
static void read_random(uint64_t seed, uint64_t offset, unsigned char *bytes,
			size_t length)
{
	uint64_t word = random_word(seed, offset / 8);
	size_t i;

	for (i = 0; i < length; i++, offset++) {
		if (offset % 8 == 0)
			word = random_word(seed, offset / 8);
		bytes[i] = (unsigned char)(word >> (offset % 8 * 8));
	}
}

static ssize_t read_file(const struct source *source, unsigned char *bytes,
			 size_t length)
{
	ssize_t got;

	do {
		got = read(source->fd, bytes, length);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		warn("reading '%s': %s; give a file that can be read",
		     source->path, strerror(errno));
	return got;
}

ssize_t source_read(struct source *source, uint64_t offset,
		    unsigned char *bytes, size_t length)
{
	switch (source->kind) {
	case SOURCE_BYTE:
		memset(bytes, source->byte, length);
		break;
	case SOURCE_RANDOM:
		read_random(source->seed, offset, bytes, length);
		break;
	case SOURCE_FILE:
		return read_file(source, bytes, length);
	case SOURCE_NONE:
		return 0;
	}
	return (ssize_t)length;
}
