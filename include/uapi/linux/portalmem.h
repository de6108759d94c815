/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * portalmem: DMA buffers that processes and devices share without copying.
 *
 * Every portalmem node (/dev/portalmem and /dev/dma_heap/portalmem*) answers
 * every ioctl below and the standard DMA_HEAP_IOCTL_ALLOC. What
 * PORTALMEM_IOC_ATTACH gives answers PORTALMEM_IOC_ATTACHMENT,
 * PORTALMEM_IOC_DMA_SEGMENTS and PORTALMEM_IOC_SYNC.
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
#define PORTALMEM_BUS_NAME_LEN 16
#define PORTALMEM_DEVICE_NAME_LEN 64

/* The most ranges that one PORTALMEM_IOC_SYNC takes. */
#define PORTALMEM_SYNC_RANGES_MAX 65536

/* How the CPU maps a buffer. */
#define PORTALMEM_DEFAULT 0 /* what the node stands for */
#define PORTALMEM_CACHED 1 /* write-back cached */
#define PORTALMEM_WC 2 /* write-combined */
#define PORTALMEM_UC 3 /* uncached */

/* Bits of portalmem_ioc_alloc.flags. */
#define PORTALMEM_ALLOC_NODE (1U << 0) /* from one NUMA node only */
#define PORTALMEM_ALLOC_ADOPT (1U << 1) /* a region's contents as they are */
#define PORTALMEM_ALLOC_FLAGS (PORTALMEM_ALLOC_NODE | PORTALMEM_ALLOC_ADOPT)

/* Bits of portalmem_ioc_heap.features. */
#define PORTALMEM_HEAP_CONTIGUOUS (1U << 0) /* every buffer is one segment */
#define PORTALMEM_HEAP_REGION (1U << 1) /* a reserved region of fixed size */
#define PORTALMEM_HEAP_PINNABLE (1U << 2) /* cached mappings can be pinned */

/* Bits of portalmem_ioc_attach.direction. */
#define PORTALMEM_TO_DEVICE (1U << 0) /* the device reads the buffer */
#define PORTALMEM_FROM_DEVICE (1U << 1) /* the device writes the buffer */
#define PORTALMEM_BIDIRECTIONAL (PORTALMEM_TO_DEVICE | PORTALMEM_FROM_DEVICE)

/* Bits of portalmem_ioc_attachment.features. */
#define PORTALMEM_ATTACHMENT_TRANSLATED (1U << 0) /* an IOMMU translates */
#define PORTALMEM_ATTACHMENT_BOUNCED (1U << 1) /* the device may get copies */
#define PORTALMEM_ATTACHMENT_NEEDS_SYNC (1U << 2) /* it sees memory, not caches */
#define PORTALMEM_ATTACHMENT_OWN (1U << 3) /* portalmem exported the buffer */

/* Bits of portalmem_ioc_holders.holders. */
#define PORTALMEM_HOLDER_REFERENCE (1U << 0) /* more than one reference */
#define PORTALMEM_HOLDER_DEVICE (1U << 1) /* a device is attached */
#define PORTALMEM_HOLDER_FENCE (1U << 2) /* a fence is not signalled yet */
#define PORTALMEM_HOLDER_PIN (1U << 3) /* pages are pinned, such as for I/O */

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
 * @alignment: in: on heaps whose buffers are one segment, its physical address
 *	is a multiple of this power of two in bytes; zero for the page size
 * @region_offset: in: with PORTALMEM_ALLOC_ADOPT, where in the heap's region
 *	the buffer begins, in bytes, a multiple of the page size; else zero
 *
 * PORTALMEM_ALLOC_ADOPT wants CAP_SYS_RAWIO: it shows what was in the region
 * before. All other buffers are zeroed.
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
	__u64 alignment;
	__u64 region_offset;
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
 * @fd: in: a dma-buf file descriptor that portalmem exported; -1 when the call
 *	is made on an attachment, and then it syncs the buffer for that device
 *	alone
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

