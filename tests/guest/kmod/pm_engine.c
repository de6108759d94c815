// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test module: copies from one buffer to another by a DMA engine of the machine,
 * through the engine's own driver. It takes buffers as any importer does and
 * leaves cache maintenance between transfers to user space. It is driven by one
 * thread at a time.
 */
#include <linux/completion.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/dma-resv.h>
#include <linux/dmaengine.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "pm_engine.h"

/* A buffer as the engine sees it. */
struct mapped {
	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;
	struct sg_table *table;
	enum dma_data_direction direction;
};

/* One for each open file. */
struct engine {
	struct dma_chan *channel;
	struct mapped source;
	struct mapped target;
};

/* A place in a mapped buffer: so far into that segment. */
struct place {
	struct scatterlist *segment;
	u64 offset;
};

/* Later kernels want the reservation locked, earlier ones do not mind. */
static struct sg_table *map_locked(struct dma_buf_attachment *attachment,
				   enum dma_data_direction direction)
{
	struct sg_table *table;

	dma_resv_lock(attachment->dmabuf->resv, NULL);
	table = dma_buf_map_attachment(attachment, direction);
	dma_resv_unlock(attachment->dmabuf->resv);
	return table;
}

static int map(struct mapped *mapped, int fd, struct device *dev,
	       enum dma_data_direction direction)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);
	struct dma_buf_attachment *attachment;
	struct sg_table *table;
	int ret;

	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	attachment = dma_buf_attach(dmabuf, dev);
	if (IS_ERR(attachment)) {
		ret = PTR_ERR(attachment);
		goto put;
	}
	table = map_locked(attachment, direction);
	if (IS_ERR(table)) {
		ret = PTR_ERR(table);
		goto detach;
	}
	mapped->dmabuf = dmabuf;
	mapped->attachment = attachment;
	mapped->table = table;
	mapped->direction = direction;
	return 0;

detach:
	dma_buf_detach(dmabuf, attachment);
put:
	dma_buf_put(dmabuf);
	return ret;
}

static void unmap(struct mapped *mapped)
{
	dma_resv_lock(mapped->dmabuf->resv, NULL);
	dma_buf_unmap_attachment(mapped->attachment, mapped->table,
				 mapped->direction);
	dma_resv_unlock(mapped->dmabuf->resv);
	dma_buf_detach(mapped->dmabuf, mapped->attachment);
	dma_buf_put(mapped->dmabuf);
}

static bool is_of_device(struct dma_chan *channel, void *name)
{
	return !strcmp(dev_name(channel->device->dev), name);
}

static struct dma_chan *take_channel(char *name)
{
	dma_cap_mask_t mask;

	dma_cap_zero(mask);
	dma_cap_set(DMA_MEMCPY, mask);
	return dma_request_channel(mask, is_of_device, name);
}

static int set_up(struct engine *engine, struct pm_engine_setup *setup)
{
	struct dma_chan *channel = take_channel(setup->device);
	struct device *dev;
	int ret;

	if (!channel)
		return -ENODEV;
	dev = dmaengine_get_dma_device(channel);
	ret = map(&engine->source, setup->source, dev, DMA_TO_DEVICE);
	if (ret)
		goto release;
	ret = map(&engine->target, setup->target, dev, DMA_FROM_DEVICE);
	if (ret)
		goto unmap_source;
	engine->channel = channel;
	return 0;

unmap_source:
	unmap(&engine->source);
release:
	dma_release_channel(channel);
	return ret;
}

static struct place find_place(const struct mapped *mapped, u64 offset)
{
	struct place place = { mapped->table->sgl, offset };

	while (place.offset >= sg_dma_len(place.segment)) {
		place.offset -= sg_dma_len(place.segment);
		place.segment = sg_next(place.segment);
	}
	return place;
}

static u64 left_in_segment(const struct place *place)
{
	return sg_dma_len(place->segment) - place->offset;
}

static dma_addr_t address_of(const struct place *place)
{
	return sg_dma_address(place->segment) + place->offset;
}

static void advance(struct place *place, u64 length)
{
	place->offset += length;
	if (!left_in_segment(place)) {
		place->segment = sg_next(place->segment);
		place->offset = 0;
	}
}

static void finished(void *done)
{
	complete(done);
}

