/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Free memory in small pieces, as on a machine that has run for long. Functions
 * fail the running test instead of returning an error.
 */
#ifndef FRAGMENT_H
#define FRAGMENT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Take all free memory but 40 MiB, page by page, and give back the pages whose
 * frame number IS_FREE says. The rest stays taken until fragment_mend() or the
 * end of the process.
 */
void fragment_break(int (*is_free)(uint64_t pfn));

/*
 * The same with nothing free but single pages, nearly: what is larger is taken,
 * too.
 */
void fragment_into_pages(void);

/* After that, a cached buffer that has at least so many segments. */
int fragment_alloc(size_t size, unsigned int segments);

/* Give back all that was taken. */
void fragment_mend(void);

/*
 * Anonymous memory of which hardly a page is followed by its physical
 * neighbour, for making a buffer of it. munmap() gives it back. The machine has
 * no CMA (cma=0): pages are moved out of that when they are pinned, into a row.
 */
char *fragment_scatter(size_t size);

#endif
