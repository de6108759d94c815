/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * portalmem: what the parts of the module share.
 *
 * Calls go one way: a node copies an ioctl (dev.c), what is wanted is checked
 * (request.c), a buffer is made of what a heap supplies (buffer.c, heap_*.c), a
 * heap takes pages (pages.c) in a caching mode (caching.c), and the dma-buf
 * operations (dma_buf.c, mmap.c, sync.c) exist once for all heaps. Release goes
 * back through heap->ops->free. A device that user space drives (user_device.c)
 * is an importer like any other (attach.c).
 */
#ifndef _PORTALMEM_H
#define _PORTALMEM_H

#include <linux/atomic.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/io.h>
#include <linux/klist.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/portalmem.h>
#include <linux/scatterlist.h>
#include <linux/types.h>

#include "compat.h"

struct portalmem_heap;
struct portalmem_stats;

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
 * enum portalmem_backing - what a buffer's memory is to the kernel
 * @PORTALMEM_PAGES: ordinary pages, that anybody may hold references to
 * @PORTALMEM_PFNS: pages that user mappings of the buffer hold no references to,
 *	such as CMA's and those of a process
 * @PORTALMEM_RESOURCE: an address range without pages and without a place in
 *	the kernel's linear mapping
 */
enum portalmem_backing {
	PORTALMEM_PAGES,
	PORTALMEM_PFNS,
	PORTALMEM_RESOURCE,
};

/**
 * struct portalmem_table - a buffer's segments in order
 * @npages: pages in all
 * @count: segments
 * @backing: what they are
 * @segments: @count entries and a last one whose @start is @npages
 * @single: room for @segments where there is one
 * @origin: what the heap needs to know when it takes them back
 *
 * It stays where it is, as @segments may point into it.
 */
struct portalmem_table {
	unsigned long npages;
	unsigned int count;
	enum portalmem_backing backing;
	struct portalmem_segment *segments;
	struct portalmem_segment single[2];
	u64 origin;
};

/**
 * struct portalmem_request - an allocation, checked and rounded
 * @npages: how much
 * @caching: PORTALMEM_CACHED, PORTALMEM_WC or PORTALMEM_UC
 * @nid: NUMA node that all of it must be on, or NUMA_NO_NODE
 * @max_pfn: last page frame number that is allowed
 * @align: of the first page frame number, a power of two; more than 1 only on
 *	heaps with PORTALMEM_HEAP_CONTIGUOUS
 * @adopt: take the pages at @region_index of a region as they are
 * @region_index: pages from the region's start
 * @address: of the user memory that the buffer is made of, on that heap alone
 * @read_only: no process and no device may write to the buffer
 * @fd_flags: O_CLOEXEC and access mode of the file descriptor to be
 * @name: NUL-terminated name, empty for none
 */
struct portalmem_request {
	unsigned long npages;
	u32 caching;
	int nid;
	unsigned long max_pfn;
	unsigned long align;
	bool adopt;
	unsigned long region_index;
	unsigned long address;
	bool read_only;
	u32 fd_flags;
	const char *name;
};

/**
 * struct portalmem_heap_ops - where pages come from
 * @reuse: a buffer that was kept when it was freed, zeroed, or NULL; NULL for a
 *	heap that keeps none
 * @keep: keep a freed buffer, or return false
 * @alloc: fill in the table with zeroed pages in the caching mode asked for
 * @free: take them back; some may still be held by others (GUP)
 * @describe: fill in what PORTALMEM_IOC_HEAP says of the memory behind it
 * @pooled: pages that are kept for later buffers; NULL for none
 */
struct portalmem_heap_ops {
	struct portalmem_buffer *(*reuse)(const struct portalmem_request *request);
	bool (*keep)(struct portalmem_buffer *buffer);
	int (*alloc)(struct portalmem_heap *heap,
		     const struct portalmem_request *request,
		     struct portalmem_table *table);
	void (*free)(struct portalmem_heap *heap, struct portalmem_table *table,
		     u32 caching);
	void (*describe)(struct portalmem_heap *heap,
			 struct portalmem_ioc_heap *info);
	unsigned long (*pooled)(void);
};

#define PORTALMEM_CACHING_BIT(caching) (1U << (caching))
#define PORTALMEM_CACHINGS_ALL (PORTALMEM_CACHING_BIT(PORTALMEM_CACHED) | \
				PORTALMEM_CACHING_BIT(PORTALMEM_WC) | \
				PORTALMEM_CACHING_BIT(PORTALMEM_UC))

