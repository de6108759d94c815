// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "portalmem.h"
#include "report.h"

#define LINE_ROOM 4096

/* Set once per run, before anything is reported for a subcommand. */
static const char *reporting_subcommand;

void report_for(const char *subcommand)
{
	reporting_subcommand = subcommand;
}

static int is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

void escape_text(char *copy, size_t room, const char *text)
{
	size_t used = 0;

	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (used + sizeof("\\x00") > room)
			break;
		if (is_control(c))
			used += (size_t)snprintf(copy + used, room - used,
						 "\\x%02x", c);
		else
			copy[used++] = *text;
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
