/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The places to allocate from, as 'portalmem heaps' lists them.
 */
#ifndef HEAPS_H
#define HEAPS_H

#include <stdbool.h>
#include <stddef.h>

#include "portalmem.h"

#define CACHINGS (PORTALMEM_CACHING_UC + 1)

/* One place to allocate from, and what trying it showed. */
struct place {
	char *path; /* NULL: a memory file */
	bool usable;
	enum portalmem_backend backend;
	enum portalmem_caching default_caching;
	bool works[CACHINGS];
	char reason[512]; /* why it is not usable */
	bool heap_known;
	struct portalmem_heap_info heap;
};

/* The text gives an exit status. */
int print_places(const struct place *places, size_t count);
void print_places_json(const struct place *places, size_t count);

#endif
