/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: ABI/tracing-events-portalmem says what they tell. None tells an
 * address, of the kernel or of memory.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM portalmem

#if !defined(_PORTALMEM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _PORTALMEM_TRACE_H

#include <linux/device.h>
#include <linux/dma-direction.h>
#include <linux/tracepoint.h>

#include "portalmem.h"

/* For who reads the formats: numbers in place of names. */
TRACE_DEFINE_ENUM(DMA_BIDIRECTIONAL);
TRACE_DEFINE_ENUM(DMA_TO_DEVICE);
TRACE_DEFINE_ENUM(DMA_FROM_DEVICE);
TRACE_DEFINE_ENUM(PORTALMEM_POOL_IDLE);
TRACE_DEFINE_ENUM(PORTALMEM_POOL_PRESSURE);
TRACE_DEFINE_ENUM(PORTALMEM_POOL_TRIM);

#define portalmem_show_caching(caching)				\
	__print_symbolic(caching,				\
			 { 0, "default" },			\
			 { 1, "cached" },			\
			 { 2, "wc" },				\
			 { 3, "uc" })

#define portalmem_show_direction(direction)			\
	__print_symbolic(direction,				\
			 { DMA_BIDIRECTIONAL, "bidirectional" },	\
			 { DMA_TO_DEVICE, "to-device" },	\
			 { DMA_FROM_DEVICE, "from-device" })

TRACE_EVENT(portalmem_alloc,
	TP_PROTO(const struct portalmem_buffer *buffer, const char *name),
	TP_ARGS(buffer, name),
	TP_STRUCT__entry(
		__field(u64, inode)
		__field(u64, size)
		__field(u32, caching)
		__field(u32, segments)
		__string(heap, buffer->heap->name)
		__string(name, name)
	),
	TP_fast_assign(
		__entry->inode = buffer->inode;
		__entry->size = portalmem_buffer_size(buffer);
		__entry->caching = buffer->caching;
		__entry->segments = buffer->table.count;
		portalmem_assign_str(heap, buffer->heap->name);
		portalmem_assign_str(name, name);
	),
	TP_printk("inode=%llu heap=%s size=%llu caching=%s segments=%u name=%s",
		  __entry->inode, __get_str(heap), __entry->size,
		  portalmem_show_caching(__entry->caching), __entry->segments,
		  __get_str(name))
);

TRACE_EVENT(portalmem_alloc_failed,
	TP_PROTO(const struct portalmem_heap *heap, u64 size, u32 caching,
		 int error, const char *reason),
	TP_ARGS(heap, size, caching, error, reason),
	TP_STRUCT__entry(
		__field(u64, size)
		__field(u32, caching)
		__field(int, error)
		__string(heap, heap->name)
		__string(reason, reason)
	),
	TP_fast_assign(
		__entry->size = size;
		__entry->caching = caching;
		__entry->error = error;
		portalmem_assign_str(heap, heap->name);
		portalmem_assign_str(reason, reason);
	),
	TP_printk("heap=%s size=%llu caching=%s error=%d reason=%s",
		  __get_str(heap), __entry->size,
		  portalmem_show_caching(__entry->caching), __entry->error,
		  __get_str(reason))
);

TRACE_EVENT(portalmem_free,
	TP_PROTO(const struct portalmem_buffer *buffer),
	TP_ARGS(buffer),
	TP_STRUCT__entry(
		__field(u64, inode)
		__field(u64, size)
		__field(u32, caching)
		__string(heap, buffer->heap->name)
	),
	TP_fast_assign(
		__entry->inode = buffer->inode;
		__entry->size = portalmem_buffer_size(buffer);
		__entry->caching = buffer->caching;
		portalmem_assign_str(heap, buffer->heap->name);
	),
	TP_printk("inode=%llu heap=%s size=%llu caching=%s",
		  __entry->inode, __get_str(heap), __entry->size,
		  portalmem_show_caching(__entry->caching))
);

