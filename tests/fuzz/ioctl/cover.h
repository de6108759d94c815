/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a program makes the module do: by kcov which of its code runs, where the
 * kernel has that, and how each call ends.
 */
#ifndef COVER_H
#define COVER_H

#include "execute.h"

/* What has been seen, by all processes together; zeros at first. */
struct cover {
	uint8_t edges[1 << 18];
	uint8_t outcomes[64][256];
	uint64_t places[1 << 15]; /* a hash table of kcov's */
	unsigned int edge_count, outcome_count, place_count;
};

/* In each process that runs programs; false without kcov. */
bool cover_begin(void);

/* Forget what ran until now. */
void cover_reset(void);

/* After a call: has it shown anything new? */
bool cover_note(struct cover *cover, const struct state *state,
		unsigned int at);

#endif
