/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The module's tracepoints, in an instance of the kernel's trace that is nobody
 * else's. Functions fail the running test instead of returning an error.
 */
#ifndef TRACEPOINTS_H
#define TRACEPOINTS_H

/* Begin to trace all of the module's events, and end it. */
void tracepoints_set_up(void);
void tracepoints_tear_down(void);

/* Forget what was traced. */
void tracepoints_forget(void);

/* How often an event was traced whose text begins so. */
unsigned int tracepoints_count(const char *event, const char *text);

/* How often an event was traced at all. */
unsigned int tracepoints_count_all(const char *event);

/* Fail unless an event was traced once, with that text. */
void tracepoints_assert_once(const char *event, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
