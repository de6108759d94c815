// SPDX-License-Identifier: GPL-2.0-or-later
#define COMMAND_ITSELF
#include "command.h"

#include <string.h>

#include "fuzz.h"
#include "leave.h"

#define OUT_ROOM (1 << 20)

static char said[OUT_ROOM], printed[OUT_ROOM];

FILE *fuzz_stderr, *fuzz_stdout;
jmp_buf fuzz_exit_to;
int fuzz_left;

void fuzz_leave(int status)
{
	longjmp(fuzz_exit_to, status + 1);
}

/* Streams that keep nothing to themselves: a program may end at any time. */
static FILE *begin_stream(FILE *stream, char *text)
{
	text[0] = '\0';
	if (!stream) {
		stream = fmemopen(text, OUT_ROOM, "w");
		FUZZ_CHECK(stream);
		setvbuf(stream, NULL, _IONBF, 0);
	}
	rewind(stream);
	text[0] = '\0';
	return stream;
}

void fuzz_begin(void)
{
	fuzz_stderr = begin_stream(fuzz_stderr, said);
	fuzz_stdout = begin_stream(fuzz_stdout, printed);
}

static const char *end_of(FILE *stream, char *text)
{
	long at = ftell(stream);

	if (at >= 0 && at < OUT_ROOM)
		text[at] = '\0';
	return text;
}

const char *fuzz_said(void)
{
	return end_of(fuzz_stderr, said);
}

const char *fuzz_printed(void)
{
	return end_of(fuzz_stdout, printed);
}

bool fuzz_said_one_line(void)
{
	static const char prefix[] = "portalmem";
	const char *text = fuzz_said();
	size_t length = strlen(text);
	static char line[OUT_ROOM];

	if (strncmp(text, prefix, strlen(prefix)) != 0 || !length ||
	    text[length - 1] != '\n')
		return false;
	memcpy(line, text, length - 1);
	line[length - 1] = '\0';
	return fuzz_is_printable(line);
}
