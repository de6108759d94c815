// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages from the page allocator: as few and as large chunks as it has without
 * reclaiming for size, zeroed, charged to the caller's memory cgroup.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-mapping.h>
#include <linux/gfp.h>
#include <linux/jiffies.h>
#include <linux/percpu.h>
#include <linux/pfn.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/swap.h>
#include <linux/vmstat.h>

#include "portalmem.h"

/* After how much the available memory is looked at again: 16 MiB. */
#define RECHECK_PAGES (SZ_16M >> PAGE_SHIFT)

static gfp_t chunk_gfp(unsigned int order, u32 caching)
{
	gfp_t gfp = GFP_USER | __GFP_ZERO | __GFP_ACCOUNT | __GFP_NOWARN;

	/* The memory type of a page is changed through its kernel address. */
	if (caching == PORTALMEM_CACHED)
		gfp |= __GFP_HIGHMEM;
	/*
	 * A large chunk is welcome where there is one, but not worth any
	 * reclaim. A single page is worth all of it, short of the OOM killer:
	 * the caller can live with ENOMEM.
	 */
	if (order)
		return (gfp | __GFP_COMP | __GFP_NORETRY) & ~__GFP_RECLAIM;
	return gfp | __GFP_RETRY_MAYFAIL;
}

static struct page *alloc_chunk(gfp_t gfp, unsigned int order, int nid)
{
	/* Without a wish the task's memory policy decides. */
	if (nid == NUMA_NO_NODE)
		return alloc_pages(gfp, order);
	return alloc_pages_node(nid, gfp | __GFP_THISNODE, order);
}

static bool is_in_reach(struct page *page, unsigned int order,
			unsigned long max_pfn)
{
	return page_to_pfn(page) + (1UL << order) - 1 <= max_pfn;
}

/**
 * portalmem_alloc_in_reach - one chunk within a request's node and address limit
 * @gfp: flags, without a zone
 * @order: 1 << @order pages
 * @request: what limits it
 *
 * The kernel has a GFP flag for zones and none for addresses. A limit between
 * two zones is tried in the higher one first, as the DMA API does.
 *
 * Return: the pages, or NULL.
 */
struct page *portalmem_alloc_in_reach(gfp_t gfp, unsigned int order,
				      const struct portalmem_request *request)
{
	static const struct {
		unsigned int bits;
		gfp_t zone;
	} zones[] = {
		{ 64, 0 },
		{ 32, __GFP_DMA32 },
		{ 24, __GFP_DMA },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(zones); i++) {
		struct page *page;

		/* The next zone down reaches to the limit by itself. */
		if (i + 1 < ARRAY_SIZE(zones) &&
		    request->max_pfn <=
			    PHYS_PFN(DMA_BIT_MASK(zones[i + 1].bits)))
			continue;
		if (zones[i].zone)
			gfp &= ~__GFP_HIGHMEM;
		page = alloc_chunk(gfp | zones[i].zone, order, request->nid);
		if (!page || is_in_reach(page, order, request->max_pfn))
			return page;
		__free_pages(page, order);
	}
	return NULL;
}

static struct page *alloc_fresh(unsigned int order,
				const struct portalmem_request *request)
{
	gfp_t gfp = chunk_gfp(order, request->caching);
	struct page *page = portalmem_alloc_in_reach(gfp, order, request);
	int ret;

	if (!page)
		return NULL;
	ret = portalmem_caching_apply(page, 1UL << order, request->caching);
	if (ret) {
		__free_pages(page, order);
		return NULL;
	}
	return page;
}

/*
 * Add the largest chunk of at most 1 << *ORDER pages, or several from the pool, but
 * not more than NPAGES pages in all. *ORDER is what it got. Return how many pages.
 */
static unsigned long take_chunks(struct list_head *chunks, unsigned int *order,
				 unsigned long npages,
				 const struct portalmem_request *request)
{
	unsigned int most = *order;
	bool trimmed = false;

	for (;;) {
		unsigned long taken = portalmem_pool_take(chunks, *order,
							  npages, request);
		struct page *page;

		if (taken) {
			portalmem_stats_add(&portalmem_system_heap,
					    PORTALMEM_POOL_HITS,
					    taken >> *order);
			return taken;
		}
		page = alloc_fresh(*order, request);
		if (page) {
			portalmem_stats_count(&portalmem_system_heap,
					      PORTALMEM_POOL_MISSES);
			list_add_tail(&page->lru, chunks);
			return 1UL << *order;
		}
		if (!*order)
			return 0;
		(*order)--;
		/*
		 * A cgroup at its limit gets no large chunk while its own pool
		 * takes the room, as large chunks are not worth any reclaim.
		 */
		if (!*order && !trimmed && portalmem_pool_trim(false)) {
			trimmed = true;
			*order = most;
		}
	}
}

