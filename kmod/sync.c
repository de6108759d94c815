// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cache maintenance, for whole buffers and for ranges.
 *
 * A range is walked along the CPU-side segments and the device's DMA segments
 * at once, in pieces that lie within one of each: behind an IOMMU one DMA
 * segment spans scattered pages, and the DMA API would maintain the wrong ones
 * if it were handed more than one physically contiguous piece.
 *
 * A buffer that no device has mapped is synced for the heap's own device: there
 * may be drivers in user space that work with physical addresses.
 */
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/highmem.h>
#include <linux/scatterlist.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/swiotlb.h>

#include "portalmem.h"
#include "trace.h"

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

static void sync_piece(struct device *dev, dma_addr_t address, size_t length,
		       enum dma_data_direction direction, bool for_cpu)
{
	if (for_cpu)
		dma_sync_single_for_cpu(dev, address, length, direction);
	else
		dma_sync_single_for_device(dev, address, length, direction);
}

static unsigned long segment_pfn(const struct portalmem_table *table,
				 unsigned int segment, u64 offset)
{
	return table->segments[segment].pfn + (offset >> PAGE_SHIFT) -
	       table->segments[segment].start;
}

/*
 * Copies for a device that bounces go through the kernel's own mapping, which
 * is cached where it cannot be changed. Its lines must not outlive the copy.
 * @length bytes at @offset are within @segment.
 */
static void flush_alias(const struct portalmem_table *table,
			unsigned int segment, u64 offset, size_t length)
{
	unsigned long pfn = segment_pfn(table, segment, offset);

	/* It fails for want of bounce buffers only, which this is not for. */
	portalmem_caching_flush(pfn_to_page(pfn),
				PFN_UP(offset_in_page(offset) + (u64)length));
}

/**
 * portalmem_sync_alias - nothing of a buffer that is not cached is in a cache
 * @buffer: about to be copied by the DMA API
 */
void portalmem_sync_alias(const struct portalmem_buffer *buffer)
{
	const struct portalmem_table *table = &buffer->table;
	unsigned int i;

	if (buffer->caching == PORTALMEM_CACHED)
		return;
	for (i = 0; i < table->count; i++)
		flush_alias(table, i,
			    (u64)table->segments[i].start << PAGE_SHIFT,
			    portalmem_segment_npages(&table->segments[i])
				    << PAGE_SHIFT);
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
	bool has_alias = buffer->caching != PORTALMEM_CACHED;

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

		if (has_alias && !for_cpu)
			flush_alias(table, segment, offset, stop - offset);
		sync_piece(mapping->dev,
			   mapping->runs[run].address +
				   (offset - mapping->runs[run].start),
			   stop - offset, direction, for_cpu);
		if (has_alias && for_cpu)
			flush_alias(table, segment, offset, stop - offset);
		segment += stop == segment_end;
		run += stop == run_end;
		offset = stop;
		cond_resched();
	}
}

/**
 * portalmem_sync_mapping - sync all of a buffer for one device
 * @buffer: the buffer
 * @mapping: the device's mapping, just made or about to go
 * @for_cpu: before the CPU's access, else after it
 */
void portalmem_sync_mapping(const struct portalmem_buffer *buffer,
			    const struct portalmem_mapping *mapping,
			    bool for_cpu)
{
	if (mapping->needs_sync)
		sync_mapping(buffer, mapping, 0, portalmem_buffer_size(buffer),
			     mapping->direction, for_cpu);
}

/* The device that stands for those which the kernel knows nothing of. */
static struct device *untold_device(const struct portalmem_buffer *buffer)
{
	struct device *dev = buffer->heap->dev ?: portalmem_device();

	/* Copies that nobody looks at are of no use. */
	if (is_swiotlb_force_bounce(dev) || !dma_need_sync(dev, 0))
		return NULL;
	return dev;
}

/*
 * Part of a page, for a device that was never told of the memory. All of the
 * page is mapped: what is small and odd may be somebody's neighbour in a cache
 * line, and the DMA API hands out a copy of it.
 */
static void sync_part(const struct portalmem_buffer *buffer, struct device *dev,
		      u64 offset, u64 end, enum dma_data_direction direction,
		      bool for_cpu)
{
	const struct portalmem_table *table = &buffer->table;
	unsigned int segment = portalmem_table_find(table,
						    offset >> PAGE_SHIFT);
	struct page *page = pfn_to_page(segment_pfn(table, segment, offset));
	dma_addr_t address = dma_map_page_attrs(dev, page, 0, PAGE_SIZE,
						DMA_BIDIRECTIONAL,
						DMA_ATTR_SKIP_CPU_SYNC);

	if (dma_mapping_error(dev, address))
		return;
	sync_piece(dev, address + offset_in_page(offset), end - offset,
		   direction, for_cpu);
	dma_unmap_page_attrs(dev, address, PAGE_SIZE, DMA_BIDIRECTIONAL,
			     DMA_ATTR_SKIP_CPU_SYNC);
}

