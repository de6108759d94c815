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
			portalmem_chunk_give(page, caching);
			cond_resched();
		}
	}
	portalmem_table_fini(table);
}

static const struct portalmem_heap_ops system_ops = {
	.alloc = system_alloc,
	.free = system_free,
};

struct portalmem_heap portalmem_system_heap = {
	.name = "system",
	.ops = &system_ops,
};
