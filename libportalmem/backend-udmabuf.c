// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>
#include <linux/udmabuf.h>
#include <stdlib.h>
#include <unistd.h>

#include "private.h"

/* As with DMA heaps, only a request that must be refused can be asked. */
static int udmabuf_probe(const struct portalmem_device *device)
{
	struct udmabuf_create create = {.memfd = ~0U};
	int ret = pm_ioctl(device->fd, UDMABUF_CREATE, &create);

	/* Which of its errors comes first has changed between kernels. */
	if (ret == -EINVAL || ret == -EBADF || ret == -EBADFD)
		return 0;
	return -EOPNOTSUPP;
}

static int create_failed(const struct portalmem_device *device, uint64_t size,
			 int error)
{
	/* The request is well formed: what is left is the driver's limit. */
	if (error == -EINVAL)
		return pm_fail(-ENOMEM,
			       "ask for less or raise the limit (see /sys/"
			       "module/udmabuf/parameters/size_limit_mb)",
			       "cannot make a dma-buf of %llu bytes with %s",
			       (unsigned long long)size, device->path);
	return pm_fail(error, NULL,
		       "cannot make a dma-buf of %llu bytes with %s",
		       (unsigned long long)size, device->path);
}

static int udmabuf_create_from(const struct portalmem_device *device, int memfd,
			       const struct pm_request *request)
{
	struct udmabuf_create create = {
		.memfd = (uint32_t)memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = request->size,
	};
	int fd, ret;

	fd = pm_ioctl(device->fd, UDMABUF_CREATE, &create);
	if (fd < 0)
		return create_failed(device, request->size, fd);
	if (!request->name[0])
		return fd;
	ret = pm_dmabuf_set_name(fd, request->name);
	if (ret) {
		close(fd);
		return pm_fail(ret, NULL, "cannot name a buffer of %s '%s'",
			       device->path, request->name);
	}
	return fd;
}

static int udmabuf_alloc(const struct portalmem_device *device,
			 const struct pm_request *request,
			 struct pm_grant *grant)
{
	int memfd, fd;

	memfd = pm_more_than_memory(request->size)
			? -ENOMEM
			: pm_memfd_create(request->name, request->size);
	if (memfd < 0)
		return pm_fail(memfd, NULL,
			       "cannot make a memfd of %llu bytes for %s",
			       (unsigned long long)request->size, device->path);
	fd = udmabuf_create_from(device, memfd, request);
	/* The dma-buf holds the pages. */
	close(memfd);
	if (fd < 0)
		return fd;
	grant->fd = fd;
	grant->kind = PM_KIND_DMABUF;
	grant->effective = PORTALMEM_CACHING_CACHED;
	return 0;
}

/* The driver's limit on one buffer in bytes, if it can be read. */
static uint64_t size_limit(void)
{
	char text[32];
	unsigned long mb;

	if (pm_read_text("/sys/module/udmabuf/parameters/size_limit_mb", text,
			 sizeof(text)))
		return UINT64_MAX;
	mb = strtoul(text, NULL, 10);
	return mb < UINT64_MAX >> 20 ? (uint64_t)mb << 20 : UINT64_MAX;
}

static unsigned int
udmabuf_unmet(const struct portalmem_device *device,
	      const struct portalmem_constraints *constraints)
{
	unsigned int unmet = constraints->needs & ~PORTALMEM_NEED_SHAREABLE;

	(void)device;
	if (constraints->address_bits)
		unmet |= PORTALMEM_NEED_ADDRESS_BITS;
	if (constraints->size > size_limit() ||
	    pm_more_than_memory(constraints->size))
		unmet |= PORTALMEM_NEED_SIZE;
	return unmet;
}

const struct pm_backend pm_backend_udmabuf = {
	.id = PORTALMEM_BACKEND_UDMABUF,
	.name = "udmabuf",
	.path = "/dev/udmabuf",
	.missing = "load the module (modprobe udmabuf)",
	.cachings = PM_CACHING_BIT(PORTALMEM_CACHING_DEFAULT) |
		    PM_CACHING_BIT(PORTALMEM_CACHING_CACHED),
	.probe = udmabuf_probe,
	.alloc = udmabuf_alloc,
	.unmet = udmabuf_unmet,
};
