// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

void fuzz_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: this is not so: %s\n", file, line, what);
	abort();
}

void fuzz_bytes(struct fuzz_input *input, void *to, size_t count)
{
	size_t taken = count < input->left ? count : input->left;

	memset(to, 0, count);
	if (taken)
		memcpy(to, input->bytes, taken);
	input->bytes += taken;
	input->left -= taken;
}

uint8_t fuzz_byte(struct fuzz_input *input)
{
	uint8_t byte;

	fuzz_bytes(input, &byte, 1);
	return byte;
}

static void take_text(struct fuzz_input *input, char *to, size_t room,
		      size_t length)
{
	if (length > room - 1)
		length = room - 1;
	fuzz_bytes(input, to, length);
	to[length] = '\0';
}

void fuzz_text(struct fuzz_input *input, char *to, size_t room)
{
	const uint8_t *end = NULL;

	if (input->left)
		end = memchr(input->bytes, 0, input->left);
	take_text(input, to, room,
		  end ? (size_t)(end - input->bytes) : input->left);
	/* The NUL. */
	if (end && input->left && !*input->bytes)
		fuzz_byte(input);
}

void fuzz_rest(struct fuzz_input *input, char *to, size_t room)
{
	take_text(input, to, room, input->left);
}

int fuzz_free_fd(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	FUZZ_CHECK(fd >= 0);
	close(fd);
	return fd;
}

/* The character at TEXT and its length; 0 for what is no UTF-8. */
static size_t decode(const unsigned char *text, uint32_t *character)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = 1;

	if (*text < 0x80) {
		*character = *text;
		return 1;
	}
	while (length < 4 && *text & 0x80 >> length)
		length++;
	if (length == 1 || *text & 0x80 >> length)
		return 0;
	*character = *text & 0x7fu >> length;
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*character = *character << 6 | (text[i] & 0x3fu);
	}
	if (*character < least[length] || *character > 0x10ffff ||
	    (*character >= 0xd800 && *character < 0xe000))
		return 0;
	return length;
}

static bool all_characters(const char *text, bool (*is_right)(uint32_t))
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		uint32_t character;
		size_t length = decode(at, &character);

		if (!length || !is_right(character))
			return false;
		at += length;
	}
	return true;
}

static bool any(uint32_t character)
{
	(void)character;
	return true;
}

static bool does_not_control(uint32_t character)
{
	return character >= 0x20 && (character < 0x7f || character > 0x9f);
}

bool fuzz_is_utf8(const char *text)
{
	return all_characters(text, any);
}

bool fuzz_is_printable(const char *text)
{
	return all_characters(text, does_not_control);
}

bool fuzz_is_line(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}
