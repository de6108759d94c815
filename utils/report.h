/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Diagnostics: one line each on stderr,
 * "portalmem SUBCOMMAND: what failed: reason; what to do".
 */
#ifndef REPORT_H
#define REPORT_H

#include <stddef.h>

/* Exit statuses of the program and of everything that leads to one. */
enum {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_MISUSED = 2
};

/* The subcommand that the lines name, from now on. */
void report_for(const char *subcommand);

void warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Report a failure and give EXIT_FAILED. */
int failed(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, in the words of the library call that gave ERROR (-errno). */
int failed_call(const char *what, int error);

/*
 * Report a wrong command line and exit. Command lines are read before anything
 * is opened, so that nothing is left to undo.
 */
void misused(const char *format, ...)
	__attribute__((format(printf, 1, 2), noreturn));

/*
 * Copy TEXT so that it stays on one line, cannot drive the terminal and is
 * UTF-8, whatever the locale: bytes that are none, control characters, and
 * those that change the direction of text become \xNN. Cuts at ROOM - 1 bytes,
 * not within a character.
 */
void escape_text(char *copy, size_t room, const char *text);

#endif
