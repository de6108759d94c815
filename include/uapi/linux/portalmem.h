/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * portalmem: DMA buffers that processes and devices share without copying.
 *
 * Every portalmem node (/dev/portalmem and /dev/dma_heap/portalmem*) answers
 * every ioctl below and the standard DMA_HEAP_IOCTL_ALLOC.
 *
 * Rules for all structures:
 *  - the layout is the same for 32-bit and 64-bit callers;
 *  - a structure may grow at its end. The kernel accepts a shorter one (the
 *    missing fields read as zero) and a longer one (the bytes that it does not
 *    know must be zero, else E2BIG);
 *  - unknown flags, and fields marked "out" or "pad" that are not zero on
 *    entry, are refused with EINVAL before anything is done.
 */
#ifndef _UAPI_LINUX_PORTALMEM_H
#define _UAPI_LINUX_PORTALMEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Increases when a structure or an ioctl below changes incompatibly. */
#define PORTALMEM_ABI_VERSION 0

#define PORTALMEM_IOC_MAGIC 0xBD

/* Sizes of the text fields, with the terminating NUL. */
#define PORTALMEM_NAME_LEN 32
#define PORTALMEM_HEAP_NAME_LEN 32

/* The most ranges that one PORTALMEM_IOC_SYNC takes. */
#define PORTALMEM_SYNC_RANGES_MAX 65536

/* How the CPU maps a buffer. */
#define PORTALMEM_DEFAULT 0 /* what the node stands for */
#define PORTALMEM_CACHED 1 /* write-back cached */
#define PORTALMEM_WC 2 /* write-combined */
#define PORTALMEM_UC 3 /* uncached */

/* Bits of portalmem_ioc_alloc.flags. */
#define PORTALMEM_ALLOC_NODE (1U << 0) /* from one NUMA node only */
#define PORTALMEM_ALLOC_FLAGS PORTALMEM_ALLOC_NODE

/* Bits of portalmem_ioc_version.features. */
#define PORTALMEM_FEATURE_WC (1ULL << 0) /* WC is WC here, not UC */
#define PORTALMEM_FEATURE_PINNABLE (1ULL << 1) /* cached mappings can be pinned */

/**
 * struct portalmem_ioc_version - what this module speaks
 * @abi: out: PORTALMEM_ABI_VERSION
 * @pad: out: zero
 * @features: out: PORTALMEM_FEATURE_* bits
 */
struct portalmem_ioc_version {
	__u32 abi;
	__u32 pad;
	__u64 features;
};

/**
 * struct portalmem_ioc_alloc - allocate a buffer
 * @flags: in: PORTALMEM_ALLOC_* bits
 * @caching: in: PORTALMEM_DEFAULT, PORTALMEM_CACHED, PORTALMEM_WC or
 *	PORTALMEM_UC
 * @size: in: bytes, rounded up to whole pages by the kernel
 * @fd_flags: in: O_CLOEXEC and an access mode (O_RDONLY, O_WRONLY, O_RDWR)
 * @fd: out: the new dma-buf file descriptor, zero on entry
 * @effective: out: the caching that the buffer really has, zero on entry
 * @segments: out: how many physically contiguous runs it has, zero on entry
 * @name: in: NUL-terminated name for inspection without control characters,
 *	or empty
 * @node: in: the NUMA node with PORTALMEM_ALLOC_NODE, else zero
 * @address_bits: in: all physical addresses are below 1 << @address_bits, for
 *	devices that reach no further; zero for no limit
 */
struct portalmem_ioc_alloc {
	__u32 flags;
	__u32 caching;
	__u64 size;
	__u32 fd_flags;
	__s32 fd;
	__u32 effective;
	__u32 segments;
	char name[PORTALMEM_NAME_LEN];
	__u32 node;
	__u32 address_bits;
};

