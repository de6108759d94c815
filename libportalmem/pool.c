// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Pools: buffers of one size that stay mapped between two users.
 *
 * A buffer that the process has for itself goes from user to user through one
 * word that both exchange, as long as the pool has nothing else to do: no user
 * waits, and nothing may be idle for too long. All else is done with the pool
 * locked, and by a clock that is read without a system call. A buffer that may
 * be held elsewhere, too, is handed out on the kernel's word only.
 *
 * References to a buffer's file are made of references: once the kernel counts
 * none but the descriptor and the mapping that the pool has, nobody is left who
 * could make another, attach a device or add a fence. That is why the answer
 * still holds when it arrives. What another thread of the process happens to do
 * with the descriptor at that moment can only make the buffer look held.
 *
 * A fork gives the child all descriptors and mappings without asking the
 * library. It is counted, in fork handlers, and what a process had before is no
 * longer its own after it. Programs that fork past the C library are on their
 * own.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "private.h"

/* The pool's own references to a buffer's file: descriptor and mapping. */
#define OWN_REFERENCES 2

/* How often buffers that others hold are looked at by who waits for one. */
#define ASK_EVERY_MIN_MS 1
#define ASK_EVERY_MAX_MS 10

struct list {
	struct portalmem_buffer *first;
	struct portalmem_buffer *last;
	unsigned int count;
};

/* What a pool's slot holds besides a buffer: nothing, or not to be used. */
#define SLOT_EMPTY ((uintptr_t)0)
#define SLOT_CLOSED ((uintptr_t)1)

struct portalmem_pool {
	struct portalmem_device *device;
	/*
	 * The buffer that was released last, if it is the process's own. Who has
	 * locked the pool has closed this, so that nothing comes or goes here.
	 */
	atomic_uintptr_t slot;
	atomic_ulong reused;
	uint64_t size;
	unsigned int minimum;
	unsigned int maximum;
	int idle_ms; /* -1: for ever */
	bool has_alloc;
	struct portalmem_alloc_options alloc;
	char *name; /* what alloc.name points to */

	pthread_mutex_t lock;	/* guards all below */
	pthread_cond_t changed; /* a buffer came back, or may be allocated */
	unsigned int refs;	/* of users; buffers keep it, too */
	unsigned int buffers;	/* acquired ones and those of both lists */
	unsigned int waiting;	/* users */
	struct list idle;	/* the last one released first */
	struct list shared;	/* the first one released first */
	uint64_t next_trim_ms;
	uint64_t allocated;
	uint64_t dropped;
	uint64_t trimmed;
	uint64_t asked;
};

/*
 * Forks of this process that have begun, and that have ended. It is a fact
 * about the process and not about any object of the library.
 */
static atomic_uint forks_begun;
static atomic_uint forks_ended;
static pthread_once_t forks_once = PTHREAD_ONCE_INIT;
static int forks_error;

static void before_fork(void)
{
	atomic_fetch_add(&forks_begun, 1);
}

static void after_fork_in_parent(void)
{
	atomic_fetch_add(&forks_ended, 1);
}

/* Other threads' forks do not end in the child. */
static void after_fork_in_child(void)
{
	atomic_store(&forks_ended, atomic_load(&forks_begun));
}

static void watch_forks(void)
{
	forks_error = -pthread_atfork(before_fork, after_fork_in_parent,
				      after_fork_in_child);
}

/* False while a fork is under way, and then *FORKS is nothing to rely on. */
static bool read_forks(unsigned int *forks)
{
	unsigned int ended = atomic_load(&forks_ended);

	*forks = atomic_load(&forks_begun);
	return *forks == ended;
}

/* Has this process alone the buffer, for all that the library knows? */
static bool is_private(const struct portalmem_buffer *buffer)
{
	unsigned int forks;

	return !atomic_load_explicit(&buffer->shared, memory_order_relaxed) &&
	       read_forks(&forks) && forks == buffer->forks;
}

static void list_add_first(struct list *list, struct portalmem_buffer *buffer)
{
	buffer->previous = NULL;
	buffer->next = list->first;
	if (list->first)
		list->first->previous = buffer;
	else
		list->last = buffer;
	list->first = buffer;
	list->count++;
}

