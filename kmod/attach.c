// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachments: a buffer mapped for a device that user space drives.
 *
 * An attachment is a file descriptor. The buffer stays mapped until that is
 * closed or the device, or the driver that it had when it was attached, goes:
 * then everything is unmapped at once, and the descriptor says ENODEV from there
 * on.
 *
 * Locking: the device's own lock is held while it is attached, while the core
 * tells that its driver comes or goes, and while its last attachments end when it
 * is removed. attachment->lock nests inside it and protects the mapping; the
 * dma-buf's reservation lock nests inside that. attachments_lock protects the
 * list alone, so that a device does not wait for another one's exporter.
 */
#include <linux/anon_inodes.h>
#include <linux/capability.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/poll.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/wait.h>

#include "portalmem.h"

/**
 * struct attachment - a buffer mapped for a device
 * @refs: one of the file's, one of who tears it down meanwhile
 * @node: entry of attachments while it has a device
 * @lock: protects @core and @sgt
 * @dev: the device, with a reference until @sgt is gone
 * @dmabuf: the buffer, with a reference
 * @core: its attachment, for the device
 * @sgt: its scatterlist; NULL when the device is gone
 * @segments: what the device sees as contiguous; @info.segments entries and a
 *	last one that starts at the buffer's end. They never change
 * @info: what PORTALMEM_IOC_ATTACHMENT answers
 * @gone: woken when the device goes
 */
struct attachment {
	struct kref refs;
	struct list_head node;
	struct mutex lock; /* protects core and sgt */
	struct device *dev;
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *core;
	struct sg_table *sgt;
	struct portalmem_dma_run *segments;
	struct portalmem_ioc_attachment info;
	wait_queue_head_t gone;
};

static DEFINE_MUTEX(attachments_lock);
static LIST_HEAD(attachments);

static enum dma_data_direction dma_direction(u32 direction)
{
	switch (direction) {
	case PORTALMEM_TO_DEVICE:
		return DMA_TO_DEVICE;
	case PORTALMEM_FROM_DEVICE:
		return DMA_FROM_DEVICE;
	default:
		return DMA_BIDIRECTIONAL;
	}
}

/* With the reservation lock, which newer kernels want of every importer. */
static int map_buffer(struct attachment *attachment)
{
	struct dma_resv *resv = attachment->dmabuf->resv;
	struct sg_table *sgt;
	int ret;

	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;
	sgt = dma_buf_map_attachment(attachment->core,
				     dma_direction(attachment->info.direction));
	dma_resv_unlock(resv);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);
	WRITE_ONCE(attachment->sgt, sgt);
	return 0;
}

static void unmap_buffer(struct attachment *attachment)
{
	struct dma_resv *resv = attachment->dmabuf->resv;

	dma_resv_lock(resv, NULL);
	dma_buf_unmap_attachment(attachment->core, attachment->sgt,
				 dma_direction(attachment->info.direction));
	dma_resv_unlock(resv);
	WRITE_ONCE(attachment->sgt, NULL);
}

static u32 features_of(const struct attachment *attachment)
{
	bool is_own = portalmem_buffer_of(attachment->dmabuf);
	bool needs_sync = is_own ? portalmem_sync_is_needed(attachment->core) :
				   portalmem_device_needs_sync(attachment->dev,
							       attachment->sgt);
	u32 features = 0;

	if (portalmem_device_is_translated(attachment->dev))
		features |= PORTALMEM_ATTACHMENT_TRANSLATED;
	if (needs_sync && portalmem_device_may_bounce(attachment->dev))
		features |= PORTALMEM_ATTACHMENT_BOUNCED;
	if (needs_sync)
		features |= PORTALMEM_ATTACHMENT_NEEDS_SYNC;
	if (is_own)
		features |= PORTALMEM_ATTACHMENT_OWN;
	return features;
}

static int attach_buffer(struct attachment *attachment)
{
	int ret;

	if (!portalmem_user_device_reaches(attachment->dev,
					   portalmem_buffer_of(attachment->dmabuf)))
		return -EIO;
	attachment->core = dma_buf_attach(attachment->dmabuf, attachment->dev);
	if (IS_ERR(attachment->core))
		return PTR_ERR(attachment->core);
	ret = map_buffer(attachment);
	if (ret)
		goto detach;
	/* The limits of an entry's length are not those of a device's segment. */
	attachment->segments = portalmem_dma_runs(attachment->sgt,
						  attachment->dev,
						  &attachment->info.segments);
	if (!attachment->segments) {
		ret = -ENOMEM;
		goto unmap;
	}
	attachment->info.features = features_of(attachment);
	attachment->info.address_bits = fls64(dma_get_mask(attachment->dev));
	return 0;

unmap:
	unmap_buffer(attachment);
detach:
	dma_buf_detach(attachment->dmabuf, attachment->core);
	return ret;
}

