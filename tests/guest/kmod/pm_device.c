// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test module: devices that are programs. They attach buffers as drivers do, or
 * have them attached, and read and write at DMA addresses, bounce buffers and
 * IOMMU included. They reach all memory in segments of any length, and so get
 * the shortest scatterlist that an exporter has; and they can be unplugged.
 */
#include <linux/dma-buf.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/miscdevice.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/of.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "pm_device.h"

#define DEVICES 2

/* One for each open file, for one thread at a time. */
struct client {
	struct device *dev;
	struct dma_buf_attachment *attachment;
	struct sg_table *table;
	enum dma_data_direction direction;
};

/* All under the lock of the module's parameters. */
static struct platform_device *devices[DEVICES];
static bool has_driver;
static unsigned int present = BIT(DEVICES) - 1;

static void count_entries(const struct sg_table *table,
			  struct pm_device_attach *answer)
{
	phys_addr_t next = 0;
	struct scatterlist *sg;
	unsigned int i;

	answer->entries = table->orig_nents;
	answer->segments = table->nents;
	answer->runs = 0;
	for_each_sgtable_sg(table, sg, i) {
		if (!i || sg_phys(sg) != next)
			answer->runs++;
		next = sg_phys(sg) + sg->length;
	}
}

/* Later kernels want the reservation locked, earlier ones do not mind. */
static int map(struct client *client)
{
	struct dma_resv *resv = client->attachment->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	client->table = dma_buf_map_attachment(client->attachment,
					       client->direction);
	dma_resv_unlock(resv);
	return PTR_ERR_OR_ZERO(client->table);
}

static void unmap(struct client *client)
{
	struct dma_resv *resv = client->attachment->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	dma_buf_unmap_attachment(client->attachment, client->table,
				 client->direction);
	dma_resv_unlock(resv);
}

/* On success the reference to @dmabuf is the client's. */
static int attach_buffer(struct client *client, struct dma_buf *dmabuf)
{
	int ret;

	client->attachment = dma_buf_attach(dmabuf, client->dev);
	if (IS_ERR(client->attachment)) {
		ret = PTR_ERR(client->attachment);
		goto forget;
	}
	ret = map(client);
	if (ret)
		goto detach;
	return 0;

detach:
	dma_buf_detach(dmabuf, client->attachment);
forget:
	client->attachment = NULL;
	return ret;
}

static int direction_of(u32 bits, enum dma_data_direction *direction)
{
	switch (bits) {
	case PM_DEVICE_READS:
		*direction = DMA_TO_DEVICE;
		return 0;
	case PM_DEVICE_WRITES:
		*direction = DMA_FROM_DEVICE;
		return 0;
	case PM_DEVICE_READS | PM_DEVICE_WRITES:
		*direction = DMA_BIDIRECTIONAL;
		return 0;
	default:
		return -EINVAL;
	}
}

static long ioc_attach(struct client *client, void __user *arg)
{
	struct pm_device_attach attach;
	struct dma_buf *dmabuf;
	int ret;

	if (client->attachment)
		return -EBUSY;
	if (copy_from_user(&attach, arg, sizeof(attach)))
		return -EFAULT;
	ret = direction_of(attach.direction, &client->direction);
	if (ret)
		return ret;
	dmabuf = dma_buf_get(attach.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = attach_buffer(client, dmabuf);
	if (ret) {
		dma_buf_put(dmabuf);
		return ret;
	}
	count_entries(client->table, &attach);
	return copy_to_user(arg, &attach, sizeof(attach)) ? -EFAULT : 0;
}

static void detach(struct client *client)
{
	struct dma_buf_attachment *attachment = client->attachment;
	struct dma_buf *dmabuf;

	if (!attachment)
		return;
	dmabuf = attachment->dmabuf;
	unmap(client);
	dma_buf_detach(dmabuf, attachment);
	dma_buf_put(dmabuf);
	client->attachment = NULL;
}

static phys_addr_t resolve(struct device *dev, dma_addr_t address)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return domain ? iommu_iova_to_phys(domain, address) :
			dma_to_phys(dev, address);
}

