// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "private.h"

/* What one entry of a page directory maps on the usual machines. */
#define HUGE_PAGE (2UL << 20)

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static int protection(unsigned int flags)
{
	return (flags & PORTALMEM_MAP_READ ? PROT_READ : 0) |
	       (flags & PORTALMEM_MAP_WRITE ? PROT_WRITE : 0);
}

/*
 * An address where LENGTH bytes were free a moment ago and that lies in its
 * huge page as OFFSET lies in the buffer's, or NULL. Not every kernel places
 * mappings of a dma-buf so by itself.
 */
static void *congruent_address(uint64_t offset, size_t length)
{
	size_t room = length + HUGE_PAGE;
	uintptr_t start, address;
	void *reserved;

	if (room < length)
		return NULL;
	reserved = mmap(NULL, room, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (reserved == MAP_FAILED)
		return NULL;
	munmap(reserved, room);
	start = (uintptr_t)reserved;
	address = start + ((uintptr_t)offset - start) % HUGE_PAGE;
	return (void *)address;
}

/*
 * The place is taken with MAP_FIXED_NOREPLACE after the reservation has been
 * given up: mapping over the reservation could fail with a hole left in it,
 * which another thread may have filled before the rest is unmapped.
 */
static void *place(const struct portalmem_buffer *buffer, uint64_t offset,
		   size_t length, int prot)
{
	void *address = NULL, *wanted = NULL;

	if (length >= HUGE_PAGE)
		wanted = congruent_address(offset, length);
	if (wanted) {
		address = mmap(wanted, length, prot,
			       MAP_SHARED | MAP_FIXED_NOREPLACE, buffer->fd,
			       (off_t)offset);
		if (address != MAP_FAILED || errno != EEXIST)
			return address;
	}
	return mmap(NULL, length, prot, MAP_SHARED, buffer->fd, (off_t)offset);
}

static struct pm_map *find_map(struct portalmem_buffer *buffer, uint64_t offset,
			       uint64_t length, unsigned int flags)
{
	for (struct pm_map *map = buffer->maps; map; map = map->next)
		if (map->offset == offset && map->length == length &&
		    map->flags == flags)
			return map;
	return NULL;
}

/* Most buffers have one mapping, and need no memory for it. */
static struct pm_map *new_map(struct portalmem_buffer *buffer)
{
	if (!buffer->first_map.address)
		return &buffer->first_map;
	return calloc(1, sizeof(struct pm_map));
}

static void free_map(struct portalmem_buffer *buffer, struct pm_map *map)
{
	if (map != &buffer->first_map)
		free(map);
	else
		map->address = NULL;
}

/* With the buffer locked. */
static int get_map(struct portalmem_buffer *buffer, uint64_t offset,
		   uint64_t length, unsigned int flags, void **addressp)
{
	struct pm_map *map = find_map(buffer, offset, length, flags);

	if (map) {
		map->count++;
		*addressp = map->address;
		return 0;
	}
	if (length > SIZE_MAX)
		return -ENOMEM;
	map = new_map(buffer);
	if (!map)
		return -ENOMEM;
	map->address = place(buffer, offset, (size_t)length, protection(flags));
	if (map->address == MAP_FAILED) {
		/* A memfd sealed against writing forbids it in its own way. */
		int error = errno == EPERM ? -EACCES : -errno;

		free_map(buffer, map);
		return error;
	}
	map->offset = offset;
	map->length = length;
	map->flags = flags;
	map->count = 1;
	map->next = buffer->maps;
	buffer->maps = map;
	*addressp = map->address;
	return 0;
}

static int check_part(const struct portalmem_buffer *buffer, uint64_t offset,
		      uint64_t length, unsigned int flags)
{
	if (!flags || flags & ~(unsigned int)PORTALMEM_MAP_RDWR)
		return pm_refuse(-EINVAL,
				 "cannot map a buffer: flags 0x%x; give "
				 "PORTALMEM_MAP_READ, PORTALMEM_MAP_WRITE or "
				 "both",
				 flags);
	if (offset & (pm_page_size() - 1))
		return pm_refuse(-EINVAL,
				 "cannot map a buffer: offset %llu is not a "
				 "multiple of the page size (%llu)",
				 (unsigned long long)offset,
				 (unsigned long long)pm_page_size());
	if (offset >= buffer->size || length > buffer->size - offset)
		return pm_refuse(-EINVAL,
				 "cannot map a buffer: offset %llu, length "
				 "%llu is not within its %llu bytes",
				 (unsigned long long)offset,
				 (unsigned long long)length,
				 (unsigned long long)buffer->size);
	return 0;
}

PM_EXPORT int portalmem_buffer_map(struct portalmem_buffer *buffer,
				   uint64_t offset, uint64_t length,
				   unsigned int flags, void **addressp)
{
	const char *advice = NULL;
	int ret;

	if (!buffer || !addressp)
		return pm_refuse(-EINVAL, "cannot map a buffer: no buffer or "
					  "no place for the result was given "
					  "(NULL)");
	ret = check_part(buffer, offset, length, flags);
	if (ret)
		return ret;
	if (!length)
		length = buffer->size - offset;
	pthread_mutex_lock(&buffer->lock);
	ret = get_map(buffer, offset, length, flags, addressp);
	pthread_mutex_unlock(&buffer->lock);
	if (ret == -EACCES)
		advice = "ask its owner for a file descriptor that allows it";
	return ret ? pm_fail(ret, advice,
			     "cannot map a buffer at offset %llu, length %llu",
			     (unsigned long long)offset,
			     (unsigned long long)length)
		   : 0;
}

/* With the buffer locked. */
static struct pm_map *find_cover(struct portalmem_buffer *buffer,
				 uint64_t offset, uint64_t length,
				 unsigned int flags)
{
	for (struct pm_map *map = buffer->maps; map; map = map->next)
		if (map->offset <= offset &&
		    offset - map->offset + length <= map->length &&
		    (map->flags & flags) == flags)
			return map;
	return NULL;
}

int pm_buffer_map_part(struct portalmem_buffer *buffer, uint64_t offset,
		       uint64_t length, unsigned int flags, void **mapp,
		       char **bytesp)
{
	const uint64_t mask = pm_page_size() - 1;
	uint64_t first = offset & ~mask;
	uint64_t end = (offset + length + mask) & ~mask;
	struct pm_map *map;
	int ret = 0;

	pthread_mutex_lock(&buffer->lock);
	map = find_cover(buffer, offset, length, flags);
	if (map) {
		map->count++;
		*mapp = map->address;
		first = map->offset;
	} else {
		ret = get_map(buffer, first, end - first, flags, mapp);
	}
	pthread_mutex_unlock(&buffer->lock);
	if (ret)
		return pm_fail(ret,
			       ret == -EACCES ? "ask its owner for a file "
						"descriptor that allows it"
					      : NULL,
			       "cannot map a buffer at offset %llu, length "
			       "%llu",
			       (unsigned long long)first,
			       (unsigned long long)(end - first));
	*bytesp = (char *)*mapp + (offset - first);
	return 0;
}

/* With the buffer locked. */
static int put_map(struct portalmem_buffer *buffer, const void *address)
{
	struct pm_map **link = &buffer->maps;

	while (*link && (*link)->address != address)
		link = &(*link)->next;
	if (!*link)
		return -EINVAL;
	if (!--(*link)->count) {
		struct pm_map *map = *link;

		*link = map->next;
		munmap(map->address, (size_t)map->length);
		free_map(buffer, map);
	}
	return 0;
}

PM_EXPORT int portalmem_buffer_unmap(struct portalmem_buffer *buffer,
				     void *address)
{
	int ret;

	if (!buffer)
		return pm_refuse(-EINVAL, "cannot unmap a buffer: no buffer "
					  "was given (NULL)");
	pthread_mutex_lock(&buffer->lock);
	ret = put_map(buffer, address);
	pthread_mutex_unlock(&buffer->lock);
	return ret ? pm_refuse(ret,
			       "cannot unmap a buffer: nothing of it is mapped "
			       "at %p",
			       address)
		   : 0;
}

void pm_buffer_unmap_all(struct portalmem_buffer *buffer)
{
	while (buffer->maps) {
		struct pm_map *map = buffer->maps;

		buffer->maps = map->next;
		munmap(map->address, (size_t)map->length);
		free_map(buffer, map);
	}
}

bool pm_buffer_unmap_parts(struct portalmem_buffer *buffer)
{
	struct pm_map **link = &buffer->maps, *map;
	bool is_kept = false;

	while ((map = *link)) {
		if (!map->offset && map->length == buffer->size &&
		    map->flags == PORTALMEM_MAP_RDWR) {
			map->count = 1;
			link = &map->next;
			is_kept = true;
			continue;
		}
		*link = map->next;
		munmap(map->address, (size_t)map->length);
		free_map(buffer, map);
	}
	return is_kept;
}