/*
 * Whole pages, as for the device's only access: mapping writes caches back
 * before it, unmapping drops them after it.
 */
static void sync_pieces(struct device *dev, struct scatterlist *pieces,
			unsigned int count, enum dma_data_direction direction,
			bool for_cpu)
{
	unsigned long map = for_cpu ? DMA_ATTR_SKIP_CPU_SYNC : 0;
	unsigned long unmap = for_cpu ? 0 : DMA_ATTR_SKIP_CPU_SYNC;

	sg_mark_end(&pieces[count - 1]);
	if (dma_map_sg_attrs(dev, pieces, count, direction, map) > 0)
		dma_unmap_sg_attrs(dev, pieces, count, direction, unmap);
	sg_unmark_end(&pieces[count - 1]);
}

/* What fits into an entry of a scatterlist, which counts in 32 bits. */
#define PIECE_MAX SZ_1G

/* A call of the DMA API costs as much as a page's maintenance: several at once. */
#define PIECES_MAX 16

static void sync_pages(const struct portalmem_buffer *buffer,
		       struct device *dev, u64 offset, u64 end,
		       enum dma_data_direction direction, bool for_cpu)
{
	const struct portalmem_table *table = &buffer->table;
	struct scatterlist pieces[PIECES_MAX];
	unsigned int segment, count = 0;

	if (offset == end)
		return;
	sg_init_table(pieces, PIECES_MAX);
	segment = portalmem_table_find(table, offset >> PAGE_SHIFT);
	while (offset < end) {
		u64 segment_end = (u64)table->segments[segment + 1].start
				  << PAGE_SHIFT;
		u64 stop = min3(end, segment_end, offset + PIECE_MAX);

		sg_set_page(&pieces[count++],
			    pfn_to_page(segment_pfn(table, segment, offset)),
			    stop - offset, 0);
		segment += stop == segment_end;
		offset = stop;
		if (count < PIECES_MAX && offset < end)
			continue;
		sync_pieces(dev, pieces, count, direction, for_cpu);
		count = 0;
		cond_resched();
	}
}

static void sync_unmapped(const struct portalmem_buffer *buffer, u64 offset,
			  u64 end, enum dma_data_direction direction,
			  bool for_cpu)
{
	struct device *dev = untold_device(buffer);
	u64 first = round_up(offset, PAGE_SIZE);
	u64 last = round_down(end, PAGE_SIZE);

	if (!dev || buffer->caching != PORTALMEM_CACHED)
		return;
	if (first > last) {
		sync_part(buffer, dev, offset, end, direction, for_cpu);
		return;
	}
	if (offset < first)
		sync_part(buffer, dev, offset, first, direction, for_cpu);
	sync_pages(buffer, dev, first, last, direction, for_cpu);
	if (last < end)
		sync_part(buffer, dev, last, end, direction, for_cpu);
}

/* For CPUs whose caches go by virtual address. */
static void sync_vmap(const struct portalmem_buffer *buffer, u64 offset,
		      u64 length, bool for_cpu)
{
	if (!buffer->vaddr)
		return;
	if (for_cpu)
		invalidate_kernel_vmap_range(buffer->vaddr + offset, length);
	else
		flush_kernel_vmap_range(buffer->vaddr + offset, length);
}

/* For one attachment, or with NULL for whoever is there. */
static void sync_range(const struct portalmem_buffer *buffer,
		       const struct dma_buf_attachment *only,
		       const struct portalmem_ioc_range *range,
		       enum dma_data_direction direction, bool for_cpu)
{
	const struct portalmem_mapping *mapping;
	u64 offset = range->offset;
	u64 end = offset + range->length;

	/* Memory without pages is never mapped cached. */
	if (offset == end || buffer->table.backing == PORTALMEM_RESOURCE)
		return;

	sync_vmap(buffer, offset, end - offset, for_cpu);
	if (!only && list_empty(&buffer->mappings))
		sync_unmapped(buffer, offset, end, direction, for_cpu);
	list_for_each_entry(mapping, &buffer->mappings, node)
		if (mapping->needs_sync && (!only || mapping->attachment == only))
			sync_mapping(buffer, mapping, offset, end, direction,
				     for_cpu);
}

/**
 * portalmem_sync_is_needed - do a device and the CPU see different bytes?
 * @attachment: of one of our buffers, mapped. The scatterlist that its owner has
 *	does not lead to the mapping: the core may hand out a copy
 *
 * Return: true when they do until the buffer is synced.
 */
