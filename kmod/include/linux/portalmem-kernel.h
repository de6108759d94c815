/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * portalmem for other modules of the kernel.
 *
 * A buffer is a dma-buf from its first moment: dma_buf_put() gives it back,
 * dma_buf_vmap() shows it to the kernel, dma_buf_attach() to a device, and
 * dma_buf_fd() hands it to a process. Here is what dma-bufs lack: to allocate
 * one, to tell portalmem's from others, to see where its memory is, and to sync
 * parts of it.
 *
 * The functions are exported to GPL-compatible modules, in the namespace
 * PORTALMEM, which a module imports. All but portalmem_is_own() may sleep. None
 * wants the buffer's reservation (dmabuf->resv) locked.
 *
 * A buffer keeps the module portalmem, whoever has the buffer.
 */
#ifndef _LINUX_PORTALMEM_KERNEL_H
#define _LINUX_PORTALMEM_KERNEL_H

#include <linux/dma-direction.h>
#include <linux/portalmem.h>
#include <linux/types.h>

struct dma_buf;
struct page;

/**
 * struct portalmem_options - what buffer is wanted
 * @size: bytes, rounded up to whole pages
 * @caching: PORTALMEM_CACHED, PORTALMEM_WC or PORTALMEM_UC; PORTALMEM_DEFAULT
 *	leaves it to the heap
 * @flags: PORTALMEM_ALLOC_NODE or zero
 * @node: the NUMA node with PORTALMEM_ALLOC_NODE, else zero
 * @address_bits: all physical addresses are below 1 << @address_bits; zero for
 *	no limit
 * @alignment: on heaps whose buffers are one run, its physical address is a
 *	multiple of this power of two; zero for the page size
 * @name: for inspection, without control characters and shorter than
 *	PORTALMEM_NAME_LEN; NULL for none. It is copied
 *
 * What is zero is the default; only @size has none.
 */
struct portalmem_options {
	u64 size;
	u32 caching;
	u32 flags;
	u32 node;
	u32 address_bits;
	u64 alignment;
	const char *name;
};

/**
 * struct portalmem_info - what a buffer is
 * @size: bytes
 * @caching: what was asked for
 * @effective: what it really is; where a machine has no PORTALMEM_WC, it may be
 *	PORTALMEM_UC
 * @runs: number of physically contiguous runs
 * @read_only: nobody may write to it, no module either: the memory is a process's
 *	that only lent it for reading
 * @heap: name of the heap that the memory comes from, as long as the buffer is
 *	there
 */
struct portalmem_info {
	u64 size;
	u32 caching;
	u32 effective;
	unsigned int runs;
	bool read_only;
	const char *heap;
};

/**
 * struct portalmem_run - a physically contiguous part of a buffer
 * @offset: its first byte within the buffer
 * @length: bytes
 * @address: its physical address, which is no DMA address: devices get theirs
 *	from dma_buf_map_attachment()
 * @page: its first page, on which references may be taken; NULL where they may
 *	not, as in CMA and in a process's memory, and where there are no pages
 */
struct portalmem_run {
	u64 offset;
	u64 length;
	phys_addr_t address;
	struct page *page;
};

struct dma_buf *portalmem_alloc(const char *heap,
				const struct portalmem_options *options);
bool portalmem_is_own(const struct dma_buf *dmabuf);
struct dma_buf *portalmem_get(int fd);
int portalmem_get_info(struct dma_buf *dmabuf, struct portalmem_info *info);
int portalmem_get_run(struct dma_buf *dmabuf, u64 offset,
		      struct portalmem_run *run);
int portalmem_sync_for_cpu(struct dma_buf *dmabuf,
			   const struct portalmem_ioc_range *ranges,
			   unsigned int count,
			   enum dma_data_direction direction);
int portalmem_sync_for_device(struct dma_buf *dmabuf,
			      const struct portalmem_ioc_range *ranges,
			      unsigned int count,
			      enum dma_data_direction direction);

#endif /* _LINUX_PORTALMEM_KERNEL_H */
