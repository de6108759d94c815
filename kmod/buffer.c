// SPDX-License-Identifier: GPL-2.0-only
/* A buffer: the pages of a heap, and the dma-buf that holds them. */
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/memcontrol.h>
#include <linux/pfn.h>
#include <linux/pid.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "portalmem.h"
#include "trace.h"

/* Before a limit is reached, it is looked whether all that counts still does. */
static struct portalmem_account *charge(struct portalmem_limit *limit,
					unsigned long npages)
{
	struct portalmem_account *account =
		portalmem_limit_charge(limit, npages);

	if (account == ERR_PTR(-EDQUOT) && portalmem_held_release())
		account = portalmem_limit_charge(limit, npages);
	return account;
}

static struct kmem_cache *buffer_cache;

int portalmem_buffer_init(void)
{
	buffer_cache = KMEM_CACHE(portalmem_buffer, 0);
	return buffer_cache ? 0 : -ENOMEM;
}

void portalmem_buffer_exit(void)
{
	kmem_cache_destroy(buffer_cache);
}

static struct portalmem_buffer *
alloc_buffer(struct portalmem_heap *heap,
	     const struct portalmem_request *request, struct list_lru *list)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_ZERO | __GFP_RETRY_MAYFAIL;
	struct portalmem_buffer *buffer;
	int ret;

	if (list)
		buffer = kmem_cache_alloc_lru(buffer_cache, list, gfp);
	else
		buffer = kmem_cache_alloc(buffer_cache, gfp);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	ret = heap->ops->alloc(heap, request, &buffer->table);
	if (ret) {
		kmem_cache_free(buffer_cache, buffer);
		return ERR_PTR(ret);
	}
	buffer->is_poolable = list;
	buffer->heap = heap;
	buffer->caching = request->caching;
	buffer->read_only = request->read_only;
	mutex_init(&buffer->lock);
	INIT_LIST_HEAD(&buffer->mappings);
	portalmem_debugfs_add(buffer);
	return buffer;
}

/*
 * What is kept whole is charged to one cgroup, whatever cgroup the task is in by
 * the time of the second charge.
 */
static struct portalmem_buffer *
alloc_poolable(struct portalmem_heap *heap,
	       const struct portalmem_request *request, struct list_lru *list)
{
	struct mem_cgroup *memcg = get_mem_cgroup_from_mm(NULL);
	struct mem_cgroup *before = set_active_memcg(memcg);
	struct portalmem_buffer *buffer = alloc_buffer(heap, request, list);

	set_active_memcg(before);
	mem_cgroup_put(memcg);
	return buffer;
}

static struct portalmem_buffer *
make_buffer(struct portalmem_heap *heap,
	    const struct portalmem_request *request)
{
	struct portalmem_buffer *buffer;
	struct list_lru *list;

	if (!heap->ops->reuse)
		return alloc_buffer(heap, request, NULL);
	buffer = heap->ops->reuse(request);
	if (buffer)
		return buffer;
	list = portalmem_pool_list(request);
	if (!list)
		return alloc_buffer(heap, request, NULL);
	return alloc_poolable(heap, request, list);
}

static struct portalmem_buffer *
buffer_create(struct portalmem_heap *heap,
	      const struct portalmem_request *request)
{
	struct portalmem_account *account =
		charge(heap->limit, request->npages);
	struct portalmem_buffer *buffer;

	if (IS_ERR(account))
		return ERR_CAST(account);
	buffer = make_buffer(heap, request);
	if (IS_ERR(buffer)) {
		portalmem_limit_uncharge(heap->limit, account,
					 request->npages);
		return buffer;
	}
	buffer->account = account;
	buffer->pid = get_task_pid(current, PIDTYPE_TGID);
	portalmem_stats_alloc(heap, request->npages);
	return buffer;
}

/**
 * portalmem_buffer_destroy - give everything back
 * @buffer: has no attachment and no mapping any more
 */
void portalmem_buffer_destroy(struct portalmem_buffer *buffer)
{
	struct portalmem_heap *heap = buffer->heap;
	struct portalmem_account *account = buffer->account;
	unsigned long npages = buffer->table.npages;
	unsigned long held = 0;

	/* Who reads of it now is waited for. */
	mutex_lock(&buffer->lock);
	buffer->dmabuf = NULL;
	mutex_unlock(&buffer->lock);
	put_pid(buffer->pid);

	if (!buffer->is_poolable || !heap->ops->keep(buffer)) {
		held = portalmem_held_keep(buffer);
		heap->ops->free(heap, &buffer->table, buffer->caching);
		portalmem_debugfs_remove(buffer);
	}
	portalmem_stats_free(heap, npages);
	portalmem_limit_uncharge(heap->limit, account, npages - held);
}

/**
 * portalmem_buffer_free - last step of portalmem_buffer_destroy()
 * @buffer: nobody refers to it any more
 */
void portalmem_buffer_free(struct portalmem_buffer *buffer)
{
	mutex_destroy(&buffer->lock);
	kmem_cache_free(buffer_cache, buffer);
}

/* As DMA_BUF_SET_NAME does it; the dma-buf frees its name. */
static int name_dma_buf(struct dma_buf *dmabuf, const char *text)
{
	char *name;

	if (!*text)
		return 0;
	name = kstrdup(text, GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL);
	if (!name)
		return -ENOMEM;

	spin_lock(&dmabuf->name_lock);
	dmabuf->name = name;
	spin_unlock(&dmabuf->name_lock);
	return 0;
}

/**
 * portalmem_buffer_export - allocate a buffer
 * @heap: where the pages come from
 * @request: what is wanted
 *
 * Return: the dma-buf, with one reference that dma_buf_put() gives back, or an
 * ERR_PTR(): -ENOMEM, -EDQUOT when a limit is reached, -EINTR, and what the
 * heap has against the request.
 */
