// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices that user space names: found by bus and name, checked for whether user
 * space may command them, and watched for their going away.
 */
#include <linux/amba/bus.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/pfn.h>
#include <linux/platform_device.h>
#include <linux/sched.h>
#include <linux/security.h>
#include <linux/string.h>
#include <linux/swiotlb.h>

#include "portalmem.h"

/**
 * struct bus - a bus that devices which do DMA are on
 * @type: of the core; some kernels have it const
 * @name: as in /sys/bus
 * @leaves_dma_to_user: does a device's driver want the kernel to keep off, as
 *	VFIO's do?
 * @notifier: hears of devices and drivers that come and go
 */
struct bus {
	typeof_member(struct device, bus) type;
	const char *name;
	bool (*leaves_dma_to_user)(const struct device *dev);
	struct notifier_block notifier;
};

#ifdef CONFIG_PCI
static bool is_pci_left_to_user(const struct device *dev)
{
	return to_pci_driver(dev->driver)->driver_managed_dma;
}
#endif

static bool is_platform_left_to_user(const struct device *dev)
{
	return to_platform_driver(dev->driver)->driver_managed_dma;
}

#ifdef CONFIG_ARM_AMBA
static bool is_amba_left_to_user(const struct device *dev)
{
	return container_of(dev->driver, struct amba_driver, drv)
		->driver_managed_dma;
}
#endif

static struct bus buses[] = {
#ifdef CONFIG_PCI
	{
		.name = "pci",
		.type = &pci_bus_type,
		.leaves_dma_to_user = is_pci_left_to_user,
	},
#endif
#ifdef CONFIG_ARM_AMBA
	{
		.name = "amba",
		.type = &amba_bustype,
		.leaves_dma_to_user = is_amba_left_to_user,
	},
#endif
	{
		.name = "platform",
		.type = &platform_bus_type,
		.leaves_dma_to_user = is_platform_left_to_user,
	},
};

static const struct bus *bus_of(const struct device *dev)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(buses); i++)
		if (buses[i].type == dev->bus)
			return &buses[i];
	return NULL;
}

/**
 * portalmem_user_device_get - find a device
 * @bus: name of its bus
 * @name: its name
 *
 * Return: the device with a reference that put_device() gives back, or NULL.
 */
struct device *portalmem_user_device_get(const char *bus, const char *name)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(buses); i++)
		if (!strcmp(buses[i].name, bus))
			return bus_find_device_by_name(buses[i].type, NULL,
						       name);
	return NULL;
}

/**
 * portalmem_user_device_is_there - is a device all there?
 * @dev: from portalmem_user_device_get(), with its lock held
 *
 * A device can be found before the IOMMU knows of it, and after that has
 * forgotten it: what is mapped then is not what is unmapped. User space is told
 * of a device when it is complete.
 *
 * Return: true when portalmem_attachments_end() is still to be called for it, and
 * not before the lock is released.
 */
bool portalmem_user_device_is_there(struct device *dev)
{
	struct device *found;

	if (!dev->kobj.state_add_uevent_sent)
		return false;
	found = bus_find_device_by_name(dev->bus, NULL, dev_name(dev));
	put_device(found);
	return found == dev;
}

/*
 * The kernel learns how a device does DMA when a driver is bound to it, except
 * on x86, where it knows when the device appears.
 */
static bool can_do_dma(const struct device *dev)
{
	if (!dev->dma_mask || !*dev->dma_mask)
		return false;
	return dev->driver || IS_ENABLED(CONFIG_X86);
}

/* A driver of the kernel says how far its device reaches, but for UIO's. */
static bool is_reach_known(const struct device *dev)
{
	return dev->driver && strcmp(dev->driver->name, "uio_pci_generic") &&
	       strcmp(dev->driver->name, "uio_pdrv_genirq");
}