/* Once for every attachment, by whoever comes first. */
static void tear_down(struct attachment *attachment)
{
	mutex_lock(&attachment->lock);
	if (attachment->sgt) {
		unmap_buffer(attachment);
		dma_buf_detach(attachment->dmabuf, attachment->core);
		put_device(attachment->dev);
	}
	mutex_unlock(&attachment->lock);

	mutex_lock(&attachments_lock);
	list_del_init(&attachment->node);
	mutex_unlock(&attachments_lock);
	wake_up_all(&attachment->gone);
}

static void free_attachment(struct kref *refs)
{
	struct attachment *attachment =
		container_of(refs, struct attachment, refs);

	dma_buf_put(attachment->dmabuf);
	kvfree(attachment->segments);
	mutex_destroy(&attachment->lock);
	kfree(attachment);
}

/* An attachment of a device, with a reference, or NULL. */
static struct attachment *find_attachment(const struct device *dev)
{
	struct attachment *attachment;

	mutex_lock(&attachments_lock);
	list_for_each_entry(attachment, &attachments, node)
		if (attachment->dev == dev &&
		    kref_get_unless_zero(&attachment->refs))
			goto unlock;
	attachment = NULL;
unlock:
	mutex_unlock(&attachments_lock);
	return attachment;
}

/**
 * portalmem_attachments_end - a device is no longer what it was
 * @dev: about to be removed, or to get or lose a driver
 *
 * On return nothing is mapped for it.
 */
void portalmem_attachments_end(struct device *dev)
{
	struct attachment *attachment;

	while ((attachment = find_attachment(dev))) {
		tear_down(attachment);
		kref_put(&attachment->refs, free_attachment);
	}
}

/* With the device's lock. */
static int attach_device(struct attachment *attachment,
			 unsigned int address_bits)
{
	int ret;

	/*
	 * Nothing is mapped for a device that the IOMMU has forgotten. One that
	 * goes from here on waits for its lock before that happens.
	 */
	if (!portalmem_user_device_is_there(attachment->dev))
		return -ENODEV;
	ret = portalmem_user_device_prepare(attachment->dev, address_bits);
	if (ret)
		return ret;
	ret = attach_buffer(attachment);
	if (ret)
		return ret;
	get_device(attachment->dev);

	mutex_lock(&attachments_lock);
	list_add(&attachment->node, &attachments);
	mutex_unlock(&attachments_lock);
	return 0;
}

static int find_and_attach(struct attachment *attachment,
			   unsigned int address_bits)
{
	struct device *dev =
		portalmem_user_device_get(attachment->info.bus,
					  attachment->info.device);
	int ret;

	if (!dev)
		return -ENODEV;
	attachment->dev = dev;
	device_lock(dev);
	ret = attach_device(attachment, address_bits);
	device_unlock(dev);
	put_device(dev);
	return ret;
}

static struct attachment *create_attachment(const struct portalmem_ioc_attach *ioc)
{
	struct attachment *attachment;

	attachment = kzalloc(sizeof(*attachment), GFP_KERNEL_ACCOUNT);
	if (!attachment)
		return ERR_PTR(-ENOMEM);
	attachment->dmabuf = dma_buf_get(ioc->buffer);
	if (IS_ERR(attachment->dmabuf)) {
		int ret = PTR_ERR(attachment->dmabuf);

		kfree(attachment);
		return ERR_PTR(ret);
	}
	kref_init(&attachment->refs);
	INIT_LIST_HEAD(&attachment->node);
	mutex_init(&attachment->lock);
	init_waitqueue_head(&attachment->gone);
	attachment->info.direction = ioc->direction;
	attachment->info.size = attachment->dmabuf->size;
	strscpy_pad(attachment->info.bus, ioc->bus,
		    sizeof(attachment->info.bus));
	strscpy_pad(attachment->info.device, ioc->device,
		    sizeof(attachment->info.device));
	return attachment;
}

