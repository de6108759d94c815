// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>
#include <linux/dma-buf.h>
#include <linux/portalmem.h>

#include "private.h"

static int check_flags(unsigned int flags)
{
	const unsigned int when = PORTALMEM_SYNC_START | PORTALMEM_SYNC_END;

	if (flags & ~(when | PORTALMEM_SYNC_RDWR))
		return -EINVAL;
	if (!(flags & PORTALMEM_SYNC_RDWR))
		return -EINVAL;
	/* One of the two. */
	if (!(flags & when) || (flags & when) == when)
		return -EINVAL;
	return 0;
}

unsigned int pm_sync_flags_to_uapi(unsigned int flags)
{
	unsigned int uapi = flags & PORTALMEM_SYNC_END ? DMA_BUF_SYNC_END
						       : DMA_BUF_SYNC_START;

	if (flags & PORTALMEM_SYNC_READ)
		uapi |= DMA_BUF_SYNC_READ;
	if (flags & PORTALMEM_SYNC_WRITE)
		uapi |= DMA_BUF_SYNC_WRITE;
	return uapi;
}

static int check_ranges(const char *what, uint64_t size,
			const struct portalmem_range *ranges, size_t count)
{
	if (count && !ranges)
		return pm_refuse(-EINVAL,
				 "cannot sync %s: %zu ranges, but none given "
				 "(NULL)",
				 what, count);
	if (count > PORTALMEM_SYNC_RANGES_MAX)
		return pm_refuse(-EINVAL,
				 "cannot sync %s: %zu ranges are too many; "
				 "give at most %d at a time",
				 what, count, PORTALMEM_SYNC_RANGES_MAX);
	for (size_t i = 0; i < count; i++)
		if (ranges[i].offset > size ||
		    ranges[i].length > size - ranges[i].offset)
			return pm_refuse(
				-ERANGE,
				"cannot sync %s: range %zu, offset %llu, "
				"length %llu is not within its %llu bytes",
				what, i, (unsigned long long)ranges[i].offset,
				(unsigned long long)ranges[i].length,
				(unsigned long long)size);
	return 0;
}

int pm_check_sync(const char *what, uint64_t size, unsigned int flags,
		  const struct portalmem_range *ranges, size_t count)
{
	if (check_flags(flags))
		return pm_refuse(-EINVAL,
				 "cannot sync %s: flags 0x%x; give "
				 "PORTALMEM_SYNC_START or _END, with _READ, "
				 "_WRITE or both",
				 what, flags);
	return check_ranges(what, size, ranges, count);
}

static int sync_dmabuf(const struct portalmem_buffer *buffer,
		       unsigned int flags)
{
	struct dma_buf_sync sync = {.flags = flags};

	return pm_ioctl(buffer->fd, DMA_BUF_IOCTL_SYNC, &sync);
}

int pm_buffer_do_sync(const struct portalmem_buffer *buffer, unsigned int flags,
		      const struct portalmem_range *ranges, size_t count)
{
	const struct portalmem_range whole = {0, buffer->size};

	/* No device ever sees a memfd, and the caches of CPUs agree. */
	if (buffer->kind == PM_KIND_MEMFD)
		return 0;
	if (!pm_buffer_is_known(buffer))
		return sync_dmabuf(buffer, pm_sync_flags_to_uapi(flags));
	if (!ranges) {
		ranges = &whole;
		count = 1;
	}
	return pm_portalmem_sync(buffer->device->fd, buffer->fd,
				 pm_sync_flags_to_uapi(flags), ranges, count);
}

PM_EXPORT int portalmem_buffer_sync(struct portalmem_buffer *buffer,
				    unsigned int flags,
				    const struct portalmem_range *ranges,
				    size_t count)
{
	int ret;

	if (!buffer)
		return pm_refuse(-EINVAL, "cannot sync a buffer: no buffer was "
					  "given (NULL)");
	ret = pm_check_sync("a buffer", buffer->size, flags, ranges, count);
	if (ret)
		return ret;
	/* An empty list is not the whole buffer. */
	if (ranges && !count)
		return 0;
	ret = pm_buffer_do_sync(buffer, flags, ranges, count);
	return ret ? pm_fail(ret, NULL, "cannot sync a buffer") : 0;
}
