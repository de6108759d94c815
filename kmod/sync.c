// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cache maintenance, for whole buffers and for ranges.
 *
 * A range is walked along the CPU-side segments and the device's DMA segments
 * at once, in pieces that lie within one of each: behind an IOMMU one DMA
 * segment spans scattered pages, and the DMA API would maintain the wrong ones
 * if it were handed more than one physically contiguous piece.
 */
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/highmem.h>
#include <linux/sched.h>

#include "portalmem.h"

static unsigned int find_run(const struct portalmem_mapping *mapping,
			     u64 offset)
{
	unsigned int low = 0;
	unsigned int high = mapping->nruns - 1;

	while (low < high) {
		unsigned int middle = low + (high - low + 1) / 2;

		if (mapping->runs[middle].start <= offset)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static void sync_piece(const struct portalmem_mapping *mapping,
		       dma_addr_t address, size_t length,
		       enum dma_data_direction direction, bool for_cpu)
{
	if (for_cpu)
		dma_sync_single_for_cpu(mapping->dev, address, length,
					direction);
	else
		dma_sync_single_for_device(mapping->dev, address, length,
					   direction);
}

static void sync_mapping(const struct portalmem_buffer *buffer,
			 const struct portalmem_mapping *mapping, u64 offset,
			 u64 end, enum dma_data_direction direction,
			 bool for_cpu)
{
	const struct portalmem_table *table = &buffer->table;
	unsigned int segment = portalmem_table_find(table,
						    offset >> PAGE_SHIFT);
	unsigned int run = find_run(mapping, offset);

	/*
	 * The DMA API wants the direction of the mapping; only within a
	 * bidirectional one is the caller's narrower direction allowed, and
	 * cheaper. What the device only reads, the CPU still has.
	 */
	if (mapping->direction != DMA_BIDIRECTIONAL)
		direction = mapping->direction;
	if (for_cpu && mapping->direction == DMA_TO_DEVICE)
		return;

	while (offset < end) {
		u64 segment_end = (u64)table->segments[segment + 1].start
				  << PAGE_SHIFT;
		u64 run_end = mapping->runs[run + 1].start;
		u64 stop = min3(end, segment_end, run_end);

		sync_piece(mapping,
			   mapping->runs[run].address +
				   (offset - mapping->runs[run].start),
			   stop - offset, direction, for_cpu);
		segment += stop == segment_end;
		run += stop == run_end;
		offset = stop;
	}
}

static void sync_range(const struct portalmem_buffer *buffer, u64 offset,
		       u64 length, enum dma_data_direction direction,
		       bool for_cpu)
{
	const struct portalmem_mapping *mapping;

	if (!length)
		return;

	/* For CPUs whose caches go by virtual address. */
	if (buffer->vaddr) {
		if (for_cpu)
			invalidate_kernel_vmap_range(buffer->vaddr + offset,
						     length);
		else
			flush_kernel_vmap_range(buffer->vaddr + offset, length);
	}
	list_for_each_entry(mapping, &buffer->mappings, node)
		sync_mapping(buffer, mapping, offset, offset + length,
			     direction, for_cpu);
}

/*
 * Before the CPU's turn, wait for devices that announced their work by a fence:
 * caches that are invalidated while a device still writes hold stale bytes
 * again. The core waits too, but only after the exporter's part.
 */
static int wait_for_fences(struct dma_buf *dmabuf,
			   enum dma_data_direction direction)
{
	bool write = direction != DMA_FROM_DEVICE;
	long ret = dma_resv_wait_timeout(dmabuf->resv,
					 dma_resv_usage_rw(write), true,
					 MAX_SCHEDULE_TIMEOUT);

	return ret < 0 ? ret : 0;
}

static int begin_sync(struct dma_buf *dmabuf, enum dma_data_direction direction,
		      bool for_cpu)
{
	struct portalmem_buffer *buffer = dmabuf->priv;
	int ret;

	if (for_cpu) {
		ret = wait_for_fences(dmabuf, direction);
		if (ret)
			return ret;
	} else if (buffer->caching != PORTALMEM_CACHED) {
		/* What the CPU wrote leaves its write-combining buffers. */
		wmb();
	}
	return mutex_lock_killable(&buffer->lock);
}

/**
 * portalmem_sync_all - cache maintenance for a whole buffer
 * @dmabuf: one of ours
 * @direction: DMA_FROM_DEVICE when the CPU reads, DMA_TO_DEVICE when it
 *	writes, DMA_BIDIRECTIONAL for both
 * @for_cpu: before the CPU's access, else after it
 *
 * It reaches every device that has the buffer mapped, and before the CPU's
 * access it waits for those that attached fences.
 *
 * Return: 0, or -EINTR or -ERESTARTSYS when a signal came before anything was
 * done.
 */
int portalmem_sync_all(struct dma_buf *dmabuf,
		       enum dma_data_direction direction, bool for_cpu)
{
	struct portalmem_buffer *buffer = dmabuf->priv;
	int ret;

	ret = begin_sync(dmabuf, direction, for_cpu);
	if (ret)
		return ret;
	sync_range(buffer, 0, portalmem_buffer_size(buffer), direction,
		   for_cpu);
	mutex_unlock(&buffer->lock);
	return 0;
}

/**
 * portalmem_sync_ranges - cache maintenance for parts of a buffer
 * @dmabuf: one of ours
 * @ranges: in any order; they may overlap and be empty
 * @count: how many; with none at all, nothing is waited for either
 * @direction: as for portalmem_sync_all()
 * @for_cpu: likewise
 *
 * Return: 0; -ERANGE when a range is not within the buffer, or as
 * portalmem_sync_all(), and then nothing was done.
 */
int portalmem_sync_ranges(struct dma_buf *dmabuf,
			  const struct portalmem_ioc_range *ranges,
			  unsigned int count,
			  enum dma_data_direction direction, bool for_cpu)
{
	struct portalmem_buffer *buffer = dmabuf->priv;
	u64 size = portalmem_buffer_size(buffer);
	unsigned int i;
	int ret;

	for (i = 0; i < count; i++)
		if (ranges[i].offset > size ||
		    ranges[i].length > size - ranges[i].offset)
			return -ERANGE;
	if (!count)
		return 0;

	ret = begin_sync(dmabuf, direction, for_cpu);
	if (ret)
		return ret;
	for (i = 0; i < count; i++)
		sync_range(buffer, ranges[i].offset, ranges[i].length,
			   direction, for_cpu);
	mutex_unlock(&buffer->lock);
	return 0;
}
