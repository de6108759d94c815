/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command's code in a fuzz target: where it would end the program, or do
 * something to this machine, it is left.
 */
#ifndef LEAVE_H
#define LEAVE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>

/* Of an effect on this machine that does not come. */
#define FUZZ_EFFECT 100

extern jmp_buf fuzz_exit_to;
extern int fuzz_left; /* how it was left */

void fuzz_leave(int status) __attribute__((noreturn));

/* What follows runs unless EXPRESSION leaves. */
#define FUZZ_LEAVE_OR(expression) \
	if ((fuzz_left = setjmp(fuzz_exit_to) - 1) < 0 && (expression, 1))

/* Empty streams, and nothing said. */
void fuzz_begin(void);

/* What was said on stderr and stdout since. */
const char *fuzz_said(void);
const char *fuzz_printed(void);

/* Is that one line, that a terminal shows as it is? */
bool fuzz_said_one_line(void);

#endif
