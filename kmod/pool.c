// SPDX-License-Identifier: GPL-2.0-only
/*
 * Freed chunks that are kept for the next allocation, so that neither zeroing
 * nor a change of memory type is on its way.
 *
 * A chunk comes in as it was left by its last owner. A worker zeroes it; until
 * then it can be handed out, too, zeroed by whoever takes it. A buffer of a single
 * chunk stays what it is: the next one of that size is made of it. Small ones stay
 * with the CPU for a while before they come here (front.c).
 *
 * Chunks are charged to a memory cgroup, and a charge lives with its pages. So
 * each cgroup has lists of its own (list_lru keeps them), takes from those only,
 * and gets them shrunk when it is at its limit itself. The pages of the root
 * cgroup are charged to nobody and serve nobody else.
 */
#include <linux/err.h>
#include <linux/jiffies.h>
#include <linux/list_lru.h>
#include <linux/memcontrol.h>
#include <linux/moduleparam.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/topology.h>
#include <linux/workqueue.h>

#include "pool.h"
#include "trace.h"

#define NORDERS (PORTALMEM_CHUNK_ORDER_MAX + 1)

/* What the limit is until portalmem_pool_init() has seen how much memory is. */
#define SHARE_OF_MEMORY ULONG_MAX

static unsigned long pool_limit_mb = SHARE_OF_MEMORY;
module_param(pool_limit_mb, ulong, 0644);
MODULE_PARM_DESC(pool_limit_mb,
		 "Most MiB of freed memory that is kept for the next allocations (default: an eighth of memory; 0: none)");

static unsigned int pool_idle_s = 30;
module_param(pool_idle_s, uint, 0644);
MODULE_PARM_DESC(pool_idle_s,
		 "Seconds after which pooled memory that nobody took goes back to the system (default: 30)");

static struct list_lru lists[PORTALMEM_POOL_CACHINGS][NORDERS];
static struct kmem_cache *entry_cache;
static struct workqueue_struct *workers;
static struct shrinker *shrinker;

/* The most that all fronts together hold. */
static unsigned long fronts_mb;

/* In the lists, not in the fronts. */
static atomic_long_t pooled_pages;

/* Some kernels shrink from the moment when the lists are still being made. */
static bool ready;

/* How many pages are handled in one go, while others wait. */
#define BATCH_PAGES 2048

/**
 * struct dirty_list - what is to be cleaned of a node
 * @lock: protects all below; nests inside the locks of the lists
 * @entries: that which came first is the first
 */
struct dirty_list {
	spinlock_t lock; /* see above */
	struct list_head entries;
};

static struct dirty_list *dirty_lists;

static struct dirty_list *
dirty_list_of(const struct portalmem_pool_entry *entry)
{
	return &dirty_lists[page_to_nid(entry->page)];
}

static struct list_lru *list_of(unsigned int order, u32 caching)
{
	int i = portalmem_pool_index(caching);

	return i < 0 || order >= NORDERS ? NULL : &lists[i][order];
}

static void add_dirty(struct portalmem_pool_entry *entry)
{
	struct dirty_list *list = dirty_list_of(entry);

	spin_lock(&list->lock);
	WRITE_ONCE(entry->state, PORTALMEM_ENTRY_DIRTY);
	list_add_tail(&entry->dirty, &list->entries);
	spin_unlock(&list->lock);
}

static struct portalmem_pool_entry *next_dirty(struct dirty_list *list)
{
	struct portalmem_pool_entry *entry;

	spin_lock(&list->lock);
	entry = list_first_entry_or_null(&list->entries,
					 struct portalmem_pool_entry, dirty);
	if (entry) {
		list_del(&entry->dirty);
		/* claim() looks at it without the lock first. */
		WRITE_ONCE(entry->state, PORTALMEM_ENTRY_CLEANING);
	}
	spin_unlock(&list->lock);
	return entry;
}

