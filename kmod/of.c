// SPDX-License-Identifier: GPL-2.0-only
/*
 * Carve-outs by device tree:
 *
 *	portalmem-fpga {
 *		compatible = "portalmem,heap";
 *		label = "fpga";
 *		memory-region = <&fpga_memory>;
 *	};
 *
 * makes a heap "fpga" of a child of /reserved-memory; with "sram" instead of
 * "memory-region", of an mmio-sram node or one of its pools. With "dma-coherent",
 * the devices that use its memory without the kernel's knowledge snoop the
 * caches.
 */
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/genalloc.h>
#include <linux/mod_devicetable.h>
#include <linux/of.h>
#include <linux/of_reserved_mem.h>
#include <linux/pfn.h>
#include <linux/platform_device.h>

#include "portalmem.h"

static int add_reserved(struct device *dev, const char *name,
			struct device_node *memory)
{
	struct reserved_mem *reserved = of_reserved_mem_lookup(memory);
	struct portalmem_region *region;
	bool has_pages;
	int ret;

	if (!reserved || !PAGE_ALIGNED(reserved->base | reserved->size))
		return dev_err_probe(dev, -EINVAL,
				     "memory-region is not reserved in whole pages\n");
	/* The kernel lends those to others. */
	if (of_property_read_bool(memory, "reusable"))
		return dev_err_probe(dev, -EINVAL,
				     "memory-region is reusable, which the contiguous heap serves\n");

	ret = dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (ret)
		return ret;

	/* There may be a struct page for it, but the kernel maps it nowhere. */
	has_pages = !of_property_read_bool(memory, "no-map");
	region = portalmem_region_create(name, reserved->base, reserved->size,
					 has_pages ? PORTALMEM_PAGES :
						     PORTALMEM_RESOURCE,
					 has_pages ? PORTALMEM_CACHED :
						     PORTALMEM_WC,
					 dev);
	return PTR_ERR_OR_ZERO(region);
}

/* Its driver maps it write-combined unless it is told otherwise. */
static u32 caching_of_sram(struct device_node *sram)
{
	bool uncached = of_property_read_bool(sram, "no-memory-wc");
	struct device_node *parent = of_get_parent(sram);

	if (parent && of_property_read_bool(parent, "no-memory-wc"))
		uncached = true;
	of_node_put(parent);
	return uncached ? PORTALMEM_UC : PORTALMEM_WC;
}

static int add_sram(struct device *dev, const char *name,
		    struct device_node *sram)
{
	struct gen_pool *pool = of_gen_pool_get(dev->of_node, "sram", 0);
	struct portalmem_region *region;

	if (!pool)
		return dev_err_probe(dev, -EPROBE_DEFER,
				     "waiting for the sram driver\n");
	region = portalmem_region_of_pool(name, pool, caching_of_sram(sram));
	return PTR_ERR_OR_ZERO(region);
}

static int portalmem_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct device_node *memory, *sram;
	const char *name;
	int ret;

	if (of_property_read_string(dev->of_node, "label", &name))
		return dev_err_probe(dev, -EINVAL, "no label\n");

	memory = of_parse_phandle(dev->of_node, "memory-region", 0);
	sram = of_parse_phandle(dev->of_node, "sram", 0);
	if (!memory == !sram)
		ret = dev_err_probe(dev, -EINVAL,
				    "neither memory-region nor sram, or both\n");
	else if (memory)
		ret = add_reserved(dev, name, memory);
	else
		ret = add_sram(dev, name, sram);
	of_node_put(memory);
	of_node_put(sram);
	return ret;
}

static const struct of_device_id portalmem_of_match[] = {
	{ .compatible = "portalmem,heap" },
	{}
};
MODULE_DEVICE_TABLE(of, portalmem_of_match);

/* A heap stays until the module goes: its buffers know no device. */
static struct platform_driver portalmem_driver = {
	.probe = portalmem_probe,
	.driver = {
		.name = "portalmem-heap",
		.of_match_table = portalmem_of_match,
		.suppress_bind_attrs = true,
	},
};

int portalmem_of_init(void)
{
	return platform_driver_register(&portalmem_driver);
}

void portalmem_of_exit(void)
{
	platform_driver_unregister(&portalmem_driver);
}
