/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * portalmem: what the parts of the module share.
 *
 * Calls go one way: a node checks and copies an ioctl (dev.c), a buffer is
 * made of what a heap supplies (buffer.c, heap_*.c), a heap takes pages
 * (pages.c) in a caching mode (caching.c), and the dma-buf operations
 * (dma_buf.c, mmap.c, sync.c) exist once for all heaps. Release goes back
 * through heap->ops->free.
 */
#ifndef _PORTALMEM_H
#define _PORTALMEM_H

#include <linux/dma-buf.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/portalmem.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

#include "compat.h"

struct portalmem_heap;

/**
 * struct portalmem_segment - one physically contiguous run of a buffer
 * @pfn: its first page frame
 * @start: index of that page within the buffer
 *
 * The run ends where the next one starts.
 */
struct portalmem_segment {
	unsigned long pfn;
	unsigned long start;
};

/**
 * struct portalmem_table - a buffer's segments in order
 * @npages: pages in all
 * @count: segments
 * @segments: @count entries and a last one whose @start is @npages
 */
struct portalmem_table {
	unsigned long npages;
	unsigned int count;
	struct portalmem_segment *segments;
};

/**
 * struct portalmem_request - an allocation, checked and rounded
 * @npages: how much
 * @caching: PORTALMEM_CACHED, PORTALMEM_WC or PORTALMEM_UC
 * @nid: NUMA node that all of it must be on, or NUMA_NO_NODE
 * @max_pfn: last page frame number that is allowed
 * @fd_flags: O_CLOEXEC and access mode of the file descriptor to be
 * @name: NUL-terminated name, empty for none
 */
struct portalmem_request {
	unsigned long npages;
	u32 caching;
	int nid;
	unsigned long max_pfn;
	u32 fd_flags;
	const char *name;
};

/**
 * struct portalmem_heap_ops - where pages come from
 * @alloc: fill in the table with zeroed pages in the caching mode asked for
 * @free: take them back; some may still be held by others (GUP)
 */
struct portalmem_heap_ops {
	int (*alloc)(struct portalmem_heap *heap,
		     const struct portalmem_request *request,
		     struct portalmem_table *table);
	void (*free)(struct portalmem_heap *heap, struct portalmem_table *table,
		     u32 caching);
};

/**
 * struct portalmem_heap - a source of pages
 * @name: what PORTALMEM_IOC_INFO reports
 * @ops: how to get and return them
 */
struct portalmem_heap {
	const char *name;
	const struct portalmem_heap_ops *ops;
};

/**
 * struct portalmem_buffer - one allocation and its dma-buf
 * @heap: where the pages go back to
 * @table: the pages
 * @caching: what was asked for
 * @pid: thread group that asked
 * @lock: protects all below; nests inside the dma-buf's reservation lock
 * @attachments: devices attached now
 * @mappings: mapped attachments, struct portalmem_mapping
 * @vaddr: kernel mapping while an importer has one, else NULL
 */
struct portalmem_buffer {
	struct portalmem_heap *heap;
	struct portalmem_table table;
	u32 caching;
	struct pid *pid;

	struct mutex lock; /* protects all below */
	unsigned int attachments;
	struct list_head mappings;
	void *vaddr;
};

/**
 * struct portalmem_dma_run - one DMA segment of a mapping
 * @start: its first byte within the buffer
 * @address: where the device sees that byte
 */
struct portalmem_dma_run {
	u64 start;
	dma_addr_t address;
};

/**
 * struct portalmem_mapping - a device's view of a buffer
 * @node: entry of portalmem_buffer.mappings
 * @dev: the device
 * @direction: what it was mapped for
 * @sgt: the scatterlist that the importer works with
 * @nruns: DMA segments; fewer than CPU segments behind an IOMMU
 * @runs: @nruns entries and a last one that starts at the buffer's end
 */
struct portalmem_mapping {
	struct list_head node;
	struct device *dev;
	enum dma_data_direction direction;
	struct sg_table sgt;
	unsigned int nruns;
	struct portalmem_dma_run *runs;
};

/* table.c */
int portalmem_table_init(struct portalmem_table *table,
			 struct list_head *chunks, unsigned long npages);
void portalmem_table_fini(struct portalmem_table *table);
unsigned int portalmem_table_find(const struct portalmem_table *table,
				  unsigned long index);
struct page *portalmem_table_page(const struct portalmem_table *table,
				  unsigned long index);

static inline unsigned long
portalmem_segment_npages(const struct portalmem_segment *segment)
{
	return segment[1].start - segment->start;
}

/* caching.c */
int portalmem_caching_init(void);
void portalmem_caching_exit(void);
u32 portalmem_caching_effective(u32 caching);
pgprot_t portalmem_caching_prot(u32 caching, pgprot_t prot);
int portalmem_caching_apply(struct page *page, unsigned int order, u32 caching);
int portalmem_caching_restore(struct page *page, unsigned int order,
			      u32 caching);

/* pages.c */
int portalmem_pages_take(struct list_head *chunks,
			 const struct portalmem_request *request);
void portalmem_pages_give(struct list_head *chunks, u32 caching);
void portalmem_chunk_give(struct page *page, u32 caching);

/* heap_system.c */
extern struct portalmem_heap portalmem_system_heap;

/* buffer.c */
struct dma_buf *portalmem_buffer_export(struct portalmem_heap *heap,
					const struct portalmem_request *request);
struct portalmem_buffer *portalmem_buffer_of(struct dma_buf *dmabuf);
void portalmem_buffer_describe(struct dma_buf *dmabuf,
			       struct portalmem_ioc_info *info);
struct portalmem_ioc_segment
portalmem_buffer_segment(const struct portalmem_buffer *buffer,
			 unsigned int index, bool with_address);
void portalmem_buffer_destroy(struct portalmem_buffer *buffer);

static inline u64 portalmem_buffer_size(const struct portalmem_buffer *buffer)
{
	return (u64)buffer->table.npages << PAGE_SHIFT;
}

/* dma_buf.c */
extern const struct dma_buf_ops portalmem_dma_buf_ops;

/* mmap.c */
bool portalmem_mmap_is_pinnable(void);
int portalmem_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);

/* sync.c */
int portalmem_sync_all(struct dma_buf *dmabuf,
		       enum dma_data_direction direction, bool for_cpu);
int portalmem_sync_ranges(struct dma_buf *dmabuf,
			  const struct portalmem_ioc_range *ranges,
			  unsigned int count,
			  enum dma_data_direction direction, bool for_cpu);

/* dev.c */
int portalmem_dev_init(void);
void portalmem_dev_exit(void);

#endif /* _PORTALMEM_H */
