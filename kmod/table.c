// SPDX-License-Identifier: GPL-2.0-only
/*
 * The translation table: which page frames make up a buffer, in order, with
 * neighbours merged. It serves page faults, device mappings and ranged sync,
 * so that nothing needs a page array that is as long as the buffer.
 */
#include <linux/list_sort.h>
#include <linux/log2.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "portalmem.h"

/*
 * Larger chunks first, so that each starts at a multiple of its own size
 * within the buffer and can be mapped as a huge page there; then by address,
 * so that chunks that the page allocator handed out backwards still merge.
 */
static int compare_chunks(void *priv, const struct list_head *a,
			  const struct list_head *b)
{
	struct page *pa = list_entry(a, struct page, lru);
	struct page *pb = list_entry(b, struct page, lru);
	unsigned int oa = compound_order(pa);
	unsigned int ob = compound_order(pb);

	if (oa != ob)
		return oa < ob;
	return page_to_pfn(pa) > page_to_pfn(pb);
}

static unsigned int count_runs(struct list_head *chunks)
{
	unsigned long next = 0;
	unsigned int count = 0;
	struct page *page;

	list_for_each_entry(page, chunks, lru) {
		unsigned long pfn = page_to_pfn(page);

		if (!count || pfn != next)
			count++;
		next = pfn + (1UL << compound_order(page));
	}
	return count;
}

/**
 * portalmem_table_init_run - make a table of one run
 * @table: to be filled in
 * @backing: what the memory is
 * @pfn: first page frame
 * @npages: pages
 */
void portalmem_table_init_run(struct portalmem_table *table,
			      enum portalmem_backing backing, unsigned long pfn,
			      unsigned long npages)
{
	table->single[0].pfn = pfn;
	table->single[0].start = 0;
	table->single[1].pfn = 0;
	table->single[1].start = npages;
	table->npages = npages;
	table->count = 1;
	table->backing = backing;
	table->segments = table->single;
}

static void init_of_chunk(struct portalmem_table *table,
			  struct list_head *chunks, unsigned long npages)
{
	struct page *page = list_first_entry(chunks, struct page, lru);

	page_folio(page)->index = 0;
	list_del(&page->lru);
	portalmem_table_init_run(table, PORTALMEM_PAGES, page_to_pfn(page),
				 npages);
}

/**
 * portalmem_table_init - make a table of chunks of pages
 * @table: to be filled in
 * @chunks: compound or single pages linked by their lru; sorted here, emptied
 *	on success, else left to the caller
 * @npages: pages in all chunks together
 *
 * Return: 0 or -ENOMEM.
 */
int portalmem_table_init(struct portalmem_table *table,
			 struct list_head *chunks, unsigned long npages)
{
	struct portalmem_segment *segment;
	unsigned long next = 0;
	unsigned long start = 0;
	struct page *page, *tmp;
	unsigned int count;

	if (list_is_singular(chunks)) {
		init_of_chunk(table, chunks, npages);
		return 0;
	}
	list_sort(NULL, chunks, compare_chunks);
	count = count_runs(chunks);
	segment = kvmalloc_array(count + 1, sizeof(*segment),
				 GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL |
					 __GFP_NOWARN);
	if (!segment)
		return -ENOMEM;

	table->npages = npages;
	table->count = count;
	table->backing = PORTALMEM_PAGES;
	table->segments = segment;

	list_for_each_entry_safe(page, tmp, chunks, lru) {
		unsigned long pfn = page_to_pfn(page);

		if (!start || pfn != next) {
			segment->pfn = pfn;
			segment->start = start;
			segment++;
		}
		/*
		 * The core asks for the index when it decides whether a fault
		 * can map the whole compound page at once.
		 */
		page_folio(page)->index = start;
		start += 1UL << compound_order(page);
		next = pfn + (1UL << compound_order(page));
		list_del(&page->lru);
		cond_resched();
	}
	segment->pfn = 0;
	segment->start = npages;
	return 0;
}

/* Make room for a number of segments, the last one of no pages included. */
static int resize(struct portalmem_table *table, unsigned int room)
{
	struct portalmem_segment *segments;

	segments = kvmalloc_array(room, sizeof(*segments),
				  GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL |
					  __GFP_NOWARN);
	if (!segments)
		return -ENOMEM;
	if (table->segments)
		memcpy(segments, table->segments,
		       (table->count + 1) * sizeof(*segments));
	kvfree(table->segments);
	table->segments = segments;
	return 0;
}

/**
 * portalmem_table_append - add a page to a table that grows
 * @table: all zeroes before the first page
 * @pfn: the page frame
 *
 * Return: 0, or -ENOMEM and then the table is as it was.
 */
int portalmem_table_append(struct portalmem_table *table, unsigned long pfn)
{
	struct portalmem_segment *last = table->segments;

	if (table->count) {
		last += table->count - 1;
		if (pfn == last->pfn + (table->npages - last->start)) {
			table->npages++;
			last[1].start++;
			return 0;
		}
	}
	/* The room is a power of two, and so the count tells when it is full. */
	if (is_power_of_2(table->count + 1)) {
		int ret = resize(table, 2 * (table->count + 1));

		if (ret)
			return ret;
	}
	last = &table->segments[table->count++];
	last[0].pfn = pfn;
	last[0].start = table->npages++;
	last[1].pfn = 0;
	last[1].start = table->npages;
	return 0;
}

/**
 * portalmem_table_trim - give back the room that a table grew into
 * @table: complete; nothing may be appended any more
 */
void portalmem_table_trim(struct portalmem_table *table)
{
	/* Without memory for a smaller one, the larger one serves as well. */
	resize(table, table->count + 1);
}

/**
 * portalmem_table_fini - free a table, not its pages
 * @table: initialized with portalmem_table_init()
 */
void portalmem_table_fini(struct portalmem_table *table)
{
	if (table->segments != table->single)
		kvfree(table->segments);
	table->segments = NULL;
	table->count = 0;
}

/**
 * portalmem_table_find - which segment holds a page
 * @table: the table
 * @index: page within the buffer, less than @table->npages
 *
 * Return: index of the segment, found in O(log n).
 */
unsigned int portalmem_table_find(const struct portalmem_table *table,
				  unsigned long index)
{
	unsigned int low = 0;
	unsigned int high = table->count - 1;

	while (low < high) {
		unsigned int middle = low + (high - low + 1) / 2;

		if (table->segments[middle].start <= index)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/**
 * portalmem_table_pfn - the page frame number at an index
 * @table: the table
 * @index: page within the buffer, less than @table->npages
 *
 * Return: the page frame number.
 */
unsigned long portalmem_table_pfn(const struct portalmem_table *table,
				  unsigned long index)
{
	const struct portalmem_segment *segment =
		&table->segments[portalmem_table_find(table, index)];

	return segment->pfn + index - segment->start;
}

/**
 * portalmem_table_page - the page at an index
 * @table: the table, not of PORTALMEM_RESOURCE
 * @index: page within the buffer, less than @table->npages
 *
 * Return: the page; no reference is taken.
 */
struct page *portalmem_table_page(const struct portalmem_table *table,
				  unsigned long index)
{
	return pfn_to_page(portalmem_table_pfn(table, index));
}
