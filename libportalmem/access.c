// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "private.h"

static int compare_offsets(const void *one, const void *two)
{
	const struct portalmem_range *a = one, *b = two;

	return (a->offset > b->offset) - (a->offset < b->offset);
}

static void keep_whole(struct pm_access *access, uint64_t size)
{
	access->ranges[0].offset = 0;
	access->ranges[0].length = size;
	access->count = 1;
}

static void keep_ranges(struct pm_access *access,
			const struct portalmem_range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ranges[i].length)
			access->ranges[access->count++] = ranges[i];
	if (access->count)
		qsort(access->ranges, access->count, sizeof(*ranges),
		      compare_offsets);
}

/* Is a sync of any part of it one of the whole buffer? */
static bool is_synced_whole(const struct portalmem_buffer *buffer)
{
	return buffer->kind == PM_KIND_DMABUF;
}

static struct pm_access *new_access(const struct portalmem_buffer *buffer,
				    unsigned int flags,
				    const struct portalmem_range *ranges,
				    size_t count)
{
	size_t room = (ranges ? count : 1) * sizeof(*ranges);
	struct pm_access *access = calloc(1, sizeof(*access) + room);

	if (!access)
		return NULL;
	access->flags = flags;
	if (ranges)
		keep_ranges(access, ranges, count);
	if (!ranges || (access->count && is_synced_whole(buffer)))
		keep_whole(access, buffer->size);
	return access;
}

/* Does A end before B begins? */
static bool is_before(const struct portalmem_range *a,
		      const struct portalmem_range *b)
{
	return a->offset + a->length <= b->offset;
}

/* The first range of ACCESS of which OTHER has a part, too, or NULL. */
static const struct portalmem_range *overlap(const struct pm_access *access,
					     const struct pm_access *other)
{
	size_t i = 0, j = 0;

	while (i < access->count && j < other->count) {
		if (is_before(&access->ranges[i], &other->ranges[j]))
			i++;
		else if (is_before(&other->ranges[j], &access->ranges[i]))
			j++;
		else
			return &access->ranges[i];
	}
	return NULL;
}

/* With the buffer locked. */
static int check_conflicts(const struct portalmem_buffer *buffer,
			   const struct pm_access *access)
{
	for (struct pm_access *other = buffer->accesses; other;
	     other = other->next) {
		const struct portalmem_range *range;

		if (!((access->flags | other->flags) & PORTALMEM_SYNC_WRITE))
			continue;
		range = overlap(access, other);
		if (range)
			return pm_refuse(
				-EBUSY,
				"cannot begin an access: a part of offset "
				"%llu, length %llu is open to another access "
				"that %s; end that one first",
				(unsigned long long)range->offset,
				(unsigned long long)range->length,
				other->flags & PORTALMEM_SYNC_WRITE
					? "writes"
					: "reads what this one writes");
	}
	return 0;
}

/* Open it before anything is synced, so that no other one comes between. */
static int add_access(struct portalmem_buffer *buffer, struct pm_access *access)
{
	int ret;

	pthread_mutex_lock(&buffer->lock);
	ret = check_conflicts(buffer, access);
	if (!ret) {
		access->number = ++buffer->accesses_begun;
		access->next = buffer->accesses;
		buffer->accesses = access;
	}
	pthread_mutex_unlock(&buffer->lock);
	return ret;
}

static void remove_access(struct portalmem_buffer *buffer,
			  struct pm_access *access)
{
	struct pm_access **link = &buffer->accesses;

	pthread_mutex_lock(&buffer->lock);
	while (*link != access)
		link = &(*link)->next;
	*link = access->next;
	pthread_mutex_unlock(&buffer->lock);
	free(access);
}

static int sync_access(const struct portalmem_buffer *buffer, unsigned int when,
		       const struct pm_access *access)
{
	if (!access->count)
		return 0;
	return pm_buffer_do_sync(buffer, when | access->flags, access->ranges,
				 access->count);
}