/**
 * struct portalmem_heap - a source of pages
 * @name: what PORTALMEM_IOC_INFO reports
 * @ops: how to get and return them
 * @features: PORTALMEM_HEAP_* bits
 * @cachings: caching modes that it can give, PORTALMEM_CACHING_BIT() of each
 * @caching: what PORTALMEM_DEFAULT means where nobody says otherwise
 * @limit: how much one user and all of them may hold, or NULL
 * @dev: stands for the devices that use its memory unknown to the kernel, or
 *	NULL when nothing is known of them
 * @stats: what is counted, portalmem_stats_create()
 */
struct portalmem_heap {
	const char *name;
	const struct portalmem_heap_ops *ops;
	u32 features;
	u32 cachings;
	u32 caching;
	struct portalmem_limit *limit;
	struct device *dev;
	struct portalmem_stats *stats;
};

/*
 * An entry goes from dirty over cleaning to clean, or is taken when it is dirty
 * or clean. Who cleans is the only one who may touch it meanwhile.
 */
enum portalmem_entry_state {
	PORTALMEM_ENTRY_DIRTY,
	PORTALMEM_ENTRY_CLEANING,
	PORTALMEM_ENTRY_CLEAN,
};

/**
 * struct portalmem_pool_entry - a chunk in the pool
 * @lru: in the list of its caching mode, order, cgroup and node, or in a front
 * @dirty: in the list of what is to be cleaned, while @state is
 *	PORTALMEM_ENTRY_DIRTY and it is in no front
 * @page: the chunk
 * @since: when it came, in jiffies
 * @order: of the chunk
 * @caching: of the chunk
 * @state: changed under the lock of the list or front that @dirty is in, and from
 *	PORTALMEM_ENTRY_CLEANING by the worker
 * @in_buffer: it is that of a portalmem_buffer, whose only chunk it is
 */
struct portalmem_pool_entry {
	struct list_head lru;
	struct list_head dirty;
	struct page *page;
	unsigned long since;
	u8 order;
	u8 caching;
	u8 state;
	bool in_buffer;
};

/**
 * struct portalmem_buffer - one allocation and its dma-buf
 * @entry: while it is in the pool
 * @is_poolable: whether it was allocated for that
 * @heap: where the pages go back to
 * @table: the pages
 * @caching: what was asked for
 * @read_only: nobody may write to it
 * @pid: thread group that asked
 * @account: whose limit it counts against
 * @inode: of its dma-buf
 * @node: in the list of all
 * @lock: protects all below; nests inside the dma-buf's reservation lock
 * @dmabuf: NULL before there is one, and when it goes
 * @attachments: devices attached now
 * @mappings: mapped attachments, struct portalmem_mapping
 * @vaddr: kernel mapping of pages while an importer has one, else NULL
 */
struct portalmem_buffer {
	struct portalmem_pool_entry entry;
	bool is_poolable;
	struct portalmem_heap *heap;
	struct portalmem_table table;
	u32 caching;
	bool read_only;
	struct pid *pid;
	struct portalmem_account *account;
	u64 inode;
	struct klist_node node;

