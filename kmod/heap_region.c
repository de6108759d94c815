// SPDX-License-Identifier: GPL-2.0-only
/*
 * Region heaps: a reserved stretch of memory, or on-chip SRAM, as a heap of its
 * own name. gen_pool keeps the books; buffers are one run each, placed where
 * they fit best.
 */
#include <linux/bitmap.h>
#include <linux/capability.h>
#include <linux/ctype.h>
#include <linux/err.h>
#include <linux/genalloc.h>
#include <linux/io.h>
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/numa.h>
#include <linux/pfn.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "portalmem.h"
#include "trace.h"

/* How often pages are looked at that somebody still pins. */
#define HELD_CHECK_MS 1000

/**
 * struct portalmem_region - a region and its heap
 * @heap: the heap
 * @node: entry of the list of all regions
 * @name: the heap's name
 * @pool: which parts are free; its addresses are bus or virtual ones, and
 *	gen_pool_virt_to_phys() tells the physical ones
 * @owns_pool: @pool goes with the region
 * @base: physical address where it begins
 * @backing: what the memory is; PORTALMEM_RESOURCE is mapped by nobody else in
 *	another mode than @heap.caching
 * @lock: protects @held
 * @held: freed parts with pages that somebody still pins, struct held_part
 */
struct portalmem_region {
	struct portalmem_heap heap;
	struct list_head node;
	char name[PORTALMEM_HEAP_NAME_LEN];
	struct gen_pool *pool;
	bool owns_pool;
	phys_addr_t base;
	enum portalmem_backing backing;

	struct mutex lock; /* protects @held */
	struct list_head held;
};

/**
 * struct held_part - a part of a region that cannot be handed out yet
 * @node: entry of portalmem_region.held
 * @address: in the pool
 * @pfn: first page frame
 * @npages: pages
 */
struct held_part {
	struct list_head node;
	unsigned long address;
	unsigned long pfn;
	unsigned long npages;
};

static DEFINE_MUTEX(regions_lock); /* protects both below */
static LIST_HEAD(regions);
static bool published;

static void check_held(struct work_struct *work);
static DECLARE_DELAYED_WORK(held_work, check_held);

static struct portalmem_region *region_of(struct portalmem_heap *heap)
{
	return container_of(heap, struct portalmem_region, heap);
}

/**
 * struct fit - what best_fit() looks for
 * @base: physical address of the region
 * @align: of the physical address, in bytes
 * @end: the last physical address that is allowed
 */
struct fit {
	u64 base;
	u64 align;
	u64 end;
};

/*
 * A genpool_algo_t: of all free runs that hold NR bits with the right alignment
 * and limit, the shortest.
 */
static unsigned long best_fit(unsigned long *map, unsigned long size,
			      unsigned long start, unsigned int nr, void *data,
			      struct gen_pool *pool, unsigned long start_addr)
{
	const struct fit *fit = data;
	unsigned int order = pool->min_alloc_order;
	unsigned long shortest = ULONG_MAX;
	unsigned long best = size;
	unsigned long begin, end;

	for (begin = find_next_zero_bit(map, size, start); begin < size;
	     begin = find_next_zero_bit(map, size, end)) {
		u64 first = ALIGN(fit->base + ((u64)begin << order),
				  fit->align);
		u64 last = first + ((u64)nr << order) - 1;

		end = find_next_bit(map, size, begin);
		if (last > fit->base + ((u64)end << order) - 1 ||
		    last > fit->end || end - begin >= shortest)
			continue;
		best = (first - fit->base) >> order;
		shortest = end - begin;
	}
	return best;
}

static bool is_held(unsigned long pfn, unsigned long npages)
{
	unsigned long i;

	/* One reference is the region's own. */
	for (i = 0; i < npages; i++)
		if (page_count(pfn_to_page(pfn + i)) != 1)
			return true;
	return false;
}

/*
 * A device may write a part that nobody has, for somebody to adopt it: what the
 * last owner left in a cache must not come over that later.
 */
static void give_part(struct portalmem_region *region, unsigned long address,
		      unsigned long npages)
{
	phys_addr_t base = gen_pool_virt_to_phys(region->pool, address);

	if (region->backing != PORTALMEM_RESOURCE)
		portalmem_caching_flush(pfn_to_page(PHYS_PFN(base)), npages);
	gen_pool_free(region->pool, address, npages << PAGE_SHIFT);
}