bool portalmem_sync_is_needed(const struct dma_buf_attachment *attachment)
{
	struct portalmem_buffer *buffer = attachment->dmabuf->priv;
	const struct portalmem_mapping *mapping;
	bool needed = false;

	mutex_lock(&buffer->lock);
	list_for_each_entry(mapping, &buffer->mappings, node)
		if (mapping->attachment == attachment)
			needed |= mapping->needs_sync;
	mutex_unlock(&buffer->lock);
	return needed;
}

/**
 * portalmem_sync_check - are all ranges within a buffer?
 * @sync: has the ranges
 * @size: of the buffer, in bytes
 *
 * Return: 0 or -ERANGE.
 */
int portalmem_sync_check(const struct portalmem_sync *sync, u64 size)
{
	unsigned int i;

	for (i = 0; i < sync->count; i++)
		if (sync->ranges[i].offset > size ||
		    sync->ranges[i].length > size - sync->ranges[i].offset)
			return -ERANGE;
	return 0;
}

/**
 * portalmem_sync_prepare - what comes before a sync
 * @dmabuf: one of ours
 * @sync: what is to be synced
 *
 * Before the CPU's turn, it waits for devices that announced their work by a
 * fence: caches that are invalidated while a device still writes hold stale
 * bytes again. The core waits too, but only after the exporter's part.
 *
 * Return: 0; -ERANGE when a range is not within the buffer; -EINTR or
 * -ERESTARTSYS when a signal came.
 */
int portalmem_sync_prepare(struct dma_buf *dmabuf,
			   const struct portalmem_sync *sync)
{
	const struct portalmem_buffer *buffer = dmabuf->priv;
	bool write = sync->direction != DMA_FROM_DEVICE;
	long ret;

	ret = portalmem_sync_check(sync, portalmem_buffer_size(buffer));
	if (ret || !sync->count)
		return ret;
	if (!sync->for_cpu) {
		if (buffer->caching != PORTALMEM_CACHED) {
			/* What the CPU wrote leaves its write-combining buffers. */
			wmb();
		}
		return 0;
	}
	ret = dma_resv_wait_timeout(dmabuf->resv, dma_resv_usage_rw(write),
				    true, MAX_SCHEDULE_TIMEOUT);
	return ret < 0 ? ret : 0;
}

/* After how much it is somebody else's turn at the buffer: 4 MiB. */
#define TURN_BYTES SZ_4M

/**
 * portalmem_sync_some - cache maintenance for one turn, for all devices or for one
 * @buffer: the buffer, after portalmem_sync_prepare()
 * @only: an attachment that stays mapped; NULL for every device that has the
 *	buffer mapped
 * @sync: what is to be synced
 * @next: the first range that was not yet; moved on, to @sync->count at last
 *
 * A call can have so many ranges of so much that it takes hours. Neither a device
 * that goes nor who else has the buffer waits for all of it, and it can be killed.
 *
 * Return: 0, or -EINTR when a fatal signal came.
 */
int portalmem_sync_some(struct portalmem_buffer *buffer,
			const struct dma_buf_attachment *only,
			const struct portalmem_sync *sync, unsigned int *next)
{
	u64 bytes = 0;
	int ret;

	if (fatal_signal_pending(current))
		return -EINTR;
	ret = mutex_lock_killable(&buffer->lock);
	if (ret)
		return ret;
	while (*next < sync->count && bytes < TURN_BYTES) {
		const struct portalmem_ioc_range *range =
			&sync->ranges[(*next)++];

		sync_range(buffer, only, range, sync->direction,
			   sync->for_cpu);
		trace_portalmem_sync(buffer, only, range, sync->direction,
				     sync->for_cpu);
		bytes += range->length;
	}
	mutex_unlock(&buffer->lock);
	cond_resched();
	return 0;
}

/**
 * portalmem_sync - cache maintenance for parts of a buffer
 * @dmabuf: one of ours
 * @sync: what is to be synced; with no range at all, nothing is waited for
 *	either
 *
 * It reaches every device that has the buffer mapped, and before the CPU's
 * access it waits for those that attached fences.
 *
 * Return: 0; as portalmem_sync_prepare(), and then nothing was done; -EINTR when
 * a fatal signal came.
 */
int portalmem_sync(struct dma_buf *dmabuf, const struct portalmem_sync *sync)
{
	unsigned int next = 0;
	int ret;

	ret = portalmem_sync_prepare(dmabuf, sync);
	while (!ret && next < sync->count)
		ret = portalmem_sync_some(dmabuf->priv, NULL, sync, &next);
	return ret;
}
