// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device nodes. An ioctl is checked and copied here, and nowhere else.
 *
 * Each node stands for a heap and a default caching mode, and speaks the whole
 * protocol: ours, and the allocation ioctl of the kernel's DMA heaps, so that
 * programs written for those work unchanged.
 */
#include <linux/capability.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/nodemask.h>
#include <linux/pfn.h>
#include <linux/sched/signal.h>
#include <linux/security.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <uapi/linux/dma-buf.h>
#include <uapi/linux/dma-heap.h>

#include "portalmem.h"

/**
 * struct portalmem_node - a device node
 * @misc: its misc device
 * @heap: what it allocates from
 * @caching: what PORTALMEM_DEFAULT and DMA_HEAP_IOCTL_ALLOC mean on it
 */
struct portalmem_node {
	struct miscdevice misc;
	struct portalmem_heap *heap;
	u32 caching;
};

static u64 features(void)
{
	u64 bits = 0;

	if (portalmem_caching_effective(PORTALMEM_WC) == PORTALMEM_WC)
		bits |= PORTALMEM_FEATURE_WC;
	if (portalmem_mmap_is_pinnable())
		bits |= PORTALMEM_FEATURE_PINNABLE;
	return bits;
}

/* Answer a caller whose structure may be shorter or longer than ours. */
static int copy_out(void __user *to, size_t usize, const void *from,
		    size_t ksize)
{
	size_t size = min(usize, ksize);

	if (copy_to_user(to, from, size))
		return -EFAULT;
	if (clear_user(to + size, usize - size))
		return -EFAULT;
	return 0;
}

static long ioc_version(void __user *arg, size_t usize)
{
	struct portalmem_ioc_version version = {
		.abi = PORTALMEM_ABI_VERSION,
		.features = features(),
	};

	return copy_out(arg, usize, &version, sizeof(version));
}

/**
 * struct grant - a buffer on its way to the caller
 * @dmabuf: the buffer
 * @fd: reserved for it, not yet installed
 */
struct grant {
	struct dma_buf *dmabuf;
	int fd;
};

static int grant_make(struct grant *grant, struct portalmem_node *node,
		      struct portalmem_request *request, u64 size)
{
	u64 npages = (size >> PAGE_SHIFT) + !!(size & ~PAGE_MASK);
	int ret;

	if (!size || request->fd_flags & ~(O_CLOEXEC | O_ACCMODE))
		return -EINVAL;
	if (npages > ULONG_MAX >> PAGE_SHIFT)
		return -ENOMEM;
	request->npages = npages;
	if (request->caching == PORTALMEM_DEFAULT)
		request->caching = node->caching;

	/* Cheap to get and to give back, so it comes before the memory. */
	ret = get_unused_fd_flags(request->fd_flags);
	if (ret < 0)
		return ret;
	grant->fd = ret;

	grant->dmabuf = portalmem_buffer_export(node->heap, request);
	if (IS_ERR(grant->dmabuf)) {
		put_unused_fd(grant->fd);
		return PTR_ERR(grant->dmabuf);
	}
	return 0;
}

/*
 * Last step of an allocation. Once the descriptor is installed, the caller's
 * other threads can use and close it: nothing may fail after that.
 */
static int grant_finish(const struct grant *grant, int copied)
{
	if (copied) {
		put_unused_fd(grant->fd);
		dma_buf_put(grant->dmabuf);
		return copied;
	}
	fd_install(grant->fd, grant->dmabuf->file);
	return 0;
}