/* Until there are so many pages, or all is clean, or it cannot be. */
static unsigned long clean_list(struct dirty_list *list, unsigned long most)
{
	struct portalmem_pool_entry *entry;
	unsigned long npages = 0;

	while (npages < most && (entry = next_dirty(list))) {
		unsigned long size = 1UL << entry->order;

		if (portalmem_caching_clear(entry->page, size,
					    entry->caching)) {
			/* Whoever takes it tries again. */
			add_dirty(entry);
			break;
		}
		/* Pairs with the acquire in claim(). */
		smp_store_release(&entry->state, PORTALMEM_ENTRY_CLEAN);
		npages += size;
	}
	return npages;
}

static void clean_entries(struct work_struct *work)
{
	bool again = false;
	int nid;

	for_each_node_state(nid, N_MEMORY)
		if (clean_list(&dirty_lists[nid], BATCH_PAGES) >= BATCH_PAGES)
			again = true;
	/* Who waits for this work does not wait for all that came since. */
	if (again)
		queue_work(workers, work);
}

static DECLARE_WORK(clean_work, clean_entries);

/**
 * portalmem_pool_clean - wake the worker that cleans
 *
 * May be called in an interrupt.
 */
void portalmem_pool_clean(void)
{
	queue_work(workers, &clean_work);
}

/**
 * portalmem_pool_account - pages came or went
 * @npages: how many more there are in the lists
 */
void portalmem_pool_account(long npages)
{
	atomic_long_add(npages, &pooled_pages);
}

/**
 * struct isolation - what is taken off a list
 * @entries: taken so far
 * @npages: in them
 * @most: when to stop
 * @before: only what came before this time, in jiffies, if @by_age
 * @by_age: see @before
 * @from_allowed_nodes: only what is on a node that the task may use
 * @buffers: only what is a whole buffer
 */
struct isolation {
	struct list_head entries;
	unsigned long npages;
	unsigned long most;
	unsigned long before;
	bool by_age;
	bool from_allowed_nodes;
	bool buffers;
};

static bool claim(struct portalmem_pool_entry *entry)
{
	struct dirty_list *list;
	u8 state;

	/* Pairs with the release in clean_entries(): the zeroes are seen. */
	if (smp_load_acquire(&entry->state) == PORTALMEM_ENTRY_CLEAN)
		return true;

	list = dirty_list_of(entry);
	spin_lock(&list->lock);
	/* Read once, and so again: the worker makes it clean without the lock. */
	state = smp_load_acquire(&entry->state);
	if (state == PORTALMEM_ENTRY_DIRTY)
		list_del(&entry->dirty);
	spin_unlock(&list->lock);
	return state != PORTALMEM_ENTRY_CLEANING;
}

static bool is_allowed_node(const struct page *page)
{
#ifdef CONFIG_CPUSETS
	return node_isset(page_to_nid(page), current->mems_allowed);
#else
	return true;
#endif
}

static PORTALMEM_LRU_CALLBACK(isolate_entry, item, list, data)
{
	struct portalmem_pool_entry *entry = list_entry(item, struct portalmem_pool_entry, lru);
	struct isolation *isolation = data;

	if (isolation->npages >= isolation->most)
		return portalmem_lru_stop(list);
	/* The oldest come first. */
	if (isolation->by_age && time_after(entry->since, isolation->before))
		return portalmem_lru_stop(list);
	if (isolation->from_allowed_nodes && !is_allowed_node(entry->page))
		return LRU_SKIP;
	if (isolation->buffers && !entry->in_buffer)
		return LRU_SKIP;
	if (!claim(entry))
		return LRU_SKIP;

	list_lru_isolate(list, item);
	list_add_tail(item, &isolation->entries);
	isolation->npages += 1UL << entry->order;
	return LRU_REMOVED;
}

static struct portalmem_buffer *
buffer_of(struct portalmem_pool_entry *entry)
{
	return container_of(entry, struct portalmem_buffer, entry);
}

/* Not its chunk. */
static void free_entry(struct portalmem_pool_entry *entry)
{
	if (entry->in_buffer)
		portalmem_debugfs_remove(buffer_of(entry));
	else
		kmem_cache_free(entry_cache, entry);
}

static void free_entries(struct list_head *entries)
{
	struct portalmem_pool_entry *entry, *tmp;

	list_for_each_entry_safe(entry, tmp, entries, lru) {
		portalmem_chunk_give(entry->page, entry->caching);
		portalmem_pool_account(-(1L << entry->order));
		free_entry(entry);
		cond_resched();
	}
}

