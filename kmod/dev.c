// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device nodes. What their ioctls are given is checked and copied here, but
 * for what makes an attachment, which has ioctls of its own.
 *
 * Each node stands for a heap and a default caching mode, and speaks the whole
 * protocol: ours, and the allocation ioctl of the kernel's DMA heaps, so that
 * programs written for those work unchanged.
 */
#include <linux/capability.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mutex.h>
#include <linux/portalmem-kernel.h>
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
 * @groups: folders of the misc device in sysfs, and NULL
 * @entry: of the list of all nodes
 * @heap: what it allocates from
 * @caching: what PORTALMEM_DEFAULT and DMA_HEAP_IOCTL_ALLOC mean on it
 */
struct portalmem_node {
	struct miscdevice misc;
	const struct attribute_group *groups[3];
	struct list_head entry;
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

/**
 * portalmem_copy_out - answer a caller whose structure has another size than ours
 * @to: user address of its structure
 * @usize: its size as the caller knows it
 * @from: ours
 * @ksize: our size
 *
 * What the caller does not know is left out, what we do not know is zero.
 *
 * Return: 0 or -EFAULT.
 */
int portalmem_copy_out(void __user *to, size_t usize, const void *from,
		       size_t ksize)
{
	size_t size = min(usize, ksize);

	if (copy_to_user(to, from, size))
		return -EFAULT;
	if (clear_user(to + size, usize - size))
		return -EFAULT;
	return 0;
}

/**
 * portalmem_check_flags - the argument of an ioctl that defines no flag yet
 * @arg: user address of a structure that begins with its flags
 * @usize: its size as the caller knows it
 *
 * Return: 0, -EINVAL when a flag is set, or -EFAULT.
 */
int portalmem_check_flags(void __user *arg, size_t usize)
{
	u32 flags;

	if (usize < sizeof(flags))
		return -EINVAL;
	if (get_user(flags, (u32 __user *)arg))
		return -EFAULT;
	return flags ? -EINVAL : 0;
}

/**
 * portalmem_table_part - how much of a table a caller gets
 * @first: index of the first entry wanted
 * @count: how many it has room for
 * @total: entries of the table
 *
 * Return: number of entries from @first on.
 */
u32 portalmem_table_part(u32 first, u32 count, u32 total)
{
	return first < total ? min(count, total - first) : 0;
}

/**
 * portalmem_table_copy_out - copy one entry of many
 * @to: user address
 * @entry: the entry
 * @size: its size
 *
 * Return: 0, -EFAULT, or -EINTR when a fatal signal came.
 */
int portalmem_table_copy_out(void __user *to, const void *entry, size_t size)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	if (copy_to_user(to, entry, size))
		return -EFAULT;
	cond_resched();
	return 0;
}

