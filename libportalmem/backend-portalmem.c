// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/portalmem.h>
#include <stddef.h>

#include "private.h"

_Static_assert((int)PORTALMEM_CACHING_DEFAULT == PORTALMEM_DEFAULT, "");
_Static_assert((int)PORTALMEM_CACHING_CACHED == PORTALMEM_CACHED, "");
_Static_assert((int)PORTALMEM_CACHING_WC == PORTALMEM_WC, "");
_Static_assert((int)PORTALMEM_CACHING_UC == PORTALMEM_UC, "");
_Static_assert(PORTALMEM_NAME_MAX == PORTALMEM_NAME_LEN, "");
_Static_assert(PORTALMEM_NAME_MAX == PORTALMEM_HEAP_NAME_LEN, "");

_Static_assert((int)PORTALMEM_HEAP_IS_CONTIGUOUS == PORTALMEM_HEAP_CONTIGUOUS,
	       "");
_Static_assert((int)PORTALMEM_HEAP_IS_REGION == PORTALMEM_HEAP_REGION, "");
_Static_assert((int)PORTALMEM_HEAP_IS_PINNABLE == PORTALMEM_HEAP_PINNABLE, "");

/* The caller's ranges and segments are the kernel's as they are. */
_Static_assert(sizeof(struct portalmem_range) ==
		       sizeof(struct portalmem_ioc_range),
	       "");
_Static_assert(offsetof(struct portalmem_range, length) ==
		       offsetof(struct portalmem_ioc_range, length),
	       "");

_Static_assert(sizeof(struct portalmem_segment) ==
		       sizeof(struct portalmem_ioc_segment),
	       "");
_Static_assert(offsetof(struct portalmem_segment, length) ==
		       offsetof(struct portalmem_ioc_segment, length),
	       "");
_Static_assert(offsetof(struct portalmem_segment, physical) ==
		       offsetof(struct portalmem_ioc_segment, physical),
	       "");

static enum portalmem_caching caching_from_uapi(uint32_t caching)
{
	/* A mode that a newer module knows is none that a caller knows. */
	if (caching > PORTALMEM_UC)
		return PORTALMEM_CACHING_UNKNOWN;
	return (enum portalmem_caching)caching;
}

static int portalmem_probe(const struct portalmem_device *device)
{
	struct portalmem_ioc_version version = {0};
	int ret = pm_ioctl(device->fd, PORTALMEM_IOC_VERSION, &version);

	/* Some drivers answer EINVAL to an ioctl that they do not know. */
	if (ret == -ENOTTY || ret == -EINVAL)
		return -EOPNOTSUPP;
	if (ret)
		return ret;
	return version.abi == PORTALMEM_ABI_VERSION ? 0 : -EOPNOTSUPP;
}

static int portalmem_alloc(const struct portalmem_device *device,
			   const struct pm_request *request,
			   struct pm_grant *grant)
{
	struct portalmem_ioc_alloc alloc = {
		.caching = (uint32_t)request->caching,
		.size = request->size,
		.fd_flags = O_RDWR | O_CLOEXEC,
		.address_bits = request->address_bits,
		.alignment = request->alignment,
		.region_offset = request->region_offset,
	};
	int ret;

	if (request->node >= 0) {
		alloc.flags |= PORTALMEM_ALLOC_NODE;
		alloc.node = (uint32_t)request->node;
	}
	if (request->adopt)
		alloc.flags |= PORTALMEM_ALLOC_ADOPT;
	pm_copy_name(alloc.name, request->name, PORTALMEM_NAME_MAX);
	ret = pm_ioctl(device->fd, PORTALMEM_IOC_ALLOC, &alloc);
	if (ret)
		return pm_explain_alloc(device, request, ret);
	grant->fd = alloc.fd;
	grant->kind = PM_KIND_PORTALMEM;
	grant->effective = caching_from_uapi(alloc.effective);
	return 0;
}

static int portalmem_import_user(const struct portalmem_device *device,
				 const struct pm_user_memory *memory,
				 struct pm_grant *grant)
{
	struct portalmem_ioc_import_user import = {
		.fd_flags = O_CLOEXEC | (memory->read_only ? O_RDONLY : O_RDWR),
		.address = (uintptr_t)memory->address,
		.size = memory->size,
	};
	int ret;

	pm_copy_name(import.name, memory->name, PORTALMEM_NAME_MAX);
	ret = pm_ioctl(device->fd, PORTALMEM_IOC_IMPORT_USER, &import);
	if (ret)
		return pm_explain_import_user(device, memory, ret);
	grant->fd = import.fd;
	grant->kind = PM_KIND_PORTALMEM;
	grant->effective = PORTALMEM_CACHING_CACHED;
	return 0;
}

int pm_portalmem_info(const struct portalmem_device *device, int fd,
		      struct portalmem_info *info)
{
	struct portalmem_ioc_info ioc = {.fd = fd};
	int ret = pm_ioctl(device->fd, PORTALMEM_IOC_INFO, &ioc);

	if (ret)
		return ret;
	info->size = ioc.size;
	info->caching = caching_from_uapi(ioc.caching);
	info->effective = caching_from_uapi(ioc.effective);
	info->segments = ioc.segments;
	info->attachments = ioc.attachments;
	info->pid = ioc.pid;
	pm_copy_name(info->heap, ioc.heap, sizeof(ioc.heap));
	pm_copy_name(info->name, ioc.name, sizeof(ioc.name));
	return 0;
}

