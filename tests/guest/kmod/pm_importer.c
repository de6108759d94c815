// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test module: an importer whose own mmap ends at the exporter's, as that of
 * graphics drivers does. Such a driver has often marked the area for page frame
 * numbers already, or chosen its memory type. It also maps buffers for a device
 * that does no DMA, and for the kernel.
 */
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "pm_importer.h"

/* One for each open file. */
struct importer {
	struct dma_buf *dmabuf;
	u32 flags;
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;
	bool has_died;
	int *nowhere; /* never set */
};

static struct platform_device *device;

static unsigned long vm_flags_of(u32 flags)
{
	unsigned long bits = 0;

	if (flags & PM_IMPORTER_PFNMAP)
		bits |= VM_PFNMAP;
	if (flags & PM_IMPORTER_MIXEDMAP)
		bits |= VM_MIXEDMAP;
	if (flags & PM_IMPORTER_IO)
		bits |= VM_IO | VM_DONTEXPAND | VM_DONTDUMP;
	return bits;
}

static int pm_importer_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct importer *importer = file->private_data;

	if (!importer->dmabuf)
		return -ENXIO;
	/*
	 * Later kernels make this field const, to have it written under a lock
	 * only; the area is not yet known to anybody else.
	 */
	*(vm_flags_t *)&vma->vm_flags |= vm_flags_of(importer->flags);
	if (importer->flags & PM_IMPORTER_UNCACHED)
		vma->vm_page_prot = pgprot_noncached(vma->vm_page_prot);
	return dma_buf_mmap(importer->dmabuf, vma, vma->vm_pgoff);
}

