// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

/* No query is defined: a request that every heap refuses has to do. */
static int dmaheap_probe(const struct portalmem_device *device)
{
	struct dma_heap_allocation_data data = {
		.len = 0,
		.fd_flags = ~(uint32_t)DMA_HEAP_VALID_FD_FLAGS,
	};
	int ret = pm_ioctl(device->fd, DMA_HEAP_IOCTL_ALLOC, &data);

	return ret == -EINVAL ? 0 : -EOPNOTSUPP;
}

static const char *heap_name(const struct portalmem_device *device)
{
	const char *slash = strrchr(device->path, '/');

	return slash ? slash + 1 : device->path;
}

/*
 * The protocol cannot say how a heap's buffers are mapped. The system heap's
 * are cached; vendors and boards add heaps whose are not.
 */
static bool is_system_heap(const struct portalmem_device *device)
{
	return !strcmp(heap_name(device), "system");
}

/* Nor that they are contiguous: kernels have named their CMA heap so. */
static bool is_cma_heap(const struct portalmem_device *device)
{
	const char *name = heap_name(device);

	return !strcmp(name, "default_cma_region") ||
	       !strcmp(name, "reserved") || !strcmp(name, "linux,cma");
}

static int give_name(const struct pm_request *request,
		     const struct portalmem_device *device, int fd)
{
	int ret;

	if (!request->name[0])
		return 0;
	ret = pm_dmabuf_set_name(fd, request->name);
	if (ret)
		pm_fail(ret, NULL, "cannot name a buffer of %s '%s'",
			device->path, request->name);
	return ret;
}

static int dmaheap_alloc(const struct portalmem_device *device,
			 const struct pm_request *request,
			 struct pm_grant *grant)
{
	struct dma_heap_allocation_data data = {
		.len = request->size,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};
	bool cached = is_system_heap(device);
	int ret;

	if (request->caching == PORTALMEM_CACHING_CACHED && !cached)
		return pm_refuse(-EOPNOTSUPP,
				 "cannot allocate from %s: whether its buffers "
				 "are cached is not known; ask for the default "
				 "caching",
				 device->path);
	ret = pm_more_than_memory(request->size)
		      ? -ENOMEM
		      : /* the kernel would call the OOM killer */
		      pm_ioctl(device->fd, DMA_HEAP_IOCTL_ALLOC, &data);
	if (ret)
		return pm_fail(ret, NULL, "cannot allocate %llu bytes from %s",
			       (unsigned long long)request->size, device->path);
	ret = give_name(request, device, (int)data.fd);
	if (ret) {
		close((int)data.fd);
		return ret;
	}
	grant->fd = (int)data.fd;
	grant->kind = PM_KIND_DMABUF;
	grant->effective = cached ? PORTALMEM_CACHING_CACHED
				  : PORTALMEM_CACHING_UNKNOWN;
	return 0;
}

static unsigned int
dmaheap_unmet(const struct portalmem_device *device,
	      const struct portalmem_constraints *constraints)
{
	unsigned int met = PORTALMEM_NEED_SHAREABLE;
	unsigned int unmet;

	if (is_cma_heap(device))
		met |= PORTALMEM_NEED_CONTIGUOUS;
	unmet = constraints->needs & ~met;
	if (constraints->address_bits)
		unmet |= PORTALMEM_NEED_ADDRESS_BITS;
	if (pm_more_than_memory(constraints->size))
		unmet |= PORTALMEM_NEED_SIZE;
	return unmet;
}

const struct pm_backend pm_backend_dmaheap = {
	.id = PORTALMEM_BACKEND_DMA_HEAP,
	.name = "dma-heap",
	.path = "/dev/dma_heap/system",
	.missing = "it needs a kernel with CONFIG_DMABUF_HEAPS_SYSTEM",
	.cachings = PM_CACHING_BIT(PORTALMEM_CACHING_DEFAULT) |
		    PM_CACHING_BIT(PORTALMEM_CACHING_CACHED),
	.probe = dmaheap_probe,
	.alloc = dmaheap_alloc,
	.unmet = dmaheap_unmet,
};
