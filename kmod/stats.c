// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics of a heap, one file of sysfs each: ABI/sysfs-class-misc-portalmem
 * says what they are.
 *
 * What only grows is counted by each CPU for itself and summed up by who reads.
 * What is live goes up and down, and its peak is exact only if all changes are in
 * one order. So that is an atomic word, with the peak beside it, which is written
 * only when there is a new one: the price is one cache line that an allocation
 * and a free take once each, without a lock, for at least a page of memory.
 */
#include <linux/atomic.h>
#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/device.h>
#include <linux/errno.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/sysfs.h>

#include "portalmem.h"
#include "trace.h"

/* The files, in the order of the ABI's text. */
enum file_type {
	FILE_HEAP,
	FILE_LIVE_BYTES,
	FILE_LIVE_BUFFERS,
	FILE_PEAK_BYTES,
	FILE_POOLED_BYTES,
	FILE_COUNTS,
	FILE_TYPES = FILE_COUNTS + PORTALMEM_COUNTS,
};

static const char *const file_names[] = {
	[FILE_HEAP] = "heap",
	[FILE_LIVE_BYTES] = "live_bytes",
	[FILE_LIVE_BUFFERS] = "live_buffers",
	[FILE_PEAK_BYTES] = "peak_bytes",
	[FILE_POOLED_BYTES] = "pooled_bytes",
	[FILE_COUNTS + PORTALMEM_POOL_HITS] = "pool_hits",
	[FILE_COUNTS + PORTALMEM_POOL_MISSES] = "pool_misses",
	[FILE_COUNTS + PORTALMEM_ALLOCATIONS] = "allocations",
	[FILE_COUNTS + PORTALMEM_FREES] = "frees",
	[FILE_COUNTS + PORTALMEM_FAILURES_NOMEM] = "failures_nomem",
	[FILE_COUNTS + PORTALMEM_FAILURES_LIMIT] = "failures_limit",
	[FILE_COUNTS + PORTALMEM_FAILURES_INVALID] = "failures_invalid",
	[FILE_COUNTS + PORTALMEM_FAILURES_UNSUPPORTED] = "failures_unsupported",
	[FILE_COUNTS + PORTALMEM_FAILURES_DENIED] = "failures_denied",
	[FILE_COUNTS + PORTALMEM_FAILURES_BUSY] = "failures_busy",
	[FILE_COUNTS + PORTALMEM_FAILURES_FILES] = "failures_files",
	[FILE_COUNTS + PORTALMEM_FAILURES_INTERRUPTED] = "failures_interrupted",
	[FILE_COUNTS + PORTALMEM_FAILURES_FAULT] = "failures_fault",
};

static_assert(ARRAY_SIZE(file_names) == FILE_TYPES);

/**
 * struct stats_file - a file of a heap
 * @attr: of the device that stands for a node of the heap
 * @heap: the heap
 * @type: what is in it
 */
struct stats_file {
	struct device_attribute attr;
	const struct portalmem_heap *heap;
	enum file_type type;
};

/**
 * struct counts - what one CPU has counted
 * @counts: each of it
 */
struct counts {
	u64 counts[PORTALMEM_COUNTS];
};

/**
 * struct portalmem_stats - statistics of a heap
 * @npages: pages in live buffers
 * @peak: the most that @npages has been
 * @buffers: live buffers
 * @counts: what only grows
 * @files: what shows them
 * @attrs: the same, for @group
 * @group: the folder
 */
struct portalmem_stats {
	atomic_long_t npages;
	atomic_long_t peak;
	atomic_t buffers;
	struct counts __percpu *counts;
	struct stats_file files[FILE_TYPES];
	struct attribute *attrs[FILE_TYPES + 1];
	struct attribute_group group;
};

/* On 32 bits a sum can be read while it is written: as ever, it is a look only. */
static u64 sum_up(const struct portalmem_stats *stats, unsigned int count)
{
	unsigned int cpu;
	u64 sum = 0;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(stats->counts, cpu)->counts[count]);
	return sum;
}

static u64 read_file(const struct portalmem_heap *heap, enum file_type type)
{
	struct portalmem_stats *stats = heap->stats;
	unsigned long npages = 0;

	switch (type) {
	case FILE_LIVE_BYTES:
		npages = atomic_long_read(&stats->npages);
		break;
	case FILE_LIVE_BUFFERS:
		return atomic_read(&stats->buffers);
	case FILE_PEAK_BYTES:
		npages = atomic_long_read(&stats->peak);
		break;
	case FILE_POOLED_BYTES:
		npages = heap->ops->pooled ? heap->ops->pooled() : 0;
		break;
	default:
		return sum_up(stats, type - FILE_COUNTS);
	}
	return (u64)npages << PAGE_SHIFT;
}

static ssize_t show_file(struct device *dev, struct device_attribute *attr,
			 char *text)
{
	const struct stats_file *file =
		container_of(attr, struct stats_file, attr);

	if (file->type == FILE_HEAP)
		return sysfs_emit(text, "%s\n", file->heap->name);
	return sysfs_emit(text, "%llu\n", read_file(file->heap, file->type));
}

/**
 * portalmem_stats_live - what is allocated of a heap now
 * @heap: the heap
 * @npages: set to the pages in live buffers
 * @buffers: set to the number of live buffers
 */
void portalmem_stats_live(const struct portalmem_heap *heap,
			  unsigned long *npages, unsigned int *buffers)
{
	*npages = atomic_long_read(&heap->stats->npages);
	*buffers = atomic_read(&heap->stats->buffers);
}

/**
 * portalmem_stats_add - something happened some times more
 * @heap: in this heap
 * @count: what
 * @times: how often
 */