struct dma_buf *portalmem_buffer_export(struct portalmem_heap *heap,
					const struct portalmem_request *request)
{
	DEFINE_DMA_BUF_EXPORT_INFO(export);
	struct portalmem_buffer *buffer;
	struct dma_buf *dmabuf;
	int ret;

	buffer = buffer_create(heap, request);
	if (IS_ERR(buffer))
		return ERR_CAST(buffer);

	export.exp_name = "portalmem";
	export.ops = &portalmem_dma_buf_ops;
	export.size = portalmem_buffer_size(buffer);
	export.flags = request->fd_flags;
	export.priv = buffer;
	dmabuf = dma_buf_export(&export);
	if (IS_ERR(dmabuf)) {
		portalmem_buffer_destroy(buffer);
		return dmabuf;
	}
	/* From here on the dma-buf owns the buffer: release() destroys it. */

	buffer->inode = file_inode(dmabuf->file)->i_ino;
	/* Who reads of it with the lock sees all that was written before. */
	smp_store_release(&buffer->dmabuf, dmabuf);
	trace_portalmem_alloc(buffer, request->name);

	ret = name_dma_buf(dmabuf, request->name);
	if (ret) {
		dma_buf_put(dmabuf);
		return ERR_PTR(ret);
	}
	return dmabuf;
}

/**
 * portalmem_buffer_of - the buffer behind a dma-buf
 * @dmabuf: any dma-buf
 *
 * Return: the buffer, which lives as long as @dmabuf, or NULL when somebody
 * else exported it.
 */
struct portalmem_buffer *portalmem_buffer_of(const struct dma_buf *dmabuf)
{
	return dmabuf->ops == &portalmem_dma_buf_ops ? dmabuf->priv : NULL;
}

/**
 * portalmem_buffer_describe - answer PORTALMEM_IOC_INFO
 * @dmabuf: one of ours
 * @info: its output fields are filled in
 */
void portalmem_buffer_describe(struct dma_buf *dmabuf,
			       struct portalmem_ioc_info *info)
{
	struct portalmem_buffer *buffer = dmabuf->priv;

	info->size = portalmem_buffer_size(buffer);
	info->caching = buffer->caching;
	info->effective = portalmem_caching_effective(buffer->caching);
	info->segments = buffer->table.count;
	info->pid = pid_vnr(buffer->pid);
	strscpy_pad(info->heap, buffer->heap->name, sizeof(info->heap));

	mutex_lock(&buffer->lock);
	info->attachments = buffer->attachments;
	mutex_unlock(&buffer->lock);

	spin_lock(&dmabuf->name_lock);
	strscpy_pad(info->name, dmabuf->name ?: "", sizeof(info->name));
	spin_unlock(&dmabuf->name_lock);
}

/*
 * Whoever pinned pages may have unmapped and closed the buffer since. What
 * merely holds references to pages looks like a mapping from here, and is not
 * found.
 */
static bool is_pinned(const struct portalmem_table *table)
{
	unsigned int i;

	if (table->backing != PORTALMEM_PAGES)
		return false;
	for (i = 0; i < table->count; i++) {
		const struct portalmem_segment *segment = &table->segments[i];
		unsigned long npages = portalmem_segment_npages(segment);
		unsigned long j = 0;

		while (j < npages) {
			struct folio *folio =
				page_folio(pfn_to_page(segment->pfn + j));

			if (folio_maybe_dma_pinned(folio))
				return true;
			j += folio_nr_pages(folio);
		}
		cond_resched();
	}
	return false;
}

/**
 * portalmem_buffer_find_holders - answer PORTALMEM_IOC_HOLDERS
 * @dmabuf: one of ours, of which the caller has one reference of its own
 * @ioc: its output fields are filled in
 *
 * What comes after the references is read after them: who has none any more can
 * add nothing, and what it added before is seen.
 */
void portalmem_buffer_find_holders(struct dma_buf *dmabuf,
				   struct portalmem_ioc_holders *ioc)
{
	struct portalmem_buffer *buffer = dmabuf->priv;
	long references = file_count(dmabuf->file) - 1;

	/* Pairs with the barrier in the kernel's giving up of a reference. */
	smp_rmb();
	ioc->references = min_t(long, references, U32_MAX);
	ioc->holders = references > 1 ? PORTALMEM_HOLDER_REFERENCE : 0;

	mutex_lock(&buffer->lock);
	if (buffer->attachments)
		ioc->holders |= PORTALMEM_HOLDER_DEVICE;
	mutex_unlock(&buffer->lock);
	if (!dma_resv_test_signaled(dmabuf->resv, DMA_RESV_USAGE_BOOKKEEP))
		ioc->holders |= PORTALMEM_HOLDER_FENCE;
	if (is_pinned(&buffer->table))
		ioc->holders |= PORTALMEM_HOLDER_PIN;
}

/**
 * portalmem_buffer_segment - one entry of the translation table
 * @buffer: the buffer
 * @index: which segment, less than @buffer->table.count
 * @with_address: whether the caller may know physical addresses
 *
 * Return: the entry as user space sees it.
 */
struct portalmem_ioc_segment
portalmem_buffer_segment(const struct portalmem_buffer *buffer,
			 unsigned int index, bool with_address)
{
	const struct portalmem_segment *segment =
		&buffer->table.segments[index];
	struct portalmem_ioc_segment entry = {
		.offset = (u64)segment->start << PAGE_SHIFT,
		.length = (u64)portalmem_segment_npages(segment) << PAGE_SHIFT,
	};

	if (with_address)
		entry.physical = PFN_PHYS(segment->pfn);
	return entry;
}
