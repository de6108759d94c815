// SPDX-License-Identifier: GPL-2.0-only
/* What other modules of the kernel call: <linux/portalmem-kernel.h>. */
#include <linux/dma-buf.h>
#include <linux/err.h>
#include <linux/export.h>
#include <linux/fcntl.h>
#include <linux/kernel.h>
#include <linux/pfn.h>
#include <linux/portalmem-kernel.h>
#include <linux/string.h>

#include "portalmem.h"

static struct dma_buf *alloc_from(struct portalmem_heap *heap,
				  const struct portalmem_options *options)
{
	struct portalmem_ioc_alloc alloc = {
		.flags = options->flags,
		.caching = options->caching,
		.size = options->size,
		.fd_flags = O_RDWR,
		.node = options->node,
		.address_bits = options->address_bits,
		.alignment = options->alignment,
	};
	struct portalmem_request request;
	int ret;

	/* A region's old contents are for who administrates the machine. */
	if (options->flags & PORTALMEM_ALLOC_ADOPT)
		return ERR_PTR(-EINVAL);
	if (options->name &&
	    strscpy(alloc.name, options->name, sizeof(alloc.name)) < 0)
		return ERR_PTR(-EINVAL);
	ret = portalmem_request_init(&request, heap, heap->caching, &alloc);
	return ret ? ERR_PTR(ret) : portalmem_buffer_export(heap, &request);
}

/**
 * portalmem_alloc - allocate a buffer
 * @heap: name of the heap, as PORTALMEM_IOC_HEAP tells it: "system",
 *	"contiguous", or that of a reserved region
 * @options: what is wanted
 *
 * All bytes are zero. A process that gets the buffer may read and write it.
 *
 * It counts against the limits of the user whose credentials the calling task
 * has, and is charged to the memory cgroup of that task or to the one that
 * set_active_memcg() names: what a process brings about belongs on its account.
 * A kernel thread counts as root and is charged to no cgroup.
 *
 * Context: Process context. May sleep, and takes memory with GFP_KERNEL: hold
 * no lock that reclaim takes, nor the reservation lock of a dma-buf.
 * Return: the buffer, with one reference that dma_buf_put() gives back, or an
 * ERR_PTR(): -EINVAL when @options make no sense, -ENODEV when there is no such
 * heap, -EOPNOTSUPP when the heap cannot do it, -ENOMEM, -EDQUOT when a limit
 * is reached, -EINTR when a fatal signal came.
 */
struct dma_buf *portalmem_alloc(const char *heap,
				const struct portalmem_options *options)
{
	struct portalmem_heap *source;
	struct dma_buf *dmabuf;

	might_sleep();
	source = portalmem_dev_find_heap(heap);
	if (!source)
		return ERR_PTR(-ENODEV);
	dmabuf = alloc_from(source, options);
	if (IS_ERR(dmabuf))
		portalmem_stats_fail(source, options->size,
				     options->caching ?: source->caching,
				     PTR_ERR(dmabuf));
	return dmabuf;
}
EXPORT_SYMBOL_NS_GPL(portalmem_alloc, PORTALMEM_NAMESPACE);

/**
 * portalmem_is_own - did portalmem export a dma-buf?
 * @dmabuf: any dma-buf
 *
 * Context: Any context.
 * Return: true when it did, and the functions below take @dmabuf.
 */
bool portalmem_is_own(const struct dma_buf *dmabuf)
{
	return portalmem_buffer_of(dmabuf);
}
EXPORT_SYMBOL_NS_GPL(portalmem_is_own, PORTALMEM_NAMESPACE);

/**
 * portalmem_get - a buffer by file descriptor
 * @fd: a file descriptor of the calling process
 *
 * Context: Process context.
 * Return: the buffer, with a reference that dma_buf_put() gives back, or an
 * ERR_PTR(): -EBADF when @fd is not open, -EINVAL when it is no dma-buf, -EXDEV
 * when it is somebody else's.
 */
struct dma_buf *portalmem_get(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	if (!IS_ERR(dmabuf) && !portalmem_is_own(dmabuf)) {
		dma_buf_put(dmabuf);
		return ERR_PTR(-EXDEV);
	}
	return dmabuf;
}
EXPORT_SYMBOL_NS_GPL(portalmem_get, PORTALMEM_NAMESPACE);

/**
 * portalmem_get_info - describe a buffer
 * @dmabuf: any dma-buf, with a reference of the caller's
 * @info: filled in on success
 *
 * Nothing of it ever changes.
 *
 * Context: Process context.
 * Return: 0, or -EXDEV when @dmabuf is not portalmem's.
 */
