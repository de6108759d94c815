/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How full the portalmem module's heaps are, and what they have done: from
 * their counters in sysfs, and from their nodes.
 */
#ifndef HEAP_STATE_H
#define HEAP_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "portalmem.h"

#define HEAP_REASONS_MAX 16
#define HEAP_REASON_ROOM 32

/* Allocations that failed, for one reason. */
struct heap_failures {
	char reason[HEAP_REASON_ROOM];
	uint64_t count;
};

struct heap_state {
	char name[PORTALMEM_NAME_MAX];
	bool asked;	/* its node told what follows */
	bool region;	/* a reserved one */
	uint64_t size;	/* of a region */
	uint64_t limit; /* on all users; 0: none */

	uint64_t live; /* bytes */
	uint64_t buffers;
	uint64_t pooled;

	bool counted; /* its counters told what follows */
	uint64_t peak;
	uint64_t allocations, frees;
	uint64_t failed; /* for all reasons */
	struct heap_failures failures[HEAP_REASONS_MAX];
	size_t failure_count;
};

struct heap_states {
	struct heap_state *list; /* by name */
	size_t count;
};

/*
 * Read the heaps of the system whose /sys is below ROOT. With "", for this one,
 * the nodes that the user may open are asked, too. Gives 0 or -ENOMEM; without
 * the module there are none.
 */
int heap_states_read(struct heap_states *heaps, const char *root);

void heap_states_free(struct heap_states *heaps);

/* The one of that name, or NULL. */
const struct heap_state *heap_states_find(const struct heap_states *heaps,
					  const char *name);

/* What a heap can have at most: its size or its limit; 0: all of memory. */
uint64_t heap_state_room(const struct heap_state *heap);

/* How much of that is live, in percent. */
unsigned int heap_state_percent(const struct heap_state *heap);

#endif