static long ioc_version(void __user *arg, size_t usize)
{
	struct portalmem_ioc_version version = {
		.abi = PORTALMEM_ABI_VERSION,
		.features = features(),
	};

	return portalmem_copy_out(arg, usize, &version, sizeof(version));
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

static int grant_export(struct grant *grant, struct portalmem_heap *heap,
			const struct portalmem_request *request)
{
	int ret;

	/* Cheap to get and to give back, so it comes before the memory. */
	ret = get_unused_fd_flags(request->fd_flags);
	if (ret < 0)
		return ret;
	grant->fd = ret;

	grant->dmabuf = portalmem_buffer_export(heap, request);
	if (IS_ERR(grant->dmabuf)) {
		put_unused_fd(grant->fd);
		return PTR_ERR(grant->dmabuf);
	}
	return 0;
}

static int grant_make(struct grant *grant, struct portalmem_node *node,
		      const struct portalmem_ioc_alloc *alloc)
{
	struct portalmem_request request;
	int ret;

	ret = portalmem_request_init(&request, node->heap, node->caching,
				     alloc);
	return ret ?: grant_export(grant, node->heap, &request);
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

static int alloc_and_tell(struct portalmem_node *node, void __user *arg,
			  size_t usize, struct portalmem_ioc_alloc *alloc)
{
	struct portalmem_buffer *buffer;
	struct grant grant;
	int ret;

	/* All output must fit, or the caller would not learn its descriptor. */
	if (usize < offsetofend(struct portalmem_ioc_alloc, segments))
		return -EINVAL;
	ret = copy_struct_from_user(alloc, sizeof(*alloc), arg, usize);
	if (ret)
		return ret;
	if (alloc->fd || alloc->effective || alloc->segments)
		return -EINVAL;
	if ((alloc->fd_flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	ret = grant_make(&grant, node, alloc);
	if (ret)
		return ret;

	buffer = portalmem_buffer_of(grant.dmabuf);
	alloc->fd = grant.fd;
	alloc->effective = portalmem_caching_effective(buffer->caching);
	alloc->segments = buffer->table.count;
	return grant_finish(&grant, portalmem_copy_out(arg, usize, alloc,
						       sizeof(*alloc)));
}

static long ioc_alloc(struct portalmem_node *node, void __user *arg,
		      size_t usize)
{
	struct portalmem_ioc_alloc alloc = {};
	int ret = alloc_and_tell(node, arg, usize, &alloc);

	if (ret)
		portalmem_stats_fail(node->heap, alloc.size,
				     alloc.caching ?: node->caching, ret);
	return ret;
}

/*
 * The kernel's own DMA heaps ignore what they do not know at the end of a
 * longer structure, and so programs may rely on it.
 */
static int heap_alloc_and_tell(struct portalmem_node *node, void __user *arg,
			       size_t usize,
			       struct dma_heap_allocation_data *data)
{
	struct portalmem_ioc_alloc alloc = {};
	size_t size = min(usize, sizeof(*data));
	struct grant grant;
	int ret;

	if (usize < offsetofend(struct dma_heap_allocation_data, fd))
		return -EINVAL;
	if (copy_from_user(data, arg, size))
		return -EFAULT;
	if (data->fd || data->heap_flags)
		return -EINVAL;

	alloc.size = data->len;
	alloc.fd_flags = data->fd_flags;
	ret = grant_make(&grant, node, &alloc);
	if (ret)
		return ret;

	data->fd = grant.fd;
	return grant_finish(&grant,
			    copy_to_user(arg, data, size) ? -EFAULT : 0);
}

static long ioc_heap_alloc(struct portalmem_node *node, void __user *arg,
			   size_t usize)
{
	struct dma_heap_allocation_data data = {};
	int ret = heap_alloc_and_tell(node, arg, usize, &data);

	if (ret)
		portalmem_stats_fail(node->heap, data.len, node->caching, ret);
	return ret;
}

static int import_and_tell(void __user *arg, size_t usize,
			   struct portalmem_ioc_import_user *import)
{
	struct portalmem_request request;
	struct grant grant;
	int ret;

	if (usize < offsetofend(struct portalmem_ioc_import_user, segments))
		return -EINVAL;
	ret = copy_struct_from_user(import, sizeof(*import), arg, usize);
	if (ret)
		return ret;
	if (import->fd || import->segments)
		return -EINVAL;
	ret = portalmem_request_import(&request, import);
	if (ret)
		return ret;
	ret = grant_export(&grant, &portalmem_user_heap, &request);
	if (ret)
		return ret;

	import->fd = grant.fd;
	import->segments = portalmem_buffer_of(grant.dmabuf)->table.count;
	return grant_finish(&grant, portalmem_copy_out(arg, usize, import,
						       sizeof(*import)));
}

static long ioc_import_user(void __user *arg, size_t usize)
{
	struct portalmem_ioc_import_user import = {};
	int ret = import_and_tell(arg, usize, &import);

	if (ret)
		portalmem_stats_fail(&portalmem_user_heap, import.size,
				     PORTALMEM_CACHED, ret);
	/* What the kernel says everywhere when RLIMIT_MEMLOCK is reached. */
	return ret == -EDQUOT ? -ENOMEM : ret;
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

	dmabuf = portalmem_get(info.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	portalmem_buffer_describe(dmabuf, &info);
	dma_buf_put(dmabuf);
	return portalmem_copy_out(arg, usize, &info, sizeof(info));
}

static long ioc_holders(void __user *arg, size_t usize)
{
	struct portalmem_ioc_holders holders;
	struct dma_buf *dmabuf;
	int ret;

	if (usize < offsetofend(struct portalmem_ioc_holders, holders))
		return -EINVAL;
	ret = copy_struct_from_user(&holders, sizeof(holders), arg, usize);
	if (ret)
		return ret;
	if (holders.flags)
		return -EINVAL;

	dmabuf = portalmem_get(holders.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	portalmem_buffer_find_holders(dmabuf, &holders);
	dma_buf_put(dmabuf);
	return portalmem_copy_out(arg, usize, &holders, sizeof(holders));
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
	u32 i;

	segments->total = buffer->table.count;
	segments->count = portalmem_table_part(segments->first, segments->count,
					       segments->total);
	for (i = 0; i < segments->count; i++) {
		struct portalmem_ioc_segment entry =
			portalmem_buffer_segment(buffer, segments->first + i,
						 with_address);
		int ret = portalmem_table_copy_out(&to[i], &entry,
						   sizeof(entry));

		if (ret)
			return ret;
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

	dmabuf = portalmem_get(segments.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = copy_segments(dmabuf->priv, &segments);
	dma_buf_put(dmabuf);
	return ret ?: portalmem_copy_out(arg, usize, &segments, sizeof(segments));
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

/**
 * portalmem_sync_from_user - read PORTALMEM_IOC_SYNC
 * @sync: to be filled in; portalmem_sync_free() when done
 * @fd: set to the descriptor that the caller names
 * @arg: user address of a struct portalmem_ioc_sync
 * @usize: its size as the caller knows it
 *
 * Return: 0 or a negative errno.
 */
int portalmem_sync_from_user(struct portalmem_sync *sync, int *fd,
			     void __user *arg, size_t usize)
{
	struct portalmem_ioc_sync ioc;
	int ret;

	ret = copy_struct_from_user(&ioc, sizeof(ioc), arg, usize);
	if (ret)
		return ret;
	*fd = ioc.fd;
	sync->direction = sync_direction(ioc.flags);
	sync->for_cpu = !(ioc.flags & DMA_BUF_SYNC_END);
	sync->count = ioc.count;
	sync->ranges = NULL;
	if (ioc.flags & ~DMA_BUF_SYNC_VALID_FLAGS_MASK ||
	    sync->direction == DMA_NONE || ioc.pad)
		return -EINVAL;
	if (ioc.count > PORTALMEM_SYNC_RANGES_MAX)
		return -EINVAL;
	if (!ioc.count)
		return 0;

	sync->ranges = vmemdup_user(u64_to_user_ptr(ioc.ranges),
				    ioc.count * sizeof(*sync->ranges));
	return PTR_ERR_OR_ZERO(sync->ranges);
}

/**
 * portalmem_sync_free - free what portalmem_sync_from_user() made
 * @sync: it
 */
void portalmem_sync_free(struct portalmem_sync *sync)
{
	kvfree(sync->ranges);
}

static long ioc_sync(void __user *arg, size_t usize)
{
	struct portalmem_sync sync;
	struct dma_buf *dmabuf;
	int fd, ret;

	ret = portalmem_sync_from_user(&sync, &fd, arg, usize);
	if (ret)
		return ret;
	dmabuf = portalmem_get(fd);
	if (IS_ERR(dmabuf)) {
		ret = PTR_ERR(dmabuf);
	} else {
		ret = portalmem_sync(dmabuf, &sync);
		dma_buf_put(dmabuf);
	}
	portalmem_sync_free(&sync);
	return ret;
}

static long ioc_heap(struct portalmem_node *node, void __user *arg,
		     size_t usize)
{
	struct portalmem_heap *heap = node->heap;
	struct portalmem_ioc_heap info = {};
	unsigned long npages;
	int ret;

	ret = portalmem_check_flags(arg, usize);
	if (ret)
		return ret;

	info.caching = node->caching;
	info.cachings = portalmem_request_cachings(heap);
	info.features = heap->features;
	if (!portalmem_mmap_is_pinnable())
		info.features &= ~PORTALMEM_HEAP_PINNABLE;
	portalmem_stats_live(heap, &npages, &info.buffers);
	info.used = (u64)npages << PAGE_SHIFT;
	strscpy_pad(info.name, heap->name, sizeof(info.name));
	portalmem_limit_describe(heap->limit, &info);
	heap->ops->describe(heap, &info);
	return portalmem_copy_out(arg, usize, &info, sizeof(info));
}

static long ioc_trim(void __user *arg, size_t usize)
{
	struct portalmem_ioc_trim trim;
	int ret;

	ret = copy_struct_from_user(&trim, sizeof(trim), arg, usize);
	if (ret)
		return ret;
	if (trim.flags || trim.pad || trim.freed)
		return -EINVAL;
	trim.freed = (u64)portalmem_pool_trim(capable(CAP_SYS_ADMIN))
		     << PAGE_SHIFT;
	return portalmem_copy_out(arg, usize, &trim, sizeof(trim));
}

static struct portalmem_node *node_of(struct file *file)
{
	return container_of(file->private_data, struct portalmem_node, misc);
}

/* Set when nothing can fail any more that would take the module away. */
static bool live;

/*
 * A module whose loading fails is freed, whoever has a file of it open: nobody
 * gets one before. To wait here would keep misc_register() waiting.
 */
static int portalmem_open(struct inode *inode, struct file *file)
{
	/* Pairs with the release in portalmem_dev_go_live(). */
	if (!smp_load_acquire(&live))
		return -ENODEV;
	return nonseekable_open(inode, file);
}

static long portalmem_ioctl(struct file *file, unsigned int cmd,
			    unsigned long arg)
{
	void __user *user = (void __user *)arg;
	size_t usize = _IOC_SIZE(cmd);

	if (likely(cmd == PORTALMEM_IOC_ALLOC))
		return ioc_alloc(node_of(file), user, usize);
	switch (PORTALMEM_WITHOUT_SIZE(cmd)) {
	case PORTALMEM_WITHOUT_SIZE(PORTALMEM_IOC_VERSION):
		return ioc_version(user, usize);
	case PORTALMEM_WITHOUT_SIZE(PORTALMEM_IOC_ALLOC):
		return ioc_alloc(node_of(file), user, usize);
	case PORTALMEM_WITHOUT_SIZE(PORTALMEM_IOC_INFO):
		return ioc_info(user, usize);
	case PORTALMEM_WITHOUT_SIZE(PORTALMEM_IOC_SYNC):
		return ioc_sync(user, usize);
	case PORTALMEM_WITHOUT_SIZE(PORTALMEM_IOC_SEGMENTS):
		return ioc_segments(user, usize);
	case PORTALMEM_WITHOUT_SIZE(PORTALMEM_IOC_HEAP):
		return ioc_heap(node_of(file), user, usize);
	case PORTALMEM_WITHOUT_SIZE(PORTALMEM_IOC_TRIM):
		return ioc_trim(user, usize);
	case PORTALMEM_WITHOUT_SIZE(PORTALMEM_IOC_ATTACH):
		return portalmem_ioc_attach(user, usize);
	case PORTALMEM_WITHOUT_SIZE(PORTALMEM_IOC_IMPORT_USER):
		return ioc_import_user(user, usize);
	case PORTALMEM_WITHOUT_SIZE(PORTALMEM_IOC_HOLDERS):
		return ioc_holders(user, usize);
	case PORTALMEM_WITHOUT_SIZE(DMA_HEAP_IOCTL_ALLOC):
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

/* All nodes. Written when the module is loaded and unloaded, and by probes. */
static DEFINE_MUTEX(nodes_lock);
static LIST_HEAD(nodes);

static void free_node(struct portalmem_node *node)
{
	kfree(node->misc.name);
	kfree(node->misc.nodename);
	kfree(node);
}

static int add_node(const char *misc_name, const char *path, umode_t mode,
		    struct portalmem_heap *heap, u32 caching)
{
	struct portalmem_node *node = kzalloc(sizeof(*node), GFP_KERNEL);
	int ret;

	if (!node)
		return -ENOMEM;
	node->heap = heap;
	node->caching = caching;
	node->misc.minor = MISC_DYNAMIC_MINOR;
	node->misc.name = kstrdup(misc_name, GFP_KERNEL);
	node->misc.nodename = kstrdup(path, GFP_KERNEL);
	node->misc.mode = mode;
	node->misc.fops = &portalmem_fops;
	node->misc.groups = node->groups;
	node->groups[0] = portalmem_stats_group(heap);
	/* What is imported is on no node's heap. */
	if (heap == &portalmem_system_heap)
		node->groups[1] = portalmem_stats_group(&portalmem_user_heap);
	ret = node->misc.name && node->misc.nodename ?
		      misc_register(&node->misc) :
		      -ENOMEM;
	if (ret) {
		free_node(node);
		return ret;
	}
	mutex_lock(&nodes_lock);
	list_add(&node->entry, &nodes);
	mutex_unlock(&nodes_lock);
	return 0;
}

/**
 * portalmem_dev_add - make a node for a heap
 * @heap: the heap; the node is /dev/dma_heap/ and its name
 *
 * Return: 0 or a negative errno.
 */
int portalmem_dev_add(struct portalmem_heap *heap)
{
	char misc_name[sizeof("portalmem-heap-") + PORTALMEM_HEAP_NAME_LEN];
	char path[sizeof("dma_heap/") + PORTALMEM_HEAP_NAME_LEN];

	snprintf(misc_name, sizeof(misc_name), "portalmem-heap-%s",
		 heap->name);
	snprintf(path, sizeof(path), "dma_heap/%s", heap->name);
	return add_node(misc_name, path, 0660, heap, heap->caching);
}

/**
 * portalmem_dev_find_heap - the heap of that name
 * @name: as PORTALMEM_IOC_HEAP tells it
 *
 * Return: the heap, which is there until the module goes, or NULL.
 */
struct portalmem_heap *portalmem_dev_find_heap(const char *name)
{
	struct portalmem_heap *heap = NULL;
	struct portalmem_node *node;

	mutex_lock(&nodes_lock);
	list_for_each_entry(node, &nodes, entry) {
		if (!strcmp(node->heap->name, name)) {
			heap = node->heap;
			break;
		}
	}
	mutex_unlock(&nodes_lock);
	return heap;
}

/**
 * portalmem_dev_exit - remove all nodes
 *
 * Nobody has one open: an open node keeps the module.
 */
void portalmem_dev_exit(void)
{
	struct portalmem_node *node, *tmp;

	list_for_each_entry_safe(node, tmp, &nodes, entry) {
		misc_deregister(&node->misc);
		free_node(node);
	}
}

/**
 * portalmem_dev_go_live - let the nodes be opened
 *
 * The last step of loading.
 */
void portalmem_dev_go_live(void)
{
	/* Pairs with the acquire in portalmem_open(). */
	smp_store_release(&live, true);
}

int portalmem_dev_init(void)
{
	static const struct {
		const char *misc_name;
		const char *path;
		umode_t mode;
		struct portalmem_heap *heap;
		u32 caching;
	} fixed[] = {
		{ "portalmem", "portalmem", 0660, &portalmem_system_heap,
		  PORTALMEM_CACHED },
		{ "portalmem-heap-system", "dma_heap/portalmem", 0660,
		  &portalmem_system_heap, PORTALMEM_CACHED },
		{ "portalmem-heap-portalmem-wc", "dma_heap/portalmem-wc", 0660,
		  &portalmem_system_heap, PORTALMEM_WC },
		/* Stricter: no cgroup pays for what it hands out. */
		{ "portalmem-contiguous", "dma_heap/portalmem-contiguous", 0600,
		  &portalmem_contiguous_heap, PORTALMEM_CACHED },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fixed); i++) {
		int ret = add_node(fixed[i].misc_name, fixed[i].path,
				   fixed[i].mode, fixed[i].heap,
				   fixed[i].caching);

		if (ret) {
			portalmem_dev_exit();
			return ret;
		}
	}
	return 0;
}
