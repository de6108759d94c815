// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "portalmem.h"
#include "report.h"
#include "utf8.h"

#define LINE_ROOM 4096

/* Set once per run, before anything is reported for a subcommand. */
static const char *reporting_subcommand;

void report_for(const char *subcommand)
{
	reporting_subcommand = subcommand;
}

/*
 * Characters that drive a terminal, end a line, or turn the order of what comes
 * after them around.
 */
static bool is_unsafe(uint32_t character)
{
	static const struct {
		uint32_t first, last;
	} unsafe[] = {
		{0, 0x1f},	  {0x7f, 0x9f},	    {0x61c, 0x61c},
		{0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
	};

	for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++)
		if (character >= unsafe[i].first && character <= unsafe[i].last)
			return true;
	return false;
}

/* Length of the character that TEXT begins with; 0: it is to be escaped. */
static size_t safe_length(const char *text)
{
	size_t length = utf8_sequence(text);

	return length && !is_unsafe(utf8_decode(text, length)) ? length : 0;
}

void escape_text(char *copy, size_t room, const char *text)
{
	static const size_t escaped = sizeof("\\x00") - 1;
	size_t used = 0;

	while (*text) {
		size_t length = safe_length(text);

		if (used + (length ? length : escaped) >= room)
			break;
		if (length) {
			memcpy(copy + used, text, length);
			used += length;
			text += length;
		} else {
			used += (size_t)snprintf(copy + used, room - used,
						 "\\x%02x",
						 (unsigned char)*text++);
		}
	}
	copy[used] = '\0';
}

/* One write(2) per line: lines of several processes do not mix. */
static void print_line(const char *message, const char *advice)
{
	char escaped[LINE_ROOM];
	char line[LINE_ROOM + 128];

	escape_text(escaped, sizeof(escaped), message);
	snprintf(line, sizeof(line), "portalmem%s%s: %s%s\n",
		 reporting_subcommand ? " " : "",
		 reporting_subcommand ? reporting_subcommand : "", escaped,
		 advice);
	fputs(line, stderr);
}

void warn(const char *format, ...)
{
	char message[LINE_ROOM];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	print_line(message, "");
}

int failed(const char *format, ...)
{
	char message[LINE_ROOM];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	print_line(message, "");
	return EXIT_FAILED;
}

int failed_call(const char *what, int error)
{
	const char *message = portalmem_error_message();

	if (message[0])
		return failed("%s", message);
	return failed("%s: %s", what, strerror(-error));
}

void misused(const char *format, ...)
{
	char message[LINE_ROOM];
	char advice[64] = "; see 'portalmem help'";
	va_list args;

	if (reporting_subcommand)
		snprintf(advice, sizeof(advice), "; see 'portalmem help %s'",
			 reporting_subcommand);
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	print_line(message, advice);
	exit(EXIT_MISUSED);
}
