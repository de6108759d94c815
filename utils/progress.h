/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How far long work has come: one line on stderr that is rewritten, from the
 * second second on, and only when stderr is a terminal.
 */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool terminal;
	bool shown;
	int64_t next; /* when to write the line again */
	uint64_t total;
};

void progress_begin(struct progress *progress, uint64_t total);
void progress_update(struct progress *progress, uint64_t done);

/* Take the line away. */
void progress_end(struct progress *progress);

#endif