static bool is_gone(const struct attachment *attachment)
{
	return !READ_ONCE(attachment->sgt);
}

static long ioc_describe(const struct attachment *attachment, void __user *arg,
			 size_t usize)
{
	int ret = portalmem_check_flags(arg, usize);

	return ret ?: portalmem_copy_out(arg, usize, &attachment->info,
					 sizeof(attachment->info));
}

static int copy_dma_segments(const struct attachment *attachment,
			     struct portalmem_ioc_dma_segments *ioc)
{
	struct portalmem_ioc_dma_segment __user *to =
		u64_to_user_ptr(ioc->segments);
	u32 i;

	ioc->total = attachment->info.segments;
	ioc->count = portalmem_table_part(ioc->first, ioc->count, ioc->total);
	for (i = 0; i < ioc->count; i++) {
		const struct portalmem_dma_run *segment =
			&attachment->segments[ioc->first + i];
		struct portalmem_ioc_dma_segment entry = {
			.offset = segment->start,
			.length = segment[1].start - segment->start,
			.address = segment->address,
		};
		int ret = portalmem_table_copy_out(&to[i], &entry,
						   sizeof(entry));

		if (ret)
			return ret;
	}
	return 0;
}

static long ioc_dma_segments(const struct attachment *attachment,
			     void __user *arg, size_t usize)
{
	struct portalmem_ioc_dma_segments ioc;
	int ret;

	if (usize < offsetofend(struct portalmem_ioc_dma_segments, total))
		return -EINVAL;
	ret = copy_struct_from_user(&ioc, sizeof(ioc), arg, usize);
	if (ret)
		return ret;
	if (ioc.flags || ioc.pad || ioc.total || ioc.pad2)
		return -EINVAL;
	ret = copy_dma_segments(attachment, &ioc);
	return ret ?: portalmem_copy_out(arg, usize, &ioc, sizeof(ioc));
}

/* Nothing is known of another exporter's memory: it syncs all of it itself. */
static int sync_foreign(const struct attachment *attachment,
			const struct portalmem_sync *sync)
{
	int ret;

	ret = portalmem_sync_check(sync, attachment->info.size);
	if (ret || !sync->count)
		return ret;
	if (sync->for_cpu)
		return dma_buf_begin_cpu_access(attachment->dmabuf,
						sync->direction);
	return dma_buf_end_cpu_access(attachment->dmabuf, sync->direction);
}

static int sync_some(struct attachment *attachment,
		     const struct portalmem_sync *sync, unsigned int *next)
{
	int ret;

	ret = mutex_lock_killable(&attachment->lock);
	if (ret)
		return ret;
	if (attachment->sgt)
		ret = portalmem_sync_some(attachment->dmabuf->priv,
					  attachment->core, sync, next);
	else
		ret = -ENODEV;
	mutex_unlock(&attachment->lock);
	return ret;
}

/* Neither the wait for fences nor all of the sync keeps a device from going. */
static int sync_own(struct attachment *attachment,
		    const struct portalmem_sync *sync)
{
	unsigned int next = 0;
	int ret;

	ret = portalmem_sync_prepare(attachment->dmabuf, sync);
	while (!ret && next < sync->count)
		ret = sync_some(attachment, sync, &next);
	return ret;
}

static long ioc_sync(struct attachment *attachment, void __user *arg,
		     size_t usize)
{
	struct portalmem_sync sync;
	int fd, ret;

	ret = portalmem_sync_from_user(&sync, &fd, arg, usize);
	if (ret)
		return ret;
	if (fd != -1)
		ret = -EINVAL;
	else if (portalmem_buffer_of(attachment->dmabuf))
		ret = sync_own(attachment, &sync);
	else
		ret = sync_foreign(attachment, &sync);
	portalmem_sync_free(&sync);
	return ret;
}

static long attachment_ioctl(struct file *file, unsigned int cmd,
			     unsigned long arg)
{
	struct attachment *attachment = file->private_data;
	void __user *user = (void __user *)arg;
	size_t usize = _IOC_SIZE(cmd);

	if (is_gone(attachment))
		return -ENODEV;
	switch (PORTALMEM_WITHOUT_SIZE(cmd)) {
	case PORTALMEM_WITHOUT_SIZE(PORTALMEM_IOC_ATTACHMENT):
		return ioc_describe(attachment, user, usize);
	case PORTALMEM_WITHOUT_SIZE(PORTALMEM_IOC_DMA_SEGMENTS):
		return ioc_dma_segments(attachment, user, usize);
	case PORTALMEM_WITHOUT_SIZE(PORTALMEM_IOC_SYNC):
		return ioc_sync(attachment, user, usize);
	default:
		return -ENOTTY;
	}
}