TRACE_EVENT(portalmem_mmap,
	TP_PROTO(const struct portalmem_buffer *buffer,
		 const struct vm_area_struct *vma, bool pinnable),
	TP_ARGS(buffer, vma, pinnable),
	TP_STRUCT__entry(
		__field(u64, inode)
		__field(u64, offset)
		__field(u64, length)
		__field(bool, writable)
		__field(bool, pinnable)
		__string(heap, buffer->heap->name)
	),
	TP_fast_assign(
		__entry->inode = buffer->inode;
		__entry->offset = (u64)vma->vm_pgoff << PAGE_SHIFT;
		__entry->length = vma->vm_end - vma->vm_start;
		__entry->writable = vma->vm_flags & VM_WRITE;
		__entry->pinnable = pinnable;
		portalmem_assign_str(heap, buffer->heap->name);
	),
	TP_printk("inode=%llu heap=%s offset=%llu length=%llu writable=%d pinnable=%d",
		  __entry->inode, __get_str(heap), __entry->offset,
		  __entry->length, __entry->writable, __entry->pinnable)
);

TRACE_EVENT(portalmem_sync,
	TP_PROTO(const struct portalmem_buffer *buffer,
		 const struct dma_buf_attachment *only,
		 const struct portalmem_ioc_range *range,
		 enum dma_data_direction direction, bool for_cpu),
	TP_ARGS(buffer, only, range, direction, for_cpu),
	TP_STRUCT__entry(
		__field(u64, inode)
		__field(u64, offset)
		__field(u64, length)
		__field(int, direction)
		__field(bool, for_cpu)
		__string(heap, buffer->heap->name)
		__string(device, only ? dev_name(only->dev) : "all")
	),
	TP_fast_assign(
		__entry->inode = buffer->inode;
		__entry->offset = range->offset;
		__entry->length = range->length;
		__entry->direction = direction;
		__entry->for_cpu = for_cpu;
		portalmem_assign_str(heap, buffer->heap->name);
		portalmem_assign_str(device, only ? dev_name(only->dev) : "all");
	),
	TP_printk("inode=%llu heap=%s offset=%llu length=%llu direction=%s for=%s device=%s",
		  __entry->inode, __get_str(heap), __entry->offset,
		  __entry->length, portalmem_show_direction(__entry->direction),
		  __entry->for_cpu ? "cpu" : "device", __get_str(device))
);

DECLARE_EVENT_CLASS(portalmem_attachment,
	TP_PROTO(const struct portalmem_buffer *buffer,
		 const struct device *dev),
	TP_ARGS(buffer, dev),
	TP_STRUCT__entry(
		__field(u64, inode)
		__field(u64, size)
		__string(heap, buffer->heap->name)
		__string(device, dev_name(dev))
	),
	TP_fast_assign(
		__entry->inode = buffer->inode;
		__entry->size = portalmem_buffer_size(buffer);
		portalmem_assign_str(heap, buffer->heap->name);
		portalmem_assign_str(device, dev_name(dev));
	),
	TP_printk("inode=%llu heap=%s size=%llu device=%s", __entry->inode,
		  __get_str(heap), __entry->size, __get_str(device))
);

DEFINE_EVENT(portalmem_attachment, portalmem_attach,
	TP_PROTO(const struct portalmem_buffer *buffer,
		 const struct device *dev),
	TP_ARGS(buffer, dev)
);

DEFINE_EVENT(portalmem_attachment, portalmem_detach,
	TP_PROTO(const struct portalmem_buffer *buffer,
		 const struct device *dev),
	TP_ARGS(buffer, dev)
);

DECLARE_EVENT_CLASS(portalmem_mapping,
	TP_PROTO(const struct portalmem_buffer *buffer,
		 const struct portalmem_mapping *mapping),
	TP_ARGS(buffer, mapping),
	TP_STRUCT__entry(
		__field(u64, inode)
		__field(u64, size)
		__field(int, direction)
		__field(u32, segments)
		__field(bool, needs_sync)
		__string(heap, buffer->heap->name)
		__string(device, dev_name(mapping->dev))
	),
	TP_fast_assign(
		__entry->inode = buffer->inode;
		__entry->size = portalmem_buffer_size(buffer);
		__entry->direction = mapping->direction;
		__entry->segments = mapping->nruns;
		__entry->needs_sync = mapping->needs_sync;
		portalmem_assign_str(heap, buffer->heap->name);
		portalmem_assign_str(device, dev_name(mapping->dev));
	),
	TP_printk("inode=%llu heap=%s size=%llu device=%s direction=%s segments=%u needs_sync=%d",
		  __entry->inode, __get_str(heap), __entry->size,
		  __get_str(device),
		  portalmem_show_direction(__entry->direction),
		  __entry->segments, __entry->needs_sync)
);

