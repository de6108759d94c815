// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "private.h"

/* What the library itself remembers of a buffer. */
static void describe_from_memory(const struct portalmem_buffer *buffer,
				 struct portalmem_info *info)
{
	info->size = buffer->size;
	info->caching = buffer->caching;
	info->effective = buffer->effective;
	info->pid = buffer->pid;
	pm_copy_name(info->name, buffer->name, PORTALMEM_NAME_MAX);
}

int pm_buffer_describe(const struct portalmem_buffer *buffer,
		       struct portalmem_info *info)
{
	if (pm_buffer_is_known(buffer))
		return pm_portalmem_info(buffer->device, buffer->fd, info);
	describe_from_memory(buffer, info);
	if (buffer->kind == PM_KIND_MEMFD)
		pm_copy_name(info->heap, pm_backend_memfd.name,
			     PORTALMEM_NAME_MAX);
	else
		/* Without /proc, exporter and current name are not known. */
		pm_fd_describe_dmabuf(buffer->fd, info->heap, info->name);
	return 0;
}

PM_EXPORT int portalmem_buffer_get_info(struct portalmem_buffer *buffer,
					struct portalmem_info *info)
{
	struct portalmem_info found = PORTALMEM_INFO_INIT;
	struct stat st;
	int ret;

	if (!buffer || !info)
		return pm_refuse(-EINVAL, "cannot describe a buffer: no buffer "
					  "or no place for the result was "
					  "given (NULL)");
	if (info->struct_size != sizeof(*info))
		return pm_refuse(-EINVAL,
				 "cannot describe a buffer: the info was not "
				 "initialized; start from PORTALMEM_INFO_INIT");
	ret = pm_buffer_describe(buffer, &found);
	if (ret)
		return pm_fail(ret, NULL, "cannot describe a buffer");
	if (fstat(buffer->fd, &st))
		return pm_fail(-errno, NULL, "cannot describe a buffer");
	found.inode = st.st_ino;
	*info = found;
	return 0;
}

PM_EXPORT int portalmem_buffer_get_segments(struct portalmem_buffer *buffer,
					    size_t first,
					    struct portalmem_segment *segments,
					    size_t count, size_t *totalp)
{
	/* What is returned must fit, and a table is never that long. */
	uint32_t got = count < INT_MAX ? (uint32_t)count : INT_MAX;
	uint32_t from = first < UINT32_MAX ? (uint32_t)first : UINT32_MAX;
	uint32_t total;
	int ret;

	if (!buffer || (count && !segments))
		return pm_refuse(-EINVAL, "cannot read a buffer's segments: no "
					  "buffer or no place for the result "
					  "was given (NULL)");
	if (!pm_buffer_is_known(buffer))
		return pm_refuse(-EOPNOTSUPP,
				 "cannot read a buffer's segments: the "
				 "portalmem module does not know it; allocate "
				 "it from the module, and import it with a "
				 "node of the module");
	ret = pm_portalmem_segments(buffer->device, buffer->fd, from, segments,
				    &got, &total);
	if (ret)
		return pm_fail(ret, NULL, "cannot read a buffer's segments");
	if (totalp)
		*totalp = total;
	return (int)got;
}

PM_EXPORT int portalmem_buffer_set_name(struct portalmem_buffer *buffer,
					const char *name)
{
	int ret;

	if (!buffer || !name)
		return pm_refuse(-EINVAL, "cannot name a buffer: no buffer or "
					  "no name was given (NULL)");
	if (strnlen(name, PORTALMEM_NAME_MAX) == PORTALMEM_NAME_MAX)
		return pm_refuse(-ENAMETOOLONG,
				 "cannot name a buffer: the name is too long; "
				 "give at most %d bytes",
				 PORTALMEM_NAME_MAX - 1);
	if (pm_has_control_characters(name))
		return pm_refuse(-EINVAL,
				 "cannot name a buffer '%s': the name has "
				 "control characters; leave them out",
				 name);
	if (buffer->kind == PM_KIND_MEMFD)
		return pm_refuse(-EOPNOTSUPP,
				 "cannot name a buffer '%s': a memfd takes a "
				 "name only when it is allocated",
				 name);
	ret = pm_dmabuf_set_name(buffer->fd, name);
	return ret ? pm_fail(ret, NULL, "cannot name a buffer '%s'", name) : 0;
}
