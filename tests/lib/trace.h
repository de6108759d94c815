/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The system calls that some lines of a test make, counted by ptrace(2). */
#ifndef TRACE_H
#define TRACE_H

#include <stddef.h>

/* The most calls that are remembered. */
#define TRACE_MAX 64

struct trace {
	size_t count;		 /* calls between the two marks */
	long numbers[TRACE_MAX]; /* which, as SYS_*; the first ones */
};

/*
 * Run BODY in a child, which calls trace_mark() before and after the lines in
 * question. Fails the test when the child fails or does not mark twice.
 */
struct trace trace_run(void (*body)(void));

void trace_mark(void);

#endif