static void list_add_last(struct list *list, struct portalmem_buffer *buffer)
{
	buffer->next = NULL;
	buffer->previous = list->last;
	if (list->last)
		list->last->next = buffer;
	else
		list->first = buffer;
	list->last = buffer;
	list->count++;
}

static void list_remove(struct list *list, struct portalmem_buffer *buffer)
{
	if (buffer->previous)
		buffer->previous->next = buffer->next;
	else
		list->first = buffer->next;
	if (buffer->next)
		buffer->next->previous = buffer->previous;
	else
		list->last = buffer->previous;
	list->count--;
}

/* Without the lock: it takes system calls. */
static void free_all(struct list *doomed)
{
	while (doomed->first) {
		struct portalmem_buffer *buffer = doomed->first;

		list_remove(doomed, buffer);
		pm_buffer_free(buffer);
	}
}

static void free_pool(struct portalmem_pool *pool)
{
	portalmem_device_unref(pool->device);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	free(pool->name);
	free(pool);
}

/* Milliseconds of a clock that is read without a system call. */
static uint64_t coarse_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Lock the pool, and take what is in the slot to the others. */
static void lock_pool(struct portalmem_pool *pool)
{
	uintptr_t found;

	pthread_mutex_lock(&pool->lock);
	found = atomic_exchange_explicit(&pool->slot, SLOT_CLOSED,
					 memory_order_acquire);
	if (found != SLOT_EMPTY && found != SLOT_CLOSED) {
		struct portalmem_buffer *buffer =
			(struct portalmem_buffer *)found;

		buffer->released_ms = coarse_ms();
		list_add_first(&pool->idle, buffer);
	}
}

/* Will a release have more to do than to leave a buffer for the next user? */
static bool is_busy(const struct portalmem_pool *pool)
{
	return !pool->refs || pool->waiting ||
	       (pool->idle_ms >= 0 && pool->buffers > pool->minimum &&
		(pool->idle.count || pool->shared.count));
}

static void unlock_pool(struct portalmem_pool *pool)
{
	if (!is_busy(pool))
		atomic_store_explicit(&pool->slot, SLOT_EMPTY,
				      memory_order_release);
	pthread_mutex_unlock(&pool->lock);
}

static void count_reuse(struct portalmem_pool *pool)
{
	atomic_fetch_add_explicit(&pool->reused, 1, memory_order_relaxed);
}

/* Leave a buffer for the next user; false when it has to be done with the lock.
 */
static bool leave_in_slot(struct portalmem_pool *pool,
			  struct portalmem_buffer *buffer)
{
	uintptr_t empty = SLOT_EMPTY;

	return atomic_compare_exchange_strong_explicit(
		&pool->slot, &empty, (uintptr_t)buffer, memory_order_release,
		memory_order_relaxed);
}

/* The buffer that somebody left there, or NULL. */
static struct portalmem_buffer *take_from_slot(struct portalmem_pool *pool)
{
	uintptr_t found =
		atomic_load_explicit(&pool->slot, memory_order_relaxed);

	if (found == SLOT_EMPTY || found == SLOT_CLOSED ||
	    !atomic_compare_exchange_strong_explicit(
		    &pool->slot, &found, SLOT_EMPTY, memory_order_acquire,
		    memory_order_relaxed))
		return NULL;
	return (struct portalmem_buffer *)found;
}

/* With the lock: DOOMED is to be freed without it. */
static void doom(struct portalmem_pool *pool, struct list *from,
		 struct portalmem_buffer *buffer, struct list *doomed)
{
	list_remove(from, buffer);
	list_add_last(doomed, buffer);
	pool->buffers--;
	pthread_cond_signal(&pool->changed);
}

static bool is_expired(const struct portalmem_pool *pool,
		       const struct portalmem_buffer *buffer, uint64_t now)
{
	return buffer && pool->buffers > pool->minimum &&
	       now - buffer->released_ms >= (uint64_t)pool->idle_ms;
}

