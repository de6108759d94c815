/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels, and nothing else. "probed.h" is written by the
 * probe script from what really compiles against the kernel at hand.
 */
#ifndef _PORTALMEM_COMPAT_H
#define _PORTALMEM_COMPAT_H

#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/hrtimer.h>
#include <linux/list_lru.h>
#include <linux/module.h>
#include <linux/mm.h>
#include <linux/shrinker.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "probed.h"

#ifdef PORTALMEM_HAVE_NS_STRING
#define PORTALMEM_IMPORT_DMA_BUF() MODULE_IMPORT_NS("DMA_BUF")
#define PORTALMEM_NAMESPACE "PORTALMEM"
#else
#define PORTALMEM_IMPORT_DMA_BUF() MODULE_IMPORT_NS(DMA_BUF)
#define PORTALMEM_NAMESPACE PORTALMEM
#endif

#ifndef CONFIG_CONTIG_ALLOC
static inline int portalmem_alloc_contig_range(unsigned long start,
					       unsigned long end, gfp_t gfp)
{
	return -ENOMEM;
}
#elif defined(PORTALMEM_HAVE_CONTIG_FLAGS)
#define portalmem_alloc_contig_range(start, end, gfp) \
	alloc_contig_range(start, end, ACR_FLAGS_NONE, gfp)
#else
#define portalmem_alloc_contig_range(start, end, gfp) \
	alloc_contig_range(start, end, MIGRATE_MOVABLE, gfp)
#endif

#ifdef PORTALMEM_HAVE_LIST_LRU_ADD_OBJ
#define portalmem_list_lru_add(list, item) list_lru_add_obj(list, item)
#else
#define portalmem_list_lru_add(list, item) list_lru_add(list, item)
#endif

/* The head of a callback for list_lru_walk_one(); none of ours needs the lock. */
#ifdef PORTALMEM_HAVE_LRU_WALK_UNLOCKED
#define PORTALMEM_LRU_CALLBACK(name, item, list, data)              \
	enum lru_status name(struct list_head *item,                \
			     struct list_lru_one *list, void *data)
#else
#define PORTALMEM_LRU_CALLBACK(name, item, list, data)              \
	enum lru_status name(struct list_head *item,                \
			     struct list_lru_one *list,             \
			     spinlock_t *lock, void *data)
#endif

/* Is it a page that a driver lets the kernel move? */
#ifdef PORTALMEM_HAVE_MOVABLE_OPS
#define portalmem_page_is_movable(page) page_has_movable_ops(page)
#else
#define portalmem_page_is_movable(page) __PageMovable(page)
#endif

/*
 * How such a callback ends the walk. Where the lock is no longer handed to it, it
 * has to be given up first. Without a way to stop, the rest of the list is passed
 * over.
 */
static inline enum lru_status portalmem_lru_stop(struct list_lru_one *list)
{
#ifdef PORTALMEM_HAVE_LRU_WALK_UNLOCKED
	spin_unlock(&list->lock);
	return LRU_STOP;
#elif defined(PORTALMEM_HAVE_LRU_STOP)
	return LRU_STOP;
#else
	return LRU_SKIP;
#endif
}

#ifdef PORTALMEM_HAVE_VM_FLAGS_CLEAR
#define portalmem_vm_flags_set(vma, flags) vm_flags_set(vma, flags)
#define portalmem_vm_flags_clear(vma, flags) vm_flags_clear(vma, flags)
#else
#define portalmem_vm_flags_set(vma, flags) ((vma)->vm_flags |= (flags))
#define portalmem_vm_flags_clear(vma, flags) ((vma)->vm_flags &= ~(flags))
#endif

#ifdef PORTALMEM_HAVE_HRTIMER_SETUP
#define portalmem_hrtimer_setup(timer, callback, clock, mode) \
	hrtimer_setup(timer, callback, clock, mode)
#else
#define portalmem_hrtimer_setup(timer, callback, clock, mode) \
	do {                                                  \
		struct hrtimer *timer_ = (timer);             \
							      \
		hrtimer_init(timer_, clock, mode);            \
		timer_->function = (callback);                \
	} while (0)
#endif

/* In a tracepoint: fill in a __string(). */
#ifdef PORTALMEM_HAVE_ASSIGN_STR_FIELD
#define portalmem_assign_str(field, source) \
	do {                                \
		(void)(source);             \
		__assign_str(field);        \
	} while (0)
#else
#define portalmem_assign_str(field, source) __assign_str(field, source)
#endif

typedef unsigned long (*portalmem_shrink_fn)(struct shrinker *shrinker,
					     struct shrink_control *sc);

#define PORTALMEM_SHRINKER_FLAGS (SHRINKER_NUMA_AWARE | SHRINKER_MEMCG_AWARE)

/*
 * A shrinker of the kind that list_lru_init_memcg() wants. It works from
 * portalmem_shrinker_start() on, on older kernels already before.
 */
#ifdef PORTALMEM_HAVE_SHRINKER_ALLOC

static inline struct shrinker *portalmem_shrinker_alloc(portalmem_shrink_fn count,
							portalmem_shrink_fn scan)
{
	struct shrinker *shrinker = shrinker_alloc(PORTALMEM_SHRINKER_FLAGS,
						   "portalmem");

	if (!shrinker)
		return ERR_PTR(-ENOMEM);
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	/* As good as free to make again. */
	shrinker->seeks = 0;
	return shrinker;
}

static inline void portalmem_shrinker_start(struct shrinker *shrinker)
{
	shrinker_register(shrinker);
}

static inline void portalmem_shrinker_free(struct shrinker *shrinker)
{
	shrinker_free(shrinker);
}

#else

static inline struct shrinker *portalmem_shrinker_alloc(portalmem_shrink_fn count,
							portalmem_shrink_fn scan)
{
	struct shrinker *shrinker = kzalloc(sizeof(*shrinker), GFP_KERNEL);
	int ret;

	if (!shrinker)
		return ERR_PTR(-ENOMEM);
	shrinker->flags = PORTALMEM_SHRINKER_FLAGS;
	shrinker->count_objects = count;
	shrinker->scan_objects = scan;
	ret = register_shrinker(shrinker, "portalmem");
	if (ret) {
		kfree(shrinker);
		return ERR_PTR(ret);
	}
	return shrinker;
}

static inline void portalmem_shrinker_start(struct shrinker *shrinker)
{
}

static inline void portalmem_shrinker_free(struct shrinker *shrinker)
{
	unregister_shrinker(shrinker);
	kfree(shrinker);
}

#endif

#endif /* _PORTALMEM_COMPAT_H */
