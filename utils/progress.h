/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far long work has come: one line on stderr that is rewritten, from the
 * second second on, and only when stderr is a terminal. It is as short as the
 * terminal needs.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	bool terminal;
	size_t shown; /* characters */
	int64_t begin;
	int64_t next;	/* when to write the line again */
	uint64_t total; /* bytes */
};

void progress_begin(struct progress *progress, uint64_t total);
void progress_update(struct progress *progress, uint64_t done);

/* The same of work that is not bytes: PART of 1 is done, and TEXT is under way.
 */
void progress_tell(struct progress *progress, double part, const char *text);

/* Take the line away. */
void progress_end(struct progress *progress);

/*
 * The same for one call of which nobody knows how far it is: a thread tells how
 * long WHAT takes already. Nothing else may be printed until it is ended. One
 * at a time.
 */
void waiting_begin(const char *what);
void waiting_end(void);

#endif