#ifdef CONFIG_MEMCG

/* The cgroup that pays for a page, with a reference, or NULL. */
static struct mem_cgroup *memcg_of(struct page *page)
{
	struct mem_cgroup *memcg;

	rcu_read_lock();
	do {
		memcg = folio_memcg(page_folio(page));
	} while (memcg && !css_tryget(&memcg->css));
	rcu_read_unlock();
	return memcg;
}

#else

static struct mem_cgroup *memcg_of(struct page *page)
{
	return NULL;
}

#endif

/*
 * list_lru finds the cgroup of an entry by who pays for the entry itself, and
 * that is the one who pays for the chunk.
 */
static struct portalmem_pool_entry *alloc_entry(struct page *page, struct list_lru *list)
{
	gfp_t gfp = GFP_KERNEL | __GFP_NORETRY | __GFP_NOWARN;
	struct mem_cgroup *memcg = memcg_of(page);
	struct mem_cgroup *before;
	struct portalmem_pool_entry *entry;

	if (!memcg)
		return kmem_cache_alloc_lru(entry_cache, list, gfp);

	before = set_active_memcg(memcg);
	entry = kmem_cache_alloc_lru(entry_cache, list, gfp | __GFP_ACCOUNT);
	set_active_memcg(before);
	mem_cgroup_put(memcg);
	return entry;
}

static void age_entries(struct work_struct *work);
static DECLARE_DELAYED_WORK(age_work, age_entries);

static unsigned long idle_jiffies(void)
{
	/* More than a day is as good as for ever. */
	return min(READ_ONCE(pool_idle_s), 24 * 60 * 60U) * (unsigned long)HZ;
}

static void schedule_aging(void)
{
	if (delayed_work_pending(&age_work))
		return;
	/* A quarter of the time late is good enough. */
	queue_delayed_work(workers, &age_work,
			   max(idle_jiffies() / 4, HZ / 10UL));
}

/*
 * What the fronts may hold is set aside, so that nobody has to know how much that
 * is. A pool that is small altogether has no fronts.
 */
static unsigned long fronts_share(unsigned long limit_mb)
{
	return limit_mb >= 8 * fronts_mb ? fronts_mb : 0;
}

static bool has_room(unsigned int order)
{
	unsigned long limit = READ_ONCE(pool_limit_mb);

	limit -= fronts_share(limit);
	return (atomic_long_read(&pooled_pages) + (1UL << order)) >>
		       (20 - PAGE_SHIFT) < limit;
}

/* Somebody who pinned a page may still write there. */
static bool is_free(struct page *page)
{
	return page_count(page) == 1;
}

static void init_entry(struct portalmem_pool_entry *entry, struct page *page,
		       unsigned int order, u32 caching, bool in_buffer)
{
	INIT_LIST_HEAD(&entry->lru);
	entry->page = page;
	entry->since = jiffies;
	entry->order = order;
	entry->caching = caching;
	entry->state = PORTALMEM_ENTRY_DIRTY;
	entry->in_buffer = in_buffer;
	trace_portalmem_pool_give(order, caching, false);
}

/* The pages are accounted for. */
static void add_to_list(struct portalmem_pool_entry *entry)
{
	struct list_lru *list = list_of(entry->order, entry->caching);
	bool is_dirty = entry->state == PORTALMEM_ENTRY_DIRTY;

	if (is_dirty)
		add_dirty(entry);
	/* From here on it can be taken. */
	portalmem_list_lru_add(list, &entry->lru);
	if (is_dirty)
		portalmem_front_wake_worker();
}

static void add_to_lists(struct list_head *entries)
{
	struct portalmem_pool_entry *entry, *tmp;

	list_for_each_entry_safe(entry, tmp, entries, lru) {
		list_del_init(&entry->lru);
		add_to_list(entry);
	}
}

/**
 * portalmem_pool_put - keep a freed chunk
 * @page: first page of a compound or single page, with its only reference
 * @caching: the mode that it is in
 *
 * Return: true when the pool owns it now, false when it is still the caller's.
 */
