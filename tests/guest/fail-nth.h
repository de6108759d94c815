/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Failures on demand: in kernels with fault injection, a task can have the Nth
 * of its next allocations, or copies to and from user memory, fail. Functions
 * fail the running test instead of returning an error.
 */
#ifndef FAIL_NTH_H
#define FAIL_NTH_H

#include <stdbool.h>

/* Have allocations of every kind fail on demand, without a word in the log. */
void fail_nth_set_up(void);

/* Count only points in calls that one of the kernel's functions makes. */
void fail_nth_only_within(const char *function);

/* Count only the others. */
void fail_nth_only_outside(const char *function);

/* From here on the Nth point of this thread fails. */
void fail_nth_begin(unsigned int n);

/* No more; has it come that far? */
bool fail_nth_end(void);

#endif
