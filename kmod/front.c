// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pool's fronts: small buffers that a CPU has freed and keeps for itself,
 * whole, so that the next one of the same size is there without a walk of lists
 * that others use, too.
 *
 * A front serves one cgroup and one node at a time. What it holds is in none of
 * the pool's lists, and by those the kernel knows which cgroups there is something
 * to shrink of. So the first buffer of a cgroup goes to a list (the front is armed
 * then), and when the shrinker has found nothing anywhere, which makes the kernel
 * forget the cgroup, the next one does so again.
 *
 * A timer cleans what waits, shortly after it was freed and not before its owner
 * is done with the call that freed it. One page is zeroed sooner by whoever takes
 * it than the timer is set.
 */
#include <linux/bits.h>
#include <linux/cpumask.h>
#include <linux/hrtimer.h>
#include <linux/ktime.h>
#include <linux/percpu.h>
#include <linux/spinlock.h>

#include "pool.h"

#define NORDERS (PORTALMEM_FRONT_ORDER_MAX + 1)

/* How long after a free it is cleaned. */
#define CLEAN_DELAY_NS (100 * NSEC_PER_USEC)

/* What is worth the timer, and how much is zeroed in one interrupt. */
#define TIMER_PAGES 2
#define BURST_PAGES BIT(PORTALMEM_FRONT_ORDER_MAX)

/**
 * struct front - what one CPU keeps
 * @lock: protects all below but the timer and @wants_worker; others than the CPU
 *	itself take it only to drain. @memcg and @npages are read without it, too, for
 *	a guess
 * @memcg: who pays, with a reference; NULL for the root
 * @nid: node of the memory
 * @armed: whether the kernel knows that @memcg has something to shrink
 * @used: since portalmem_front_drain() last looked for the idle
 * @npages: in all
 * @ndirty: of them, not zeroed yet
 * @clean: buffers of a caching mode and order, that last freed first
 * @dirty: likewise
 * @timer: cleans
 * @wants_worker: for what is in the pool's lists
 */
struct front {
	spinlock_t lock; /* see above */
	struct mem_cgroup *memcg;
	int nid;
	bool armed;
	bool used;
	unsigned long npages;
	unsigned long ndirty;
	struct list_head clean[PORTALMEM_POOL_CACHINGS][NORDERS];
	struct list_head dirty[PORTALMEM_POOL_CACHINGS][NORDERS];
	struct hrtimer timer;
	bool wants_worker;
};

static DEFINE_PER_CPU(struct front, fronts);

static void start_timer(struct front *front)
{
	if (!hrtimer_is_queued(&front->timer))
		hrtimer_start(&front->timer, ns_to_ktime(CLEAN_DELAY_NS),
			      HRTIMER_MODE_REL_PINNED_SOFT);
}

static void clean_list(struct front *front, struct list_head *from,
		       struct list_head *to, unsigned int *budget)
{
	struct portalmem_pool_entry *entry, *tmp;

	list_for_each_entry_safe(entry, tmp, from, lru) {
		unsigned int npages = 1U << entry->order;

		if (npages > *budget)
			return;
		*budget -= npages;
		/* Whoever takes it tries again. */
		if (portalmem_caching_clear_few(entry->page, npages,
						entry->caching))
			return;
		entry->state = PORTALMEM_ENTRY_CLEAN;
		list_move(&entry->lru, to);
		front->ndirty -= npages;
	}
}

static void clean_lists(struct front *front)
{
	unsigned int budget = BURST_PAGES;
	unsigned int i, order;

	for (i = 0; i < PORTALMEM_POOL_CACHINGS; i++)
		for (order = 0; order < NORDERS && front->ndirty; order++)
			clean_list(front, &front->dirty[i][order],
				   &front->clean[i][order], &budget);
}

/* Whether there is more to do. */
static bool try_clean_lists(struct front *front)
{
	bool again;

	/* It may be the very holder that is interrupted here. */
	if (!spin_trylock(&front->lock))
		return true;
	clean_lists(front);
	again = front->ndirty >= TIMER_PAGES;
	spin_unlock(&front->lock);
	return again;
}

