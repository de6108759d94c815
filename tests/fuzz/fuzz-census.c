// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The lines that tell of dma-bufs: fdinfo, maps, the kernel's list. Any text is
 * read or refused; what is written as the kernel does it is read as what it is,
 * whatever the name.
 *
 * Input: the size, the inode, the count, then the text.
 */
#include "command.h"

#include <inttypes.h>
#include <string.h>

#include "census.h"
#include "fuzz.h"

/* What the kernel keeps of a name. */
#define NAME_LEN 31

struct numbers {
	uint64_t size, inode;
	uint32_t count;
} __attribute__((packed));

static void check_strings(const struct dmabuf *buffer)
{
	FUZZ_CHECK(strnlen(buffer->exporter, EXPORTER_ROOM) < EXPORTER_ROOM);
	FUZZ_CHECK(strnlen(buffer->name, BUFFER_NAME_ROOM) < BUFFER_NAME_ROOM);
}

static void read_any(const char *text)
{
	struct dmabuf buffer;
	uint64_t mapped;

	if (census_parse_fdinfo(text, &buffer))
		FUZZ_CHECK(buffer.size_known && buffer.exporter[0]);
	check_strings(&buffer);
	if (census_parse_mapping(text, &buffer, &mapped))
		FUZZ_CHECK(buffer.size >= mapped);
	check_strings(&buffer);
	if (census_parse_listed(text, &buffer))
		FUZZ_CHECK(buffer.listed && buffer.exporter[0]);
	check_strings(&buffer);
}

static void read_fdinfo(const struct numbers *numbers, const char *name)
{
	char text[512];
	struct dmabuf buffer;

	snprintf(text, sizeof(text),
		 "pos:\t0\nflags:\t02000002\nmnt_id:\t14\nino:\t%" PRIu64
		 "\nsize:\t%" PRIu64 "\ncount:\t%u\nexp_name:\tportalmem\n"
		 "name:\t%s\n",
		 numbers->inode, numbers->size, numbers->count, name);
	FUZZ_CHECK(census_parse_fdinfo(text, &buffer));
	FUZZ_CHECK(buffer.inode == numbers->inode);
	FUZZ_CHECK(buffer.size == numbers->size);
	FUZZ_CHECK(buffer.references == numbers->count);
	FUZZ_CHECK(strcmp(buffer.exporter, "portalmem") == 0);
	/* The lines of a name after its first are not told. */
	FUZZ_CHECK(strncmp(buffer.name, name, strcspn(name, "\n")) == 0);
	FUZZ_CHECK(strlen(buffer.name) == strcspn(name, "\n"));
}

static void read_mapping(const struct numbers *numbers, const char *name)
{
	const uint64_t start = numbers->inode & 0x7ffffffff000;
	const uint64_t length = numbers->size & 0xfffffff000;
	const uint64_t offset = (uint64_t)numbers->count << 12;
	char text[512];
	struct dmabuf buffer;
	uint64_t mapped;

	snprintf(text, sizeof(text),
		 "%08" PRIx64 "-%08" PRIx64 " rw-s %08" PRIx64 " 00:0d %" PRIu64
		 "                    /dmabuf:%s\n",
		 start, start + length, offset, numbers->inode, name);
	FUZZ_CHECK(census_parse_mapping(text, &buffer, &mapped));
	FUZZ_CHECK(mapped == length && buffer.size == offset + length);
	FUZZ_CHECK(buffer.inode == numbers->inode);
	FUZZ_CHECK(strlen(buffer.name) == strcspn(name, "\n"));
}

static void read_listed(const struct numbers *numbers, const char *name)
{
	char text[512], *next;
	struct dmabuf buffer;
	size_t length = strcspn(name, "\n");

	snprintf(text, sizeof(text),
		 "%08" PRIu64
		 "\t00000002\t00080007\t%08u\tportalmem\t%08" PRIu64 "\t%s\n",
		 numbers->size, numbers->count, numbers->inode,
		 *name ? name : "<none>");
	/* No line of a name is another buffer. */
	next = text;
	while ((next = strchr(next, '\n')) && *++next)
		FUZZ_CHECK(!census_parse_listed(next, &buffer));
	text[strcspn(text, "\n")] = '\0';
	FUZZ_CHECK(census_parse_listed(text, &buffer));
	FUZZ_CHECK(buffer.size == numbers->size);
	FUZZ_CHECK(buffer.inode == numbers->inode);
	FUZZ_CHECK(buffer.references == numbers->count);
	FUZZ_CHECK(strlen(buffer.name) <= length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {.bytes = data, .left = size};
	struct numbers numbers;
	char text[2048], name[NAME_LEN + 1];

	fuzz_bytes(&input, &numbers, sizeof(numbers));
	fuzz_rest(&input, text, sizeof(text));
	snprintf(name, sizeof(name), "%s", text);
	read_any(text);
	read_fdinfo(&numbers, name);
	read_mapping(&numbers, name);
	read_listed(&numbers, name);
	return 0;
}
