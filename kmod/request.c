// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is asked of a heap, by a process or by another module: checked, completed
 * and rounded.
 */
#include <linux/dma-mapping.h>
#include <linux/fcntl.h>
#include <linux/log2.h>
#include <linux/nodemask.h>
#include <linux/numa.h>
#include <linux/pfn.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "portalmem.h"

/**
 * portalmem_request_cachings - the caching modes of a heap on this machine
 * @heap: the heap
 *
 * Return: PORTALMEM_CACHING_BIT() of each.
 */
u32 portalmem_request_cachings(const struct portalmem_heap *heap)
{
	/* Memory without pages is in nobody's cache. */
	if (heap->cachings & PORTALMEM_CACHING_BIT(PORTALMEM_CACHED))
		return heap->cachings & portalmem_caching_possible();
	return heap->cachings;
}

/* Names end up in text files line by line. */
static bool is_valid_name(const char *name, size_t size)
{
	size_t length = strnlen(name, size);
	size_t i;

	if (length == size)
		return false;
	for (i = 0; i < length; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return false;
	return true;
}

static int align_request(struct portalmem_request *request,
			 const struct portalmem_ioc_alloc *alloc, u32 features)
{
	if (!alloc->alignment)
		return 0;
	if (!is_power_of_2(alloc->alignment) || alloc->alignment < PAGE_SIZE)
		return -EINVAL;
	if (!(features & PORTALMEM_HEAP_CONTIGUOUS))
		return -EOPNOTSUPP;
	request->align = alloc->alignment >> PAGE_SHIFT;
	return 0;
}

static int adopt_request(struct portalmem_request *request,
			 const struct portalmem_ioc_alloc *alloc, u32 features)
{
	if (!(alloc->flags & PORTALMEM_ALLOC_ADOPT))
		return alloc->region_offset ? -EINVAL : 0;
	/* The place is given, and so there is nothing to choose. */
	if (!PAGE_ALIGNED(alloc->region_offset) || alloc->alignment ||
	    alloc->address_bits)
		return -EINVAL;
	if (!(features & PORTALMEM_HEAP_REGION))
		return -EOPNOTSUPP;
	request->adopt = true;
	request->region_index = alloc->region_offset >> PAGE_SHIFT;
	return 0;
}

/* Where the memory has to be, as the caller's device needs it. */
static int place_request(struct portalmem_request *request,
			 const struct portalmem_ioc_alloc *alloc, u32 features)
{
	int ret;

	if (alloc->flags & PORTALMEM_ALLOC_NODE) {
		if (alloc->node >= MAX_NUMNODES || !node_online(alloc->node))
			return -EINVAL;
		request->nid = alloc->node;
	} else if (alloc->node) {
		return -EINVAL;
	}

	if (alloc->address_bits > 64)
		return -EINVAL;
	if (alloc->address_bits)
		request->max_pfn =
			PHYS_PFN(DMA_BIT_MASK(alloc->address_bits));

	ret = align_request(request, alloc, features);
	return ret ?: adopt_request(request, alloc, features);
}

static int size_request(struct portalmem_request *request, u64 size)
{
	u64 npages = (size >> PAGE_SHIFT) + !!(size & ~PAGE_MASK);

	if (!size)
		return -EINVAL;
	if (npages > ULONG_MAX >> PAGE_SHIFT)
		return -ENOMEM;
	request->npages = npages;
	return 0;
}

/**
 * portalmem_request_init - check what somebody wants of a heap
 * @request: to be filled in; it refers to @alloc's name
 * @heap: the heap
 * @caching: what PORTALMEM_DEFAULT means
 * @alloc: what is wanted; its output fields are not looked at
 *
 * Return: 0; -EINVAL when it makes no sense, -EOPNOTSUPP when the heap cannot do
 * it, -ENOMEM when nobody has so much.
 */
int portalmem_request_init(struct portalmem_request *request,
			   const struct portalmem_heap *heap, u32 caching,
			   const struct portalmem_ioc_alloc *alloc)
{
	int ret;

	/* Anywhere, as far as the heap goes. */
	*request = (struct portalmem_request){
		.caching = alloc->caching ?: caching,
		.nid = NUMA_NO_NODE,
		.max_pfn = ULONG_MAX,
		.align = 1,
		.fd_flags = alloc->fd_flags,
		.name = alloc->name,
	};
	if (alloc->flags & ~PORTALMEM_ALLOC_FLAGS ||
	    alloc->fd_flags & ~(O_CLOEXEC | O_ACCMODE) ||
	    alloc->caching > PORTALMEM_UC ||
	    !is_valid_name(alloc->name, sizeof(alloc->name)))
		return -EINVAL;
	ret = place_request(request, alloc, heap->features);
	if (ret)
		return ret;
	ret = size_request(request, alloc->size);
	if (ret)
		return ret;
	if (!(portalmem_request_cachings(heap) &
	      PORTALMEM_CACHING_BIT(request->caching)))
		return -EOPNOTSUPP;
	return 0;
}

/* Is it whole pages in the part of the address space that is the user's? */
static int check_user_range(u64 address, u64 size)
{
	if (!size || (address | size) & ~PAGE_MASK)
		return -EINVAL;
	if (address > ULONG_MAX || size > ULONG_MAX ||
	    !access_ok(u64_to_user_ptr(address), size))
		return -EFAULT;
	return 0;
}

/**
 * portalmem_request_import - check what a process wants to be a buffer
 * @request: to be filled in, for the user heap; it refers to @import's name
 * @import: what is wanted; its output fields are not looked at
 *
 * Return: 0; -EINVAL when it makes no sense, -EFAULT when it is not an address
 * range of a process.
 */
int portalmem_request_import(struct portalmem_request *request,
			     const struct portalmem_ioc_import_user *import)
{
	u32 mode = import->fd_flags & O_ACCMODE;
	int ret;

	/* Nothing can be pinned for writing alone. */
	if (import->flags || import->fd_flags & ~(O_CLOEXEC | O_ACCMODE) ||
	    (mode != O_RDONLY && mode != O_RDWR) ||
	    !is_valid_name(import->name, sizeof(import->name)))
		return -EINVAL;
	ret = check_user_range(import->address, import->size);
	if (ret)
		return ret;
	*request = (struct portalmem_request){
		.npages = import->size >> PAGE_SHIFT,
		.caching = PORTALMEM_CACHED,
		.address = import->address,
		.read_only = mode == O_RDONLY,
		.fd_flags = import->fd_flags,
		.name = import->name,
	};
	return 0;
}