	struct mutex lock; /* protects all below */
	struct dma_buf *dmabuf;
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
 * @attachment: whose it is: for comparing only
 * @dev: the device
 * @direction: what it was mapped for
 * @needs_sync: whether the device and the CPU see different bytes without sync
 * @sgt: the scatterlist, of which the core may hand out a copy
 * @nruns: DMA segments; fewer than CPU segments behind an IOMMU
 * @runs: @nruns entries and a last one that starts at the buffer's end
 */
struct portalmem_mapping {
	struct list_head node;
	const struct dma_buf_attachment *attachment;
	struct device *dev;
	enum dma_data_direction direction;
	bool needs_sync;
	struct sg_table sgt;
	unsigned int nruns;
	struct portalmem_dma_run *runs;
};

/**
 * struct portalmem_sync - cache maintenance that somebody asks for
 * @ranges: in any order; they may overlap and be empty
 * @count: how many
 * @direction: DMA_FROM_DEVICE when the CPU reads, DMA_TO_DEVICE when it writes,
 *	DMA_BIDIRECTIONAL for both
 * @for_cpu: before the CPU's access, else after it
 */
struct portalmem_sync {
	const struct portalmem_ioc_range *ranges;
	unsigned int count;
	enum dma_data_direction direction;
	bool for_cpu;
};

/* table.c */
int portalmem_table_init(struct portalmem_table *table,
			 struct list_head *chunks, unsigned long npages);
void portalmem_table_init_run(struct portalmem_table *table,
			      enum portalmem_backing backing, unsigned long pfn,
			      unsigned long npages);
int portalmem_table_append(struct portalmem_table *table, unsigned long pfn);
void portalmem_table_trim(struct portalmem_table *table);
void portalmem_table_fini(struct portalmem_table *table);
unsigned int portalmem_table_find(const struct portalmem_table *table,
				  unsigned long index);
unsigned long portalmem_table_pfn(const struct portalmem_table *table,
				  unsigned long index);
struct page *portalmem_table_page(const struct portalmem_table *table,
				  unsigned long index);

static inline unsigned long
portalmem_segment_npages(const struct portalmem_segment *segment)
{
	return segment[1].start - segment->start;
}

/* caching.c */
u32 portalmem_caching_effective(u32 caching);
u32 portalmem_caching_possible(void);
pgprot_t portalmem_caching_prot(u32 caching, pgprot_t prot);
int portalmem_caching_apply(struct page *page, unsigned long npages,
			    u32 caching);
int portalmem_caching_restore(struct page *page, unsigned long npages,
			      u32 caching);
int portalmem_caching_flush(struct page *page, unsigned long npages);
int portalmem_caching_clear(struct page *page, unsigned long npages,
			    u32 caching);
int portalmem_caching_clear_few(struct page *page, unsigned long npages,
				u32 caching);
void __iomem *portalmem_caching_map(phys_addr_t address, size_t size,
				    u32 caching);

/* device.c */
int portalmem_device_init(void);
void portalmem_device_exit(void);
struct device *portalmem_device(void);
bool portalmem_device_may_bounce(struct device *dev);
bool portalmem_device_is_translated(struct device *dev);
bool portalmem_device_needs_sync(struct device *dev,
				 const struct sg_table *sgt);

/* held.c */
bool portalmem_held_release(void);
unsigned long portalmem_held_keep(const struct portalmem_buffer *buffer);
void portalmem_held_exit(void);

/* limit.c */
struct portalmem_limit;
struct portalmem_account;
extern struct portalmem_limit portalmem_system_limit;
extern struct portalmem_limit portalmem_contiguous_limit;
void portalmem_limit_init(void);
void portalmem_limit_exit(void);
struct portalmem_account *
portalmem_limit_charge(struct portalmem_limit *limit, unsigned long npages);
void portalmem_limit_uncharge(struct portalmem_limit *limit,
			      struct portalmem_account *account,
			      unsigned long npages);
void portalmem_limit_describe(struct portalmem_limit *limit,
			      struct portalmem_ioc_heap *info);

/* stats.c */

/**
 * enum portalmem_count - what is counted of each heap, and never goes down
 * @PORTALMEM_POOL_HITS: chunks that came from the pool
 * @PORTALMEM_POOL_MISSES: chunks that came from the system
 * @PORTALMEM_ALLOCATIONS: buffers
 * @PORTALMEM_FREES: buffers that are gone
 * @PORTALMEM_FAILURES_NOMEM: refused for lack of memory
 * @PORTALMEM_FAILURES_LIMIT: above a limit
 * @PORTALMEM_FAILURES_INVALID: requests that make no sense
 * @PORTALMEM_FAILURES_UNSUPPORTED: what the heap cannot do
 * @PORTALMEM_FAILURES_DENIED: what the caller may not do
 * @PORTALMEM_FAILURES_BUSY: to be adopted while somebody has it
 * @PORTALMEM_FAILURES_FILES: no file descriptor left
 * @PORTALMEM_FAILURES_INTERRUPTED: the caller was killed
 * @PORTALMEM_FAILURES_FAULT: memory of the caller's that cannot be used
 * @PORTALMEM_COUNTS: how many there are
 */
enum portalmem_count {
	PORTALMEM_POOL_HITS,
	PORTALMEM_POOL_MISSES,
	PORTALMEM_ALLOCATIONS,
	PORTALMEM_FREES,
	PORTALMEM_FAILURES_NOMEM,
	PORTALMEM_FAILURES_LIMIT,
	PORTALMEM_FAILURES_INVALID,
	PORTALMEM_FAILURES_UNSUPPORTED,
	PORTALMEM_FAILURES_DENIED,
	PORTALMEM_FAILURES_BUSY,
	PORTALMEM_FAILURES_FILES,
	PORTALMEM_FAILURES_INTERRUPTED,
	PORTALMEM_FAILURES_FAULT,
	PORTALMEM_COUNTS,
};

int portalmem_stats_init(void);
void portalmem_stats_exit(void);
int portalmem_stats_create(struct portalmem_heap *heap, const char *folder);
void portalmem_stats_destroy(struct portalmem_heap *heap);
const struct attribute_group *
portalmem_stats_group(const struct portalmem_heap *heap);
void portalmem_stats_add(struct portalmem_heap *heap,
			 enum portalmem_count count, unsigned int times);
void portalmem_stats_count(struct portalmem_heap *heap,
			   enum portalmem_count count);
void portalmem_stats_alloc(struct portalmem_heap *heap, unsigned long npages);
void portalmem_stats_free(struct portalmem_heap *heap, unsigned long npages);
void portalmem_stats_fail(struct portalmem_heap *heap, u64 size, u32 caching,
			  int error);
void portalmem_stats_live(const struct portalmem_heap *heap,
			  unsigned long *npages, unsigned int *buffers);

/* pages.c */

/*
 * The largest chunk is what one huge page maps: a larger one could not be
 * mapped by a single page table entry, and neighbours merge anyway.
 */
#define PORTALMEM_CHUNK_ORDER_MAX (PMD_SHIFT - PAGE_SHIFT)

unsigned long portalmem_available_pages(void);
struct page *portalmem_alloc_in_reach(gfp_t gfp, unsigned int order,
				      const struct portalmem_request *request);
int portalmem_pages_take(struct list_head *chunks,
			 const struct portalmem_request *request);
void portalmem_pages_give(struct list_head *chunks, u32 caching);
void portalmem_chunk_give(struct page *page, u32 caching);

/* pool.c */

/**
 * enum portalmem_pool_reason - why pooled memory goes back to the system
 * @PORTALMEM_POOL_IDLE: nobody took it for long
 * @PORTALMEM_POOL_PRESSURE: the kernel wants memory
 * @PORTALMEM_POOL_TRIM: somebody asked for it, or an allocation needs it
 */
enum portalmem_pool_reason {
	PORTALMEM_POOL_IDLE,
	PORTALMEM_POOL_PRESSURE,
	PORTALMEM_POOL_TRIM,
};

int portalmem_pool_init(void);
void portalmem_pool_exit(void);
bool portalmem_pool_put(struct page *page, u32 caching);
unsigned long portalmem_pool_take(struct list_head *chunks, unsigned int order,
				  unsigned long npages,
				  const struct portalmem_request *request);
struct list_lru *portalmem_pool_list(const struct portalmem_request *request);
bool portalmem_pool_keep(struct portalmem_buffer *buffer);
struct portalmem_buffer *
portalmem_pool_take_buffer(const struct portalmem_request *request);
unsigned long portalmem_pool_trim(bool all);
unsigned long portalmem_pool_npages(void);

/* heap_system.c */
extern struct portalmem_heap portalmem_system_heap;

/* heap_contiguous.c */
extern struct portalmem_heap portalmem_contiguous_heap;

/* user.c */
extern struct portalmem_heap portalmem_user_heap;

/* heap_region.c */
struct portalmem_region;
struct gen_pool;
struct portalmem_region *portalmem_region_create(const char *name,
						 phys_addr_t base, u64 size,
						 enum portalmem_backing backing,
						 u32 caching,
						 struct device *dev);
struct portalmem_region *portalmem_region_of_pool(const char *name,
						  struct gen_pool *pool,
						  u32 caching);

/* Without gen_pool there are no regions, and nobody to make any. */
#ifdef CONFIG_GENERIC_ALLOCATOR
int portalmem_regions_publish(void);
void portalmem_regions_destroy(void);

/* carveout.c */
int portalmem_carveout_init(void);
void portalmem_carveout_exit(void);
#else
static inline int portalmem_regions_publish(void)
{
	return 0;
}

static inline void portalmem_regions_destroy(void)
{
}

static inline int portalmem_carveout_init(void)
{
	return 0;
}

static inline void portalmem_carveout_exit(void)
{
}
#endif

/* of.c */
#if defined(CONFIG_OF) && defined(CONFIG_GENERIC_ALLOCATOR)
int portalmem_of_init(void);
void portalmem_of_exit(void);
#else
static inline int portalmem_of_init(void)
{
	return 0;
}

static inline void portalmem_of_exit(void)
{
}
#endif

/* request.c */
u32 portalmem_request_cachings(const struct portalmem_heap *heap);
int portalmem_request_init(struct portalmem_request *request,
			   const struct portalmem_heap *heap, u32 caching,
			   const struct portalmem_ioc_alloc *alloc);
int portalmem_request_import(struct portalmem_request *request,
			     const struct portalmem_ioc_import_user *import);

/* buffer.c */
int portalmem_buffer_init(void);
void portalmem_buffer_exit(void);
struct dma_buf *portalmem_buffer_export(struct portalmem_heap *heap,
					const struct portalmem_request *request);
struct portalmem_buffer *portalmem_buffer_of(const struct dma_buf *dmabuf);
void portalmem_buffer_describe(struct dma_buf *dmabuf,
			       struct portalmem_ioc_info *info);
void portalmem_buffer_find_holders(struct dma_buf *dmabuf,
				   struct portalmem_ioc_holders *ioc);
struct portalmem_ioc_segment
portalmem_buffer_segment(const struct portalmem_buffer *buffer,
			 unsigned int index, bool with_address);
void portalmem_buffer_destroy(struct portalmem_buffer *buffer);
void portalmem_buffer_free(struct portalmem_buffer *buffer);

static inline u64 portalmem_buffer_size(const struct portalmem_buffer *buffer)
{
	return (u64)buffer->table.npages << PAGE_SHIFT;
}

/* debugfs.c */
#ifdef CONFIG_DEBUG_FS
void portalmem_debugfs_init(void);
void portalmem_debugfs_exit(void);
void portalmem_debugfs_add(struct portalmem_buffer *buffer);
void portalmem_debugfs_remove(struct portalmem_buffer *buffer);
#else
static inline void portalmem_debugfs_init(void)
{
}

static inline void portalmem_debugfs_exit(void)
{
}

static inline void portalmem_debugfs_add(struct portalmem_buffer *buffer)
{
}

static inline void portalmem_debugfs_remove(struct portalmem_buffer *buffer)
{
	portalmem_buffer_free(buffer);
}
#endif

/* dma_buf.c */
extern const struct dma_buf_ops portalmem_dma_buf_ops;
struct portalmem_dma_run *portalmem_dma_runs(const struct sg_table *sgt,
					     struct device *dev,
					     unsigned int *count);

/* mmap.c */
bool portalmem_mmap_is_pinnable(void);
int portalmem_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma);

