// SPDX-License-Identifier: GPL-2.0-only
/*
 * User mappings.
 *
 * Cached buffers are mapped from their struct pages, by faults: that is what
 * lets O_DIRECT, io_uring, RDMA and vmsplice pin the memory, what survives
 * fork and every madvise, and what lets the core map a 2 MiB chunk by one page
 * table entry. Write-combined and uncached buffers are mapped by page frame
 * number, at once: nobody may pin pages through a mapping whose memory type
 * others would not know.
 */
#include <linux/io.h>
#include <linux/moduleparam.h>
#include <linux/pfn.h>
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

static vm_fault_t pages_fault(struct vm_fault *vmf)
{
	struct portalmem_buffer *buffer = vmf->vma->vm_private_data;
	struct page *page;

	if (vmf->pgoff >= buffer->table.npages)
		return VM_FAULT_SIGBUS;

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
		const struct portalmem_segment *segment = &table->segments[i++];
		unsigned long skip = index - segment->start;
		unsigned long npages =
			min(portalmem_segment_npages(segment) - skip,
			    (vma->vm_end - address) >> PAGE_SHIFT);
		int ret;

		ret = remap_pfn_range(vma, address, segment->pfn + skip,
				      npages << PAGE_SHIFT, prot);
		if (ret)
			return ret;
		address += npages << PAGE_SHIFT;
		index += npages;
	}
	return 0;
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

	/*
	 * No special flags: the area behaves like that of any file, can be
	 * split and merged, and past the buffer's end a fault is SIGBUS.
	 */
	vma->vm_page_prot = vm_get_page_prot(vma->vm_flags);
	vma->vm_ops = &pages_vm_ops;
	trace_portalmem_mmap(buffer, vma, true);
	return 0;
}
