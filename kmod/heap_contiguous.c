// SPDX-License-Identifier: GPL-2.0-only
/*
 * The contiguous heap: any number of pages in one piece. What the page allocator
 * has not got in one piece comes from CMA where the kernel has it. Failing that
 * we look for a stretch of memory whose pages are free or can be moved away, the
 * emptiest first, and have the kernel clear it.
 *
 * Pages from there are single ones with a reference each, ordinary for whoever
 * maps or pins them; CMA pages are not for others to hold. None of them can be
 * charged to a memory cgroup.
 */
#include <linux/bitmap.h>
#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/highmem.h>
#include <linux/ktime.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>
#include <linux/page-isolation.h>
#include <linux/pageblock-flags.h>
#include <linux/pfn.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/vmstat.h>

#include "portalmem.h"
#include "trace.h"

/* How long to go on with further windows after one could not be cleared. */
#define SEARCH_MS 700

/* Cost of a pageblock that cannot be cleared. */
#define BLOCK_FIXED U16_MAX

/**
 * struct window - a stretch that looks clearable
 * @pfn: its first page frame
 * @cost: pages that have to be moved away
 */
struct window {
	unsigned long pfn;
	unsigned long cost;
};

/**
 * struct zone_map - what the pageblocks of a zone hold
 * @start: first page frame, at a pageblock's start
 * @nblocks: whole pageblocks from there
 * @cost: of each: pages to move away, or BLOCK_FIXED
 * @tried: a bit for each block where no window shall start any more
 */
struct zone_map {
	unsigned long start;
	unsigned long nblocks;
	u16 *cost;
	unsigned long *tried;
};

/*
 * A look without locks, at pages that may change under it. It is a guess: the
 * kernel finds out when it isolates the window, and failing then costs time
 * and nothing else.
 */
static u16 block_cost(struct zone *zone, unsigned long start)
{
	unsigned long pfn = start;
	unsigned int cost = 0;

	while (pfn < start + pageblock_nr_pages) {
		struct page *page = pfn_to_online_page(pfn);

		if (!page || page_zone(page) != zone || PageReserved(page))
			return BLOCK_FIXED;
		if (PageBuddy(page)) {
			unsigned int order = READ_ONCE(page_private(page));

			pfn += order < 16 ? 1UL << order : 1;
			continue;
		}
		if (PageHuge(page))
			return BLOCK_FIXED;
		/* Free pages in a CPU's own list have no reference. */
		if (page_count(page) && !PageLRU(compound_head(page)) &&
		    !portalmem_page_is_movable(page))
			return BLOCK_FIXED;
		/* The kernel would wait for it to be let go, in vain. */
		if (folio_maybe_dma_pinned(page_folio(page)))
			return BLOCK_FIXED;
		cost++;
		pfn++;
	}
	return min_t(unsigned int, cost, BLOCK_FIXED - 1);
}

static void unmap_zone(struct zone_map *map)
{
	kvfree(map->cost);
	bitmap_free(map->tried);
}

static int map_zone(struct zone_map *map, struct zone *zone)
{
	unsigned long end = zone_end_pfn(zone);
	unsigned long i;

	map->start = ALIGN(zone->zone_start_pfn, pageblock_nr_pages);
	map->nblocks = end > map->start ?
			       (end - map->start) / pageblock_nr_pages :
			       0;
	map->cost = kvmalloc_array(map->nblocks, sizeof(*map->cost),
				   GFP_KERNEL | __GFP_NOWARN);
	map->tried = bitmap_zalloc(map->nblocks, GFP_KERNEL | __GFP_NOWARN);
	if (!map->cost || !map->tried) {
		unmap_zone(map);
		return -ENOMEM;
	}
	for (i = 0; i < map->nblocks; i++) {
		map->cost[i] = block_cost(zone, map->start +
						i * pageblock_nr_pages);
		cond_resched();
	}
	return 0;
}

/* The cheapest stretch of NBLOCKS blocks for REQUEST that was not tried yet. */
static bool find_window(const struct zone_map *map, unsigned long nblocks,
			const struct portalmem_request *request,
			struct window *window)
{
	unsigned long cost = 0, fixed = 0, i;
	bool found = false;

	for (i = 0; i < map->nblocks; i++) {
		unsigned long first = i + 1 - nblocks;
		unsigned long pfn;

		if (map->cost[i] == BLOCK_FIXED)
			fixed++;
		else
			cost += map->cost[i];
		if (i + 1 < nblocks)
			continue;

		pfn = map->start + first * pageblock_nr_pages;
		if (!fixed && !test_bit(first, map->tried) &&
		    IS_ALIGNED(pfn, request->align) &&
		    pfn + request->npages - 1 <= request->max_pfn &&
		    (!found || cost < window->cost)) {
			window->pfn = pfn;
			window->cost = cost;
			found = true;
		}
		if (map->cost[first] == BLOCK_FIXED)
			fixed--;
		else
			cost -= map->cost[first];
	}
	return found;
}

