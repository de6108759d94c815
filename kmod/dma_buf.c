// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf operations, the same for every heap.
 *
 * Locking: the dma-buf core may hold the reservation lock in map, unmap, vmap
 * and vunmap and does not in the others (on 6.1 it leaves that to importers),
 * so an operation here takes none and relies on none. buffer->lock nests
 * inside it.
 */
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/iosys-map.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "portalmem.h"

static int portalmem_attach(struct dma_buf *dmabuf,
			    struct dma_buf_attachment *attachment)
{
	struct portalmem_buffer *buffer = dmabuf->priv;

	mutex_lock(&buffer->lock);
	buffer->attachments++;
	mutex_unlock(&buffer->lock);
	return 0;
}

static void portalmem_detach(struct dma_buf *dmabuf,
			     struct dma_buf_attachment *attachment)
{
	struct portalmem_buffer *buffer = dmabuf->priv;

	mutex_lock(&buffer->lock);
	buffer->attachments--;
	mutex_unlock(&buffer->lock);
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

static unsigned int count_entries(struct device *dev,
				  const struct portalmem_table *table)
{
	unsigned int count = 0;
	unsigned int i;

	for (i = 0; i < table->count; i++) {
		const struct portalmem_segment *segment = &table->segments[i];
		unsigned long left = portalmem_segment_npages(segment);
		unsigned long pfn = segment->pfn;

		while (left) {
			unsigned long npages = entry_npages(dev, pfn, left);

			pfn += npages;
			left -= npages;
			count++;
		}
	}
	return count;
}

static int fill_sg_table(struct sg_table *sgt, struct device *dev,
			 const struct portalmem_table *table)
{
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	ret = sg_alloc_table(sgt, count_entries(dev, table), GFP_KERNEL);
	if (ret)
		return ret;

	sg = sgt->sgl;
	for (i = 0; i < table->count; i++) {
		const struct portalmem_segment *segment = &table->segments[i];
		unsigned long left = portalmem_segment_npages(segment);
		unsigned long pfn = segment->pfn;

		while (left) {
			unsigned long npages = entry_npages(dev, pfn, left);

			sg_set_page(sg, pfn_to_page(pfn), npages << PAGE_SHIFT,
				    0);
			sg = sg_next(sg);
			pfn += npages;
			left -= npages;
		}
	}
	return 0;
}

/* Note where each DMA segment starts, for ranged sync. */
static int index_runs(struct portalmem_mapping *mapping, u64 size)
{
	struct portalmem_dma_run *run;
	struct scatterlist *sg;
	u64 start = 0;
	unsigned int i;

	mapping->nruns = mapping->sgt.nents;
	run = kvmalloc_array(mapping->nruns + 1, sizeof(*run), GFP_KERNEL);
	if (!run)
		return -ENOMEM;

	mapping->runs = run;
	for_each_sgtable_dma_sg(&mapping->sgt, sg, i) {
		run->start = start;
		run->address = sg_dma_address(sg);
		start += sg_dma_len(sg);
		run++;
	}
	run->start = size;
	run->address = 0;
	return 0;
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
 * Return: the scatterlist, until portalmem_unmap_dma_buf(), or an ERR_PTR().
 */
static struct sg_table *
portalmem_map_dma_buf(struct dma_buf_attachment *attachment,
		      enum dma_data_direction direction)
{
	struct portalmem_buffer *buffer = attachment->dmabuf->priv;
	struct portalmem_mapping *mapping;
	int ret;

	mapping = kzalloc(sizeof(*mapping), GFP_KERNEL);
	if (!mapping)
		return ERR_PTR(-ENOMEM);
	mapping->dev = attachment->dev;
	mapping->direction = direction;

	ret = fill_sg_table(&mapping->sgt, mapping->dev, &buffer->table);
	if (ret)
		goto free_mapping;
	ret = dma_map_sgtable(mapping->dev, &mapping->sgt, direction, 0);
	if (ret)
		goto free_sg_table;
	ret = index_runs(mapping, portalmem_buffer_size(buffer));
	if (ret)
		goto unmap_sg_table;

	mutex_lock(&buffer->lock);
	list_add(&mapping->node, &buffer->mappings);
	mutex_unlock(&buffer->lock);
	return &mapping->sgt;

unmap_sg_table:
	dma_unmap_sgtable(mapping->dev, &mapping->sgt, direction, 0);
free_sg_table:
	sg_free_table(&mapping->sgt);
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

	dma_unmap_sgtable(mapping->dev, sgt, mapping->direction, 0);
	sg_free_table(sgt);
	kvfree(mapping->runs);
	kfree(mapping);
}

static int portalmem_begin_cpu_access(struct dma_buf *dmabuf,
				      enum dma_data_direction direction)
{
	return portalmem_sync_all(dmabuf, direction, true);
}

static int portalmem_end_cpu_access(struct dma_buf *dmabuf,
				    enum dma_data_direction direction)
{
	return portalmem_sync_all(dmabuf, direction, false);
}

static void *map_pages(const struct portalmem_buffer *buffer)
{
	const struct portalmem_table *table = &buffer->table;
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
		     portalmem_caching_prot(buffer->caching, PAGE_KERNEL));
	kvfree(pages);
	return vaddr;
}

/* The core calls this for the first of nested vmaps only. */
static int portalmem_vmap(struct dma_buf *dmabuf, struct iosys_map *map)
{
	struct portalmem_buffer *buffer = dmabuf->priv;
	void *vaddr = map_pages(buffer);

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

	mutex_lock(&buffer->lock);
	buffer->vaddr = NULL;
	mutex_unlock(&buffer->lock);
	vunmap(map->vaddr);
	iosys_map_clear(map);
}

static void portalmem_release(struct dma_buf *dmabuf)
{
	portalmem_buffer_destroy(dmabuf->priv);
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
