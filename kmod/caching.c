// SPDX-License-Identifier: GPL-2.0-only
/*
 * Caching modes.
 *
 * A page must not be mapped with two memory types at once. On x86 the kernel's
 * own mapping of the page is brought to the buffer's type first: without that,
 * a write-combined user mapping is either silently made write-back or aliases
 * a write-back one. Elsewhere the kernel's mapping cannot be changed; there the
 * page is cleaned out of the caches once, and nobody touches it through that
 * mapping until it is freed.
 */
#include <linux/dma-mapping.h>
#include <linux/highmem.h>
#include <linux/sched.h>
#include <linux/swiotlb.h>

#include "portalmem.h"

#ifdef CONFIG_X86

#include <asm/memtype.h>
#include <asm/set_memory.h>

/**
 * portalmem_caching_effective - what a caching mode really is here
 * @caching: PORTALMEM_CACHED, PORTALMEM_WC or PORTALMEM_UC
 *
 * Return: the mode that the CPU has when @caching was asked for. Without the
 * page attribute table (nopat) there is no write combining.
 */
u32 portalmem_caching_effective(u32 caching)
{
	if (caching == PORTALMEM_WC && !pat_enabled())
		return PORTALMEM_UC;
	return caching;
}

/**
 * portalmem_caching_possible - what can be had on this machine at all
 *
 * Return: PORTALMEM_CACHING_BIT() of each mode.
 */
u32 portalmem_caching_possible(void)
{
	return PORTALMEM_CACHINGS_ALL;
}

/**
 * portalmem_caching_apply - give pages a caching mode before anyone maps them
 * @page: first of @npages zeroed pages, physically contiguous
 * @npages: how many
 * @caching: the mode
 *
 * Naturally aligned chunks are best: the large pages of the direct map then
 * change as they are and need not be split.
 *
 * Return: 0 or a negative errno, and then the pages are as they were.
 */
int portalmem_caching_apply(struct page *page, unsigned long npages,
			    u32 caching)
{
	unsigned long address = (unsigned long)page_address(page);

	if (caching == PORTALMEM_WC)
		return set_memory_wc(address, npages);
	if (caching == PORTALMEM_UC)
		return set_memory_uc(address, npages);
	return 0;
}

/**
 * portalmem_caching_restore - bring pages back to write-back
 * @page: first of @npages pages that nobody maps any more
 * @npages: as given to portalmem_caching_apply()
 * @caching: likewise
 *
 * Return: 0, or a negative errno and then the pages must not be freed.
 */
int portalmem_caching_restore(struct page *page, unsigned long npages,
			      u32 caching)
{
	if (caching == PORTALMEM_CACHED)
		return 0;
	return set_memory_wb((unsigned long)page_address(page), npages);
}

/**
 * portalmem_caching_flush - write pages back to memory, and out of all caches
 * @page: first of @npages pages that nobody maps, physically contiguous
 * @npages: how many
 *
 * Devices may then read and write the memory behind the caches, such as before
 * a buffer adopts it. On x86 they see the caches.
 *
 * Return: 0 or a negative errno.
 */
int portalmem_caching_flush(struct page *page, unsigned long npages)
{
	return 0;
}

/* The kernel's mapping has the memory type already: it is safe to write. */
static int after_clear(struct page *page, unsigned long npages, u32 caching)
{
	return 0;
}

#else /* !CONFIG_X86 */

/*
 * What pgprot_noncached() gives is meant for registers: on arm64 an unaligned
 * access to it faults, and so does the memset() of the C library.
 */
u32 portalmem_caching_effective(u32 caching)
{
	return caching == PORTALMEM_UC ? PORTALMEM_WC : caching;
}

/* The maintenance of a copy in a bounce buffer is of no use. */
u32 portalmem_caching_possible(void)
{
	if (is_swiotlb_force_bounce(portalmem_device()))
		return PORTALMEM_CACHING_BIT(PORTALMEM_CACHED);
	return PORTALMEM_CACHINGS_ALL;
}

int portalmem_caching_flush(struct page *page, unsigned long npages)
{
	struct device *dev = portalmem_device();
	size_t size = npages << PAGE_SHIFT;
	dma_addr_t address;

	/* No device gets to the memory itself. */
	if (is_swiotlb_force_bounce(dev))
		return 0;
	/* Mapping writes the lines back, unmapping drops them. */
	address = dma_map_page(dev, page, 0, size, DMA_BIDIRECTIONAL);
	if (dma_mapping_error(dev, address))
		return -ENOMEM;
	dma_unmap_page(dev, address, size, DMA_BIDIRECTIONAL);
	return 0;
}

int portalmem_caching_apply(struct page *page, unsigned long npages,
			    u32 caching)
{
	if (caching == PORTALMEM_CACHED)
		return 0;
	return portalmem_caching_flush(page, npages);
}

int portalmem_caching_restore(struct page *page, unsigned long npages,
			      u32 caching)
{
	return 0;
}

/* The zeroes were written through a cached mapping. */
static int after_clear(struct page *page, unsigned long npages, u32 caching)
{
	return portalmem_caching_apply(page, npages, caching);
}

#endif /* CONFIG_X86 */

/**
 * portalmem_caching_clear - zero pages that are in a caching mode
 * @page: first of @npages pages that nobody maps any more
 * @npages: how many
 * @caching: the mode, which stays
 *
 * Return: 0 or a negative errno.
 */
int portalmem_caching_clear(struct page *page, unsigned long npages,
			    u32 caching)
{
	unsigned long pfn = page_to_pfn(page);
	unsigned long end = pfn + npages;

	for (; pfn < end; pfn++) {
		clear_highpage(pfn_to_page(pfn));
		cond_resched();
	}
	return after_clear(page, npages, caching);
}

/**
 * portalmem_caching_clear_few - the same in an interrupt
 * @page: as for portalmem_caching_clear()
 * @npages: how many, and not many
 * @caching: the mode, which stays
 *
 * Return: 0 or a negative errno.
 */
int portalmem_caching_clear_few(struct page *page, unsigned long npages,
				u32 caching)
{
	unsigned long i;

	for (i = 0; i < npages; i++)
		clear_highpage(pfn_to_page(page_to_pfn(page) + i));
	return after_clear(page, npages, caching);
}

/**
 * portalmem_caching_map - a kernel mapping of memory that has no pages
 * @address: physical address, page aligned
 * @size: bytes
 * @caching: PORTALMEM_WC or PORTALMEM_UC
 *
 * Return: the mapping, for iounmap(), or NULL.
 */
void __iomem *portalmem_caching_map(phys_addr_t address, size_t size,
				    u32 caching)
{
	if (caching == PORTALMEM_WC)
		return ioremap_wc(address, size);
	return ioremap(address, size);
}

/**
 * portalmem_caching_prot - page protection for a caching mode
 * @caching: PORTALMEM_CACHED, PORTALMEM_WC or PORTALMEM_UC
 * @prot: protection of a cached mapping
 *
 * Return: @prot with the memory type of @caching.
 */
pgprot_t portalmem_caching_prot(u32 caching, pgprot_t prot)
{
	switch (portalmem_caching_effective(caching)) {
	case PORTALMEM_WC:
		return pgprot_writecombine(prot);
	case PORTALMEM_UC:
		return pgprot_noncached(prot);
	default:
		return prot;
	}
}