/*
 * The guess was wrong somewhere in there. Windows close by most likely hold the
 * same page: look an eighth of a window away next.
 */
static void rule_out(struct zone_map *map, const struct window *window,
		     unsigned long nblocks)
{
	unsigned long first = (window->pfn - map->start) / pageblock_nr_pages;
	unsigned long around = nblocks / 8;
	unsigned long from = first > around ? first - around : 0;
	unsigned long to = min(first + around + 1, map->nblocks);

	bitmap_set(map->tried, from, to - from);
}

static int clear_window(const struct window *window, unsigned long npages)
{
	unsigned long i;
	int ret;

	ret = portalmem_alloc_contig_range(window->pfn, window->pfn + npages,
					   GFP_KERNEL | __GFP_NOWARN |
						   __GFP_RETRY_MAYFAIL);
	if (ret)
		return ret;
	/* Not every kernel minds __GFP_ZERO here. */
	if (!want_init_on_alloc(0)) {
		for (i = 0; i < npages; i++) {
			clear_highpage(pfn_to_page(window->pfn + i));
			cond_resched();
		}
	}
	return 0;
}

static int take_from_zone(struct zone *zone,
			  const struct portalmem_request *request,
			  ktime_t deadline, unsigned long *pfn)
{
	unsigned long nblocks = DIV_ROUND_UP(request->npages,
					     pageblock_nr_pages);
	struct window window;
	struct zone_map map;
	int ret;

	ret = map_zone(&map, zone);
	if (ret)
		return ret;
	ret = -ENOMEM;
	while (find_window(&map, nblocks, request, &window)) {
		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		ret = clear_window(&window, request->npages);
		if (!ret)
			*pfn = window.pfn;
		if (!ret || ret == -EINTR)
			break;
		ret = -ENOMEM;
		if (ktime_after(ktime_get(), deadline))
			break;
		rule_out(&map, &window, nblocks);
	}
	unmap_zone(&map);
	return ret;
}

/*
 * The highest first: the lower ones serve the more demanding. A movable zone is
 * not for memory that stays.
 */
static int take_from_node(int nid, const struct portalmem_request *request,
			  ktime_t deadline, unsigned long *pfn)
{
	int i, ret = -ENOMEM;

	for (i = ZONE_MOVABLE; i-- && ret == -ENOMEM;) {
		struct zone *zone = &NODE_DATA(nid)->node_zones[i];

		if (populated_zone(zone))
			ret = take_from_zone(zone, request, deadline, pfn);
	}
	return ret;
}

static int take_window(const struct portalmem_request *request,
		       unsigned long *pfn)
{
	ktime_t deadline = ktime_add_ms(ktime_get(), SEARCH_MS);
	int nid, ret = -ENOMEM;

	if (request->nid != NUMA_NO_NODE)
		return take_from_node(request->nid, request, deadline, pfn);
	for_each_online_node(nid) {
		ret = take_from_node(nid, request, deadline, pfn);
		if (ret != -ENOMEM)
			break;
	}
	return ret;
}

/* The longest stretch of a zone that looks clearable, in pages. */
static unsigned long longest_window(struct zone *zone)
{
	unsigned long longest = 0, length = 0, i;
	struct zone_map map;

	if (map_zone(&map, zone))
		return 0;
	for (i = 0; i < map.nblocks; i++) {
		length = map.cost[i] == BLOCK_FIXED ?
				 0 :
				 length + pageblock_nr_pages;
		longest = max(longest, length);
	}
	unmap_zone(&map);
	return longest;
}

static unsigned long longest_window_of_all(void)
{
	unsigned long longest = 0;
	int nid, i;

	for_each_online_node(nid) {
		for (i = 0; i < ZONE_MOVABLE; i++) {
			struct zone *zone = &NODE_DATA(nid)->node_zones[i];

			if (populated_zone(zone))
				longest = max(longest, longest_window(zone));
		}
	}
	return longest;
}

/* What the page allocator has in one chunk need not be cleared first. */
static int take_chunk(const struct portalmem_request *request,
		      unsigned long *pfn)
{
	unsigned int order = order_base_2(max(request->npages,
					      request->align));
	struct page *page;
	unsigned long i;

	if (order > pageblock_order)
		return -ENOMEM;
	page = portalmem_alloc_in_reach(GFP_USER | __GFP_ZERO | __GFP_NOWARN |
						__GFP_NORETRY,
					order, request);
	if (!page)
		return -ENOMEM;
	split_page(page, order);
	for (i = request->npages; i < 1UL << order; i++)
		__free_page(page + i);
	*pfn = page_to_pfn(page);
	return 0;
}

/*
 * The DMA API is the road to CMA memory for a module. It gives zeroed pages,
 * and without CMA nothing, as more than one chunk is asked for.
 */
