// SPDX-License-Identifier: GPL-2.0-only
/*
 * A device of our own. It does no DMA: the DMA API hands out CMA memory to
 * devices only, and cleans caches for devices only. And what is to be known of
 * others.
 */
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/iommu.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>

#include "portalmem.h"

static struct platform_device *device;

int portalmem_device_init(void)
{
	int ret;

	device = platform_device_register_simple("portalmem",
						 PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device))
		return PTR_ERR(device);
	ret = dma_coerce_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));
	if (ret)
		platform_device_unregister(device);
	return ret;
}

void portalmem_device_exit(void)
{
	platform_device_unregister(device);
}

/**
 * portalmem_device - a device that reaches all memory and snoops no cache
 *
 * Return: the device, until the module goes.
 */
struct device *portalmem_device(void)
{
	return &device->dev;
}

/**
 * portalmem_device_may_bounce - does a device get copies of what it is to see?
 * @dev: the device
 *
 * Return: true when the DMA API may put bounce buffers between @dev and memory.
 */
bool portalmem_device_may_bounce(struct device *dev)
{
	/* Only those buffers have a size that is limited. */
	return dma_max_mapping_size(dev) != SIZE_MAX;
}

/**
 * portalmem_device_is_translated - does an IOMMU translate?
 * @dev: the device
 *
 * Return: true when @dev reaches nothing but what is mapped for it.
 */
bool portalmem_device_is_translated(struct device *dev)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain && domain->type != IOMMU_DOMAIN_IDENTITY &&
	       domain->type != IOMMU_DOMAIN_BLOCKED;
}

/**
 * portalmem_device_needs_sync - do a device and the CPU see different bytes?
 * @dev: the device
 * @sgt: memory that is mapped for it
 *
 * Some of it may be copied while other parts are within the device's reach.
 *
 * Return: true when they do, for a part of it or all.
 */
bool portalmem_device_needs_sync(struct device *dev, const struct sg_table *sgt)
{
	struct scatterlist *sg;
	unsigned int i;

	for_each_sgtable_dma_sg(sgt, sg, i)
		if (dma_need_sync(dev, sg_dma_address(sg)))
			return true;
	return false;
}