/* At most to the end of a page of memory. */
static int copy_in_page(phys_addr_t address, void __user *data, size_t length,
			bool write)
{
	unsigned long offset = offset_in_page(address);
	void *page = memremap(address - offset, PAGE_SIZE, MEMREMAP_WB);
	unsigned long left;

	if (!page)
		return -EIO;
	if (write)
		left = copy_from_user(page + offset, data, length);
	else
		left = copy_to_user(data, page + offset, length);
	memunmap(page);
	return left ? -EFAULT : 0;
}

/* Read or write @length bytes at a DMA address, and move @data on. */
static int move(struct device *dev, dma_addr_t address, u64 length,
		void __user **data, bool write)
{
	while (length) {
		size_t size = min_t(u64, length,
				    PAGE_SIZE - offset_in_page(address));
		phys_addr_t place = resolve(dev, address);
		int ret;

		ret = place ? copy_in_page(place, *data, size, write) : -EIO;
		if (ret)
			return ret;
		*data += size;
		address += size;
		length -= size;
	}
	return 0;
}

/* The same at an offset in the attached buffer. */
static int move_in_buffer(struct client *client, u64 offset, u64 length,
			  void __user *data, bool write)
{
	u64 end = offset + length;
	struct scatterlist *sg;
	unsigned int i;
	u64 start = 0;

	for_each_sgtable_dma_sg(client->table, sg, i) {
		u64 stop = start + sg_dma_len(sg);
		u64 from = max(start, offset);

		if (from < min(stop, end)) {
			int ret = move(client->dev,
				       sg_dma_address(sg) + (from - start),
				       min(stop, end) - from, &data, write);

			if (ret)
				return ret;
		}
		start = stop;
	}
	return 0;
}

static long ioc_transfer(struct client *client, void __user *arg)
{
	struct pm_device_transfer transfer;
	void __user *data;
	bool write;
	u64 size;

	if (copy_from_user(&transfer, arg, sizeof(transfer)))
		return -EFAULT;
	if (transfer.flags & ~(PM_DEVICE_WRITES | PM_DEVICE_RAW))
		return -EINVAL;
	/* Nothing says where its addresses lead any more. */
	if (!device_is_registered(client->dev))
		return -ENODEV;

	data = u64_to_user_ptr(transfer.data);
	write = transfer.flags & PM_DEVICE_WRITES;
	if (transfer.flags & PM_DEVICE_RAW)
		return move(client->dev, transfer.address, transfer.length,
			    &data, write);

	if (!client->attachment)
		return -ENXIO;
	size = client->attachment->dmabuf->size;
	if (transfer.address > size ||
	    transfer.length > size - transfer.address)
		return -ERANGE;
	return move_in_buffer(client, transfer.address, transfer.length, data,
			      write);
}

static long ioc_select(struct client *client, void __user *arg)
{
	struct pm_device_select select;

	if (client->dev)
		return -EBUSY;
	if (copy_from_user(&select, arg, sizeof(select)))
		return -EFAULT;
	if (strnlen(select.name, sizeof(select.name)) == sizeof(select.name))
		return -EINVAL;
	client->dev = bus_find_device_by_name(&platform_bus_type, NULL,
					      select.name);
	if (!client->dev)
		client->dev = bus_find_device_by_name(&pci_bus_type, NULL,
						      select.name);
	return client->dev ? 0 : -ENODEV;
}