/**
 * portalmem_user_device_prepare - may user space have a device do DMA?
 * @dev: from portalmem_user_device_get(), with its lock held
 * @address_bits: how far it reaches; 0 when that is known
 *
 * Return: 0; -EOPNOTSUPP when it cannot do DMA; -EBUSY when that or its reach is
 * the business of its driver; -EPERM when the kernel is locked down; -EIO when
 * there is no memory in its reach.
 */
int portalmem_user_device_prepare(struct device *dev, unsigned int address_bits)
{
	if (!can_do_dma(dev))
		return -EOPNOTSUPP;
	if (dev->driver && bus_of(dev)->leaves_dma_to_user(dev))
		return -EBUSY;
	/* Who commands an untranslated device has all of memory. */
	if (!portalmem_device_is_translated(dev) &&
	    security_locked_down(LOCKDOWN_DEV_MEM))
		return -EPERM;
	if (!address_bits)
		return 0;
	if (is_reach_known(dev))
		return -EBUSY;
	return dma_set_mask(dev, DMA_BIT_MASK(address_bits));
}

static bool is_below(struct device *dev, const struct portalmem_table *table,
		     u64 limit)
{
	unsigned int i;

	for (i = 0; i < table->count; i++) {
		const struct portalmem_segment *segment = &table->segments[i];
		unsigned long end = segment->pfn +
				    portalmem_segment_npages(segment);

		if (phys_to_dma(dev, PFN_PHYS(end) - 1) > limit)
			return false;
		cond_resched();
	}
	return true;
}

/**
 * portalmem_user_device_reaches - can a buffer be mapped for a device?
 * @dev: from portalmem_user_device_get()
 * @buffer: the buffer, NULL when another exporter made it
 *
 * The DMA API takes memory that it cannot bring within a device's reach for a
 * mistake of a driver's, and warns. Here it is one of user space.
 *
 * Return: false when neither the memory nor the bounce buffers are known to be
 * within reach.
 */
bool portalmem_user_device_reaches(struct device *dev,
				   const struct portalmem_buffer *buffer)
{
	u64 limit = min_not_zero(dma_get_mask(dev), dev->bus_dma_limit);

	if (portalmem_device_is_translated(dev) ||
	    dma_get_required_mask(dev) <= limit)
		return true;
	/* Bounce buffers are where devices of 32 bits reach them. */
	if (portalmem_device_may_bounce(dev) && limit >= DMA_BIT_MASK(32))
		return true;
	if (!buffer || is_swiotlb_force_bounce(dev))
		return false;
	return is_below(dev, &buffer->table, limit);
}

static int on_event(struct notifier_block *notifier, unsigned long event,
		    void *data)
{
	struct device *dev = data;

	switch (event) {
	case BUS_NOTIFY_BIND_DRIVER: /* it may do DMA in another way */
	case BUS_NOTIFY_UNBIND_DRIVER:
	case BUS_NOTIFY_DEL_DEVICE:
		portalmem_attachments_end(dev);
		return NOTIFY_OK;
	case BUS_NOTIFY_REMOVED_DEVICE:
		/* It is found no more; who has found it before is waited for. */
		device_lock(dev);
		portalmem_attachments_end(dev);
		device_unlock(dev);
		return NOTIFY_OK;
	default:
		return NOTIFY_DONE;
	}
}

static void unwatch(unsigned int count)
{
	while (count--)
		bus_unregister_notifier(buses[count].type,
					&buses[count].notifier);
}

int portalmem_user_device_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(buses); i++) {
		int ret;

		buses[i].notifier.notifier_call = on_event;
		/* Before the IOMMU's own, which forgets the device. */
		buses[i].notifier.priority = INT_MAX;
		ret = bus_register_notifier(buses[i].type, &buses[i].notifier);
		if (ret) {
			unwatch(i);
			return ret;
		}
	}
	return 0;
}

void portalmem_user_device_exit(void)
{
	unwatch(ARRAY_SIZE(buses));
}