/* Parts that were let go become free. Return whether any is still held. */
static bool release_held(struct portalmem_region *region)
{
	struct held_part *part, *tmp;
	bool left;

	mutex_lock(&region->lock);
	list_for_each_entry_safe(part, tmp, &region->held, node) {
		if (is_held(part->pfn, part->npages))
			continue;
		give_part(region, part->address, part->npages);
		trace_portalmem_region_release(&region->heap, part->npages);
		list_del(&part->node);
		kfree(part);
		module_put(THIS_MODULE);
	}
	left = !list_empty(&region->held);
	mutex_unlock(&region->lock);
	return left;
}

static void check_held(struct work_struct *work)
{
	struct portalmem_region *region;
	bool left = false;

	mutex_lock(&regions_lock);
	list_for_each_entry(region, &regions, node)
		left |= release_held(region);
	mutex_unlock(&regions_lock);
	if (left)
		schedule_delayed_work(&held_work,
				      msecs_to_jiffies(HELD_CHECK_MS));
}

/*
 * A pin can outlive the buffer: such a part must not be handed out again until
 * it is gone, and the module stays meanwhile.
 */
static void hold_part(struct portalmem_region *region, unsigned long address,
		      unsigned long pfn, unsigned long npages)
{
	struct held_part *part = kmalloc(sizeof(*part),
					 GFP_KERNEL | __GFP_NOFAIL);

	part->address = address;
	part->pfn = pfn;
	part->npages = npages;
	/* The buffer that is being freed still holds the module. */
	__module_get(THIS_MODULE);
	mutex_lock(&region->lock);
	list_add(&part->node, &region->held);
	mutex_unlock(&region->lock);
	trace_portalmem_region_hold(&region->heap, npages);
	schedule_delayed_work(&held_work, msecs_to_jiffies(HELD_CHECK_MS));
}

static u64 last_address(const struct portalmem_request *request)
{
	if (request->max_pfn >= U64_MAX >> PAGE_SHIFT)
		return U64_MAX;
	return (((u64)request->max_pfn + 1) << PAGE_SHIFT) - 1;
}

static unsigned long take_part(struct portalmem_region *region,
			       const struct portalmem_request *request)
{
	size_t size = request->npages << PAGE_SHIFT;
	struct genpool_data_fixed fixed = {
		.offset = request->region_index << PAGE_SHIFT,
	};
	struct fit fit = {
		.base = region->base,
		.align = (u64)request->align << PAGE_SHIFT,
		.end = last_address(request),
	};

	if (request->adopt)
		return gen_pool_alloc_algo(region->pool, size,
					   gen_pool_fixed_alloc, &fixed);
	return gen_pool_alloc_algo(region->pool, size, best_fit, &fit);
}

static int clear_part(struct portalmem_region *region, phys_addr_t base,
		      unsigned long npages, u32 caching)
{
	size_t size = npages << PAGE_SHIFT;
	void __iomem *vaddr;

	if (region->backing != PORTALMEM_RESOURCE)
		return portalmem_caching_clear(pfn_to_page(PHYS_PFN(base)),
					       npages, PORTALMEM_CACHED);
	vaddr = portalmem_caching_map(base, size, caching);
	if (!vaddr)
		return -ENOMEM;
	memset_io(vaddr, 0, size);
	iounmap(vaddr);
	return 0;
}

/* The CPU may have read parts into a cache before a device wrote them. */
static int adopt_part(struct portalmem_region *region, phys_addr_t base,
		      unsigned long npages, u32 caching)
{
	/* No other mode begins with lines in a cache. */
	if (caching != PORTALMEM_CACHED)
		return 0;
	return portalmem_caching_flush(pfn_to_page(PHYS_PFN(base)), npages);
}

static int check_request(struct portalmem_region *region,
			 const struct portalmem_request *request)
{
	unsigned long pages = gen_pool_size(region->pool) >> PAGE_SHIFT;

	/* A region is where it is. */
	if (request->nid != NUMA_NO_NODE ||
	    last_address(request) < region->base)
		return -EOPNOTSUPP;
	if (!request->adopt)
		return 0;
	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (request->region_index >= pages ||
	    request->npages > pages - request->region_index)
		return -EINVAL;
	return 0;
}

static int region_alloc(struct portalmem_heap *heap,
			const struct portalmem_request *request,
			struct portalmem_table *table)
{
	struct portalmem_region *region = region_of(heap);
	unsigned long npages = request->npages;
	unsigned long address;
	phys_addr_t base;
	int ret;

