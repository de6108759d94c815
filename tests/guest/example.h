/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The example module, which makes buffers and looks at them. Functions fail the
 * running test instead of returning an error.
 */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <stddef.h>
#include <stdint.h>

#include "portalmem_example.h"

#define EXAMPLE_MODULE "portalmem_example"
#define EXAMPLE_NODE "/dev/portalmem_example"

/* An enum dma_data_direction, as the kernel numbers them. */
#define EXAMPLE_TO_DEVICE 1
#define EXAMPLE_FROM_DEVICE 2
#define EXAMPLE_NO_DIRECTION 3

typedef struct portalmem_example_make make;
typedef struct portalmem_example_look look;

/* Load the module, unless it is loaded. */
void example_load(void);

/* Unload it, if it is there: it would keep portalmem. */
void example_unload(void);

/* A request that succeeds as it is. */
make example_request(const char *heap, uint64_t size);

/* Have the module make a buffer; 0, and then REQUEST holds the answer, or an
 * errno. */
int example_try_make(make *request);

/* The same, and give the buffer's descriptor. */
int example_make(make request);

/* Have the module look at a buffer and give the answer. */
look example_look(look request);

/* The same; 0 or an errno. */
int example_look_error(look request);

/* What the module should find the sum of the words to be. */
uint64_t example_sum(const void *from, size_t size);

#endif