/* Names end up in text files line by line. */
static bool is_valid_name(const char *name, size_t size)
{
	size_t length = strnlen(name, size);
	size_t i;

	if (length == size)
		return false;
	for (i = 0; i < length; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return false;
	return true;
}

/* Where the memory has to be, as the caller's device needs it. */
static int place_request(struct portalmem_request *request,
			 const struct portalmem_ioc_alloc *alloc)
{
	request->nid = NUMA_NO_NODE;
	if (alloc->flags & PORTALMEM_ALLOC_NODE) {
		if (alloc->node >= MAX_NUMNODES || !node_online(alloc->node))
			return -EINVAL;
		request->nid = alloc->node;
	} else if (alloc->node) {
		return -EINVAL;
	}

	request->max_pfn = ULONG_MAX;
	if (alloc->address_bits > 64)
		return -EINVAL;
	if (alloc->address_bits)
		request->max_pfn =
			PHYS_PFN(DMA_BIT_MASK(alloc->address_bits));
	return 0;
}

static long ioc_alloc(struct portalmem_node *node, void __user *arg,
		      size_t usize)
{
	struct portalmem_request request = {};
	struct portalmem_ioc_alloc alloc;
	struct portalmem_buffer *buffer;
	struct grant grant;
	int ret;

	/* All output must fit, or the caller would not learn its descriptor. */
	if (usize < offsetofend(struct portalmem_ioc_alloc, segments))
		return -EINVAL;
	ret = copy_struct_from_user(&alloc, sizeof(alloc), arg, usize);
	if (ret)
		return ret;
	if (alloc.flags & ~PORTALMEM_ALLOC_FLAGS)
		return -EINVAL;
	if (alloc.fd || alloc.effective || alloc.segments)
		return -EINVAL;
	if (alloc.caching > PORTALMEM_UC)
		return -EINVAL;
	if ((alloc.fd_flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	if (!is_valid_name(alloc.name, sizeof(alloc.name)))
		return -EINVAL;
	ret = place_request(&request, &alloc);
	if (ret)
		return ret;

	request.caching = alloc.caching;
	request.fd_flags = alloc.fd_flags;
	request.name = alloc.name;
	ret = grant_make(&grant, node, &request, alloc.size);
	if (ret)
		return ret;

	buffer = portalmem_buffer_of(grant.dmabuf);
	alloc.fd = grant.fd;
	alloc.effective = portalmem_caching_effective(buffer->caching);
	alloc.segments = buffer->table.count;
	return grant_finish(&grant,
			    copy_out(arg, usize, &alloc, sizeof(alloc)));
}

/*
 * The kernel's own DMA heaps ignore what they do not know at the end of a
 * longer structure, and so programs may rely on it.
 */
static long ioc_heap_alloc(struct portalmem_node *node, void __user *arg,
			   size_t usize)
{
	struct dma_heap_allocation_data data = {};
	struct portalmem_request request = {};
	size_t size = min(usize, sizeof(data));
	struct grant grant;
	int ret;

	if (usize < offsetofend(struct dma_heap_allocation_data, fd))
		return -EINVAL;
	if (copy_from_user(&data, arg, size))
		return -EFAULT;
	if (data.fd || data.heap_flags)
		return -EINVAL;

	request.caching = PORTALMEM_DEFAULT;
	request.nid = NUMA_NO_NODE;
	request.max_pfn = ULONG_MAX;
	request.fd_flags = data.fd_flags;
	request.name = "";
	ret = grant_make(&grant, node, &request, data.len);
	if (ret)
		return ret;

	data.fd = grant.fd;
	return grant_finish(&grant,
			    copy_to_user(arg, &data, size) ? -EFAULT : 0);
}

/* One of our own buffers by descriptor; dma_buf_put() gives it back. */
static struct dma_buf *get_own(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	if (!IS_ERR(dmabuf) && !portalmem_buffer_of(dmabuf)) {
		dma_buf_put(dmabuf);
		return ERR_PTR(-EXDEV);
	}
	return dmabuf;
}

static long ioc_info(void __user *arg, size_t usize)
{
	struct portalmem_ioc_info info;
	struct dma_buf *dmabuf;
	int ret;

	ret = copy_struct_from_user(&info, sizeof(info), arg, usize);
	if (ret)
		return ret;
	if (info.flags || info.pad)
		return -EINVAL;

	dmabuf = get_own(info.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	portalmem_buffer_describe(dmabuf, &info);
	dma_buf_put(dmabuf);
	return copy_out(arg, usize, &info, sizeof(info));
}

/* A physical address is worth something to an attacker. */
static bool may_see_addresses(void)
{
	return capable(CAP_SYS_RAWIO) &&
	       !security_locked_down(LOCKDOWN_DEV_MEM);
}

static int copy_segments(const struct portalmem_buffer *buffer,
			 struct portalmem_ioc_segments *segments)
{
	struct portalmem_ioc_segment __user *to =
		u64_to_user_ptr(segments->segments);
	bool with_address = may_see_addresses();
	u32 i, count = 0;

	segments->total = buffer->table.count;
	if (segments->first < segments->total)
		count = min(segments->count,
			    segments->total - segments->first);
	segments->count = count;
	for (i = 0; i < count; i++) {
		struct portalmem_ioc_segment entry;

		if (fatal_signal_pending(current))
			return -EINTR;
		entry = portalmem_buffer_segment(buffer, segments->first + i,
						 with_address);
		if (copy_to_user(&to[i], &entry, sizeof(entry)))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

static long ioc_segments(void __user *arg, size_t usize)
{
	struct portalmem_ioc_segments segments;
	struct dma_buf *dmabuf;
	int ret;

	if (usize < offsetofend(struct portalmem_ioc_segments, total))
		return -EINVAL;
	ret = copy_struct_from_user(&segments, sizeof(segments), arg, usize);
	if (ret)
		return ret;
	if (segments.flags || segments.total || segments.pad)
		return -EINVAL;

	dmabuf = get_own(segments.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = copy_segments(dmabuf->priv, &segments);
	dma_buf_put(dmabuf);
	return ret ?: copy_out(arg, usize, &segments, sizeof(segments));
}

static enum dma_data_direction sync_direction(u32 flags)
{
	switch (flags & DMA_BUF_SYNC_RW) {
	case DMA_BUF_SYNC_READ:
		return DMA_FROM_DEVICE;
	case DMA_BUF_SYNC_WRITE:
		return DMA_TO_DEVICE;
	case DMA_BUF_SYNC_RW:
		return DMA_BIDIRECTIONAL;
	default:
		return DMA_NONE;
	}
}

static long ioc_sync(void __user *arg, size_t usize)
{
	struct portalmem_ioc_range *ranges = NULL;
	enum dma_data_direction direction;
	struct portalmem_ioc_sync sync;
	struct dma_buf *dmabuf;
	int ret;

	ret = copy_struct_from_user(&sync, sizeof(sync), arg, usize);
	if (ret)
		return ret;
	direction = sync_direction(sync.flags);
	if (sync.flags & ~DMA_BUF_SYNC_VALID_FLAGS_MASK ||
	    direction == DMA_NONE || sync.pad)
		return -EINVAL;
	if (sync.count > PORTALMEM_SYNC_RANGES_MAX)
		return -EINVAL;

	dmabuf = get_own(sync.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	if (sync.count) {
		ranges = vmemdup_user(u64_to_user_ptr(sync.ranges),
				      sync.count * sizeof(*ranges));
		if (IS_ERR(ranges)) {
			ret = PTR_ERR(ranges);
			goto put;
		}
	}
	ret = portalmem_sync_ranges(dmabuf, ranges, sync.count, direction,
				    !(sync.flags & DMA_BUF_SYNC_END));
	kvfree(ranges);
put:
	dma_buf_put(dmabuf);
	return ret;
}

static struct portalmem_node *node_of(struct file *file)
{
	return container_of(file->private_data, struct portalmem_node, misc);
}

static int portalmem_open(struct inode *inode, struct file *file)
{
	return nonseekable_open(inode, file);
}

/* The size in the request number may be any: compare all the rest. */
#define WITHOUT_SIZE(cmd) ((cmd) & ~(_IOC_SIZEMASK << _IOC_SIZESHIFT))

static long portalmem_ioctl(struct file *file, unsigned int cmd,
			    unsigned long arg)
{
	void __user *user = (void __user *)arg;
	size_t usize = _IOC_SIZE(cmd);

	switch (WITHOUT_SIZE(cmd)) {
	case WITHOUT_SIZE(PORTALMEM_IOC_VERSION):
		return ioc_version(user, usize);
	case WITHOUT_SIZE(PORTALMEM_IOC_ALLOC):
		return ioc_alloc(node_of(file), user, usize);
	case WITHOUT_SIZE(PORTALMEM_IOC_INFO):
		return ioc_info(user, usize);
	case WITHOUT_SIZE(PORTALMEM_IOC_SYNC):
		return ioc_sync(user, usize);
	case WITHOUT_SIZE(PORTALMEM_IOC_SEGMENTS):
		return ioc_segments(user, usize);
	case WITHOUT_SIZE(DMA_HEAP_IOCTL_ALLOC):
		return ioc_heap_alloc(node_of(file), user, usize);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations portalmem_fops = {
	.owner = THIS_MODULE,
	.open = portalmem_open,
	.unlocked_ioctl = portalmem_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

#define NODE(misc_name, dev_name, node_heap, node_caching)  \
	{                                                   \
		.misc = {                                   \
			.minor = MISC_DYNAMIC_MINOR,        \
			.name = misc_name,                  \
			.nodename = dev_name,               \
			.mode = 0660,                       \
			.fops = &portalmem_fops,            \
		},                                          \
		.heap = node_heap,                          \
		.caching = node_caching,                    \
	}

static struct portalmem_node nodes[] = {
	NODE("portalmem", "portalmem", &portalmem_system_heap,
	     PORTALMEM_CACHED),
	NODE("portalmem-heap", "dma_heap/portalmem", &portalmem_system_heap,
	     PORTALMEM_CACHED),
	NODE("portalmem-heap-wc", "dma_heap/portalmem-wc",
	     &portalmem_system_heap, PORTALMEM_WC),
};

static void remove_nodes(unsigned int count)
{
	while (count--)
		misc_deregister(&nodes[count].misc);
}

int portalmem_dev_init(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(nodes); i++) {
		int ret = misc_register(&nodes[i].misc);

		if (ret) {
			remove_nodes(i);
			return ret;
		}
	}
	return 0;
}

void portalmem_dev_exit(void)
{
	remove_nodes(ARRAY_SIZE(nodes));
}