	ret = check_request(region, request);
	if (ret)
		return ret;
	release_held(region);
	address = take_part(region, request);
	if (!address)
		return request->adopt ? -EBUSY : -ENOMEM;

	base = gen_pool_virt_to_phys(region->pool, address);
	if (request->adopt)
		ret = adopt_part(region, base, npages, request->caching);
	else
		ret = clear_part(region, base, npages, request->caching);
	if (ret)
		goto give;
	if (region->backing != PORTALMEM_RESOURCE) {
		ret = portalmem_caching_apply(pfn_to_page(PHYS_PFN(base)),
					      npages, request->caching);
		if (ret)
			goto give;
	}
	portalmem_table_init_run(table, region->backing, PHYS_PFN(base),
				 npages);
	table->origin = address;
	return 0;

give:
	give_part(region, address, npages);
	return ret;
}

static void region_free(struct portalmem_heap *heap,
			struct portalmem_table *table, u32 caching)
{
	struct portalmem_region *region = region_of(heap);
	unsigned long pfn = table->segments[0].pfn;
	unsigned long npages = table->npages;
	unsigned long address = table->origin;

	portalmem_table_fini(table);
	if (region->backing == PORTALMEM_RESOURCE) {
		give_part(region, address, npages);
		return;
	}
	if (portalmem_caching_restore(pfn_to_page(pfn), npages, caching))
		return;
	if (is_held(pfn, npages))
		hold_part(region, address, pfn, npages);
	else
		give_part(region, address, npages);
}

static void describe_chunk(struct gen_pool *pool, struct gen_pool_chunk *chunk,
			   void *data)
{
	unsigned int order = pool->min_alloc_order;
	unsigned long size = (chunk->end_addr - chunk->start_addr + 1) >> order;
	struct portalmem_ioc_heap *info = data;
	unsigned long begin, end;

	for_each_clear_bitrange(begin, end, chunk->bits, size) {
		u64 length = (u64)(end - begin) << order;

		info->available += length;
		info->largest = max(info->largest, length);
		info->fragments++;
	}
}

static void region_describe(struct portalmem_heap *heap,
			    struct portalmem_ioc_heap *info)
{
	struct portalmem_region *region = region_of(heap);

	release_held(region);
	gen_pool_for_each_chunk(region->pool, describe_chunk, info);
	info->size = gen_pool_size(region->pool);
	info->used = info->size - info->available;
}

static const struct portalmem_heap_ops region_ops = {
	.alloc = region_alloc,
	.free = region_free,
	.describe = region_describe,
};

/* It becomes the name of a file, and must not be taken for another heap. */
static bool is_valid_name(const char *name)
{
	const struct portalmem_region *region;
	const char *c;

	if (!*name || *name == '.' || strlen(name) >= PORTALMEM_HEAP_NAME_LEN ||
	    str_has_prefix(name, "portalmem") || !strcmp(name, "system") ||
	    !strcmp(name, portalmem_contiguous_heap.name) ||
	    !strcmp(name, portalmem_user_heap.name))
		return false;
	for (c = name; *c; c++)
		if (!isalnum(*c) && !strchr("-._", *c))
			return false;
	list_for_each_entry(region, &regions, node)
		if (!strcmp(region->name, name))
			return false;
	return true;
}

static u32 possible_cachings(enum portalmem_backing backing, u32 caching)
{
	if (backing == PORTALMEM_RESOURCE)
		return PORTALMEM_CACHING_BIT(caching);
	/*
	 * On x86 the pages of a region are mapped write-back by those who made
	 * them, and that mapping has its memory type reserved.
	 */
	if (IS_ENABLED(CONFIG_X86))
		return PORTALMEM_CACHING_BIT(PORTALMEM_CACHED);
	return PORTALMEM_CACHINGS_ALL;
}

static void find_base(struct gen_pool *pool, struct gen_pool_chunk *chunk,
		      void *data)
{
	phys_addr_t *base = data;

	*base = chunk->phys_addr;
}

