// SPDX-License-Identifier: GPL-2.0-only
/*
 * User mappings.
 *
 * Cached buffers are mapped from their struct pages: that is what lets O_DIRECT,
 * io_uring, RDMA and vmsplice pin the memory, and what survives fork and every
 * madvise. Chunks of 2 MiB are mapped by faults, as only then the core maps each
 * by one page table entry. Where there are none, many entries are made at once:
 * all of a small buffer in mmap(), those of 2 MiB of a larger one in a fault. The
 * two do not go together in one area, as the core does not expect a huge page
 * where pages were inserted. Write-combined and uncached buffers are mapped by page frame
 * number, at once: nobody may pin pages through a mapping whose memory type
 * others would not know.
 */
#include <linux/io.h>
#include <linux/moduleparam.h>
#include <linux/pfn.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/vmalloc.h>

#include "portalmem.h"
#include "trace.h"

static bool pinnable = true;
module_param(pinnable, bool, 0644);
MODULE_PARM_DESC(pinnable,
		 "Map cached buffers from struct pages, so that O_DIRECT, io_uring and RDMA can pin them (default: true); takes effect for new mappings");

/**
 * portalmem_mmap_is_pinnable - whether new cached mappings can be pinned
 *
 * Return: true when they can.
 */
bool portalmem_mmap_is_pinnable(void)
{
	return READ_ONCE(pinnable);
}

/* How many page table entries are made together: those of one table. */
#define AROUND_PAGES PTRS_PER_PTE

/* How many pages the core is handed at a time. */
#define INSERT_PAGES 32

/*
 * Make the entries of an area from @address to @end. Some may be there already,
 * as others make them, too. One more is looked at after each of those.
 */
static int insert_pages(struct vm_area_struct *vma, unsigned long address,
			unsigned long end)
{
	const struct portalmem_buffer *buffer = vma->vm_private_data;
	const struct portalmem_table *table = &buffer->table;
	unsigned long index = vma->vm_pgoff +
			      ((address - vma->vm_start) >> PAGE_SHIFT);
	unsigned int i = portalmem_table_find(table, index);

	while (address < end) {
		struct page *pages[INSERT_PAGES];
		unsigned long count = min_t(unsigned long, INSERT_PAGES,
					    (end - address) >> PAGE_SHIFT);
		unsigned long left = count;
		unsigned long j;
		int ret;

		for (j = 0; j < count; j++) {
			const struct portalmem_segment *segment;

			while (table->segments[i + 1].start <= index + j)
				i++;
			segment = &table->segments[i];
			pages[j] = pfn_to_page(segment->pfn + index + j -
					       segment->start);
		}
		ret = vm_insert_pages(vma, address, pages, &left);
		if (ret && ret != -EBUSY)
			return ret;
		count -= left;
		if (ret)
			count++;
		/* The segment of the next page may be before the last one's. */
		index += count;
		address += count << PAGE_SHIFT;
		if (left && address < end)
			i = portalmem_table_find(table, index);
	}
	return 0;
}

static vm_fault_t fault_around(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long size = AROUND_PAGES << PAGE_SHIFT;
	unsigned long start = max(ALIGN_DOWN(vmf->address, size),
				  vma->vm_start);
	unsigned long end = min(ALIGN_DOWN(vmf->address, size) + size,
				vma->vm_end);
	struct portalmem_buffer *buffer = vma->vm_private_data;
	unsigned long last = vma->vm_start +
			     ((buffer->table.npages - vma->vm_pgoff)
			      << PAGE_SHIFT);

	return insert_pages(vma, start, min(end, last)) ? VM_FAULT_OOM :
							   VM_FAULT_NOPAGE;
}

static vm_fault_t pages_fault(struct vm_fault *vmf)
{
	struct portalmem_buffer *buffer = vmf->vma->vm_private_data;
	struct page *page;

	if (vmf->pgoff >= buffer->table.npages)
		return VM_FAULT_SIGBUS;
	if (vmf->vma->vm_flags & VM_MIXEDMAP)
		return fault_around(vmf);

	page = portalmem_table_page(&buffer->table, vmf->pgoff);
	get_page(page);
	vmf->page = page;
	return 0;
}

/*
 * There is no page_mkwrite or pfn_mkwrite on purpose: with one, the core
 * refuses long-term writable pins.
 */
static const struct vm_operations_struct pages_vm_ops = {
	.fault = pages_fault,
};

static int access_resource(const struct portalmem_buffer *buffer,
			   unsigned long index, unsigned int offset, void *data,
			   int length, int write)
{
	phys_addr_t base = PFN_PHYS(portalmem_table_pfn(&buffer->table, index));
	void __iomem *vaddr = portalmem_caching_map(base, PAGE_SIZE,
						    buffer->caching);

	if (!vaddr)
		return -ENOMEM;
	if (write)
		memcpy_toio(vaddr + offset, data, length);
	else
		memcpy_fromio(data, vaddr + offset, length);
	iounmap(vaddr);
	return length;
}

