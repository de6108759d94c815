// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Example: a module that makes buffers for processes and reads those that it
 * gets from them, by portalmem's interface to other modules.
 *
 * Its device is for root: whoever has it can have the kernel take memory that
 * is not on his account.
 */
#include <linux/cred.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/memcontrol.h>
#include <linux/minmax.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/portalmem-kernel.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

#include "portalmem_example.h"

/* What is copied at once between a buffer and the kernel's own memory. */
#define WORDS 64

/*
 * The reservation lock is for the mapping's sake: later kernels want it held,
 * earlier ones do not mind.
 */
static int map(struct dma_buf *dmabuf, struct iosys_map *address)
{
	int ret;

	ret = dma_resv_lock_interruptible(dmabuf->resv, NULL);
	if (ret)
		return ret;
	ret = dma_buf_vmap(dmabuf, address);
	dma_resv_unlock(dmabuf->resv);
	return ret;
}

static void unmap(struct dma_buf *dmabuf, struct iosys_map *address)
{
	dma_resv_lock(dmabuf->resv, NULL);
	dma_buf_vunmap(dmabuf, address);
	dma_resv_unlock(dmabuf->resv);
}

static void write_words(struct iosys_map *address, u64 size, u32 seed)
{
	u32 words[WORDS];
	u64 done = 0;

	while (done < size) {
		size_t step = min_t(u64, size - done, sizeof(words));
		u32 first = done / sizeof(*words);
		unsigned int i;

		for (i = 0; i < WORDS; i++)
			words[i] = seed + (first + i) * 2654435761U;
		iosys_map_memcpy_to(address, done, words, step);
		done += step;
		cond_resched();
	}
}

static u64 add_words(struct iosys_map *address, u64 offset, u64 length)
{
	u64 end = offset + length;
	u32 words[WORDS];
	u64 sum = 0;

	while (offset < end) {
		size_t step = min_t(u64, end - offset, sizeof(words));
		unsigned int i;

		iosys_map_memcpy_from(words, address, offset, step);
		for (i = 0; i < step / sizeof(*words); i++)
			sum += words[i];
		offset += step;
		cond_resched();
	}
	return sum;
}

/* The whole buffer: what the CPU wrote, devices are to see. */
static int fill(struct dma_buf *dmabuf, u32 seed)
{
	const struct portalmem_ioc_range all = { .length = dmabuf->size };
	struct iosys_map address;
	int ret;

	ret = portalmem_sync_for_cpu(dmabuf, &all, 1, DMA_TO_DEVICE);
	if (ret)
		return ret;
	ret = map(dmabuf, &address);
	if (ret)
		return ret;
	write_words(&address, dmabuf->size, seed);
	unmap(dmabuf, &address);
	return portalmem_sync_for_device(dmabuf, &all, 1, DMA_TO_DEVICE);
}

/* Others' buffers can be synced as a whole only. */
static int begin_access(struct dma_buf *dmabuf,
			const struct portalmem_ioc_range *part,
			enum dma_data_direction direction)
{
	int ret = portalmem_sync_for_cpu(dmabuf, part, 1, direction);

	return ret == -EXDEV ? dma_buf_begin_cpu_access(dmabuf, direction) :
			       ret;
}

static int end_access(struct dma_buf *dmabuf,
		      const struct portalmem_ioc_range *part,
		      enum dma_data_direction direction)
{
	int ret = portalmem_sync_for_device(dmabuf, part, 1, direction);

	return ret == -EXDEV ? dma_buf_end_cpu_access(dmabuf, direction) : ret;
}

/* A part: what devices wrote, the CPU is to see. */
static int add_up(struct dma_buf *dmabuf, struct portalmem_example_look *look)
{
	const struct portalmem_ioc_range part = {
		.offset = look->offset,
		.length = look->length,
	};
	struct iosys_map address;
	int ret;

	ret = begin_access(dmabuf, &part, look->direction);
	if (ret)
		return ret;
	ret = map(dmabuf, &address);
	if (ret)
		return ret;
	look->sum = add_words(&address, part.offset, part.length);
	unmap(dmabuf, &address);
	return end_access(dmabuf, &part, look->direction);
}

/**
 * struct job - an allocation that a worker makes
 * @work: its work item
 * @heap: as for portalmem_alloc()
 * @options: likewise
 * @cred: whose limit it counts against, or NULL for root's
 * @memcg: which cgroup pays, or NULL for none
 * @dmabuf: the buffer, or an ERR_PTR()
 */
struct job {
	struct work_struct work;
	const char *heap;
	const struct portalmem_options *options;
	const struct cred *cred;
	struct mem_cgroup *memcg;
	struct dma_buf *dmabuf;
};

static void do_job(struct work_struct *work)
{
	struct job *job = container_of(work, struct job, work);
	const struct cred *own_cred = NULL;
	struct mem_cgroup *own_memcg;

	if (job->cred)
		own_cred = override_creds(job->cred);
	own_memcg = set_active_memcg(job->memcg);
	job->dmabuf = portalmem_alloc(job->heap, job->options);
	set_active_memcg(own_memcg);
	if (own_cred)
		revert_creds(own_cred);
}