int portalmem_get_info(struct dma_buf *dmabuf, struct portalmem_info *info)
{
	const struct portalmem_buffer *buffer = portalmem_buffer_of(dmabuf);

	if (!buffer)
		return -EXDEV;
	*info = (struct portalmem_info){
		.size = portalmem_buffer_size(buffer),
		.caching = buffer->caching,
		.effective = portalmem_caching_effective(buffer->caching),
		.runs = buffer->table.count,
		.read_only = buffer->read_only,
		.heap = buffer->heap->name,
	};
	return 0;
}
EXPORT_SYMBOL_NS_GPL(portalmem_get_info, PORTALMEM_NAMESPACE);

/**
 * portalmem_get_run - where a byte of a buffer is
 * @dmabuf: any dma-buf, with a reference of the caller's
 * @offset: of the byte
 * @run: filled in on success with the physically contiguous run that holds it
 *
 * @run->offset + @run->length is where the next run begins, and so all of them
 * are found from 0 on. It takes O(log n) time with n runs. The memory stays
 * where it is as long as the buffer is there.
 *
 * Context: Process context.
 * Return: 0, -EXDEV when @dmabuf is not portalmem's, or -ERANGE when it is not
 * that long.
 */
int portalmem_get_run(struct dma_buf *dmabuf, u64 offset,
		      struct portalmem_run *run)
{
	const struct portalmem_buffer *buffer = portalmem_buffer_of(dmabuf);
	const struct portalmem_segment *segment;
	const struct portalmem_table *table;

	if (!buffer)
		return -EXDEV;
	if (offset >= portalmem_buffer_size(buffer))
		return -ERANGE;
	table = &buffer->table;
	segment = &table->segments[portalmem_table_find(table,
							offset >> PAGE_SHIFT)];
	*run = (struct portalmem_run){
		.offset = (u64)segment->start << PAGE_SHIFT,
		.length = (u64)portalmem_segment_npages(segment) << PAGE_SHIFT,
		.address = PFN_PHYS(segment->pfn),
	};
	if (table->backing == PORTALMEM_PAGES)
		run->page = pfn_to_page(segment->pfn);
	return 0;
}
EXPORT_SYMBOL_NS_GPL(portalmem_get_run, PORTALMEM_NAMESPACE);

static int check_and_sync(struct dma_buf *dmabuf,
			  const struct portalmem_ioc_range *ranges,
			  unsigned int count,
			  enum dma_data_direction direction, bool for_cpu)
{
	const struct portalmem_sync sync = {
		.ranges = ranges,
		.count = count,
		.direction = direction,
		.for_cpu = for_cpu,
	};

	might_sleep();
	if (!portalmem_is_own(dmabuf))
		return -EXDEV;
	if (!valid_dma_direction(direction))
		return -EINVAL;
	return portalmem_sync(dmabuf, &sync);
}

/**
 * portalmem_sync_for_cpu - before the CPU touches parts of a buffer
 * @dmabuf: any dma-buf, with a reference of the caller's
 * @ranges: the parts, in any order; they may overlap and be empty
 * @count: how many
 * @direction: DMA_FROM_DEVICE when the CPU reads, DMA_TO_DEVICE when it writes,
 *	DMA_BIDIRECTIONAL for both
 *
 * Like dma_buf_begin_cpu_access(), for parts. It reaches every device that has
 * the buffer mapped, and waits for the fences that devices attached to it; with
 * no range at all it does nothing.
 *
 * Context: Process context. May sleep until fences signal: hold no lock that
 * those who signal them take, nor the buffer's reservation lock.
 * Return: 0; -EXDEV when @dmabuf is not portalmem's; -EINVAL for DMA_NONE;
 * -ERANGE when a range is not within the buffer; -EINTR or -ERESTARTSYS when a
 * signal came. On error nothing was synced.
 */
int portalmem_sync_for_cpu(struct dma_buf *dmabuf,
			   const struct portalmem_ioc_range *ranges,
			   unsigned int count,
			   enum dma_data_direction direction)
{
	return check_and_sync(dmabuf, ranges, count, direction, true);
}
EXPORT_SYMBOL_NS_GPL(portalmem_sync_for_cpu, PORTALMEM_NAMESPACE);

/**
 * portalmem_sync_for_device - after the CPU has touched parts of a buffer
 * @dmabuf: any dma-buf, with a reference of the caller's
 * @ranges: as for portalmem_sync_for_cpu()
 * @count: how many
 * @direction: as it was for portalmem_sync_for_cpu()
 *
 * Like dma_buf_end_cpu_access(), for parts. It waits for no fence.
 *
 * Context: Process context. May sleep; the buffer's reservation lock is not
 * held.
 * Return: as portalmem_sync_for_cpu().
 */
int portalmem_sync_for_device(struct dma_buf *dmabuf,
			      const struct portalmem_ioc_range *ranges,
			      unsigned int count,
			      enum dma_data_direction direction)
{
	return check_and_sync(dmabuf, ranges, count, direction, false);
}
EXPORT_SYMBOL_NS_GPL(portalmem_sync_for_device, PORTALMEM_NAMESPACE);
