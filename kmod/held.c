// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that outlive their buffer. Who pinned one (O_DIRECT, vmsplice, RDMA) keeps
 * it, and all of the chunk that it belongs to, when the buffer is gone. Until it is
 * let go, the chunk counts against the limit of who allocated it: a page in a pipe
 * would otherwise be a way to any amount of memory.
 *
 * Who lets go of a page tells nobody, and so they are looked at now and then, and
 * whenever a limit is reached. A reference of our own keeps each for that long.
 */
#include <linux/jiffies.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/pfn.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "portalmem.h"

/* How often they are looked at. */
#define CHECK_MS 100

/**
 * struct held_run - chunks of a buffer that is gone
 * @node: entry of held_runs
 * @pfn: the first page frame
 * @npages: one chunk, or several of a page each
 * @limit: that they count against
 * @account: that they count against
 */
struct held_run {
	struct list_head node;
	unsigned long pfn;
	unsigned long npages;
	struct portalmem_limit *limit;
	struct portalmem_account *account;
};

static DEFINE_MUTEX(held_lock);
static LIST_HEAD(held_runs);

static void check_held(struct work_struct *work);
static DECLARE_DELAYED_WORK(held_work, check_held);

/* Each chunk has one reference of who asks; does anybody else have one? */
static bool is_held(const struct held_run *run)
{
	unsigned long pfn = run->pfn;

	while (pfn < run->pfn + run->npages) {
		struct page *page = pfn_to_page(pfn);

		if (page_count(page) != 1)
			return true;
		pfn += 1UL << compound_order(page);
	}
	return false;
}

static void release_run(struct held_run *run)
{
	unsigned long end = run->pfn + run->npages;
	unsigned long pfn = run->pfn;

	while (pfn < end) {
		struct page *page = pfn_to_page(pfn);

		pfn += 1UL << compound_order(page);
		put_page(page);
	}
	portalmem_limit_uncharge(run->limit, run->account, run->npages);
	list_del(&run->node);
	kfree(run);
}

/**
 * portalmem_held_release - give up what nobody holds any more
 *
 * Return: true when it was anything.
 */
bool portalmem_held_release(void)
{
	struct held_run *run, *tmp;
	bool released = false;

	mutex_lock(&held_lock);
	list_for_each_entry_safe(run, tmp, &held_runs, node) {
		if (!is_held(run)) {
			release_run(run);
			released = true;
		}
		cond_resched();
	}
	mutex_unlock(&held_lock);
	return released;
}

static void check_held(struct work_struct *work)
{
	portalmem_held_release();
	mutex_lock(&held_lock);
	if (!list_empty(&held_runs))
		schedule_delayed_work(&held_work, msecs_to_jiffies(CHECK_MS));
	mutex_unlock(&held_lock);
}

/* Keep a chunk, with the one before it if they are single pages side by side. */
static void keep_chunk(struct list_head *runs, struct page *page,
		       const struct portalmem_buffer *buffer)
{
	unsigned long npages = 1UL << compound_order(page);
	struct held_run *run;

	get_page(page);
	if (!PageCompound(page) && !list_empty(runs)) {
		run = list_last_entry(runs, struct held_run, node);
		if (!PageCompound(pfn_to_page(run->pfn)) &&
		    run->pfn + run->npages == page_to_pfn(page)) {
			run->npages++;
			return;
		}
	}
	run = kmalloc(sizeof(*run), GFP_KERNEL | __GFP_NOFAIL);
	run->pfn = page_to_pfn(page);
	run->npages = npages;
	run->limit = buffer->heap->limit;
	run->account = buffer->account;
	list_add_tail(&run->node, runs);
}

/**
 * portalmem_held_keep - what of a buffer somebody else holds
 * @buffer: about to be freed; its mappings are gone
 *
 * These pages stay charged until they are let go.
 *
 * Return: how many they are.
 */
unsigned long portalmem_held_keep(const struct portalmem_buffer *buffer)
{
	const struct portalmem_table *table = &buffer->table;
	unsigned long npages = 0;
	struct held_run *run;
	LIST_HEAD(runs);
	unsigned int i;

	/* What is mapped by page frame number cannot be pinned. */
	if (!buffer->account || table->backing != PORTALMEM_PAGES ||
	    buffer->caching != PORTALMEM_CACHED)
		return 0;
	for (i = 0; i < table->count; i++) {
		const struct portalmem_segment *segment = &table->segments[i];
		unsigned long pfn = segment->pfn;
		unsigned long end = pfn + portalmem_segment_npages(segment);

		while (pfn < end) {
			struct page *page = pfn_to_page(pfn);

			if (page_count(page) != 1)
				keep_chunk(&runs, page, buffer);
			pfn += 1UL << compound_order(page);
			cond_resched();
		}
	}
	if (list_empty(&runs))
		return 0;
	list_for_each_entry(run, &runs, node)
		npages += run->npages;
	mutex_lock(&held_lock);
	list_splice_tail(&runs, &held_runs);
	mutex_unlock(&held_lock);
	schedule_delayed_work(&held_work, msecs_to_jiffies(CHECK_MS));
	return npages;
}

/* The last of who holds a page frees it, as ever. */
void portalmem_held_exit(void)
{
	struct held_run *run, *tmp;

	cancel_delayed_work_sync(&held_work);
	list_for_each_entry_safe(run, tmp, &held_runs, node)
		release_run(run);
}