static enum hrtimer_restart clean_front(struct hrtimer *timer)
{
	struct front *front = container_of(timer, struct front, timer);

	if (READ_ONCE(front->wants_worker)) {
		WRITE_ONCE(front->wants_worker, false);
		portalmem_pool_clean();
	}
	if (!try_clean_lists(front))
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, ns_to_ktime(CLEAN_DELAY_NS));
	return HRTIMER_RESTART;
}

/**
 * portalmem_front_wake_worker - have the pool's lists cleaned
 *
 * Soon, and not in the way of the caller.
 */
void portalmem_front_wake_worker(void)
{
	struct front *front = raw_cpu_ptr(&fronts);

	WRITE_ONCE(front->wants_worker, true);
	start_timer(front);
}

static void detach_all(struct front *front, struct list_head *entries)
{
	unsigned int i, order;

	if (!front->npages)
		return;
	for (i = 0; i < PORTALMEM_POOL_CACHINGS; i++) {
		for (order = 0; order < NORDERS; order++) {
			list_splice_tail_init(&front->clean[i][order], entries);
			list_splice_tail_init(&front->dirty[i][order], entries);
		}
	}
	/* Pages on their way to a list are counted as if they were there. */
	portalmem_pool_account(front->npages);
	WRITE_ONCE(front->npages, 0);
	front->ndirty = 0;
}

/* An empty front begins to serve a cgroup. */
static bool adopt(struct front *front, struct mem_cgroup *memcg, int nid)
{
	mem_cgroup_put(front->memcg);
	WRITE_ONCE(front->memcg, NULL);
	if (memcg && !portalmem_get_memcg(memcg))
		return false;
	WRITE_ONCE(front->memcg, memcg);
	front->nid = nid;
	/* The root's memory is always looked at. */
	front->armed = !memcg;
	return true;
}

static bool is_accepted(struct front *front,
			const struct portalmem_pool_entry *entry)
{
	if (!front->armed) {
		front->armed = true;
		return false;
	}
	return front->npages + (1UL << entry->order) <= PORTALMEM_FRONT_PAGES;
}

/**
 * portalmem_front_put - keep a freed buffer
 * @entry: of the buffer, dirty
 * @others: what has to make room is added to this list, and is in no front any
 *	more, but accounted for by portalmem_pool_account()
 *
 * Return: false when @entry is to go to a list of the pool.
 */
bool portalmem_front_put(struct portalmem_pool_entry *entry,
			 struct list_head *others)
{
	struct front *front = raw_cpu_ptr(&fronts);
	int nid = page_to_nid(entry->page);
	struct mem_cgroup *memcg;
	bool accepted = true;

	rcu_read_lock();
	memcg = folio_memcg(page_folio(entry->page));
	spin_lock(&front->lock);
	if (front->memcg != memcg || front->nid != nid) {
		detach_all(front, others);
		accepted = adopt(front, memcg, nid);
	}
	if (accepted && is_accepted(front, entry)) {
		list_add(&entry->lru,
			 &front->dirty[portalmem_pool_index(entry->caching)]
				      [entry->order]);
		WRITE_ONCE(front->npages,
			   front->npages + (1UL << entry->order));
		front->ndirty += 1UL << entry->order;
		front->used = true;
		if (front->ndirty >= TIMER_PAGES)
			start_timer(front);
	} else {
		accepted = false;
	}
	spin_unlock(&front->lock);
	rcu_read_unlock();
	return accepted;
}

static bool is_allowed_node(int nid)
{
#ifdef CONFIG_CPUSETS
	return node_isset(nid, current->mems_allowed);
#else
	return true;
#endif
}

/**
 * portalmem_front_take - a buffer that this CPU keeps for the caller's cgroup
 * @order: of its only chunk, at most PORTALMEM_FRONT_ORDER_MAX
 * @caching: of the buffer, a pooled mode
 *
 * Return: its entry, clean or dirty, or NULL.
 */
