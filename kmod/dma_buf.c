// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf operations, the same for every heap.
 *
 * Locking: the dma-buf core may hold the reservation lock in map, unmap, vmap
 * and vunmap and does not in the others (on 6.1 it leaves that to importers),
 * so an operation here takes none and relies on none. buffer->lock nests
 * inside it.
 */
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/iosys-map.h>
#include <linux/pfn.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "portalmem.h"
#include "trace.h"

static int portalmem_attach(struct dma_buf *dmabuf,
			    struct dma_buf_attachment *attachment)
{
	struct portalmem_buffer *buffer = dmabuf->priv;

	mutex_lock(&buffer->lock);
	buffer->attachments++;
	mutex_unlock(&buffer->lock);
	trace_portalmem_attach(buffer, attachment->dev);
	return 0;
}

static void portalmem_detach(struct dma_buf *dmabuf,
			     struct dma_buf_attachment *attachment)
{
	struct portalmem_buffer *buffer = dmabuf->priv;

	mutex_lock(&buffer->lock);
	buffer->attachments--;
	mutex_unlock(&buffer->lock);
	trace_portalmem_detach(buffer, attachment->dev);
}

/*
 * How many of the @npages pages at @pfn fit into one scatterlist entry for
 * @dev: devices, and the bounce buffers in front of some, cap its length, and
 * some cannot cross an address boundary within it.
 */
static unsigned long entry_npages(struct device *dev, unsigned long pfn,
				  unsigned long npages)
{
	size_t limit = min_t(size_t, dma_get_max_seg_size(dev),
			     dma_max_mapping_size(dev));
	unsigned long boundary = dma_get_seg_boundary_nr_pages(dev, PAGE_SHIFT);
	unsigned long most = max_t(unsigned long, limit >> PAGE_SHIFT, 1);

	/* No boundary at all counts as 0 pages after the overflow. */
	if (boundary)
		most = min(most, boundary - pfn % boundary);
	return min(npages, most);
}

/* Entry by entry of a scatterlist, so that each keeps to the device's limits. */
struct cursor {
	const struct portalmem_table *table;
	unsigned int segment;
	unsigned long done; /* pages of that segment */
};

static unsigned long next_entry(struct cursor *cursor, struct device *dev,
				unsigned long *pfn)
{
	const struct portalmem_segment *segment =
		&cursor->table->segments[cursor->segment];
	unsigned long left = portalmem_segment_npages(segment) - cursor->done;
	unsigned long npages;

	*pfn = segment->pfn + cursor->done;
	npages = entry_npages(dev, *pfn, left);
	cursor->done += npages;
	if (npages == left) {
		cursor->segment++;
		cursor->done = 0;
	}
	return npages;
}

static unsigned int count_entries(struct device *dev,
				  const struct portalmem_table *table)
{
	struct cursor cursor = { .table = table };
	unsigned int count = 0;
	unsigned long pfn;

	while (cursor.segment < table->count) {
		next_entry(&cursor, dev, &pfn);
		count++;
	}
	return count;
}

/*
 * Several devices may have a buffer mapped at a time, and who goes on with it is
 * up to the importers' fences. The DMA API takes a second mapping of memory for a
 * mistake unless the sync is left to the caller.
 */
#define MAP_ATTRS DMA_ATTR_SKIP_CPU_SYNC

static int map_pages(struct portalmem_mapping *mapping,
		     const struct portalmem_table *table)
{
	struct cursor cursor = { .table = table };
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(&mapping->sgt, sg, i) {
		unsigned long pfn;
		unsigned long npages = next_entry(&cursor, mapping->dev, &pfn);

		sg_set_page(sg, pfn_to_page(pfn), npages << PAGE_SHIFT, 0);
	}
	return dma_map_sgtable(mapping->dev, &mapping->sgt, mapping->direction,
			       MAP_ATTRS);
}

static void unmap_resource(struct portalmem_mapping *mapping,
			   unsigned int count)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(mapping->sgt.sgl, sg, count, i)
		dma_unmap_resource(mapping->dev, sg_dma_address(sg),
				   sg_dma_len(sg), mapping->direction, 0);
}

/* Memory without pages: the entries have DMA addresses only. */
static int map_resource(struct portalmem_mapping *mapping,
			const struct portalmem_table *table)
{
	struct cursor cursor = { .table = table };
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_sg(&mapping->sgt, sg, i) {
		unsigned long pfn;
		size_t size = next_entry(&cursor, mapping->dev, &pfn)
			      << PAGE_SHIFT;
		dma_addr_t address = dma_map_resource(mapping->dev,
						      PFN_PHYS(pfn), size,
						      mapping->direction, 0);

		if (dma_mapping_error(mapping->dev, address)) {
			unmap_resource(mapping, i);
			return -EIO;
		}
		sg_set_page(sg, NULL, size, 0);
		sg_dma_address(sg) = address;
		sg_dma_len(sg) = size;
	}
	return 0;
}