bool portalmem_pool_put(struct page *page, u32 caching)
{
	unsigned int order = compound_order(page);
	struct list_lru *list = list_of(order, caching);
	struct portalmem_pool_entry *entry;

	if (!list || !has_room(order) || !is_free(page))
		return false;
	entry = alloc_entry(page, list);
	if (!entry)
		return false;

	init_entry(entry, page, order, caching, false);
	portalmem_pool_account(1UL << order);
	add_to_list(entry);
	schedule_aging();
	return true;
}

static void flush_fronts(struct work_struct *work);
static DECLARE_DELAYED_WORK(flush_fronts_work, flush_fronts);

/* Whether that work is on its way. */
static bool is_flushing;

static void schedule_flush(void)
{
	if (READ_ONCE(is_flushing))
		return;
	WRITE_ONCE(is_flushing, true);
	queue_delayed_work(workers, &flush_fronts_work, HZ / 10);
}

/* What a CPU has no use for is for all. */
static void flush_fronts(struct work_struct *work)
{
	static const struct portalmem_front_filter idle = {
		.any_memcg = true,
		.nid = NUMA_NO_NODE,
		.idle = true,
	};
	LIST_HEAD(entries);
	bool is_left;

	/* Pairs with the lock of a front that is put something into. */
	smp_store_mb(is_flushing, false);
	is_left = portalmem_front_drain(&idle, &entries);
	add_to_lists(&entries);
	if (is_left)
		schedule_flush();
}

static bool put_into_front(struct portalmem_pool_entry *entry)
{
	LIST_HEAD(others);
	bool accepted;

	if (entry->order > PORTALMEM_FRONT_ORDER_MAX ||
	    !fronts_share(READ_ONCE(pool_limit_mb)))
		return false;
	accepted = portalmem_front_put(entry, &others);
	schedule_flush();
	if (!list_empty(&others))
		add_to_lists(&others);
	return accepted;
}

/**
 * portalmem_pool_list - where a whole buffer would be kept
 * @request: what the buffer is
 *
 * Return: the list that it is allocated for, so that it can be added there later,
 * or NULL when it is not of a single chunk.
 */
struct list_lru *portalmem_pool_list(const struct portalmem_request *request)
{
	if (!is_power_of_2(request->npages))
		return NULL;
	return list_of(ilog2(request->npages), request->caching);
}

/**
 * portalmem_pool_keep - keep a freed buffer
 * @buffer: of the system heap, allocated for its portalmem_pool_list(), and with
 *	nobody who knows of it any more
 *
 * Return: true when the pool owns it now and all that it has, false when it is
 * still the caller's.
 */
bool portalmem_pool_keep(struct portalmem_buffer *buffer)
{
	struct portalmem_pool_entry *entry = &buffer->entry;
	struct page *page = pfn_to_page(buffer->table.segments[0].pfn);
	unsigned int order = compound_order(page);

	if (1UL << order != buffer->table.npages || !has_room(order) ||
	    !is_free(page))
		return false;

	init_entry(entry, page, order, buffer->caching, true);
	if (!put_into_front(entry)) {
		portalmem_pool_account(1UL << order);
		add_to_list(entry);
	}
	schedule_aging();
	return true;
}

/* The pool knows no places, and a task with a policy has wishes about them. */
static bool is_for_anywhere(const struct portalmem_request *request)
{
#ifdef CONFIG_NUMA
	if (current->mempolicy)
		return false;
#endif
	return request->nid == NUMA_NO_NODE && request->max_pfn == ULONG_MAX;
}

static void isolate_own_on(struct isolation *isolation, struct list_lru *list,
			   struct mem_cgroup *memcg, int nid)
{
	unsigned long nr_to_walk = BATCH_PAGES;

	if (isolation->npages < isolation->most)
		list_lru_walk_one(list, nid, memcg, isolate_entry, isolation,
				  &nr_to_walk);
}