static struct dma_buf *
alloc_in_worker(const char *heap, const struct portalmem_options *options,
		bool on_behalf)
{
	struct job job = { .heap = heap, .options = options };

	if (on_behalf) {
		job.cred = get_current_cred();
		job.memcg = get_mem_cgroup_from_mm(current->mm);
	}
	INIT_WORK_ONSTACK(&job.work, do_job);
	schedule_work(&job.work);
	flush_work(&job.work);
	destroy_work_on_stack(&job.work);
	if (on_behalf) {
		mem_cgroup_put(job.memcg);
		put_cred(job.cred);
	}
	return job.dmabuf;
}

static struct dma_buf *alloc(const struct portalmem_example_make *make)
{
	const struct portalmem_options options = {
		.size = make->size,
		.caching = make->caching,
		.flags = make->flags & PORTALMEM_EXAMPLE_NODE ?
				 PORTALMEM_ALLOC_NODE : 0,
		.node = make->node,
		.address_bits = make->address_bits,
		.alignment = make->alignment,
		.name = make->name,
	};
	bool on_behalf = make->flags & PORTALMEM_EXAMPLE_ON_BEHALF;

	if (make->flags & PORTALMEM_EXAMPLE_WORKER || on_behalf)
		return alloc_in_worker(make->heap, &options, on_behalf);
	return portalmem_alloc(make->heap, &options);
}

static long ioc_make(void __user *arg)
{
	struct portalmem_example_make make;
	struct dma_buf *dmabuf;
	int ret;

	if (copy_from_user(&make, arg, sizeof(make)))
		return -EFAULT;
	if (strnlen(make.heap, sizeof(make.heap)) == sizeof(make.heap) ||
	    strnlen(make.name, sizeof(make.name)) == sizeof(make.name))
		return -EINVAL;

	ret = get_unused_fd_flags(O_CLOEXEC);
	if (ret < 0)
		return ret;
	make.fd = ret;
	dmabuf = alloc(&make);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
		goto put_fd;
	}
	ret = fill(dmabuf, make.seed);
	if (ret)
		goto put_buffer;
	if (copy_to_user(arg, &make, sizeof(make))) {
		ret = -EFAULT;
		goto put_buffer;
	}
	/* From here on the descriptor has the reference. */
	fd_install(make.fd, dmabuf->file);
	return 0;

put_buffer:
	dma_buf_put(dmabuf);
put_fd:
	put_unused_fd(make.fd);
	return ret;
}

static int walk_runs(struct dma_buf *dmabuf,
		     struct portalmem_example_look *look)
{
	struct portalmem_run run;
	u64 offset;
	int ret;

	for (offset = 0; offset < look->size; offset = run.offset + run.length) {
		ret = portalmem_get_run(dmabuf, offset, &run);
		if (ret)
			return ret;
		if (run.page)
			look->refcounted++;
		look->longest = max_t(u64, look->longest, run.length);
	}
	return 0;
}

static int describe(struct dma_buf *dmabuf, struct portalmem_example_look *look)
{
	struct portalmem_info info;
	int ret;

	look->own = portalmem_is_own(dmabuf);
	look->size = dmabuf->size;
	if (!look->own)
		return 0;
	ret = portalmem_get_info(dmabuf, &info);
	if (ret)
		return ret;
	look->caching = info.caching;
	look->effective = info.effective;
	look->read_only = info.read_only;
	look->runs = info.runs;
	strscpy_pad(look->heap, info.heap, sizeof(look->heap));
	return walk_runs(dmabuf, look);
}

static int look_at(struct dma_buf *dmabuf, struct portalmem_example_look *look)
{
	int ret;

	ret = describe(dmabuf, look);
	if (ret)
		return ret;
	/* portalmem looks at its own buffers' ranges itself, earlier than here. */
	if (!look->own && (look->offset > look->size ||
			   look->length > look->size - look->offset))
		return -ERANGE;
	return add_up(dmabuf, look);
}

static long ioc_look(void __user *arg)
{
	struct portalmem_example_look in, look;
	struct dma_buf *dmabuf;
	int ret;

	if (copy_from_user(&in, arg, sizeof(in)))
		return -EFAULT;
	if ((in.offset | in.length) % sizeof(u32))
		return -EINVAL;
	look = (struct portalmem_example_look){
		.flags = in.flags,
		.fd = in.fd,
		.direction = in.direction,
		.offset = in.offset,
		.length = in.length,
	};

	dmabuf = in.flags & PORTALMEM_EXAMPLE_FOREIGN ? dma_buf_get(in.fd) :
							portalmem_get(in.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = look_at(dmabuf, &look);
	dma_buf_put(dmabuf);
	if (!ret && copy_to_user(arg, &look, sizeof(look)))
		ret = -EFAULT;
	return ret;
}

static long example_ioctl(struct file *file, unsigned int cmd,
			  unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case PORTALMEM_EXAMPLE_IOC_MAKE:
		return ioc_make(user);
	case PORTALMEM_EXAMPLE_IOC_LOOK:
		return ioc_look(user);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations example_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = example_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice example_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "portalmem_example",
	.mode = 0600,
	.fops = &example_fops,
};

module_misc_device(example_misc);

MODULE_DESCRIPTION("portalmem example: buffers from another module");
MODULE_LICENSE("GPL");
/*
 * MODULE_IMPORT_NS() makes the same of its argument: a bare word before Linux
 * 6.13, a string since.
 */
MODULE_INFO(import_ns, "DMA_BUF");
MODULE_INFO(import_ns, "PORTALMEM");
