/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tests share that run as root in a guest with the module loaded.
 * Functions fail the running test instead of returning an error.
 */
#ifndef GUEST_H
#define GUEST_H

#include <linux/portalmem.h>
#include <stddef.h>
#include <stdint.h>

#include "../lib/pmtest.h"

#define GUEST_NODE "/dev/portalmem"
#define GUEST_HEAP_NODE "/dev/dma_heap/portalmem"
#define GUEST_HEAP_WC_NODE "/dev/dma_heap/portalmem-wc"

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)

/* All nodes of the module, NULL at the end. */
extern const char *const guest_nodes[];

/* Open a file for reading and writing. */
int guest_open(const char *path);

/* A request that succeeds as it is. */
struct portalmem_ioc_alloc guest_request(uint64_t size, uint32_t caching);

/* Allocate from /dev/portalmem and give the dma-buf's descriptor. */
int guest_alloc(uint64_t size, uint32_t caching);

/* Describe a buffer. */
struct portalmem_ioc_info guest_info(int fd);

/* Map a whole buffer shared, for reading and writing. */
void *guest_map(int fd, size_t size);

/* Number of dma-bufs in the kernel, from debugfs. */
unsigned int guest_count_buffers(void);

/* A field of /proc/meminfo in KiB. */
long guest_meminfo(const char *field);

/* Free memory in KiB, after all caches gave up theirs: comparable over time. */
long guest_free_kib(void);

/* Fill with a pattern that differs from page to page and from seed to seed. */
void guest_fill(void *to, size_t size, uint32_t seed);

/* Fail unless all bytes are what guest_fill() wrote. */
void guest_assert_filled(const void *from, size_t size, uint32_t seed);

/* Fail unless all bytes are zero. */
void guest_assert_zero(const void *from, size_t size);

/* Load a module of the kernel by name. */
void guest_modprobe(const char *name);

/* Load a test module of the build tree, unless it is loaded. */
void guest_load_test_module(const char *name);

/* A test case with time enough for an emulated machine. */
TCase *guest_tcase(const char *name);

#endif