DEFINE_EVENT(portalmem_mapping, portalmem_map,
	TP_PROTO(const struct portalmem_buffer *buffer,
		 const struct portalmem_mapping *mapping),
	TP_ARGS(buffer, mapping)
);

DEFINE_EVENT(portalmem_mapping, portalmem_unmap,
	TP_PROTO(const struct portalmem_buffer *buffer,
		 const struct portalmem_mapping *mapping),
	TP_ARGS(buffer, mapping)
);

DECLARE_EVENT_CLASS(portalmem_pool,
	TP_PROTO(unsigned int order, u32 caching, bool clean),
	TP_ARGS(order, caching, clean),
	TP_STRUCT__entry(
		__field(u64, size)
		__field(u32, caching)
		__field(bool, clean)
	),
	TP_fast_assign(
		__entry->size = (u64)PAGE_SIZE << order;
		__entry->caching = caching;
		__entry->clean = clean;
	),
	TP_printk("size=%llu caching=%s clean=%d", __entry->size,
		  portalmem_show_caching(__entry->caching), __entry->clean)
);

DEFINE_EVENT(portalmem_pool, portalmem_pool_take,
	TP_PROTO(unsigned int order, u32 caching, bool clean),
	TP_ARGS(order, caching, clean)
);

DEFINE_EVENT(portalmem_pool, portalmem_pool_give,
	TP_PROTO(unsigned int order, u32 caching, bool clean),
	TP_ARGS(order, caching, clean)
);

TRACE_EVENT(portalmem_pool_shrink,
	TP_PROTO(enum portalmem_pool_reason reason, unsigned long npages,
		 unsigned long left),
	TP_ARGS(reason, npages, left),
	TP_STRUCT__entry(
		__field(int, reason)
		__field(u64, freed)
		__field(u64, left)
	),
	TP_fast_assign(
		__entry->reason = reason;
		__entry->freed = (u64)npages << PAGE_SHIFT;
		__entry->left = (u64)left << PAGE_SHIFT;
	),
	TP_printk("reason=%s freed=%llu left=%llu",
		  __print_symbolic(__entry->reason,
				   { PORTALMEM_POOL_IDLE, "idle" },
				   { PORTALMEM_POOL_PRESSURE, "pressure" },
				   { PORTALMEM_POOL_TRIM, "trim" }),
		  __entry->freed, __entry->left)
);

TRACE_EVENT(portalmem_contiguous,
	TP_PROTO(unsigned long npages, const char *source, int error),
	TP_ARGS(npages, source, error),
	TP_STRUCT__entry(
		__field(u64, size)
		__field(int, error)
		__string(source, source)
	),
	TP_fast_assign(
		__entry->size = (u64)npages << PAGE_SHIFT;
		__entry->error = error;
		portalmem_assign_str(source, source);
	),
	TP_printk("size=%llu source=%s error=%d", __entry->size,
		  __get_str(source), __entry->error)
);

DECLARE_EVENT_CLASS(portalmem_region,
	TP_PROTO(const struct portalmem_heap *heap, unsigned long npages),
	TP_ARGS(heap, npages),
	TP_STRUCT__entry(
		__field(u64, size)
		__string(heap, heap->name)
	),
	TP_fast_assign(
		__entry->size = (u64)npages << PAGE_SHIFT;
		portalmem_assign_str(heap, heap->name);
	),
	TP_printk("heap=%s size=%llu", __get_str(heap), __entry->size)
);

DEFINE_EVENT(portalmem_region, portalmem_region_hold,
	TP_PROTO(const struct portalmem_heap *heap, unsigned long npages),
	TP_ARGS(heap, npages)
);

DEFINE_EVENT(portalmem_region, portalmem_region_release,
	TP_PROTO(const struct portalmem_heap *heap, unsigned long npages),
	TP_ARGS(heap, npages)
);

#endif /* _PORTALMEM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