/* sync.c */
void portalmem_sync_alias(const struct portalmem_buffer *buffer);
void portalmem_sync_mapping(const struct portalmem_buffer *buffer,
			    const struct portalmem_mapping *mapping,
			    bool for_cpu);
bool portalmem_sync_is_needed(const struct dma_buf_attachment *attachment);
int portalmem_sync_check(const struct portalmem_sync *sync, u64 size);
int portalmem_sync_prepare(struct dma_buf *dmabuf,
			   const struct portalmem_sync *sync);
int portalmem_sync_some(struct portalmem_buffer *buffer,
			const struct dma_buf_attachment *only,
			const struct portalmem_sync *sync, unsigned int *next);
int portalmem_sync(struct dma_buf *dmabuf, const struct portalmem_sync *sync);

/* user_device.c */
int portalmem_user_device_init(void);
void portalmem_user_device_exit(void);
struct device *portalmem_user_device_get(const char *bus, const char *name);
bool portalmem_user_device_is_there(struct device *dev);
int portalmem_user_device_prepare(struct device *dev,
				  unsigned int address_bits);
bool portalmem_user_device_reaches(struct device *dev,
				   const struct portalmem_buffer *buffer);

/* attach.c */
void portalmem_attachments_end(struct device *dev);
long portalmem_ioc_attach(void __user *arg, size_t usize);

/* dev.c */

/* The size in a request number may be any: compare all the rest. */
#define PORTALMEM_WITHOUT_SIZE(cmd) ((cmd) & ~(_IOC_SIZEMASK << _IOC_SIZESHIFT))

int portalmem_copy_out(void __user *to, size_t usize, const void *from,
		       size_t ksize);
int portalmem_check_flags(void __user *arg, size_t usize);
u32 portalmem_table_part(u32 first, u32 count, u32 total);
int portalmem_table_copy_out(void __user *to, const void *entry, size_t size);
int portalmem_sync_from_user(struct portalmem_sync *sync, int *fd,
			     void __user *arg, size_t usize);
void portalmem_sync_free(struct portalmem_sync *sync);
int portalmem_dev_init(void);
void portalmem_dev_go_live(void);
int portalmem_dev_add(struct portalmem_heap *heap);
struct portalmem_heap *portalmem_dev_find_heap(const char *name);
void portalmem_dev_exit(void);

#endif /* _PORTALMEM_H */