/* With the lock. */
static void expire(struct portalmem_pool *pool, uint64_t now,
		   struct list *doomed)
{
	if (pool->idle_ms < 0 || now < pool->next_trim_ms)
		return;
	pool->next_trim_ms = now + (uint64_t)pool->idle_ms / 4;
	while (is_expired(pool, pool->idle.last, now)) {
		doom(pool, &pool->idle, pool->idle.last, doomed);
		pool->trimmed++;
	}
	while (is_expired(pool, pool->shared.first, now)) {
		doom(pool, &pool->shared, pool->shared.first, doomed);
		pool->trimmed++;
	}
}

/* 1, 0, or a negative errno when the kernel does not tell. */
static int is_held(struct portalmem_buffer *buffer)
{
	unsigned int references;
	int ret = -ENOTTY;

	if (pm_buffer_is_known(buffer))
		ret = pm_portalmem_is_held(buffer->device, buffer->fd,
					   OWN_REFERENCES);
	/* A module that is older than the question is asked as others are. */
	if (ret != -ENOTTY)
		return ret;
	if (buffer->kind == PM_KIND_MEMFD)
		return -EOPNOTSUPP;
	references = pm_fd_count_references(buffer->fd, &buffer->fdinfo);
	if (!references)
		return -EOPNOTSUPP;
	/* In this order: who has no reference any more adds no fence. */
	return references > OWN_REFERENCES || !pm_fd_is_signalled(buffer->fd);
}

/* A shared buffer that nobody holds any more, or NULL. With the lock. */
static struct portalmem_buffer *take_shared(struct portalmem_pool *pool,
					    struct list *doomed)
{
	struct portalmem_buffer *buffer, *next;

	for (buffer = pool->shared.first; buffer; buffer = next) {
		unsigned int forks;
		bool is_quiet = read_forks(&forks);
		int held = is_held(buffer);

		next = buffer->next;
		pool->asked++;
		if (held < 0) {
			doom(pool, &pool->shared, buffer, doomed);
			pool->dropped++;
		} else if (!held) {
			list_remove(&pool->shared, buffer);
			if (is_quiet)
				buffer->forks = forks;
			return buffer;
		}
	}
	return NULL;
}

/* The same for one that only this process ever had. With the lock. */
static struct portalmem_buffer *take_idle(struct portalmem_pool *pool)
{
	struct portalmem_buffer *buffer;

	while ((buffer = pool->idle.first)) {
		list_remove(&pool->idle, buffer);
		if (is_private(buffer))
			return buffer;
		/* There was a fork since. */
		list_add_last(&pool->shared, buffer);
	}
	return NULL;
}

static int new_buffer(struct portalmem_pool *pool,
		      struct portalmem_buffer **bufferp)
{
	struct portalmem_buffer *buffer;
	bool is_quiet;
	unsigned int forks;
	void *address;
	int ret;

	is_quiet = read_forks(&forks);
	ret = portalmem_buffer_alloc(pool->device, pool->size,
				     pool->has_alloc ? &pool->alloc : NULL,
				     &buffer);
	if (ret)
		return ret;
	ret = portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR, &address);
	if (ret) {
		portalmem_buffer_unref(buffer);
		return ret;
	}
	/* A child may have a copy: that is as good as shared. */
	if (!is_quiet)
		pm_buffer_mark_shared(buffer);
	buffer->forks = forks;
	*bufferp = buffer;
	return 0;
}

/* Fill up to the minimum. Nobody else has the pool yet. */
static int fill(struct portalmem_pool *pool)
{
	while (pool->buffers < pool->minimum) {
		struct portalmem_buffer *buffer;
		int ret = new_buffer(pool, &buffer);

		if (ret)
			return ret;
		buffer->pool = pool;
		buffer->released_ms = coarse_ms();
		list_add_first(&pool->idle, buffer);
		pool->buffers++;
		pool->allocated++;
	}
	return 0;
}