static long import(struct importer *importer, void __user *arg)
{
	struct pm_importer request;
	struct dma_buf *dmabuf;

	if (importer->dmabuf)
		return -EBUSY;
	if (copy_from_user(&request, arg, sizeof(request)))
		return -EFAULT;

	dmabuf = dma_buf_get(request.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	importer->dmabuf = dmabuf;
	importer->flags = request.flags;
	return 0;
}

/* Later kernels want the reservation locked, earlier ones do not mind. */
static struct sg_table *map_locked(struct dma_buf_attachment *attachment)
{
	struct sg_table *sgt;

	dma_resv_lock(attachment->dmabuf->resv, NULL);
	sgt = dma_buf_map_attachment(attachment, DMA_BIDIRECTIONAL);
	dma_resv_unlock(attachment->dmabuf->resv);
	return sgt;
}

static int map_for_device(struct importer *importer)
{
	struct dma_buf_attachment *attachment;
	struct sg_table *sgt;

	attachment = dma_buf_attach(importer->dmabuf, &device->dev);
	if (IS_ERR(attachment))
		return PTR_ERR(attachment);
	sgt = map_locked(attachment);
	if (IS_ERR(sgt)) {
		dma_buf_detach(importer->dmabuf, attachment);
		return PTR_ERR(sgt);
	}
	importer->attachment = attachment;
	importer->sgt = sgt;
	return 0;
}

static void unmap_for_device(struct importer *importer)
{
	dma_resv_lock(importer->dmabuf->resv, NULL);
	dma_buf_unmap_attachment(importer->attachment, importer->sgt,
				 DMA_BIDIRECTIONAL);
	dma_resv_unlock(importer->dmabuf->resv);
	dma_buf_detach(importer->dmabuf, importer->attachment);
}

static long tell_entry(struct importer *importer, void __user *arg)
{
	struct pm_importer_entry entry;
	struct scatterlist *sg;
	unsigned int i;
	int ret;

	if (copy_from_user(&entry, arg, sizeof(entry)))
		return -EFAULT;
	if (!importer->sgt) {
		ret = map_for_device(importer);
		if (ret)
			return ret;
	}
	entry.count = importer->sgt->nents;
	if (entry.index >= entry.count)
		return -EINVAL;
	sg = importer->sgt->sgl;
	for (i = 0; i < entry.index; i++)
		sg = sg_next(sg);
	entry.address = sg_dma_address(sg);
	entry.length = sg_dma_len(sg);
	return copy_to_user(arg, &entry, sizeof(entry)) ? -EFAULT : 0;
}

static long replace_word(struct importer *importer, void __user *arg)
{
	struct pm_importer_word word;
	struct iosys_map map;
	u64 old;
	int ret;

	if (copy_from_user(&word, arg, sizeof(word)))
		return -EFAULT;
	if (word.offset > importer->dmabuf->size - sizeof(old))
		return -EINVAL;
	dma_resv_lock(importer->dmabuf->resv, NULL);
	ret = dma_buf_vmap(importer->dmabuf, &map);
	if (!ret) {
		iosys_map_memcpy_from(&old, &map, word.offset, sizeof(old));
		iosys_map_memcpy_to(&map, word.offset, &word.value,
				    sizeof(word.value));
		dma_buf_vunmap(importer->dmabuf, &map);
	}
	dma_resv_unlock(importer->dmabuf->resv);
	if (ret)
		return ret;
	word.value = old;
	return copy_to_user(arg, &word, sizeof(word)) ? -EFAULT : 0;
}

static long die(struct importer *importer, void __user *arg)
{
	struct dma_buf_attachment *attachment;
	struct pm_importer_die request;
	struct sg_table *sgt;

	if (copy_from_user(&request, arg, sizeof(request)))
		return -EFAULT;
	attachment = dma_buf_attach(importer->dmabuf, &device->dev);
	if (IS_ERR(attachment))
		return PTR_ERR(attachment);
	if (request.where == PM_IMPORTER_MAPPED) {
		dma_resv_lock(importer->dmabuf->resv, NULL);
		sgt = dma_buf_map_attachment(attachment, DMA_BIDIRECTIONAL);
		if (IS_ERR(sgt)) {
			dma_resv_unlock(importer->dmabuf->resv);
			dma_buf_detach(importer->dmabuf, attachment);
			return PTR_ERR(sgt);
		}
	}
	/* The file is released when the task is gone. */
	importer->has_died = true;
	WRITE_ONCE(*importer->nowhere, 1);
	return -EFAULT;
}

static long map_for_kernel(struct importer *importer)
{
	struct dma_buf *dmabuf = importer->dmabuf;
	struct iosys_map map;
	int ret;

	dma_resv_lock(dmabuf->resv, NULL);
	ret = dmabuf->ops->vmap(dmabuf, &map);
	if (!ret)
		dmabuf->ops->vunmap(dmabuf, &map);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static long pm_importer_ioctl(struct file *file, unsigned int cmd,
			      unsigned long arg)
{
	struct importer *importer = file->private_data;
	void __user *user = (void __user *)arg;

	if (cmd == PM_IMPORTER_IOC)
		return import(importer, user);
	if (!importer->dmabuf)
		return -ENXIO;
	switch (cmd) {
	case PM_IMPORTER_ENTRY_IOC:
		return tell_entry(importer, user);
	case PM_IMPORTER_WORD_IOC:
		return replace_word(importer, user);
	case PM_IMPORTER_DIE_IOC:
		return die(importer, user);
	case PM_IMPORTER_VMAP_IOC:
		return map_for_kernel(importer);
	default:
		return -ENOTTY;
	}
}

static int pm_importer_open(struct inode *inode, struct file *file)
{
	struct importer *importer = kzalloc(sizeof(*importer), GFP_KERNEL);

	if (!importer)
		return -ENOMEM;
	file->private_data = importer;
	return 0;
}

static int pm_importer_release(struct inode *inode, struct file *file)
{
	struct importer *importer = file->private_data;

	if (importer->has_died)
		return 0;
	if (importer->sgt)
		unmap_for_device(importer);
	if (importer->dmabuf)
		dma_buf_put(importer->dmabuf);
	kfree(importer);
	return 0;
}

static const struct file_operations pm_importer_fops = {
	.owner = THIS_MODULE,
	.open = pm_importer_open,
	.release = pm_importer_release,
	.unlocked_ioctl = pm_importer_ioctl,
	.mmap = pm_importer_mmap,
};

static struct miscdevice pm_importer_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "pm_importer",
	.mode = 0600,
	.fops = &pm_importer_fops,
};

static int __init pm_importer_init(void)
{
	int ret;

	device = platform_device_register_simple("pm_importer",
						 PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(device))
		return PTR_ERR(device);
	ret = dma_coerce_mask_and_coherent(&device->dev, DMA_BIT_MASK(64));
	if (!ret)
		ret = misc_register(&pm_importer_misc);
	if (ret)
		platform_device_unregister(device);
	return ret;
}
module_init(pm_importer_init);

static void __exit pm_importer_exit(void)
{
	misc_deregister(&pm_importer_misc);
	platform_device_unregister(device);
}
module_exit(pm_importer_exit);

MODULE_DESCRIPTION("portalmem test: an importer");
MODULE_LICENSE("GPL");
/* What MODULE_IMPORT_NS() makes of its argument, whose form has changed. */
MODULE_INFO(import_ns, "DMA_BUF");
