// SPDX-License-Identifier: GPL-2.0-only
/* The system heap: scattered pages from the page allocator. */
#include <linux/sched.h>

#include "portalmem.h"

static int system_alloc(struct portalmem_heap *heap,
			const struct portalmem_request *request,
			struct portalmem_table *table)
{
	LIST_HEAD(chunks);
	int ret;

	ret = portalmem_pages_take(&chunks, request);
	if (ret)
		return ret;
	ret = portalmem_table_init(table, &chunks, request->npages);
	if (ret)
		portalmem_pages_give(&chunks, request->caching);
	return ret;
}

static void system_free(struct portalmem_heap *heap,
			struct portalmem_table *table, u32 caching)
{
	unsigned int i;

	for (i = 0; i < table->count; i++) {
		const struct portalmem_segment *segment = &table->segments[i];
		unsigned long pfn = segment->pfn;
		unsigned long end = pfn + portalmem_segment_npages(segment);

		/* A segment is one or more whole chunks. */
		while (pfn < end) {
			struct page *page = pfn_to_page(pfn);

			pfn += 1UL << compound_order(page);
			if (!portalmem_pool_put(page, caching))
				portalmem_chunk_give(page, caching);
			cond_resched();
		}
	}
	portalmem_table_fini(table);
}

static void system_describe(struct portalmem_heap *heap,
			    struct portalmem_ioc_heap *info)
{
	unsigned long pooled = portalmem_pool_npages();

	info->pooled = (u64)pooled << PAGE_SHIFT;
	info->available = (u64)(portalmem_available_pages() + pooled)
			  << PAGE_SHIFT;
	info->largest = info->available;
}

static struct portalmem_buffer *
system_reuse(const struct portalmem_request *request)
{
	struct portalmem_buffer *buffer = portalmem_pool_take_buffer(request);

	if (buffer)
		portalmem_stats_count(&portalmem_system_heap,
				      PORTALMEM_POOL_HITS);
	return buffer;
}

static const struct portalmem_heap_ops system_ops = {
	.reuse = system_reuse,
	.keep = portalmem_pool_keep,
	.alloc = system_alloc,
	.free = system_free,
	.describe = system_describe,
	.pooled = portalmem_pool_npages,
};

struct portalmem_heap portalmem_system_heap = {
	.name = "system",
	.ops = &system_ops,
	.features = PORTALMEM_HEAP_PINNABLE,
	.cachings = PORTALMEM_CACHINGS_ALL,
	.caching = PORTALMEM_CACHED,
	.limit = &portalmem_system_limit,
};