static int transfer(struct dma_chan *channel, dma_addr_t to, dma_addr_t from,
		    size_t length)
{
	DECLARE_COMPLETION_ONSTACK(done);
	struct dma_async_tx_descriptor *descriptor;
	dma_cookie_t cookie;

	descriptor = dmaengine_prep_dma_memcpy(channel, to, from, length,
					       DMA_PREP_INTERRUPT |
						       DMA_CTRL_ACK);
	if (!descriptor)
		return -EIO;
	descriptor->callback = finished;
	descriptor->callback_param = &done;
	cookie = dmaengine_submit(descriptor);
	if (dma_submit_error(cookie))
		return -EIO;
	dma_async_issue_pending(channel);
	if (!wait_for_completion_timeout(&done, 10 * HZ)) {
		dmaengine_terminate_sync(channel);
		return -ETIMEDOUT;
	}
	if (dma_async_is_tx_complete(channel, cookie, NULL, NULL) !=
	    DMA_COMPLETE)
		return -EIO;
	return 0;
}

static bool is_within(const struct mapped *mapped, u64 offset, u64 length)
{
	return length <= mapped->dmabuf->size &&
	       offset <= mapped->dmabuf->size - length;
}

static int copy(struct engine *engine, struct pm_engine_copy *copy)
{
	struct place from, to;
	u64 left = copy->length;

	if (!left || !is_within(&engine->source, copy->from, left) ||
	    !is_within(&engine->target, copy->to, left))
		return -EINVAL;
	from = find_place(&engine->source, copy->from);
	to = find_place(&engine->target, copy->to);
	copy->transfers = 0;
	while (left) {
		u64 length = min3(left, left_in_segment(&from),
				  left_in_segment(&to));
		int ret = transfer(engine->channel, address_of(&to),
				   address_of(&from), length);

		if (ret)
			return ret;
		advance(&from, length);
		advance(&to, length);
		left -= length;
		copy->transfers++;
	}
	return 0;
}

static long setup_ioctl(struct engine *engine, void __user *arg)
{
	struct pm_engine_setup setup;

	if (engine->channel)
		return -EBUSY;
	if (copy_from_user(&setup, arg, sizeof(setup)))
		return -EFAULT;
	setup.device[sizeof(setup.device) - 1] = '\0';
	return set_up(engine, &setup);
}

static long copy_ioctl(struct engine *engine, void __user *arg)
{
	struct pm_engine_copy request;
	int ret;

	if (!engine->channel)
		return -ENXIO;
	if (copy_from_user(&request, arg, sizeof(request)))
		return -EFAULT;
	ret = copy(engine, &request);
	if (ret)
		return ret;
	return copy_to_user(arg, &request, sizeof(request)) ? -EFAULT : 0;
}

static long pm_engine_ioctl(struct file *file, unsigned int cmd,
			    unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case PM_ENGINE_IOC_SETUP:
		return setup_ioctl(file->private_data, user);
	case PM_ENGINE_IOC_COPY:
		return copy_ioctl(file->private_data, user);
	default:
		return -ENOTTY;
	}
}

static int pm_engine_open(struct inode *inode, struct file *file)
{
	struct engine *engine = kzalloc(sizeof(*engine), GFP_KERNEL);

	if (!engine)
		return -ENOMEM;
	file->private_data = engine;
	return 0;
}

static int pm_engine_release(struct inode *inode, struct file *file)
{
	struct engine *engine = file->private_data;

	if (engine->channel) {
		unmap(&engine->target);
		unmap(&engine->source);
		dma_release_channel(engine->channel);
	}
	kfree(engine);
	return 0;
}

static const struct file_operations pm_engine_fops = {
	.owner = THIS_MODULE,
	.open = pm_engine_open,
	.release = pm_engine_release,
	.unlocked_ioctl = pm_engine_ioctl,
};

static struct miscdevice pm_engine_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "pm_engine",
	.mode = 0600,
	.fops = &pm_engine_fops,
};
module_misc_device(pm_engine_misc);

MODULE_DESCRIPTION("portalmem test: copies by a DMA engine");
MODULE_LICENSE("GPL");
/* What MODULE_IMPORT_NS() makes of its argument, whose form has changed. */
MODULE_INFO(import_ns, "DMA_BUF");