/**
 * struct portalmem_ioc_info - describe a buffer
 * @flags: in: zero, no flag is defined yet
 * @fd: in: a dma-buf file descriptor that portalmem exported
 * @size: out: bytes
 * @caching: out: the caching that was asked for
 * @effective: out: the caching that the buffer really has
 * @segments: out: number of physically contiguous runs
 * @attachments: out: number of devices attached now
 * @pid: out: process that allocated it, as the caller's pid namespace numbers
 *	it; zero when it is not visible there. It may have ended since, and its
 *	number may be another's by now
 * @pad: zero
 * @heap: out: name of the heap that the pages come from
 * @name: out: name of the buffer, empty when it has none
 *
 * Fields marked "out" are written whatever they hold on entry.
 */
struct portalmem_ioc_info {
	__u32 flags;
	__s32 fd;
	__u64 size;
	__u32 caching;
	__u32 effective;
	__u32 segments;
	__u32 attachments;
	__s32 pid;
	__u32 pad;
	char heap[PORTALMEM_HEAP_NAME_LEN];
	char name[PORTALMEM_NAME_LEN];
};

/**
 * struct portalmem_ioc_range - a part of a buffer
 * @offset: bytes from the start of the buffer
 * @length: bytes; a range of length zero is allowed and touches nothing
 */
struct portalmem_ioc_range {
	__u64 offset;
	__u64 length;
};

/**
 * struct portalmem_ioc_sync - cache maintenance for parts of a buffer
 * @flags: in: DMA_BUF_SYNC_START or DMA_BUF_SYNC_END, with DMA_BUF_SYNC_READ,
 *	DMA_BUF_SYNC_WRITE or both, as in <linux/dma-buf.h>
 * @fd: in: a dma-buf file descriptor that portalmem exported
 * @ranges: in: user address of an array of struct portalmem_ioc_range
 * @count: in: entries in @ranges, at most PORTALMEM_SYNC_RANGES_MAX; with zero
 *	entries the call checks its other arguments and does nothing
 * @pad: zero
 *
 * All ranges are checked before the first one is synced. DMA_BUF_SYNC_START
 * waits for the fences that devices attached to the buffer, as
 * DMA_BUF_IOCTL_SYNC does.
 */
struct portalmem_ioc_sync {
	__u32 flags;
	__s32 fd;
	__u64 ranges;
	__u32 count;
	__u32 pad;
};

/**
 * struct portalmem_ioc_segment - one physically contiguous run of a buffer
 * @offset: its first byte within the buffer
 * @length: bytes
 * @physical: physical address for callers with CAP_SYS_RAWIO, unless the kernel
 *	is locked down; else zero. It is not a DMA address: a device may see the
 *	memory elsewhere
 */
struct portalmem_ioc_segment {
	__u64 offset;
	__u64 length;
	__u64 physical;
};

/**
 * struct portalmem_ioc_segments - the translation table of a buffer
 * @flags: in: zero, no flag is defined yet
 * @fd: in: a dma-buf file descriptor that portalmem exported
 * @segments: in: user address of an array of struct portalmem_ioc_segment
 * @first: in: index of the first segment wanted
 * @count: in: entries in the array; out: how many were written, fewer when the
 *	table ends before
 * @total: out: segments of the buffer, whatever @count is; zero on entry
 * @pad: zero
 */
struct portalmem_ioc_segments {
	__u32 flags;
	__s32 fd;
	__u64 segments;
	__u32 first;
	__u32 count;
	__u32 total;
	__u32 pad;
};

#define PORTALMEM_IOC_VERSION \
	_IOR(PORTALMEM_IOC_MAGIC, 0x00, struct portalmem_ioc_version)
#define PORTALMEM_IOC_ALLOC \
	_IOWR(PORTALMEM_IOC_MAGIC, 0x01, struct portalmem_ioc_alloc)
#define PORTALMEM_IOC_INFO \
	_IOWR(PORTALMEM_IOC_MAGIC, 0x02, struct portalmem_ioc_info)
#define PORTALMEM_IOC_SYNC \
	_IOW(PORTALMEM_IOC_MAGIC, 0x03, struct portalmem_ioc_sync)
#define PORTALMEM_IOC_SEGMENTS \
	_IOWR(PORTALMEM_IOC_MAGIC, 0x04, struct portalmem_ioc_segments)

#endif /* _UAPI_LINUX_PORTALMEM_H */