/* What the cgroup has that would be charged for fresh pages now. */
static void isolate_own(struct isolation *isolation, struct list_lru *list)
{
	/* That of set_active_memcg(), else the task's, else the root. */
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(NULL);
	int near = numa_mem_id();
	int nid;

	isolate_own_on(isolation, list, memcg, near);
	if (isolation->npages >= isolation->most)
		goto put;
	for_each_node_state(nid, N_MEMORY)
		if (nid != near)
			isolate_own_on(isolation, list, memcg, nid);
put:
	mem_cgroup_put(memcg);
}

static void isolate_all(struct isolation *isolation, struct list_lru *list)
{
	int nid;

	for_each_node_state(nid, N_MEMORY) {
		unsigned long nr_to_walk = ULONG_MAX;

		list_lru_walk_node(list, nid, isolate_entry, isolation,
				   &nr_to_walk);
	}
}

/* Zero what was taken, if nobody has yet. It is nobody's any more on failure. */
static bool make_clean(struct portalmem_pool_entry *entry)
{
	bool is_clean = entry->state == PORTALMEM_ENTRY_CLEAN;

	if (!is_clean && portalmem_caching_clear(entry->page,
						 1UL << entry->order,
						 entry->caching)) {
		portalmem_chunk_give(entry->page, entry->caching);
		free_entry(entry);
		return false;
	}
	trace_portalmem_pool_take(entry->order, entry->caching, is_clean);
	return true;
}

static void take_from_list(struct isolation *isolation, struct list_lru *list)
{
	if (!atomic_long_read(&pooled_pages))
		return;
	isolate_own(isolation, list);
	portalmem_pool_account(-(long)isolation->npages);
}

/* How much is taken in one go, and perhaps zeroed before a signal is seen. */
#define TAKE_PAGES (SZ_16M >> PAGE_SHIFT)

/**
 * portalmem_pool_take - pooled chunks for the caller
 * @chunks: they are added to this list by their lru, zeroed and in the caching
 *	mode asked for
 * @order: of each
 * @npages: how much is wanted, at least one chunk
 * @request: what they are for
 *
 * Return: pages that were added, from 0 to @npages.
 */
unsigned long portalmem_pool_take(struct list_head *chunks, unsigned int order,
				  unsigned long npages,
				  const struct portalmem_request *request)
{
	struct list_lru *list = list_of(order, request->caching);
	struct isolation isolation = {
		.entries = LIST_HEAD_INIT(isolation.entries),
		.most = round_down(min_t(unsigned long, npages, TAKE_PAGES),
				   1UL << order),
		.from_allowed_nodes = true,
	};
	struct portalmem_pool_entry *entry, *tmp;
	unsigned long taken = 0;

	if (!list || !is_for_anywhere(request))
		return 0;
	take_from_list(&isolation, list);
	list_for_each_entry_safe(entry, tmp, &isolation.entries, lru) {
		if (!make_clean(entry))
			continue;
		list_add_tail(&entry->page->lru, chunks);
		taken += 1UL << order;
		free_entry(entry);
	}
	return taken;
}

/**
 * portalmem_pool_take_buffer - a pooled buffer for the caller
 * @request: what is wanted of the system heap
 *
 * Return: a buffer that portalmem_pool_keep() was given, zeroed, or NULL.
 */
struct portalmem_buffer *
portalmem_pool_take_buffer(const struct portalmem_request *request)
{
	struct list_lru *list = portalmem_pool_list(request);
	struct isolation isolation = {
		.entries = LIST_HEAD_INIT(isolation.entries),
		.most = 1,
		.from_allowed_nodes = true,
		.buffers = true,
	};
	struct portalmem_pool_entry *entry = NULL;
	unsigned int order;

	if (!list || !is_for_anywhere(request))
		return NULL;
	order = ilog2(request->npages);
	if (order <= PORTALMEM_FRONT_ORDER_MAX)
		entry = portalmem_front_take(order, request->caching);
	if (!entry) {
		take_from_list(&isolation, list);
		entry = list_first_entry_or_null(&isolation.entries,
						 struct portalmem_pool_entry,
						 lru);
	}
	if (!entry || !make_clean(entry))
		return NULL;
	return buffer_of(entry);
}

typedef void (*isolate_fn)(struct isolation *isolation, struct list_lru *list);