/**
 * portalmem_available_pages - how much can be had without an OOM kill
 *
 * Our own allocations never wake the OOM killer, but taking the last page
 * leaves the next page fault of whoever comes with no other way out.
 * Free pages of CMA are for movable memory, which buffers are not.
 *
 * Return: pages.
 */
unsigned long portalmem_available_pages(void)
{
	unsigned long cma = global_zone_page_state(NR_FREE_CMA_PAGES);
	unsigned long anonymous = global_node_page_state(NR_ACTIVE_ANON) +
				  global_node_page_state(NR_INACTIVE_ANON);
	long available = max(si_mem_available() - (long)cma, 0L);
	long swap = get_nr_swap_pages();

	return available + min_t(unsigned long, anonymous, max(swap, 0L));
}

/**
 * struct allowance - what a CPU may take before it looks at memory again
 * @npages: how many pages
 * @until: when it has to look anyway, in jiffies
 *
 * All of them together are a small part of what was available.
 */
struct allowance {
	unsigned long npages;
	unsigned long until;
};

static DEFINE_PER_CPU(struct allowance, allowances);

#define ALLOWANCE_PAGES (SZ_1M >> PAGE_SHIFT)

static bool is_allowed(unsigned long npages)
{
	struct allowance *allowance = get_cpu_ptr(&allowances);
	bool allowed = npages <= allowance->npages &&
		       time_before_eq(jiffies, allowance->until);

	if (allowed)
		allowance->npages -= npages;
	put_cpu_ptr(&allowances);
	return allowed;
}

static void allow(unsigned long left)
{
	struct allowance *allowance = get_cpu_ptr(&allowances);

	allowance->npages = min_t(unsigned long, ALLOWANCE_PAGES,
				  left / 64 / num_online_cpus());
	allowance->until = jiffies + 1;
	put_cpu_ptr(&allowances);
}

/* Pooled pages are not available to anybody until they are given back. */
static bool is_available(unsigned long npages)
{
	unsigned long available;

	if (is_allowed(npages))
		return true;
	available = portalmem_available_pages();
	if (npages <= available) {
		allow(available - npages);
		return true;
	}
	return portalmem_pool_trim(true) &&
	       npages <= portalmem_available_pages();
}

/**
 * portalmem_chunk_give - free one chunk
 * @page: its first page; others may still hold references (GUP), and then the
 *	last of them frees it
 * @caching: the mode that it was taken in
 */
void portalmem_chunk_give(struct page *page, u32 caching)
{
	unsigned int order = compound_order(page);

	if (portalmem_caching_restore(page, 1UL << order, caching)) {
		/*
		 * Losing the pages is bad, but handing pages of the wrong
		 * memory type to the next user is worse.
		 */
		pr_err_once("cannot make pages write-back again, keeping them\n");
		return;
	}
	put_page(page);
}

/**
 * portalmem_pages_give - free all chunks of a list
 * @chunks: linked by their lru; empty afterwards
 * @caching: the mode that they were taken in
 */
void portalmem_pages_give(struct list_head *chunks, u32 caching)
{
	struct page *page, *tmp;

	list_for_each_entry_safe(page, tmp, chunks, lru) {
		list_del(&page->lru);
		portalmem_chunk_give(page, caching);
		cond_resched();
	}
}

/**
 * portalmem_pages_take - allocate zeroed pages
 * @chunks: empty list that the chunks are added to
 * @request: how many pages, not 0, and of what kind
 *
 * Chunks are compound pages. What is freed again on failure does not go to the
 * pool: a caller who is refused memory shall not keep any.
 *
 * Return: 0, -ENOMEM, or -EINTR when a fatal signal is pending; nothing is
 * kept on failure.
 */
int portalmem_pages_take(struct list_head *chunks,
			 const struct portalmem_request *request)
{
	unsigned long npages = request->npages;
	unsigned int order = PORTALMEM_CHUNK_ORDER_MAX;
	unsigned long recheck = npages;
	int ret = -ENOMEM;

	while (npages) {
		unsigned long taken;

		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			goto give;
		}
		/* Now and then again: others allocate at the same time. */
		if (npages <= recheck) {
			if (!is_available(npages))
				goto give;
			recheck = npages - min(npages, RECHECK_PAGES);
		}
		order = min_t(unsigned int, order, ilog2(npages));
		taken = take_chunks(chunks, &order, npages, request);
		if (!taken)
			goto give;
		npages -= taken;
		cond_resched();
	}
	return 0;

give:
	portalmem_pages_give(chunks, request->caching);
	return ret;
}