struct portalmem_pool_entry *portalmem_front_take(unsigned int order,
						  u32 caching)
{
	struct front *front = raw_cpu_ptr(&fronts);
	int i = portalmem_pool_index(caching);
	struct portalmem_pool_entry *entry = NULL;
	struct mem_cgroup *memcg;

	if (!READ_ONCE(front->npages))
		return NULL;
	memcg = portalmem_own_memcg();
	spin_lock(&front->lock);
	if (front->memcg != memcg || !is_allowed_node(front->nid))
		goto unlock;
	entry = list_first_entry_or_null(&front->clean[i][order],
					 struct portalmem_pool_entry, lru);
	if (!entry) {
		entry = list_first_entry_or_null(&front->dirty[i][order],
						 struct portalmem_pool_entry,
						 lru);
		if (!entry)
			goto unlock;
		front->ndirty -= 1UL << order;
	}
	list_del(&entry->lru);
	WRITE_ONCE(front->npages, front->npages - (1UL << order));
	front->used = true;
unlock:
	spin_unlock(&front->lock);
	mem_cgroup_put(memcg);
	return entry;
}

/* With the front's lock, or for a guess. */
static bool is_meant(const struct front *front,
		     const struct portalmem_front_filter *filter)
{
	struct mem_cgroup *memcg = READ_ONCE(front->memcg);

	if (filter->nid != NUMA_NO_NODE && filter->nid != front->nid)
		return false;
	return filter->any_memcg || filter->memcg == memcg;
}

/**
 * portalmem_front_drain - take all from fronts
 * @filter: from which
 * @entries: what they had is added to this list, accounted for by
 *	portalmem_pool_account()
 *
 * Return: whether a front is left that is used.
 */
bool portalmem_front_drain(const struct portalmem_front_filter *filter,
			   struct list_head *entries)
{
	bool is_left = false;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct front *front = per_cpu_ptr(&fronts, cpu);

		if (!READ_ONCE(front->npages) && !READ_ONCE(front->memcg))
			continue;
		spin_lock(&front->lock);
		if (filter->idle && front->used) {
			front->used = false;
			is_left = true;
		} else if (is_meant(front, filter)) {
			detach_all(front, entries);
			if (filter->idle)
				adopt(front, NULL, front->nid);
		}
		spin_unlock(&front->lock);
	}
	return is_left;
}

/**
 * portalmem_front_npages - how much is in fronts
 * @filter: in which
 *
 * Return: pages.
 */
unsigned long portalmem_front_npages(const struct portalmem_front_filter *filter)
{
	unsigned long npages = 0;
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		const struct front *front = per_cpu_ptr(&fronts, cpu);

		if (READ_ONCE(front->npages) && is_meant(front, filter))
			npages += READ_ONCE(front->npages);
	}
	return npages;
}

/**
 * portalmem_front_disarm - the kernel will not look at a cgroup any more
 * @filter: the cgroup and the node
 *
 * What is freed next goes to a list, and makes it look again.
 */
void portalmem_front_disarm(const struct portalmem_front_filter *filter)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct front *front = per_cpu_ptr(&fronts, cpu);

		if (!READ_ONCE(front->memcg) || !is_meant(front, filter))
			continue;
		spin_lock(&front->lock);
		if (front->memcg && is_meant(front, filter))
			front->armed = false;
		spin_unlock(&front->lock);
	}
}

int portalmem_front_init(void)
{
	unsigned int cpu, i, order;

	for_each_possible_cpu(cpu) {
		struct front *front = per_cpu_ptr(&fronts, cpu);

		spin_lock_init(&front->lock);
		front->nid = cpu_to_mem(cpu);
		front->armed = true;
		for (i = 0; i < PORTALMEM_POOL_CACHINGS; i++) {
			for (order = 0; order < NORDERS; order++) {
				INIT_LIST_HEAD(&front->clean[i][order]);
				INIT_LIST_HEAD(&front->dirty[i][order]);
			}
		}
		portalmem_hrtimer_setup(&front->timer, clean_front,
					CLOCK_MONOTONIC,
					HRTIMER_MODE_REL_PINNED_SOFT);
	}
	return 0;
}

/* Nothing is freed any more, and all fronts have been drained. */
void portalmem_front_exit(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct front *front = per_cpu_ptr(&fronts, cpu);

		hrtimer_cancel(&front->timer);
		mem_cgroup_put(front->memcg);
		front->memcg = NULL;
	}
}