static unsigned long trim_list(struct list_lru *list, isolate_fn isolate)
{
	unsigned long npages = 0;

	for (;;) {
		struct isolation isolation = {
			.entries = LIST_HEAD_INIT(isolation.entries),
			.most = BATCH_PAGES,
		};

		isolate(&isolation, list);
		free_entries(&isolation.entries);
		if (!isolation.npages)
			return npages;
		npages += isolation.npages;
	}
}

static unsigned long trim(isolate_fn isolate)
{
	unsigned long npages = 0;
	unsigned int i, order;

	for (i = 0; i < PORTALMEM_POOL_CACHINGS; i++)
		for (order = 0; order < NORDERS; order++)
			npages += trim_list(&lists[i][order], isolate);
	return npages;
}

static void tell_freed(enum portalmem_pool_reason reason, unsigned long npages)
{
	if (npages)
		trace_portalmem_pool_shrink(reason, npages,
					    portalmem_pool_npages());
}

static unsigned long free_fronts(const struct portalmem_front_filter *filter)
{
	struct portalmem_pool_entry *entry;
	unsigned long npages = 0;
	LIST_HEAD(entries);

	portalmem_front_drain(filter, &entries);
	list_for_each_entry(entry, &entries, lru)
		npages += 1UL << entry->order;
	free_entries(&entries);
	return npages;
}

static unsigned long drain_fronts(bool all)
{
	struct portalmem_front_filter filter = {
		.memcg = all ? NULL : portalmem_own_memcg(),
		.any_memcg = all,
		.nid = NUMA_NO_NODE,
	};
	unsigned long npages = free_fronts(&filter);

	mem_cgroup_put(filter.memcg);
	return npages;
}

/**
 * portalmem_pool_trim - give pooled pages back to the system
 * @all: everybody's, not only those of the caller's cgroup
 *
 * Return: how many.
 */
unsigned long portalmem_pool_trim(bool all)
{
	unsigned long npages;

	if (!portalmem_pool_npages())
		return 0;
	npages = drain_fronts(all);
	/* What the worker has in hand cannot be taken from it. */
	npages += trim(all ? isolate_all : isolate_own);
	flush_work(&clean_work);
	npages += trim(all ? isolate_all : isolate_own);
	tell_freed(PORTALMEM_POOL_TRIM, npages);
	return npages;
}

/**
 * portalmem_pool_npages - how much is pooled
 *
 * Return: pages, of all cgroups together.
 */
unsigned long portalmem_pool_npages(void)
{
	static const struct portalmem_front_filter all = {
		.any_memcg = true,
		.nid = NUMA_NO_NODE,
	};

	return atomic_long_read(&pooled_pages) + portalmem_front_npages(&all);
}

static void isolate_aged(struct isolation *isolation, struct list_lru *list)
{
	isolation->by_age = true;
	isolation->before = jiffies - idle_jiffies();
	isolate_all(isolation, list);
}

static void age_entries(struct work_struct *work)
{
	tell_freed(PORTALMEM_POOL_IDLE, trim(isolate_aged));
	if (portalmem_pool_npages())
		schedule_aging();
}

static struct portalmem_front_filter
fronts_of(const struct shrink_control *sc)
{
	struct portalmem_front_filter filter = {
		.memcg = sc->memcg,
		.nid = sc->nid,
	};

#ifdef CONFIG_MEMCG
	if (sc->memcg && !sc->memcg->css.parent)
		filter.memcg = NULL;
#endif
	return filter;
}

static unsigned long count_entries(struct shrinker *unused,
				   struct shrink_control *sc)
{
	struct portalmem_front_filter filter = fronts_of(sc);
	unsigned long npages = 0;
	unsigned int i, order;

	/* Pairs with the release in portalmem_pool_init(). */
	if (!smp_load_acquire(&ready))
		return SHRINK_EMPTY;
	for (i = 0; i < PORTALMEM_POOL_CACHINGS; i++)
		for (order = 0; order < NORDERS; order++)
			npages += list_lru_shrink_count(&lists[i][order], sc)
				  << order;
	npages += portalmem_front_npages(&filter);
	if (npages)
		return npages;
	/* The kernel does not come again before something is in a list. */
	portalmem_front_disarm(&filter);
	return portalmem_front_npages(&filter) ?: SHRINK_EMPTY;
}