static int check_options(const struct portalmem_pool_options *options)
{
	if (options->struct_size != sizeof(*options) ||
	    (options->alloc &&
	     options->alloc->struct_size != sizeof(*options->alloc)))
		return pm_refuse(-EINVAL,
				 "cannot make a pool: the options were not "
				 "initialized; start from "
				 "PORTALMEM_POOL_OPTIONS_INIT, and for its "
				 "buffers from PORTALMEM_ALLOC_OPTIONS_INIT");
	if (!options->maximum || options->maximum < options->minimum)
		return pm_refuse(-EINVAL,
				 "cannot make a pool of at most %u buffers, "
				 "%u from the start; give a maximum of 1 or "
				 "more that is not below the minimum",
				 options->maximum, options->minimum);
	if (options->idle_ms < -1)
		return pm_refuse(-EINVAL,
				 "cannot make a pool: an idle time of %d ms; "
				 "give 0 or more, or -1 for ever",
				 options->idle_ms);
	return 0;
}

static int init_lock(struct portalmem_pool *pool)
{
	pthread_condattr_t attributes;
	int ret;

	pthread_mutex_init(&pool->lock, NULL);
	ret = pthread_condattr_init(&attributes);
	if (ret)
		return -ret;
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	ret = pthread_cond_init(&pool->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return -ret;
}

static int copy_alloc(struct portalmem_pool *pool,
		      const struct portalmem_alloc_options *alloc)
{
	if (!alloc)
		return 0;
	pool->has_alloc = true;
	pool->alloc = *alloc;
	if (!alloc->name)
		return 0;
	pool->name = strdup(alloc->name);
	pool->alloc.name = pool->name;
	return pool->name ? 0 : -ENOMEM;
}

/* What is too much for that is refused when the first buffer is allocated. */
static uint64_t whole_pages(uint64_t size)
{
	uint64_t mask = pm_page_size() - 1;

	return size > UINT64_MAX - mask ? size : (size + mask) & ~mask;
}

static int init_pool(struct portalmem_pool *pool,
		     const struct portalmem_pool_options *options)
{
	int ret;

	pool->minimum = options->minimum;
	pool->maximum = options->maximum;
	pool->idle_ms = options->idle_ms;
	pool->refs = 1;
	ret = init_lock(pool);
	if (ret)
		return ret;
	pthread_once(&forks_once, watch_forks);
	return forks_error ? forks_error : copy_alloc(pool, options->alloc);
}

PM_EXPORT int
portalmem_pool_create(struct portalmem_device *device, uint64_t size,
		      const struct portalmem_pool_options *options,
		      struct portalmem_pool **poolp)
{
	static const struct portalmem_pool_options usual =
		PORTALMEM_POOL_OPTIONS_INIT;
	struct portalmem_pool *pool;
	int ret;

	if (!device || !poolp)
		return pm_refuse(-EINVAL, "cannot make a pool: no device or no "
					  "place for the result was given "
					  "(NULL)");
	if (!size)
		return pm_refuse(-EINVAL, "cannot make a pool of buffers of 0 "
					  "bytes; give a size of 1 or more");
	if (!options)
		options = &usual;
	ret = check_options(options);
	if (ret)
		return ret;
	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return pm_fail(-ENOMEM, NULL, "cannot make a pool");
	pool->device = portalmem_device_ref(device);
	pool->size = whole_pages(size);
	ret = init_pool(pool, options);
	if (ret)
		pm_fail(ret, NULL, "cannot make a pool");
	else
		ret = fill(pool);
	if (ret) {
		free_all(&pool->idle);
		free_pool(pool);
		return ret;
	}
	*poolp = pool;
	return 0;
}

PM_EXPORT struct portalmem_pool *portalmem_pool_ref(struct portalmem_pool *pool)
{
	if (pool) {
		lock_pool(pool);
		pool->refs++;
		unlock_pool(pool);
	}
	return pool;
}

/* With the lock: nobody has a reference, and no buffer will come back. */
static bool is_over(const struct portalmem_pool *pool)
{
	return !pool->refs && !pool->buffers;
}

PM_EXPORT void portalmem_pool_unref(struct portalmem_pool *pool)
{
	struct list doomed = {0};
	bool is_last = false;

	if (!pool)
		return;
	lock_pool(pool);
	if (!--pool->refs) {
		while (pool->idle.first)
			doom(pool, &pool->idle, pool->idle.first, &doomed);
		while (pool->shared.first)
			doom(pool, &pool->shared, pool->shared.first, &doomed);
		is_last = is_over(pool);
	}
	unlock_pool(pool);
	free_all(&doomed);
	if (is_last)
		free_pool(pool);
}

/* With the lock. False when the pool has no use for the buffer. */
static bool put(struct portalmem_pool *pool, struct portalmem_buffer *buffer,
		bool is_mapped)
{
	if (!pool->refs)
		return false;
	if (!is_mapped) {
		pool->dropped++;
		return false;
	}
	if (is_private(buffer)) {
		list_add_first(&pool->idle, buffer);
		return true;
	}
	/* Nobody can tell who holds a memfd. */
	if (buffer->kind == PM_KIND_MEMFD) {
		pool->dropped++;
		return false;
	}
	list_add_last(&pool->shared, buffer);
	return true;
}

void pm_pool_take_back(struct portalmem_buffer *buffer)
{
	bool is_mapped = pm_buffer_unmap_parts(buffer);
	struct portalmem_pool *pool = buffer->pool;
	struct list doomed = {0};
	bool is_last;

	if (is_mapped && is_private(buffer) && leave_in_slot(pool, buffer))
		return;
	lock_pool(pool);
	buffer->released_ms = coarse_ms();
	if (!put(pool, buffer, is_mapped)) {
		pool->buffers--;
		list_add_last(&doomed, buffer);
	}
	pthread_cond_signal(&pool->changed);
	expire(pool, buffer->released_ms, &doomed);
	is_last = is_over(pool);
	unlock_pool(pool);
	free_all(&doomed);
	if (is_last)
		free_pool(pool);
}

static struct timespec after_ms(struct timespec time, int ms)
{
	time.tv_sec += ms / 1000;
	time.tv_nsec += (long)(ms % 1000) * 1000000;
	if (time.tv_nsec >= 1000000000) {
		time.tv_sec++;
		time.tv_nsec -= 1000000000;
	}
	return time;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* One who waits for a buffer. */
struct wait {
	int timeout_ms;
	int ask_ms; /* 0 before the first time */
	struct timespec deadline;
};

/*
 * With the lock: until there may be a buffer. -EAGAIN or -ETIMEDOUT when the
 * time is over.
 */
static int wait_for_change(struct portalmem_pool *pool, struct wait *wait)
{
	struct timespec now, until;
	bool is_limited = wait->timeout_ms > 0;

	if (!wait->timeout_ms)
		return -EAGAIN;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!wait->ask_ms) {
		wait->ask_ms = ASK_EVERY_MIN_MS;
		if (is_limited)
			wait->deadline = after_ms(now, wait->timeout_ms);
	} else if (wait->ask_ms < ASK_EVERY_MAX_MS) {
		wait->ask_ms++;
	}
	if (is_limited && !is_before(&now, &wait->deadline))
		return -ETIMEDOUT;
	pool->waiting++;
	if (!pool->shared.count && !is_limited) {
		pthread_cond_wait(&pool->changed, &pool->lock);
		pool->waiting--;
		return 0;
	}
	/* Nobody tells when another process lets go of a buffer. */
	until = after_ms(now, wait->ask_ms);
	if (!pool->shared.count ||
	    (is_limited && is_before(&wait->deadline, &until)))
		until = wait->deadline;
	pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
	pool->waiting--;
	return 0;
}

/*
 * With the lock: a buffer, or NULL and a place for a new one is taken, or a
 * negative errno.
 */
static int find_or_wait(struct portalmem_pool *pool, int timeout_ms,
			struct list *doomed, struct portalmem_buffer **bufferp)
{
	struct wait wait = {.timeout_ms = timeout_ms};

	for (;;) {
		struct portalmem_buffer *buffer = take_idle(pool);
		int ret;

		if (!buffer)
			buffer = take_shared(pool, doomed);
		if (buffer || pool->buffers < pool->maximum) {
			if (buffer)
				count_reuse(pool);
			else
				pool->buffers++;
			*bufferp = buffer;
			return 0;
		}
		ret = wait_for_change(pool, &wait);
		if (ret)
			return ret;
	}
}

/* Fill the place that find_or_wait() has taken, or give it back. */
static int grow(struct portalmem_pool *pool, struct portalmem_buffer **bufferp)
{
	int ret = new_buffer(pool, bufferp);

	lock_pool(pool);
	if (ret) {
		pool->buffers--;
		pthread_cond_signal(&pool->changed);
	} else {
		(*bufferp)->pool = pool;
		pool->allocated++;
	}
	unlock_pool(pool);
	return ret;
}

/* With all that a pool has and can. */
static int acquire(struct portalmem_pool *pool, int timeout_ms,
		   struct portalmem_buffer **bufferp)
{
	struct list doomed = {0};
	int ret;

	lock_pool(pool);
	ret = find_or_wait(pool, timeout_ms, &doomed, bufferp);
	expire(pool, coarse_ms(), &doomed);
	unlock_pool(pool);
	free_all(&doomed);
	if (ret)
		return pm_refuse(ret,
				 "cannot acquire a buffer: all %u of the pool "
				 "are in use; release some, wait longer, or "
				 "allow more",
				 pool->maximum);
	return *bufferp ? 0 : grow(pool, bufferp);
}

/* There was a fork since it was left in the slot. */
static void put_with_shared(struct portalmem_pool *pool,
			    struct portalmem_buffer *buffer)
{
	lock_pool(pool);
	buffer->released_ms = coarse_ms();
	list_add_last(&pool->shared, buffer);
	unlock_pool(pool);
}

PM_EXPORT int portalmem_pool_acquire(struct portalmem_pool *pool,
				     int timeout_ms,
				     struct portalmem_buffer **bufferp)
{
	struct portalmem_buffer *buffer;
	int ret;

	if (!pool || !bufferp)
		return pm_refuse(-EINVAL, "cannot acquire a buffer: no pool or "
					  "no place for the result was given "
					  "(NULL)");
	if (timeout_ms < -1)
		return pm_refuse(-EINVAL,
				 "cannot acquire a buffer in %d ms; give 0 or "
				 "more, or -1 for as long as it takes",
				 timeout_ms);
	buffer = take_from_slot(pool);
	if (buffer && !is_private(buffer)) {
		put_with_shared(pool, buffer);
		buffer = NULL;
	}
	if (buffer) {
		count_reuse(pool);
	} else {
		ret = acquire(pool, timeout_ms, &buffer);
		if (ret)
			return ret;
	}
	atomic_store_explicit(&buffer->refs, 1, memory_order_relaxed);
	*bufferp = buffer;
	return 0;
}

PM_EXPORT int portalmem_pool_trim(struct portalmem_pool *pool,
				  unsigned int keep)
{
	struct list doomed = {0};
	unsigned int freed;

	if (!pool)
		return pm_refuse(-EINVAL, "cannot trim a pool: none was given "
					  "(NULL)");
	lock_pool(pool);
	while (pool->buffers > keep && pool->idle.last)
		doom(pool, &pool->idle, pool->idle.last, &doomed);
	while (pool->buffers > keep && pool->shared.first)
		doom(pool, &pool->shared, pool->shared.first, &doomed);
	freed = doomed.count;
	pool->trimmed += freed;
	unlock_pool(pool);
	free_all(&doomed);
	return (int)freed;
}

PM_EXPORT int portalmem_pool_get_info(struct portalmem_pool *pool,
				      struct portalmem_pool_info *info)
{
	if (!pool || !info)
		return pm_refuse(-EINVAL, "cannot describe a pool: no pool or "
					  "no place for the result was given "
					  "(NULL)");
	if (info->struct_size != sizeof(*info))
		return pm_refuse(-EINVAL,
				 "cannot describe a pool: the info was not "
				 "initialized; start from "
				 "PORTALMEM_POOL_INFO_INIT");
	info->size = pool->size;
	lock_pool(pool);
	info->buffers = pool->buffers;
	info->acquired = pool->buffers - pool->idle.count - pool->shared.count;
	info->idle = pool->idle.count;
	info->shared = pool->shared.count;
	info->allocated = pool->allocated;
	info->reused =
		atomic_load_explicit(&pool->reused, memory_order_relaxed);
	info->dropped = pool->dropped;
	info->trimmed = pool->trimmed;
	info->asked = pool->asked;
	unlock_pool(pool);
	return 0;
}