static long pm_device_ioctl(struct file *file, unsigned int cmd,
			    unsigned long arg)
{
	struct client *client = file->private_data;
	void __user *user = (void __user *)arg;

	if (cmd == PM_DEVICE_IOC_SELECT)
		return ioc_select(client, user);
	if (!client->dev)
		return -ENXIO;
	switch (cmd) {
	case PM_DEVICE_IOC_ATTACH:
		return ioc_attach(client, user);
	case PM_DEVICE_IOC_DETACH:
		detach(client);
		return 0;
	case PM_DEVICE_IOC_TRANSFER:
		return ioc_transfer(client, user);
	default:
		return -ENOTTY;
	}
}

static int pm_device_open(struct inode *inode, struct file *file)
{
	struct client *client = kzalloc(sizeof(*client), GFP_KERNEL);

	if (!client)
		return -ENOMEM;
	file->private_data = client;
	return 0;
}

static int pm_device_release(struct inode *inode, struct file *file)
{
	struct client *client = file->private_data;

	detach(client);
	put_device(client->dev);
	kfree(client);
	return 0;
}

static const struct file_operations pm_device_fops = {
	.owner = THIS_MODULE,
	.open = pm_device_open,
	.release = pm_device_release,
	.unlocked_ioctl = pm_device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice pm_device_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "pm_device",
	.mode = 0600,
	.fops = &pm_device_fops,
};

static int pm_device_probe(struct platform_device *device)
{
	int ret = dma_coerce_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));

	dma_set_max_seg_size(&device->dev, UINT_MAX);
	return ret;
}

static const struct of_device_id pm_device_of_match[] = {
	{ .compatible = "portalmem-test,device" },
	{}
};

static struct platform_driver pm_device_driver = {
	.probe = pm_device_probe,
	.driver = {
		.name = "pm_device",
		.of_match_table = pm_device_of_match,
	},
};

static void unplug(unsigned int index)
{
	platform_device_unregister(devices[index]);
	devices[index] = NULL;
}

static int plug(unsigned int index)
{
	struct platform_device *device;

	device = platform_device_register_simple("pm_device", index, NULL, 0);
	if (IS_ERR(device))
		return PTR_ERR(device);
	devices[index] = device;
	return 0;
}

/* Bring the devices to what is wanted: nothing without the driver. */
static int update_devices(void)
{
	unsigned int wanted = has_driver ? present : 0;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < DEVICES && !ret; i++) {
		if (devices[i] && !(wanted & BIT(i)))
			unplug(i);
		else if (!devices[i] && wanted & BIT(i))
			ret = plug(i);
	}
	return ret;
}

static int tell_driver(bool there)
{
	int ret;

	kernel_param_lock(THIS_MODULE);
	has_driver = there;
	ret = update_devices();
	kernel_param_unlock(THIS_MODULE);
	return ret;
}

static int set_present(const char *text, const struct kernel_param *param)
{
	int ret = param_set_uint(text, param);

	return ret ?: update_devices();
}

static const struct kernel_param_ops present_ops = {
	.set = set_present,
	.get = param_get_uint,
};
module_param_cb(present, &present_ops, &present, 0600);
MODULE_PARM_DESC(present, "which of the devices are there, as a mask");

static int __init pm_device_init(void)
{
	int ret;

	ret = platform_driver_register(&pm_device_driver);
	if (ret)
		return ret;
	ret = tell_driver(true);
	if (ret)
		goto unregister;
	ret = misc_register(&pm_device_misc);
	if (ret)
		goto unregister;
	return 0;

unregister:
	tell_driver(false);
	platform_driver_unregister(&pm_device_driver);
	return ret;
}
module_init(pm_device_init);

static void __exit pm_device_exit(void)
{
	misc_deregister(&pm_device_misc);
	tell_driver(false);
	platform_driver_unregister(&pm_device_driver);
}
module_exit(pm_device_exit);

MODULE_DESCRIPTION("portalmem test: devices that are programs");
MODULE_LICENSE("GPL");
/* What MODULE_IMPORT_NS() makes of its argument, whose form has changed. */
MODULE_INFO(import_ns, "DMA_BUF");