/**
 * struct portalmem_ioc_heap - describe the heap behind a node
 * @flags: in: zero, no flag is defined yet
 * @caching: out: what PORTALMEM_DEFAULT means on this node
 * @cachings: out: bit n is set when buffers of caching n can be had
 * @features: out: PORTALMEM_HEAP_* bits
 * @size: out: bytes of a region; zero when the heap takes from all of memory
 * @used: out: bytes in live buffers, and in freed ones that somebody still pins
 * @available: out: bytes that could be allocated now, in one buffer or several;
 *	what a limit or a memory cgroup forbids is not taken off
 * @largest: out: bytes of the largest single buffer among these. Others may
 *	take it at any moment
 * @fragments: out: free runs of a region, else zero
 * @buffers: out: live buffers
 * @pooled: out: bytes of freed memory that is kept for the next allocations
 * @limit: out: the most bytes that all users together may hold; zero: no limit
 * @user_limit: out: the most bytes that one user may hold; zero: no limit
 * @user_used: out: bytes that the caller's user holds
 * @name: out: name of the heap
 */
struct portalmem_ioc_heap {
	__u32 flags;
	__u32 caching;
	__u32 cachings;
	__u32 features;
	__u64 size;
	__u64 used;
	__u64 available;
	__u64 largest;
	__u32 fragments;
	__u32 buffers;
	__u64 pooled;
	__u64 limit;
	__u64 user_limit;
	__u64 user_used;
	char name[PORTALMEM_HEAP_NAME_LEN];
};

/**
 * struct portalmem_ioc_trim - give pooled memory back to the system
 * @flags: in: zero, no flag is defined yet
 * @pad: zero
 * @freed: out: bytes given back; zero on entry
 *
 * Pooled memory belongs to the memory cgroup that paid for it. The caller gives
 * back its own cgroup's; with CAP_SYS_ADMIN, everybody's.
 */
struct portalmem_ioc_trim {
	__u32 flags;
	__u32 pad;
	__u64 freed;
};

/**
 * struct portalmem_ioc_attach - map a buffer for a device
 * @direction: in: PORTALMEM_TO_DEVICE, PORTALMEM_FROM_DEVICE or
 *	PORTALMEM_BIDIRECTIONAL: all that the device will ever do with it
 * @buffer: in: a dma-buf file descriptor, whoever exported it
 * @fd_flags: in: O_CLOEXEC or zero
 * @fd: out: file descriptor of the attachment, zero on entry; the buffer is
 *	mapped until its last copy is closed or the device goes away
 * @address_bits: in: the device reaches addresses below 1 << @address_bits, for
 *	devices that no driver of the kernel has told that; zero leaves what is
 *	set, which is 32 for a PCI device without a driver
 * @pad: zero
 * @bus: in: NUL-terminated name of the device's bus, as in /sys/bus
 * @device: in: NUL-terminated name of the device, as in /sys/bus/BUS/devices
 *
 * It wants CAP_SYS_RAWIO: who controls a device and knows the addresses can make
 * it write anywhere.
 */
struct portalmem_ioc_attach {
	__u32 direction;
	__s32 buffer;
	__u32 fd_flags;
	__s32 fd;
	__u32 address_bits;
	__u32 pad;
	char bus[PORTALMEM_BUS_NAME_LEN];
	char device[PORTALMEM_DEVICE_NAME_LEN];
};

/**
 * struct portalmem_ioc_attachment - describe an attachment
 * @flags: in: zero, no flag is defined yet
 * @direction: out: what it was made for
 * @features: out: PORTALMEM_ATTACHMENT_* bits
 * @segments: out: number of runs that the device sees as contiguous
 * @size: out: bytes of the buffer
 * @address_bits: out: how far the device reaches
 * @pad: out: zero
 * @bus: out: name of the device's bus
 * @device: out: name of the device
 */
struct portalmem_ioc_attachment {
	__u32 flags;
	__u32 direction;
	__u32 features;
	__u32 segments;
	__u64 size;
	__u32 address_bits;
	__u32 pad;
	char bus[PORTALMEM_BUS_NAME_LEN];
	char device[PORTALMEM_DEVICE_NAME_LEN];
};

/**
 * struct portalmem_ioc_dma_segment - a run that a device sees as contiguous
 * @offset: its first byte within the buffer
 * @length: bytes. Behind an IOMMU it may span several physical segments
 * @address: what the device is to be given
 */