static int map_table(struct portalmem_mapping *mapping,
		     const struct portalmem_table *table)
{
	int ret;

	ret = sg_alloc_table(&mapping->sgt, count_entries(mapping->dev, table),
			     GFP_KERNEL);
	if (ret)
		return ret;
	if (table->backing == PORTALMEM_RESOURCE)
		ret = map_resource(mapping, table);
	else
		ret = map_pages(mapping, table);
	if (ret)
		sg_free_table(&mapping->sgt);
	return ret;
}

static void unmap_table(struct portalmem_mapping *mapping,
			const struct portalmem_table *table)
{
	if (table->backing == PORTALMEM_RESOURCE)
		unmap_resource(mapping, mapping->sgt.nents);
	else
		dma_unmap_sgtable(mapping->dev, &mapping->sgt,
				  mapping->direction, MAP_ATTRS);
	sg_free_table(&mapping->sgt);
}

static bool is_across_boundary(struct device *dev, dma_addr_t start,
			       dma_addr_t address)
{
	return (start | dma_get_seg_boundary(dev)) < address;
}

/**
 * portalmem_dma_runs - where a device sees a buffer
 * @sgt: the buffer, mapped
 * @dev: the device, when entries whose addresses follow on each other are to be
 *	one run as far as it can go without crossing a boundary; NULL for a run
 *	of each entry
 * @count: set to the number of runs
 *
 * Return: the runs and a last one that starts at the buffer's end, for kvfree(),
 * or NULL without memory.
 */
struct portalmem_dma_run *portalmem_dma_runs(const struct sg_table *sgt,
					     struct device *dev,
					     unsigned int *count)
{
	struct portalmem_dma_run *runs, *run;
	dma_addr_t next = 0;
	struct scatterlist *sg;
	unsigned int i;
	u64 start = 0;

	runs = kvmalloc_array(sgt->nents + 1, sizeof(*runs),
			      GFP_KERNEL_ACCOUNT);
	if (!runs)
		return NULL;

	run = runs;
	for_each_sgtable_dma_sg(sgt, sg, i) {
		dma_addr_t address = sg_dma_address(sg);

		if (!i || !dev || address != next ||
		    is_across_boundary(dev, run[-1].address, address)) {
			run->start = start;
			run->address = address;
			run++;
		}
		next = address + sg_dma_len(sg);
		start += sg_dma_len(sg);
	}
	run->start = start;
	run->address = 0;
	*count = run - runs;
	return runs;
}

/*
 * Devices that may get copies often do not: the limits of a bus can be below what
 * the kernel asks for and yet above all of memory. There is no copy where every
 * address is that of the memory itself. An IOMMU's addresses do not tell.
 */
static bool may_be_copied(const struct portalmem_mapping *mapping)
{
	struct scatterlist *sg;
	unsigned int i;

	if (!portalmem_device_may_bounce(mapping->dev))
		return false;
	if (portalmem_device_is_translated(mapping->dev))
		return true;
	for_each_sgtable_dma_sg(&mapping->sgt, sg, i)
		if (sg_dma_address(sg) != phys_to_dma(mapping->dev, sg_phys(sg)))
			return true;
	return false;
}

/*
 * Nothing of a buffer that is not cached is in a cache: there is no difference
 * between what the CPU and a device see, unless the device gets copies.
 */
static bool needs_sync(const struct portalmem_buffer *buffer,
		       const struct portalmem_mapping *mapping)
{
	if (buffer->table.backing == PORTALMEM_RESOURCE)
		return false;
	if (buffer->caching != PORTALMEM_CACHED && !may_be_copied(mapping))
		return false;
	return portalmem_device_needs_sync(mapping->dev, &mapping->sgt);
}

/**
 * portalmem_map_dma_buf - map a buffer for a device
 * @attachment: the device's attachment
 * @direction: what the device will do
 *
 * Each call makes a scatterlist of its own, in entries that this device can
 * take, so that an importer that maps twice, or two importers with different
 * limits, do not meet.
 *
 * Return: the scatterlist, until portalmem_unmap_dma_buf(), or an ERR_PTR():
 * -EACCES when the device would write to a read-only buffer.
 */
static struct sg_table *
portalmem_map_dma_buf(struct dma_buf_attachment *attachment,
		      enum dma_data_direction direction)
{
	struct portalmem_buffer *buffer = attachment->dmabuf->priv;
	struct portalmem_mapping *mapping;
	int ret;

	if (buffer->read_only && direction != DMA_TO_DEVICE)
		return ERR_PTR(-EACCES);

	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL_ACCOUNT);
	if (!mapping)
		return ERR_PTR(-ENOMEM);
	mapping->attachment = attachment;
	mapping->dev = attachment->dev;
	mapping->direction = direction;

	/* What the device does not write of a copy comes back as it was. */
	if (portalmem_device_may_bounce(attachment->dev))
		portalmem_sync_alias(buffer);
	ret = map_table(mapping, &buffer->table);
	if (ret)
		goto free_mapping;
	mapping->runs = portalmem_dma_runs(&mapping->sgt, NULL,
					   &mapping->nruns);
	if (!mapping->runs) {
		ret = -ENOMEM;
		goto unmap;
	}
	mapping->needs_sync = needs_sync(buffer, mapping);
	portalmem_sync_mapping(buffer, mapping, false);
	trace_portalmem_map(buffer, mapping);

	mutex_lock(&buffer->lock);
	list_add(&mapping->node, &buffer->mappings);
	mutex_unlock(&buffer->lock);
	return &mapping->sgt;