/* Nothing ever happens on it but the end. */
static __poll_t attachment_poll(struct file *file, poll_table *table)
{
	struct attachment *attachment = file->private_data;

	poll_wait(file, &attachment->gone, table);
	return is_gone(attachment) ? EPOLLHUP | EPOLLERR : 0;
}

static int attachment_release(struct inode *inode, struct file *file)
{
	struct attachment *attachment = file->private_data;

	tear_down(attachment);
	kref_put(&attachment->refs, free_attachment);
	return 0;
}

static void attachment_show_fdinfo(struct seq_file *seq, struct file *file)
{
	static const char *const directions[] = {
		[PORTALMEM_TO_DEVICE] = "to-device",
		[PORTALMEM_FROM_DEVICE] = "from-device",
		[PORTALMEM_BIDIRECTIONAL] = "bidirectional",
	};
	const struct attachment *attachment = file->private_data;
	const struct portalmem_ioc_attachment *info = &attachment->info;

	seq_printf(seq, "dmabuf_inode:\t%llu\n",
		   (u64)file_inode(attachment->dmabuf->file)->i_ino);
	seq_printf(seq, "size:\t%llu\n", info->size);
	seq_printf(seq, "device:\t%s/%s%s\n", info->bus, info->device,
		   is_gone(attachment) ? " (gone)" : "");
	seq_printf(seq, "direction:\t%s\n", directions[info->direction]);
	seq_printf(seq, "segments:\t%u\n", info->segments);
}

static const struct file_operations attachment_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = attachment_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.poll = attachment_poll,
	.release = attachment_release,
	.show_fdinfo = attachment_show_fdinfo,
};

static struct file *attach(const struct portalmem_ioc_attach *ioc)
{
	struct attachment *attachment = create_attachment(ioc);
	struct file *file;
	int ret;

	if (IS_ERR(attachment))
		return ERR_CAST(attachment);
	ret = find_and_attach(attachment, ioc->address_bits);
	if (ret) {
		kref_put(&attachment->refs, free_attachment);
		return ERR_PTR(ret);
	}
	file = anon_inode_getfile("[portalmem-attachment]", &attachment_fops,
				  attachment,
				  O_RDWR | (ioc->fd_flags & O_CLOEXEC));
	if (IS_ERR(file)) {
		tear_down(attachment);
		kref_put(&attachment->refs, free_attachment);
	}
	return file;
}

static bool is_terminated(const char *text, size_t size)
{
	return strnlen(text, size) < size;
}

/**
 * portalmem_ioc_attach - serve PORTALMEM_IOC_ATTACH
 * @arg: user address of a struct portalmem_ioc_attach
 * @usize: its size as the caller knows it
 *
 * Return: 0 or a negative errno.
 */
long portalmem_ioc_attach(void __user *arg, size_t usize)
{
	struct portalmem_ioc_attach ioc;
	struct file *file;
	int ret;

	if (usize < sizeof(ioc))
		return -EINVAL;
	ret = copy_struct_from_user(&ioc, sizeof(ioc), arg, usize);
	if (ret)
		return ret;
	if (!ioc.direction || ioc.direction & ~PORTALMEM_BIDIRECTIONAL ||
	    ioc.fd_flags & ~O_CLOEXEC || ioc.fd || ioc.address_bits > 64 ||
	    ioc.pad || !is_terminated(ioc.bus, sizeof(ioc.bus)) ||
	    !is_terminated(ioc.device, sizeof(ioc.device)))
		return -EINVAL;
	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;

	ret = get_unused_fd_flags(ioc.fd_flags);
	if (ret < 0)
		return ret;
	ioc.fd = ret;
	file = attach(&ioc);
	if (IS_ERR(file)) {
		put_unused_fd(ioc.fd);
		return PTR_ERR(file);
	}
	ret = portalmem_copy_out(arg, usize, &ioc, sizeof(ioc));
	if (ret) {
		put_unused_fd(ioc.fd);
		fput(file);
		return ret;
	}
	fd_install(ioc.fd, file);
	return 0;
}