struct portalmem_ioc_dma_segment {
	__u64 offset;
	__u64 length;
	__u64 address;
};

/**
 * struct portalmem_ioc_dma_segments - an attachment's translation table
 * @flags: in: zero, no flag is defined yet
 * @pad: zero
 * @segments: in: user address of an array of struct portalmem_ioc_dma_segment
 * @first: in: index of the first segment wanted
 * @count: in: entries in the array; out: how many were written, fewer when the
 *	table ends before
 * @total: out: segments of the attachment, whatever @count is; zero on entry
 * @pad2: zero
 */
struct portalmem_ioc_dma_segments {
	__u32 flags;
	__u32 pad;
	__u64 segments;
	__u32 first;
	__u32 count;
	__u32 total;
	__u32 pad2;
};

/**
 * struct portalmem_ioc_import_user - make a buffer of the caller's own memory
 * @flags: in: zero, no flag is defined yet
 * @fd_flags: in: O_CLOEXEC and an access mode: with O_RDONLY the buffer is
 *	read-only to every process and device, and the memory may be, too
 * @address: in: user address, a multiple of the page size
 * @size: in: bytes, a multiple of the page size
 * @fd: out: the new dma-buf file descriptor, zero on entry
 * @segments: out: how many physically contiguous runs it has, zero on entry
 * @name: in: as in struct portalmem_ioc_alloc
 *
 * The pages are pinned until the buffer is gone, and count against the caller's
 * RLIMIT_MEMLOCK, for the process and for its user. They may be anonymous, shared
 * or huge, not those of a file on a disk.
 */
struct portalmem_ioc_import_user {
	__u32 flags;
	__u32 fd_flags;
	__u64 address;
	__u64 size;
	__s32 fd;
	__u32 segments;
	char name[PORTALMEM_NAME_LEN];
};

/**
 * struct portalmem_ioc_holders - who holds a buffer
 * @flags: in: zero, no flag is defined yet
 * @fd: in: a dma-buf file descriptor that portalmem exported
 * @references: out: how many there are to the buffer: one for every descriptor
 *	in any process, also in a message that nobody has received yet, one for
 *	every mapping, and one or more for every driver that has imported it.
 *	@fd is one of them; what this call takes itself is not counted
 * @holders: out: PORTALMEM_HOLDER_* bits
 *
 * Every reference comes from another one. A caller that knows how many are its
 * own, and makes no new one meanwhile, and finds no more than these, and none of
 * the other bits, has the buffer for itself: nobody is left who could take it
 * up again, but for a process that may take descriptors out of the caller's
 * (pidfd_getfd(2)). Calls that other threads of the caller are in at that moment
 * can make it look held; they never make it look free.
 */
struct portalmem_ioc_holders {
	__u32 flags;
	__s32 fd;
	__u32 references;
	__u32 holders;
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
#define PORTALMEM_IOC_HEAP \
	_IOWR(PORTALMEM_IOC_MAGIC, 0x05, struct portalmem_ioc_heap)
#define PORTALMEM_IOC_TRIM \
	_IOWR(PORTALMEM_IOC_MAGIC, 0x06, struct portalmem_ioc_trim)
#define PORTALMEM_IOC_ATTACH \
	_IOWR(PORTALMEM_IOC_MAGIC, 0x07, struct portalmem_ioc_attach)
#define PORTALMEM_IOC_ATTACHMENT \
	_IOWR(PORTALMEM_IOC_MAGIC, 0x08, struct portalmem_ioc_attachment)
#define PORTALMEM_IOC_DMA_SEGMENTS \
	_IOWR(PORTALMEM_IOC_MAGIC, 0x09, struct portalmem_ioc_dma_segments)
#define PORTALMEM_IOC_IMPORT_USER \
	_IOWR(PORTALMEM_IOC_MAGIC, 0x0A, struct portalmem_ioc_import_user)
#define PORTALMEM_IOC_HOLDERS \
	_IOWR(PORTALMEM_IOC_MAGIC, 0x0B, struct portalmem_ioc_holders)

#endif /* _UAPI_LINUX_PORTALMEM_H */
