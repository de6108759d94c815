/* SPDX-License-Identifier: GPL-2.0-only */
/* What the pool's lists (pool.c) and its fronts (front.c) share. */
#ifndef _PORTALMEM_POOL_H
#define _PORTALMEM_POOL_H

#include <linux/list.h>
#include <linux/memcontrol.h>
#include <linux/rcupdate.h>
#include <linux/types.h>

#include "portalmem.h"

/* Uncached memory is not pooled: to zero it takes longer than all it saves. */
enum {
	PORTALMEM_POOL_CACHED,
	PORTALMEM_POOL_WC,
	PORTALMEM_POOL_CACHINGS,
};

/**
 * portalmem_pool_index - place of a caching mode in the pool's arrays
 * @caching: the mode
 *
 * Return: index, or -1 for what is not pooled.
 */
static inline int portalmem_pool_index(u32 caching)
{
	switch (caching) {
	case PORTALMEM_CACHED:
		return PORTALMEM_POOL_CACHED;
	case PORTALMEM_WC:
		return PORTALMEM_POOL_WC;
	default:
		return -1;
	}
}

/* A CPU keeps buffers of up to 64 KiB for itself, 1 MiB in all. */
#define PORTALMEM_FRONT_ORDER_MAX 4
#define PORTALMEM_FRONT_PAGES (SZ_1M >> PAGE_SHIFT)

/**
 * struct portalmem_front_filter - which fronts are meant
 * @memcg: those of this cgroup; NULL for the root
 * @any_memcg: whosoever they are
 * @nid: those of this node, or NUMA_NO_NODE
 * @idle: those that nobody has used since they were last asked for so
 */
struct portalmem_front_filter {
	struct mem_cgroup *memcg;
	bool any_memcg;
	int nid;
	bool idle;
};

/*
 * The cgroup that fresh memory would be charged to now, with a reference; NULL
 * for the root, which pays for nothing.
 */
static inline struct mem_cgroup *portalmem_own_memcg(void)
{
	/* That of set_active_memcg(), else the task's, else the root. */
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(NULL);

#ifdef CONFIG_MEMCG
	if (memcg && !memcg->css.parent) {
		mem_cgroup_put(memcg);
		return NULL;
	}
#endif
	return memcg;
}

/* A reference to a cgroup that another one's is not needed for; not for NULL. */
static inline bool portalmem_get_memcg(struct mem_cgroup *memcg)
{
#ifdef CONFIG_MEMCG
	return css_tryget(&memcg->css);
#else
	return true;
#endif
}

/* front.c */
int portalmem_front_init(void);
void portalmem_front_exit(void);
bool portalmem_front_put(struct portalmem_pool_entry *entry,
			 struct list_head *others);
struct portalmem_pool_entry *portalmem_front_take(unsigned int order,
						  u32 caching);
void portalmem_front_wake_worker(void);
bool portalmem_front_drain(const struct portalmem_front_filter *filter,
			   struct list_head *entries);
unsigned long
portalmem_front_npages(const struct portalmem_front_filter *filter);
void portalmem_front_disarm(const struct portalmem_front_filter *filter);

/* pool.c */
void portalmem_pool_clean(void);
void portalmem_pool_account(long npages);

#endif /* _PORTALMEM_POOL_H */