static int take_cma(const struct portalmem_request *request,
		    unsigned long *pfn, u64 *handle)
{
	size_t size = request->npages << PAGE_SHIFT;
	dma_addr_t address;
	struct page *page;

	if (!IS_ENABLED(CONFIG_DMA_CMA))
		return -ENOMEM;
	page = dma_alloc_pages(portalmem_device(), size, &address,
			       DMA_BIDIRECTIONAL, GFP_KERNEL | __GFP_NOWARN);
	if (!page)
		return -ENOMEM;
	*pfn = page_to_pfn(page);
	*handle = address;
	if (IS_ALIGNED(*pfn, request->align) &&
	    *pfn + request->npages - 1 <= request->max_pfn &&
	    (request->nid == NUMA_NO_NODE ||
	     request->nid == page_to_nid(page)))
		return 0;
	dma_free_pages(portalmem_device(), size, page, address,
		       DMA_BIDIRECTIONAL);
	return -ENOMEM;
}

/*
 * Others may hold references to single pages (GUP), and free them later; so
 * not free_contig_range(), which warns of that.
 */
static void give_pages(unsigned long pfn, unsigned long npages)
{
	unsigned long i;

	for (i = 0; i < npages; i++) {
		put_page(pfn_to_page(pfn + i));
		cond_resched();
	}
}

/* Give back what take_chunk(), take_cma() or take_window() gave. */
static void give_run(enum portalmem_backing backing, unsigned long pfn,
		     unsigned long npages, u64 handle)
{
	if (backing == PORTALMEM_PFNS)
		dma_free_pages(portalmem_device(), npages << PAGE_SHIFT,
			       pfn_to_page(pfn), handle, DMA_BIDIRECTIONAL);
	else
		give_pages(pfn, npages);
}

/* Here free CMA pages count, too: what is in the way of a window moves there. */
static unsigned long available_pages(void)
{
	return portalmem_available_pages() +
	       global_zone_page_state(NR_FREE_CMA_PAGES);
}

static int take_run(const struct portalmem_request *request,
		    enum portalmem_backing *backing, unsigned long *pfn,
		    u64 *handle)
{
	int ret = -ENOMEM;

	*backing = PORTALMEM_PAGES;
	if (!take_chunk(request, pfn)) {
		trace_portalmem_contiguous(request->npages, "chunk", 0);
		return 0;
	}
	if (!take_cma(request, pfn, handle)) {
		*backing = PORTALMEM_PFNS;
		trace_portalmem_contiguous(request->npages, "cma", 0);
		return 0;
	}
	/* Pooled chunks stand in the way: they cannot be moved. */
	portalmem_pool_trim(true);
	if (request->npages <= available_pages())
		ret = take_window(request, pfn);
	trace_portalmem_contiguous(request->npages, "window", ret);
	return ret;
}

static int contiguous_alloc(struct portalmem_heap *heap,
			    const struct portalmem_request *request,
			    struct portalmem_table *table)
{
	enum portalmem_backing backing;
	unsigned long pfn;
	u64 handle = 0;
	int ret;

	ret = take_run(request, &backing, &pfn, &handle);
	if (ret)
		return ret;
	ret = portalmem_caching_apply(pfn_to_page(pfn), request->npages,
				      request->caching);
	if (ret)
		goto give;
	portalmem_table_init_run(table, backing, pfn, request->npages);
	table->origin = handle;
	return 0;

give:
	give_run(backing, pfn, request->npages, handle);
	return ret;
}

static void contiguous_free(struct portalmem_heap *heap,
			    struct portalmem_table *table, u32 caching)
{
	unsigned long pfn = table->segments[0].pfn;

	/* Pages of another memory type are kept, see portalmem_chunk_give(). */
	if (!portalmem_caching_restore(pfn_to_page(pfn), table->npages,
				       caching))
		give_run(table->backing, pfn, table->npages, table->origin);
	portalmem_table_fini(table);
}

static void contiguous_describe(struct portalmem_heap *heap,
				struct portalmem_ioc_heap *info)
{
	unsigned long npages = available_pages() + portalmem_pool_npages();

	info->available = (u64)npages << PAGE_SHIFT;
	info->largest = (u64)min(npages, longest_window_of_all()) << PAGE_SHIFT;
}

static const struct portalmem_heap_ops contiguous_ops = {
	.alloc = contiguous_alloc,
	.free = contiguous_free,
	.describe = contiguous_describe,
};

struct portalmem_heap portalmem_contiguous_heap = {
	.name = "contiguous",
	.ops = &contiguous_ops,
	/* CMA pages cannot be pinned. */
	.features = PORTALMEM_HEAP_CONTIGUOUS |
		    (IS_ENABLED(CONFIG_DMA_CMA) ? 0 : PORTALMEM_HEAP_PINNABLE),
	.cachings = PORTALMEM_CACHINGS_ALL,
	.caching = PORTALMEM_CACHED,
	.limit = &portalmem_contiguous_limit,
};