/* Lets a debugger read and write what get_user_pages() cannot reach. */
static int pfn_access(struct vm_area_struct *vma, unsigned long address,
		      void *data, int length, int write)
{
	struct portalmem_buffer *buffer = vma->vm_private_data;
	unsigned long index = vma->vm_pgoff +
			      ((address - vma->vm_start) >> PAGE_SHIFT);
	unsigned int offset = offset_in_page(address);
	struct page *page;
	void *vaddr;

	if (index >= buffer->table.npages)
		return -EFAULT;
	/* Nobody has checked that: what comes here found no page. */
	if (write && !(vma->vm_flags & VM_WRITE))
		return -EACCES;
	length = min_t(int, length, PAGE_SIZE - offset);
	if (buffer->table.backing == PORTALMEM_RESOURCE)
		return access_resource(buffer, index, offset, data, length,
				       write);

	/* A mapping of the buffer's own memory type, not the kernel's alias. */
	page = portalmem_table_page(&buffer->table, index);
	vaddr = vmap(&page, 1, VM_MAP,
		     portalmem_caching_prot(buffer->caching, PAGE_KERNEL));
	if (!vaddr)
		return -ENOMEM;

	if (write)
		memcpy(vaddr + offset, data, length);
	else
		memcpy(data, vaddr + offset, length);
	vunmap(vaddr);
	return length;
}

static const struct vm_operations_struct pfn_vm_ops = {
	.access = pfn_access,
};

/*
 * How many pages are mapped before others have their turn at the processor. What is
 * not memory to the kernel gets its memory type when it is mapped as a whole.
 */
static unsigned long most_at_once(const struct portalmem_table *table)
{
	return table->backing == PORTALMEM_RESOURCE ? ULONG_MAX :
						      SZ_2M >> PAGE_SHIFT;
}

static int map_pfns(struct portalmem_buffer *buffer, struct vm_area_struct *vma)
{
	const struct portalmem_table *table = &buffer->table;
	unsigned long index = vma->vm_pgoff;
	unsigned int i = portalmem_table_find(table, index);
	unsigned long address = vma->vm_start;
	/* An importer may have set a memory type that is not the buffer's. */
	pgprot_t prot = portalmem_caching_prot(buffer->caching,
					       vm_get_page_prot(vma->vm_flags));

	vma->vm_page_prot = prot;
	while (address < vma->vm_end) {
		const struct portalmem_segment *segment = &table->segments[i];
		unsigned long skip = index - segment->start;
		unsigned long npages =
			min3(portalmem_segment_npages(segment) - skip,
			     (vma->vm_end - address) >> PAGE_SHIFT,
			     most_at_once(table));
		int ret;

		ret = remap_pfn_range(vma, address, segment->pfn + skip,
				      npages << PAGE_SHIFT, prot);
		if (ret)
			return ret;
		address += npages << PAGE_SHIFT;
		index += npages;
		i += skip + npages == portalmem_segment_npages(segment);
		cond_resched();
	}
	return 0;
}

/* The larger chunks come first, and so the first page tells. */
static bool has_huge_chunks(const struct portalmem_buffer *buffer,
			    const struct vm_area_struct *vma)
{
	struct page *page = portalmem_table_page(&buffer->table, vma->vm_pgoff);

	return compound_order(compound_head(page)) >= PORTALMEM_CHUNK_ORDER_MAX;
}

static int map_pages(struct portalmem_buffer *buffer,
		     struct vm_area_struct *vma)
{
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	vma->vm_ops = &pages_vm_ops;
	/*
	 * No special flags: the area behaves like that of any file, can be
	 * split and merged, and past the buffer's end a fault is SIGBUS.
	 */
	if (has_huge_chunks(buffer, vma))
		return 0;
	portalmem_vm_flags_set(vma, VM_MIXEDMAP);
	if (vma_pages(vma) > AROUND_PAGES)
		return 0;
	return insert_pages(vma, vma->vm_start, vma->vm_end);
}

/**
 * portalmem_mmap - map a buffer into a process
 * @dmabuf: one of ours
 * @vma: where; the core has checked that it lies within the buffer
 *
 * Return: 0; -EINVAL for a private mapping, whose copies no device would see;
 * -EACCES for a writable one of a read-only buffer; -ENOMEM.
 */
int portalmem_mmap(struct dma_buf *dmabuf, struct vm_area_struct *vma)
{
	struct portalmem_buffer *buffer = dmabuf->priv;
	int ret;

	if (!(vma->vm_flags & (VM_SHARED | VM_MAYSHARE)))
		return -EINVAL;

	/*
	 * The core has seen to that for the buffer's own descriptor, not for
	 * the file of an importer that forwards its mmap.
	 */
	if (buffer->read_only) {
		if (vma->vm_flags & VM_WRITE)
			return -EACCES;
		portalmem_vm_flags_clear(vma, VM_MAYWRITE);
	}

	vma->vm_private_data = buffer;

	/*
	 * An importer that forwards its own mmap may have marked the area for
	 * page frame numbers already; a page must not be inserted there then.
	 */
	if (buffer->caching != PORTALMEM_CACHED ||
	    buffer->table.backing != PORTALMEM_PAGES ||
	    !portalmem_mmap_is_pinnable() ||
	    (vma->vm_flags & (VM_PFNMAP | VM_MIXEDMAP | VM_IO))) {
		vma->vm_ops = &pfn_vm_ops;
		ret = map_pfns(buffer, vma);
		if (!ret)
			trace_portalmem_mmap(buffer, vma, false);
		return ret;
	}

	ret = map_pages(buffer, vma);
	if (!ret)
		trace_portalmem_mmap(buffer, vma, true);
	return ret;
}