static int check_begin(const struct portalmem_buffer *buffer,
		       unsigned int flags, const struct portalmem_range *ranges,
		       size_t count, const struct portalmem_access *access)
{
	if (!buffer || !access)
		return pm_refuse(-EINVAL, "cannot begin an access: no buffer "
					  "or no place for the result was "
					  "given (NULL)");
	if (!flags || flags & ~(unsigned int)PORTALMEM_SYNC_RDWR)
		return pm_refuse(-EINVAL,
				 "cannot begin an access: flags 0x%x; give "
				 "PORTALMEM_SYNC_READ, PORTALMEM_SYNC_WRITE or "
				 "both",
				 flags);
	if (access->buffer)
		return pm_refuse(-EBUSY,
				 "cannot begin an access: this one is open; "
				 "end it first, or start from "
				 "PORTALMEM_ACCESS_INIT");
	return pm_check_sync("a buffer", buffer->size,
			     flags | PORTALMEM_SYNC_START, ranges, count);
}

PM_EXPORT int portalmem_access_begin(struct portalmem_buffer *buffer,
				     unsigned int flags,
				     const struct portalmem_range *ranges,
				     size_t count,
				     struct portalmem_access *access)
{
	struct pm_access *begun;
	uint64_t number;
	int ret;

	ret = check_begin(buffer, flags, ranges, count, access);
	if (ret)
		return ret;
	begun = new_access(buffer, flags, ranges, count);
	if (!begun)
		return pm_fail(-ENOMEM, NULL, "cannot begin an access");
	ret = add_access(buffer, begun);
	if (ret) {
		free(begun);
		return ret;
	}
	number = begun->number;
	ret = sync_access(buffer, PORTALMEM_SYNC_START, begun);
	if (ret) {
		remove_access(buffer, begun);
		return pm_fail(ret, NULL, "cannot begin an access");
	}
	access->number = number;
	access->buffer = portalmem_buffer_ref(buffer);
	return 0;
}

/* Find it and have it alone: NULL when it is not open. */
static struct pm_access *claim_access(struct portalmem_buffer *buffer,
				      uint64_t number)
{
	struct pm_access *access;

	pthread_mutex_lock(&buffer->lock);
	access = buffer->accesses;
	while (access && access->number != number)
		access = access->next;
	if (access && access->is_ending)
		access = NULL;
	if (access)
		access->is_ending = true;
	pthread_mutex_unlock(&buffer->lock);
	return access;
}

static void give_up_access(struct portalmem_buffer *buffer,
			   struct pm_access *access)
{
	pthread_mutex_lock(&buffer->lock);
	access->is_ending = false;
	pthread_mutex_unlock(&buffer->lock);
}

static int refuse_end(void)
{
	return pm_refuse(-EINVAL,
			 "cannot end an access: it is not open; begin it "
			 "first, and end it once");
}

PM_EXPORT int portalmem_access_end(struct portalmem_access *access)
{
	struct portalmem_buffer *buffer;
	struct pm_access *begun;
	int ret;

	if (!access)
		return pm_refuse(-EINVAL, "cannot end an access: none was "
					  "given (NULL)");
	/* Of several threads that end it, one gets it. */
	buffer = __atomic_exchange_n(&access->buffer, NULL, __ATOMIC_ACQ_REL);
	if (!buffer)
		return refuse_end();
	begun = claim_access(buffer, access->number);
	if (!begun)
		return refuse_end();
	ret = sync_access(buffer, PORTALMEM_SYNC_END, begun);
	if (ret) {
		give_up_access(buffer, begun);
		__atomic_store_n(&access->buffer, buffer, __ATOMIC_RELEASE);
		return pm_fail(ret, "it is still open, and can be ended again",
			       "cannot end an access");
	}
	remove_access(buffer, begun);
	portalmem_buffer_unref(buffer);
	return 0;
}
