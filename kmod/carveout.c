// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carve-outs by module parameter: stretches of memory that the kernel was told
 * at boot to leave alone, such as with memmap=SIZE$ADDRESS on x86.
 *
 * The kernel has no pages for such memory. A cached carve-out gets some here, so
 * that it can be pinned and mapped for devices like any other memory. For those
 * pages the kernel makes a cached mapping of its own, which is why a
 * write-combined or uncached carve-out does without.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/err.h>
#include <linux/ioport.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/memremap.h>
#include <linux/moduleparam.h>
#include <linux/numa.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "portalmem.h"

static char *carveouts;
/* Physical addresses are not for everybody. */
module_param(carveouts, charp, 0400);
MODULE_PARM_DESC(carveouts,
		 "Reserved memory to make heaps of: NAME:SIZE@ADDRESS[:wc|:uc],... (SIZE and ADDRESS with K, M or G)");

/* What the kernel can make pages for. */
#define ALIGNMENT SZ_2M

/**
 * struct carveout - reserved memory that is ours while the module is loaded
 * @node: entry of the list of all
 * @name: of the heap
 * @base: physical address
 * @size: bytes
 * @caching: PORTALMEM_CACHED, PORTALMEM_WC or PORTALMEM_UC
 * @pages: the pages of a cached one
 */
struct carveout {
	struct list_head node;
	const char *name;
	u64 base;
	u64 size;
	u32 caching;
	struct dev_pagemap pages;
};

static LIST_HEAD(all);

static int parse_caching(struct carveout *carveout, const char *text)
{
	if (!text)
		carveout->caching = PORTALMEM_CACHED;
	else if (!strcmp(text, "wc"))
		carveout->caching = PORTALMEM_WC;
	else if (!strcmp(text, "uc"))
		carveout->caching = PORTALMEM_UC;
	else
		return -EINVAL;
	return 0;
}

/* NAME:SIZE@ADDRESS[:wc|:uc]; it is cut into its parts. */
static int parse(struct carveout *carveout, char *text)
{
	char *place, *end;

	carveout->name = strsep(&text, ":");
	place = strsep(&text, ":");
	if (!place)
		return -EINVAL;
	carveout->size = memparse(place, &end);
	if (end == place || *end != '@')
		return -EINVAL;
	place = end + 1;
	carveout->base = memparse(place, &end);
	if (end == place || *end)
		return -EINVAL;
	if (!carveout->size ||
	    !IS_ALIGNED(carveout->base | carveout->size, ALIGNMENT) ||
	    carveout->base + carveout->size < carveout->base)
		return -EINVAL;
	return parse_caching(carveout, text);
}

#ifdef CONFIG_ZONE_DEVICE

static int make_pages(struct carveout *carveout)
{
	struct dev_pagemap *pages = &carveout->pages;

	pages->type = MEMORY_DEVICE_GENERIC;
	pages->range.start = carveout->base;
	pages->range.end = carveout->base + carveout->size - 1;
	pages->nr_range = 1;
	return PTR_ERR_OR_ZERO(memremap_pages(pages, NUMA_NO_NODE));
}

static void unmake_pages(struct carveout *carveout)
{
	memunmap_pages(&carveout->pages);
}

#else /* !CONFIG_ZONE_DEVICE */

static int make_pages(struct carveout *carveout)
{
	return -EOPNOTSUPP;
}

static void unmake_pages(struct carveout *carveout)
{
}

#endif

static int claim(struct carveout *carveout)
{
	int ret;

	/*
	 * A wrong address must not overwrite what the kernel or a driver has,
	 * nor be one where there is nothing.
	 */
	if (region_intersects(carveout->base, carveout->size, IORESOURCE_MEM,
			      IORES_DESC_RESERVED) != REGION_INTERSECTS)
		return -ENXIO;
	if (!request_mem_region(carveout->base, carveout->size,
				KBUILD_MODNAME))
		return -EBUSY;
	if (carveout->caching != PORTALMEM_CACHED)
		return 0;
	ret = make_pages(carveout);
	if (ret)
		release_mem_region(carveout->base, carveout->size);
	return ret;
}

static void disclaim(struct carveout *carveout)
{
	if (carveout->caching == PORTALMEM_CACHED)
		unmake_pages(carveout);
	release_mem_region(carveout->base, carveout->size);
}

static int add(struct carveout *carveout)
{
	struct portalmem_region *region;
	enum portalmem_backing backing;
	int ret;

	ret = claim(carveout);
	if (ret)
		return ret;
	backing = carveout->caching == PORTALMEM_CACHED ? PORTALMEM_PAGES :
							  PORTALMEM_RESOURCE;
	region = portalmem_region_create(carveout->name, carveout->base,
					 carveout->size, backing,
					 carveout->caching, NULL);
	if (IS_ERR(region)) {
		disclaim(carveout);
		return PTR_ERR(region);
	}
	list_add(&carveout->node, &all);
	return 0;
}

static int add_text(char *text)
{
	struct carveout *carveout;
	int ret;

	carveout = kzalloc(sizeof(*carveout), GFP_KERNEL);
	if (!carveout)
		return -ENOMEM;
	ret = parse(carveout, text);
	if (!ret)
		ret = add(carveout);
	if (ret)
		kfree(carveout);
	return ret;
}

static void complain(const char *text, int error)
{
	if (error == -ENXIO)
		pr_err("carveouts: %s: not reserved; do so at boot, with memmap=\n",
		       text);
	else if (error == -EBUSY)
		pr_err("carveouts: %s: somebody else has it\n", text);
	else if (error == -EINVAL)
		pr_err("carveouts: %s: not NAME:SIZE@ADDRESS[:wc|:uc] in multiples of 2M with a new NAME\n",
		       text);
	else if (error == -EOPNOTSUPP)
		pr_err("carveouts: %s: this kernel has no ZONE_DEVICE, and so :wc or :uc only\n",
		       text);
	else
		pr_err("carveouts: %s: error %d\n", text, error);
}

/**
 * portalmem_carveout_init - make the heaps that the module parameter names
 *
 * Return: 0 or a negative errno when one of them cannot be made; then
 * portalmem_carveout_exit() is still due, after portalmem_regions_destroy().
 */
int portalmem_carveout_init(void)
{
	char *text, *rest, *copy;
	int ret = 0;

	if (!carveouts || !*carveouts)
		return 0;
	copy = kstrdup(carveouts, GFP_KERNEL);
	if (!copy)
		return -ENOMEM;
	rest = copy;
	while (!ret && (text = strsep(&rest, ","))) {
		char *words = kstrdup(text, GFP_KERNEL);

		if (!words) {
			ret = -ENOMEM;
			break;
		}
		ret = add_text(words);
		if (ret)
			complain(text, ret);
		kfree(words);
	}
	kfree(copy);
	return ret;
}

void portalmem_carveout_exit(void)
{
	struct carveout *carveout, *tmp;

	list_for_each_entry_safe(carveout, tmp, &all, node) {
		disclaim(carveout);
		kfree(carveout);
	}
}
