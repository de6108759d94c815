/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What /dev/portalmem_example takes. */
#ifndef PORTALMEM_EXAMPLE_H
#define PORTALMEM_EXAMPLE_H

#include <linux/ioctl.h>
#include <linux/portalmem.h>
#include <linux/types.h>

/* Bits of portalmem_example_make.flags. */
#define PORTALMEM_EXAMPLE_NODE (1U << 0) /* from one NUMA node only */
#define PORTALMEM_EXAMPLE_WORKER (1U << 1) /* in a worker, for the kernel */
#define PORTALMEM_EXAMPLE_ON_BEHALF (1U << 2) /* in a worker, for the caller */

/**
 * struct portalmem_example_make - have the kernel make and fill a buffer
 * @size: in: bytes
 * @alignment: in: as in struct portalmem_options
 * @caching: in: likewise
 * @address_bits: in: likewise
 * @node: in: the NUMA node with PORTALMEM_EXAMPLE_NODE
 * @flags: in: PORTALMEM_EXAMPLE_* bits
 * @seed: in: word i of the buffer becomes @seed + i * 2654435761
 * @fd: out: the buffer
 * @heap: in: NUL-terminated name of the heap
 * @name: in: NUL-terminated name of the buffer, or empty
 */
struct portalmem_example_make {
	__u64 size;
	__u64 alignment;
	__u32 caching;
	__u32 address_bits;
	__u32 node;
	__u32 flags;
	__u32 seed;
	__s32 fd;
	char heap[PORTALMEM_HEAP_NAME_LEN];
	char name[64];
};

/* Bits of portalmem_example_look.flags. */
#define PORTALMEM_EXAMPLE_FOREIGN (1U << 0) /* take any dma-buf */

/**
 * struct portalmem_example_look - have the kernel look at a buffer
 * @flags: in: PORTALMEM_EXAMPLE_FOREIGN or zero
 * @fd: in: the buffer
 * @direction: in: of the sync before that, an enum dma_data_direction
 * @offset: in: first byte of the part that is summed up, a multiple of 4
 * @length: in: bytes of that part, a multiple of 4
 * @sum: out: its words added up
 * @own: out: whether portalmem exported the buffer; of another one, only @sum and
 *	@size are known
 * @size: out: bytes of the buffer
 * @caching: out: what was asked for
 * @effective: out: what it really is
 * @read_only: out: whether nobody may write to it
 * @pad: zero
 * @runs: out: its physically contiguous runs
 * @refcounted: out: those whose pages may be referenced
 * @longest: out: bytes of the longest of them
 * @heap: out: name of the heap that the memory comes from
 */
struct portalmem_example_look {
	__u32 flags;
	__s32 fd;
	__u32 direction;
	__u32 own;
	__u64 offset;
	__u64 length;
	__u64 sum;
	__u64 size;
	__u32 caching;
	__u32 effective;
	__u32 read_only;
	__u32 pad;
	__u32 runs;
	__u32 refcounted;
	__u64 longest;
	char heap[PORTALMEM_HEAP_NAME_LEN];
};

#define PORTALMEM_EXAMPLE_IOC_MAKE \
	_IOWR('p', 0x70, struct portalmem_example_make)
#define PORTALMEM_EXAMPLE_IOC_LOOK \
	_IOWR('p', 0x71, struct portalmem_example_look)

#endif