unmap:
	unmap_table(mapping, &buffer->table);
free_mapping:
	kfree(mapping);
	return ERR_PTR(ret);
}

static void portalmem_unmap_dma_buf(struct dma_buf_attachment *attachment,
				    struct sg_table *sgt,
				    enum dma_data_direction direction)
{
	struct portalmem_buffer *buffer = attachment->dmabuf->priv;
	struct portalmem_mapping *mapping =
		container_of(sgt, struct portalmem_mapping, sgt);

	mutex_lock(&buffer->lock);
	list_del(&mapping->node);
	mutex_unlock(&buffer->lock);

	trace_portalmem_unmap(buffer, mapping);
	portalmem_sync_mapping(buffer, mapping, true);
	unmap_table(mapping, &buffer->table);
	kvfree(mapping->runs);
	kfree(mapping);
}

static int sync_all(struct dma_buf *dmabuf, enum dma_data_direction direction,
		    bool for_cpu)
{
	struct portalmem_ioc_range all = {
		.length = portalmem_buffer_size(dmabuf->priv),
	};
	struct portalmem_sync sync = {
		.ranges = &all,
		.count = 1,
		.direction = direction,
		.for_cpu = for_cpu,
	};

	return portalmem_sync(dmabuf, &sync);
}

static int portalmem_begin_cpu_access(struct dma_buf *dmabuf,
				      enum dma_data_direction direction)
{
	return sync_all(dmabuf, direction, true);
}

static int portalmem_end_cpu_access(struct dma_buf *dmabuf,
				    enum dma_data_direction direction)
{
	return sync_all(dmabuf, direction, false);
}

static void *vmap_pages(const struct portalmem_buffer *buffer)
{
	const struct portalmem_table *table = &buffer->table;
	pgprot_t prot = buffer->read_only ? PAGE_KERNEL_RO : PAGE_KERNEL;
	struct page **pages;
	unsigned long n = 0;
	unsigned int i;
	void *vaddr;

	pages = kvmalloc_array(table->npages, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return NULL;
	for (i = 0; i < table->count; i++) {
		const struct portalmem_segment *segment = &table->segments[i];
		unsigned long npages = portalmem_segment_npages(segment);
		unsigned long j;

		for (j = 0; j < npages; j++)
			pages[n++] = pfn_to_page(segment->pfn + j);
	}
	vaddr = vmap(pages, n, VM_MAP,
		     portalmem_caching_prot(buffer->caching, prot));
	kvfree(pages);
	return vaddr;
}

static int vmap_resource(const struct portalmem_buffer *buffer,
			 struct iosys_map *map)
{
	phys_addr_t base = PFN_PHYS(buffer->table.segments[0].pfn);
	void __iomem *vaddr = portalmem_caching_map(base,
						    portalmem_buffer_size(buffer),
						    buffer->caching);

	if (!vaddr)
		return -ENOMEM;
	iosys_map_set_vaddr_iomem(map, vaddr);
	return 0;
}

/* The core calls this for the first of nested vmaps only. */
static int portalmem_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct portalmem_buffer *buffer = dmabuf->priv;
	void *vaddr;

	if (buffer->table.backing == PORTALMEM_RESOURCE)
		return vmap_resource(buffer, map);
	vaddr = vmap_pages(buffer);
	if (!vaddr)
		return -ENOMEM;

	mutex_lock(&buffer->lock);
	buffer->vaddr = vaddr;
	mutex_unlock(&buffer->lock);
	iosys_map_set_vaddr(map, vaddr);
	return 0;
}

static void portalmem_vunmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct portalmem_buffer *buffer = dmabuf->priv;

	if (buffer->table.backing == PORTALMEM_RESOURCE) {
		iounmap(map->vaddr_iomem);
		iosys_map_clear(map);
		return;
	}
	mutex_lock(&buffer->lock);
	buffer->vaddr = NULL;
	mutex_unlock(&buffer->lock);
	vunmap(map->vaddr);
	iosys_map_clear(map);
}

static void portalmem_release(struct dma_buf *dmabuf)
{
	struct portalmem_buffer *buffer = dmabuf->priv;

	trace_portalmem_free(buffer);
	portalmem_buffer_destroy(buffer);
}

const struct dma_buf_ops portalmem_dma_buf_ops = {
	.attach = portalmem_attach,
	.detach = portalmem_detach,
	.map_dma_buf = portalmem_map_dma_buf,
	.unmap_dma_buf = portalmem_unmap_dma_buf,
	.begin_cpu_access = portalmem_begin_cpu_access,
	.end_cpu_access = portalmem_end_cpu_access,
	.mmap = portalmem_mmap,
	.vmap = portalmem_vmap,
	.vunmap = portalmem_vunmap,
	.release = portalmem_release,
};