void portalmem_stats_add(struct portalmem_heap *heap,
			 enum portalmem_count count, unsigned int times)
{
	this_cpu_add(heap->stats->counts->counts[count], times);
}

/**
 * portalmem_stats_count - something happened once more
 * @heap: in this heap
 * @count: what
 */
void portalmem_stats_count(struct portalmem_heap *heap,
			   enum portalmem_count count)
{
	portalmem_stats_add(heap, count, 1);
}

/**
 * portalmem_stats_alloc - a heap has one more buffer
 * @heap: the heap
 * @npages: of the buffer
 */
void portalmem_stats_alloc(struct portalmem_heap *heap, unsigned long npages)
{
	struct portalmem_stats *stats = heap->stats;
	long live = atomic_long_add_return(npages, &stats->npages);
	long peak = atomic_long_read(&stats->peak);

	/* What the others add returns to them: the largest of all is the peak. */
	while (live > peak)
		if (atomic_long_try_cmpxchg(&stats->peak, &peak, live))
			break;
	atomic_inc(&stats->buffers);
	portalmem_stats_count(heap, PORTALMEM_ALLOCATIONS);
}

/**
 * portalmem_stats_free - a heap has one buffer less
 * @heap: the heap
 * @npages: as for portalmem_stats_alloc()
 */
void portalmem_stats_free(struct portalmem_heap *heap, unsigned long npages)
{
	struct portalmem_stats *stats = heap->stats;

	atomic_dec(&stats->buffers);
	atomic_long_sub(npages, &stats->npages);
	portalmem_stats_count(heap, PORTALMEM_FREES);
}

static enum portalmem_count reason_of(int error)
{
	switch (error) {
	case -ENOMEM:
		return PORTALMEM_FAILURES_NOMEM;
	case -EDQUOT:
		return PORTALMEM_FAILURES_LIMIT;
	case -EINVAL:
	case -E2BIG:
		return PORTALMEM_FAILURES_INVALID;
	case -EOPNOTSUPP:
		return PORTALMEM_FAILURES_UNSUPPORTED;
	case -EPERM:
	case -EACCES:
		return PORTALMEM_FAILURES_DENIED;
	case -EBUSY:
		return PORTALMEM_FAILURES_BUSY;
	case -EMFILE:
	case -ENFILE:
		return PORTALMEM_FAILURES_FILES;
	case -EINTR:
	case -ERESTARTSYS:
		return PORTALMEM_FAILURES_INTERRUPTED;
	default:
		/* The kernel has several names for memory that is no good. */
		return PORTALMEM_FAILURES_FAULT;
	}
}

/**
 * portalmem_stats_fail - somebody got no buffer
 * @heap: that it was asked of
 * @size: how much was wanted, in bytes; 0 when it is not known
 * @caching: the caching that was asked for
 * @error: why, a negative errno
 */
void portalmem_stats_fail(struct portalmem_heap *heap, u64 size, u32 caching,
			  int error)
{
	enum portalmem_count reason = reason_of(error);

	portalmem_stats_count(heap, reason);
	trace_portalmem_alloc_failed(heap, size, caching, error,
				     file_names[FILE_COUNTS + reason] +
					     sizeof("failures_") - 1);
}

/**
 * portalmem_stats_group - the folder of a heap's statistics
 * @heap: the heap
 *
 * Return: it, for a device that stands for a node of the heap.
 */
const struct attribute_group *
portalmem_stats_group(const struct portalmem_heap *heap)
{
	return &heap->stats->group;
}

/**
 * portalmem_stats_create - begin to count
 * @heap: the heap, without any buffer
 * @folder: name of the folder in sysfs
 *
 * Return: 0 or -ENOMEM.
 */
int portalmem_stats_create(struct portalmem_heap *heap, const char *folder)
{
	struct portalmem_stats *stats;
	unsigned int i;

	stats = kzalloc(sizeof(*stats), GFP_KERNEL);
	if (!stats)
		return -ENOMEM;
	stats->counts = alloc_percpu(struct counts);
	if (!stats->counts) {
		kfree(stats);
		return -ENOMEM;
	}
	for (i = 0; i < FILE_TYPES; i++) {
		struct stats_file *file = &stats->files[i];

		sysfs_attr_init(&file->attr.attr);
		file->attr.attr.name = file_names[i];
		file->attr.attr.mode = 0444;
		file->attr.show = show_file;
		file->heap = heap;
		file->type = i;
		stats->attrs[i] = &file->attr.attr;
	}
	stats->group.name = folder;
	stats->group.attrs = stats->attrs;
	heap->stats = stats;
	return 0;
}

/**
 * portalmem_stats_destroy - undo portalmem_stats_create()
 * @heap: the heap, without nodes and buffers
 */
void portalmem_stats_destroy(struct portalmem_heap *heap)
{
	if (!heap->stats)
		return;
	free_percpu(heap->stats->counts);
	kfree(heap->stats);
	heap->stats = NULL;
}

/* Of the heaps that are always there. */
int portalmem_stats_init(void)
{
	int ret;

	ret = portalmem_stats_create(&portalmem_system_heap, "stats");
	ret = ret ?: portalmem_stats_create(&portalmem_contiguous_heap, "stats");
	ret = ret ?: portalmem_stats_create(&portalmem_user_heap, "stats_user");
	if (ret)
		portalmem_stats_exit();
	return ret;
}

void portalmem_stats_exit(void)
{
	portalmem_stats_destroy(&portalmem_user_heap);
	portalmem_stats_destroy(&portalmem_contiguous_heap);
	portalmem_stats_destroy(&portalmem_system_heap);
}
