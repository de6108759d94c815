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
#include <linux/err.h>
#include <linux/platform_device.h>

#include "portalmem.h"

#ifdef CONFIG_X86

#include <asm/memtype.h>
#include <asm/set_memory.h>

int portalmem_caching_init(void)
{
	return 0;
}

void portalmem_caching_exit(void)
{
}

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
 * portalmem_caching_apply - give pages a caching mode before anyone maps them
 * @page: first of 1 << @order zeroed pages
 * @order: how many
 * @caching: the mode
 *
 * A whole naturally aligned chunk at a time, so that the large pages of the
 * direct map change as they are and need not be split.
 *
 * Return: 0 or a negative errno, and then the pages are as they were.
 */
int portalmem_caching_apply(struct page *page, unsigned int order, u32 caching)
{
	unsigned long address = (unsigned long)page_address(page);

	if (caching == PORTALMEM_WC)
		return set_memory_wc(address, 1 << order);
	if (caching == PORTALMEM_UC)
		return set_memory_uc(address, 1 << order);
	return 0;
}

/**
 * portalmem_caching_restore - bring pages back to write-back
 * @page: first of 1 << @order pages that nobody maps any more
 * @order: as given to portalmem_caching_apply()
 * @caching: likewise
 *
 * Return: 0, or a negative errno and then the pages must not be freed.
 */
int portalmem_caching_restore(struct page *page, unsigned int order,
			      u32 caching)
{
	if (caching == PORTALMEM_CACHED)
		return 0;
	return set_memory_wb((unsigned long)page_address(page), 1 << order);
}

#else /* !CONFIG_X86 */

/* Stands for "any device that does not snoop" in cache maintenance. */
static struct platform_device *cache_device;

int portalmem_caching_init(void)
{
	int ret;

	cache_device = platform_device_register_simple("portalmem",
						       PLATFORM_DEVID_NONE,
						       NULL, 0);
	if (IS_ERR(cache_device))
		return PTR_ERR(cache_device);
	ret = dma_coerce_mask_and_coherent(&cache_device->dev,
					   DMA_BIT_MASK(64));
	if (ret)
		platform_device_unregister(cache_device);
	return ret;
}

void portalmem_caching_exit(void)
{
	platform_device_unregister(cache_device);
}

u32 portalmem_caching_effective(u32 caching)
{
	return caching;
}

int portalmem_caching_apply(struct page *page, unsigned int order, u32 caching)
{
	struct device *dev = &cache_device->dev;
	size_t size = PAGE_SIZE << order;
	dma_addr_t address;

	if (caching == PORTALMEM_CACHED)
		return 0;
	/* Mapping writes the zeroes back, unmapping drops the lines. */
	address = dma_map_page(dev, page, 0, size, DMA_BIDIRECTIONAL);
	if (dma_mapping_error(dev, address))
		return -ENOMEM;
	dma_unmap_page(dev, address, size, DMA_BIDIRECTIONAL);
	return 0;
}

int portalmem_caching_restore(struct page *page, unsigned int order,
			      u32 caching)
{
	return 0;
}

#endif /* CONFIG_X86 */

/**
 * portalmem_caching_prot - page protection for a caching mode
 * @caching: PORTALMEM_CACHED, PORTALMEM_WC or PORTALMEM_UC
 * @prot: protection of a cached mapping
 *
 * Return: @prot with the memory type of @caching.
 */
pgprot_t portalmem_caching_prot(u32 caching, pgprot_t prot)
{
	if (caching == PORTALMEM_WC)
		return pgprot_writecombine(prot);
	if (caching == PORTALMEM_UC)
		return pgprot_noncached(prot);
	return prot;
}