int pm_portalmem_segments(const struct portalmem_device *device, int fd,
			  uint32_t first, struct portalmem_segment *segments,
			  uint32_t *count, uint32_t *total)
{
	struct portalmem_ioc_segments ioc = {
		.fd = fd,
		.segments = (uintptr_t)segments,
		.first = first,
		.count = *count,
	};
	int ret = pm_ioctl(device->fd, PORTALMEM_IOC_SEGMENTS, &ioc);

	if (ret)
		return ret;
	*count = ioc.count;
	*total = ioc.total;
	return 0;
}

int pm_portalmem_is_held(const struct portalmem_device *device, int fd,
			 unsigned int own)
{
	struct portalmem_ioc_holders ioc = {.fd = fd};
	int ret = pm_ioctl(device->fd, PORTALMEM_IOC_HOLDERS, &ioc);

	if (ret)
		return ret;
	/* A newer module may know of more that hold a buffer. */
	return ioc.references > own ||
	       ioc.holders & ~(uint32_t)PORTALMEM_HOLDER_REFERENCE;
}

int pm_portalmem_sync(int node_fd, int fd, unsigned int flags,
		      const struct portalmem_range *ranges, size_t count)
{
	struct portalmem_ioc_sync sync = {
		.flags = flags,
		.fd = fd,
		.ranges = (uintptr_t)ranges,
		.count = (uint32_t)count,
	};

	return pm_ioctl(node_fd, PORTALMEM_IOC_SYNC, &sync);
}

static int portalmem_heap_info(const struct portalmem_device *device,
			       struct portalmem_heap_info *info)
{
	const unsigned int known = PM_CACHING_BIT(PORTALMEM_UC + 1) - 1;
	struct portalmem_ioc_heap heap = {0};
	int ret = pm_ioctl(device->fd, PORTALMEM_IOC_HEAP, &heap);

	if (ret)
		return ret;
	info->caching = caching_from_uapi(heap.caching);
	info->cachings = heap.cachings & known;
	info->features = heap.features;
	info->fragments = heap.fragments;
	info->buffers = heap.buffers;
	info->size = heap.size;
	info->used = heap.used;
	info->available = heap.available;
	info->largest = heap.largest;
	info->pooled = heap.pooled;
	info->limit = heap.limit;
	info->user_limit = heap.user_limit;
	info->user_used = heap.user_used;
	pm_copy_name(info->name, heap.name, sizeof(heap.name));
	return 0;
}

/* The largest buffer that the heap has for the caller at this moment. */
static uint64_t largest_buffer(const struct portalmem_heap_info *info)
{
	uint64_t largest = info->largest, left;

	if (info->limit) {
		left = info->limit > info->used ? info->limit - info->used : 0;
		largest = left < largest ? left : largest;
	}
	if (info->user_limit) {
		left = info->user_limit > info->user_used
			       ? info->user_limit - info->user_used
			       : 0;
		largest = left < largest ? left : largest;
	}
	return largest;
}

static unsigned int met_by_heap(const struct portalmem_heap_info *info,
				unsigned int needs)
{
	unsigned int met = PORTALMEM_NEED_SHAREABLE;

	if (info->features & PORTALMEM_HEAP_IS_CONTIGUOUS)
		met |= PORTALMEM_NEED_CONTIGUOUS;
	if (info->cachings & PM_CACHING_BIT(PORTALMEM_WC))
		met |= PORTALMEM_NEED_WC;
	/* No mapping is pinnable and write-combined. */
	if (info->features & PORTALMEM_HEAP_IS_PINNABLE &&
	    !(needs & PORTALMEM_NEED_WC))
		met |= PORTALMEM_NEED_PINNABLE;
	return met;
}

static unsigned int
portalmem_unmet(const struct portalmem_device *device,
		const struct portalmem_constraints *constraints)
{
	struct portalmem_heap_info info = PORTALMEM_HEAP_INFO_INIT;
	unsigned int needs = constraints->needs, unmet;
	int ret = portalmem_heap_info(device, &info);

	/* What the module does not tell is not there to be relied on. */
	unmet = needs &
		~(ret ? PORTALMEM_NEED_SHAREABLE : met_by_heap(&info, needs));
	/* A region lies where it lies. */
	if (constraints->address_bits &&
	    (ret || info.features & PORTALMEM_HEAP_IS_REGION))
		unmet |= PORTALMEM_NEED_ADDRESS_BITS;
	if (constraints->size &&
	    (ret || constraints->size > largest_buffer(&info)))
		unmet |= PORTALMEM_NEED_SIZE;
	return unmet;
}

static int portalmem_trim(const struct portalmem_device *device,
			  uint64_t *freed)
{
	struct portalmem_ioc_trim trim = {0};
	int ret = pm_ioctl(device->fd, PORTALMEM_IOC_TRIM, &trim);

	if (!ret)
		*freed = trim.freed;
	return ret;
}

const struct pm_backend pm_backend_portalmem = {
	.id = PORTALMEM_BACKEND_PORTALMEM,
	.name = "portalmem",
	.path = "/dev/portalmem",
	.missing = "load the module (modprobe portalmem)",
	.cachings = PM_CACHING_BIT(PORTALMEM_CACHING_DEFAULT) |
		    PM_CACHING_BIT(PORTALMEM_CACHING_CACHED) |
		    PM_CACHING_BIT(PORTALMEM_CACHING_WC) |
		    PM_CACHING_BIT(PORTALMEM_CACHING_UC),
	.places = true,
	.probe = portalmem_probe,
	.alloc = portalmem_alloc,
	.import_user = portalmem_import_user,
	.unmet = portalmem_unmet,
	.heap_info = portalmem_heap_info,
	.trim = portalmem_trim,
};