static struct portalmem_region *create(const char *name, struct gen_pool *pool,
				       bool owns_pool,
				       enum portalmem_backing backing,
				       u32 caching, struct device *dev)
{
	struct portalmem_region *region;
	int ret;

	region = kzalloc(sizeof(*region), GFP_KERNEL);
	if (!region)
		return ERR_PTR(-ENOMEM);

	strscpy(region->name, name, sizeof(region->name));
	region->pool = pool;
	region->owns_pool = owns_pool;
	region->backing = backing;
	region->heap.caching = caching;
	gen_pool_for_each_chunk(pool, find_base, &region->base);
	mutex_init(&region->lock);
	INIT_LIST_HEAD(&region->held);
	region->heap.name = region->name;
	region->heap.ops = &region_ops;
	region->heap.features = PORTALMEM_HEAP_CONTIGUOUS |
				PORTALMEM_HEAP_REGION;
	if (backing == PORTALMEM_PAGES)
		region->heap.features |= PORTALMEM_HEAP_PINNABLE;
	region->heap.cachings = possible_cachings(backing, caching);
	region->heap.dev = get_device(dev);
	ret = portalmem_stats_create(&region->heap, "stats");
	if (ret)
		goto put_device;

	mutex_lock(&regions_lock);
	if (!is_valid_name(name))
		ret = -EINVAL;
	else if (published)
		ret = portalmem_dev_add(&region->heap);
	if (!ret)
		list_add_tail(&region->node, &regions);
	mutex_unlock(&regions_lock);
	if (ret)
		goto destroy_stats;
	return region;

destroy_stats:
	portalmem_stats_destroy(&region->heap);
put_device:
	put_device(dev);
	kfree(region);
	return ERR_PTR(ret);
}

/**
 * portalmem_region_create - make a heap of a stretch of memory
 * @name: of the heap and its node
 * @base: physical address, page aligned
 * @size: bytes, whole pages
 * @backing: what the memory is
 * @caching: the default; for PORTALMEM_RESOURCE the only one
 * @dev: what struct portalmem_heap has as such, or NULL
 *
 * Return: the region, until portalmem_regions_destroy(), or an ERR_PTR():
 * -EINVAL for a bad or a second @name.
 */
struct portalmem_region *portalmem_region_create(const char *name,
						 phys_addr_t base, u64 size,
						 enum portalmem_backing backing,
						 u32 caching,
						 struct device *dev)
{
	struct portalmem_region *region;
	struct gen_pool *pool;
	int ret;

	/* gen_pool's addresses are unsigned long, and 0 means none. */
	if (!base || base + size - 1 > ULONG_MAX)
		return ERR_PTR(-EINVAL);
	pool = gen_pool_create(PAGE_SHIFT, NUMA_NO_NODE);
	if (!pool)
		return ERR_PTR(-ENOMEM);
	ret = gen_pool_add_virt(pool, base, base, size, NUMA_NO_NODE);
	region = ret ? ERR_PTR(ret) :
		       create(name, pool, true, backing, caching, dev);
	if (IS_ERR(region))
		gen_pool_destroy(pool);
	return region;
}

/**
 * portalmem_region_of_pool - make a heap of memory that a gen_pool manages
 * @name: of the heap and its node
 * @pool: of device memory, such as on-chip SRAM; others may use it, too
 * @caching: how its owner maps it
 *
 * Return: the region, until portalmem_regions_destroy(), or an ERR_PTR():
 * -EINVAL for a bad or a second @name.
 */
struct portalmem_region *portalmem_region_of_pool(const char *name,
						  struct gen_pool *pool,
						  u32 caching)
{
	return create(name, pool, false, PORTALMEM_RESOURCE, caching, NULL);
}

/**
 * portalmem_regions_publish - make the nodes of all regions
 *
 * Regions that are created later get their nodes at once.
 *
 * Return: 0 or a negative errno.
 */
int portalmem_regions_publish(void)
{
	struct portalmem_region *region;
	int ret = 0;

	mutex_lock(&regions_lock);
	list_for_each_entry(region, &regions, node) {
		ret = portalmem_dev_add(&region->heap);
		if (ret)
			break;
	}
	published = !ret;
	mutex_unlock(&regions_lock);
	return ret;
}

/**
 * portalmem_regions_destroy - forget all regions
 *
 * There are no nodes, no buffers and no held parts any more.
 */
void portalmem_regions_destroy(void)
{
	struct portalmem_region *region, *tmp;

	cancel_delayed_work_sync(&held_work);
	list_for_each_entry_safe(region, tmp, &regions, node) {
		list_del(&region->node);
		if (region->owns_pool)
			gen_pool_destroy(region->pool);
		put_device(region->heap.dev);
		portalmem_stats_destroy(&region->heap);
		mutex_destroy(&region->lock);
		kfree(region);
	}
}