static unsigned long scan_entries(struct shrinker *unused,
				  struct shrink_control *sc)
{
	struct isolation isolation = {
		.entries = LIST_HEAD_INIT(isolation.entries),
		.most = sc->nr_to_scan,
	};
	struct portalmem_front_filter filter = fronts_of(sc);
	unsigned int i, order;

	isolation.npages = free_fronts(&filter);
	for (order = NORDERS; order--;) {
		for (i = 0; i < PORTALMEM_POOL_CACHINGS; i++) {
			unsigned long nr_to_walk = BATCH_PAGES;

			if (isolation.npages >= isolation.most)
				break;
			list_lru_walk_one(&lists[i][order], sc->nid, sc->memcg,
					  isolate_entry, &isolation, &nr_to_walk);
		}
	}
	free_entries(&isolation.entries);
	tell_freed(PORTALMEM_POOL_PRESSURE, isolation.npages);
	return isolation.npages ?: SHRINK_STOP;
}

static void destroy_lists(void)
{
	unsigned int i, order;

	for (i = 0; i < PORTALMEM_POOL_CACHINGS; i++)
		for (order = 0; order < NORDERS; order++)
			list_lru_destroy(&lists[i][order]);
}

static int init_lists(void)
{
	unsigned int i, order;

	for (i = 0; i < PORTALMEM_POOL_CACHINGS; i++) {
		for (order = 0; order < NORDERS; order++) {
			int ret = list_lru_init_memcg(&lists[i][order],
						      shrinker);

			if (ret)
				return ret;
		}
	}
	return 0;
}

static int init_dirty_lists(void)
{
	int nid;

	dirty_lists = kcalloc(nr_node_ids, sizeof(*dirty_lists), GFP_KERNEL);
	if (!dirty_lists)
		return -ENOMEM;
	for (nid = 0; nid < nr_node_ids; nid++) {
		spin_lock_init(&dirty_lists[nid].lock);
		INIT_LIST_HEAD(&dirty_lists[nid].entries);
	}
	return 0;
}

int portalmem_pool_init(void)
{
	int ret = -ENOMEM;

	if (pool_limit_mb == SHARE_OF_MEMORY)
		pool_limit_mb = totalram_pages() / 8 / (SZ_1M >> PAGE_SHIFT);

	entry_cache = KMEM_CACHE(portalmem_pool_entry, 0);
	if (!entry_cache)
		return -ENOMEM;
	portalmem_front_init();
	fronts_mb = num_possible_cpus() *
		    (PORTALMEM_FRONT_PAGES / (SZ_1M >> PAGE_SHIFT));
	ret = init_dirty_lists();
	if (ret)
		goto destroy_cache;
	ret = -ENOMEM;
	workers = alloc_workqueue("portalmem", WQ_UNBOUND | WQ_FREEZABLE, 0);
	if (!workers)
		goto free_dirty_lists;
	shrinker = portalmem_shrinker_alloc(count_entries, scan_entries);
	if (IS_ERR(shrinker)) {
		ret = PTR_ERR(shrinker);
		goto destroy_workers;
	}
	ret = init_lists();
	if (ret)
		goto destroy_lists;
	/* Pairs with the acquire in count_entries(): the lists are seen. */
	smp_store_release(&ready, true);
	portalmem_shrinker_start(shrinker);
	return 0;

destroy_lists:
	portalmem_shrinker_free(shrinker);
	destroy_lists();
destroy_workers:
	destroy_workqueue(workers);
free_dirty_lists:
	kfree(dirty_lists);
destroy_cache:
	kmem_cache_destroy(entry_cache);
	return ret;
}

void portalmem_pool_exit(void)
{
	cancel_delayed_work_sync(&flush_fronts_work);
	cancel_delayed_work_sync(&age_work);
	drain_fronts(true);
	portalmem_front_exit();
	cancel_work_sync(&clean_work);
	portalmem_shrinker_free(shrinker);
	trim(isolate_all);
	destroy_lists();
	destroy_workqueue(workers);
	kfree(dirty_lists);
	kmem_cache_destroy(entry_cache);
}
