// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/portalmem.h>
#include <linux/sync_file.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#ifdef WITH_DRM
#include <drm.h>
#endif

#include "fake.h"
#include "unit.h"

/* The kernel's headers before 6.0 have not these two. */
#ifndef DMA_BUF_IOCTL_EXPORT_SYNC_FILE
struct dma_buf_export_sync_file {
	uint32_t flags;
	int32_t fd;
};
#define DMA_BUF_IOCTL_EXPORT_SYNC_FILE \
	_IOWR(DMA_BUF_BASE, 2, struct dma_buf_export_sync_file)
#define DMA_BUF_IOCTL_IMPORT_SYNC_FILE \
	_IOW(DMA_BUF_BASE, 3, struct dma_buf_export_sync_file)
#endif

static int node, buffer, attachment, fence;

/* The camera. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards the rest */
static bool streams;
static unsigned int queued[VIDEO_MAX_FRAME]; /* indices, the oldest first */
static unsigned int queued_count;

static int duplicate(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}

int fake_open_node(void)
{
	return duplicate(node);
}

int fake_open_buffer(void)
{
	return duplicate(buffer);
}

int fake_open_attachment(void)
{
	return duplicate(attachment);
}

int fake_open_fence(void)
{
	return duplicate(fence);
}

/* Put a new descriptor of FD where a reply has it. */
static int give(int fd, int32_t *to)
{
	int copy = duplicate(fd);

	if (copy < 0)
		return copy;
	*to = copy;
	return 0;
}

static int check_buffer(int fd)
{
	if (fcntl(fd, F_GETFD) < 0)
		return -EBADF;
	return mock_is(fd, MOCK_BUFFER) ? 0 : -EINVAL;
}

static int describe(struct portalmem_ioc_info *info)
{
	int ret = check_buffer(info->fd);

	info->size = FAKE_SIZE;
	info->caching = PORTALMEM_DEFAULT;
	info->effective = PORTALMEM_CACHED;
	info->segments = FAKE_SEGMENTS;
	return ret;
}

/* How many of a table the caller has room for. */
static uint32_t part_of_table(uint32_t first, uint32_t count)
{
	uint32_t left = first < FAKE_SEGMENTS ? FAKE_SEGMENTS - first : 0;

	return count < left ? count : left;
}

static int list_segments(struct portalmem_ioc_segments *table)
{
	struct portalmem_ioc_segment *to =
		(struct portalmem_ioc_segment *)(uintptr_t)table->segments;
	int ret = check_buffer(table->fd);

	if (ret)
		return ret;
	table->count = part_of_table(table->first, table->count);
	table->total = FAKE_SEGMENTS;
	for (uint32_t i = 0; i < table->count; i++)
		to[i] = (struct portalmem_ioc_segment){
			.offset =
				(table->first + i) * FAKE_SIZE / FAKE_SEGMENTS,
			.length = FAKE_SIZE / FAKE_SEGMENTS};
	return 0;
}

static int list_dma_segments(struct portalmem_ioc_dma_segments *table)
{
	struct portalmem_ioc_dma_segment *to =
		(struct portalmem_ioc_dma_segment *)(uintptr_t)table->segments;

	table->count = part_of_table(table->first, table->count);
	table->total = FAKE_SEGMENTS;
	for (uint32_t i = 0; i < table->count; i++)
		to[i] = (struct portalmem_ioc_dma_segment){
			.offset =
				(table->first + i) * FAKE_SIZE / FAKE_SEGMENTS,
			.length = FAKE_SIZE / FAKE_SEGMENTS};
	return 0;
}

static int describe_heap(struct portalmem_ioc_heap *heap)
{
	*heap = (struct portalmem_ioc_heap){
		.caching = PORTALMEM_CACHED,
		.cachings = 1 << PORTALMEM_CACHED,
		.features = PORTALMEM_HEAP_PINNABLE,
		.available = FAKE_SIZE,
		.largest = FAKE_SIZE,
		.name = "fake",
	};
	return 0;
}

static int import_memory(struct portalmem_ioc_import_user *import)
{
	if (import->address + import->size < import->address)
		return -EINVAL;
	return import->size > FAKE_SIZE ? -ENOMEM : give(buffer, &import->fd);
}

static int attach(struct portalmem_ioc_attach *request)
{
	int ret = check_buffer(request->buffer);

	return ret ? ret : give(attachment, &request->fd);
}

static int set_format(struct v4l2_format *format)
{
	format->fmt.pix.sizeimage = 4096;
	return 0;
}

static int set_streaming(bool on)
{
	pthread_mutex_lock(&lock);
	streams = on;
	if (!on)
		queued_count = 0;
	pthread_mutex_unlock(&lock);
	return 0;
}

static int queue_frame(const struct v4l2_buffer *frame)
{
	int ret = check_buffer(frame->m.fd);

	pthread_mutex_lock(&lock);
	for (unsigned int i = 0; i < queued_count; i++)
		if (queued[i] == frame->index)
			ret = -EINVAL;
	if (!ret)
		queued[queued_count++] = frame->index;
	pthread_mutex_unlock(&lock);
	return ret;
}

static int dequeue_frame(struct v4l2_buffer *frame)
{
	int ret = 0;

	pthread_mutex_lock(&lock);
	if (!streams) {
		ret = -EINVAL;
	} else if (!queued_count) {
		ret = -EAGAIN;
	} else {
		frame->index = queued[0];
		queued_count--;
		memmove(queued, queued + 1, queued_count * sizeof(queued[0]));
	}
	pthread_mutex_unlock(&lock);
	return ret;
}

static short find_ready(void)
{
	short events = 0;

	pthread_mutex_lock(&lock);
	if (!streams)
		events = POLLERR;
	else if (queued_count)
		events = POLLIN;
	pthread_mutex_unlock(&lock);
	return events;
}

static int answer_camera(unsigned long request, void *argument)
{
	switch ((uint32_t)request) {
	case (uint32_t)VIDIOC_G_FMT:
		return set_format(argument);
	case (uint32_t)VIDIOC_REQBUFS:
		return 0;
	case (uint32_t)VIDIOC_STREAMON:
		return set_streaming(true);
	case (uint32_t)VIDIOC_STREAMOFF:
		return set_streaming(false);
	case (uint32_t)VIDIOC_QBUF:
		return queue_frame(argument);
	case (uint32_t)VIDIOC_DQBUF:
		return dequeue_frame(argument);
	}
	return -ENOTTY;
}

#ifdef WITH_DRM
static int answer_drm(unsigned long request, void *argument)
{
	struct drm_prime_handle *prime = argument;

	switch ((uint32_t)request) {
	case (uint32_t)DRM_IOCTL_GET_CAP:
		((struct drm_get_cap *)argument)->value = DRM_PRIME_CAP_IMPORT |
							  DRM_PRIME_CAP_EXPORT;
		return 0;
	case (uint32_t)DRM_IOCTL_PRIME_FD_TO_HANDLE:
		prime->handle = FAKE_HANDLE;
		return check_buffer(prime->fd);
	case (uint32_t)DRM_IOCTL_PRIME_HANDLE_TO_FD:
		return prime->handle == FAKE_HANDLE ? give(buffer, &prime->fd)
						    : -ENOENT;
	case (uint32_t)DRM_IOCTL_GEM_CLOSE:
		return ((struct drm_gem_close *)argument)->handle == FAKE_HANDLE
			       ? 0
			       : -EINVAL;
	}
	return answer_camera(request, argument);
}
#else
static int answer_drm(unsigned long request, void *argument)
{
	return answer_camera(request, argument);
}
#endif

static int answer_node(unsigned long request, void *argument)
{
	struct portalmem_ioc_alloc *alloc = argument;

	switch ((uint32_t)request) {
	case (uint32_t)PORTALMEM_IOC_VERSION:
		((struct portalmem_ioc_version *)argument)->abi =
			PORTALMEM_ABI_VERSION;
		return 0;
	case (uint32_t)PORTALMEM_IOC_ALLOC:
		alloc->effective = PORTALMEM_CACHED;
		return alloc->size > FAKE_SIZE ? -ENOMEM
					       : give(buffer, &alloc->fd);
	case (uint32_t)PORTALMEM_IOC_INFO:
		return describe(argument);
	case (uint32_t)PORTALMEM_IOC_SYNC:
		return check_buffer(
			((struct portalmem_ioc_sync *)argument)->fd);
	case (uint32_t)PORTALMEM_IOC_SEGMENTS:
		return list_segments(argument);
	case (uint32_t)PORTALMEM_IOC_HEAP:
		return describe_heap(argument);
	case (uint32_t)PORTALMEM_IOC_TRIM:
		((struct portalmem_ioc_trim *)argument)->freed = 4096;
		return 0;
	case (uint32_t)PORTALMEM_IOC_ATTACH:
		return attach(argument);
	case (uint32_t)PORTALMEM_IOC_IMPORT_USER:
		return import_memory(argument);
	case (uint32_t)PORTALMEM_IOC_HOLDERS:
		((struct portalmem_ioc_holders *)argument)->references = 1;
		return check_buffer(
			((struct portalmem_ioc_holders *)argument)->fd);
	}
	return answer_drm(request, argument);
}

static int answer_attachment(unsigned long request, void *argument)
{
	struct portalmem_ioc_attachment *info = argument;

	switch ((uint32_t)request) {
	case (uint32_t)PORTALMEM_IOC_ATTACHMENT:
		info->direction = PORTALMEM_BIDIRECTIONAL;
		info->segments = FAKE_SEGMENTS;
		info->size = FAKE_SIZE;
		return 0;
	case (uint32_t)PORTALMEM_IOC_DMA_SEGMENTS:
		return list_dma_segments(argument);
	case (uint32_t)PORTALMEM_IOC_SYNC:
		return 0;
	}
	return -ENOTTY;
}

static int answer_buffer(unsigned long request, void *argument)
{
	switch ((uint32_t)request) {
	case (uint32_t)DMA_BUF_IOCTL_SYNC:
	case (uint32_t)DMA_BUF_SET_NAME:
	case (uint32_t)DMA_BUF_IOCTL_IMPORT_SYNC_FILE:
		return 0;
	case (uint32_t)DMA_BUF_IOCTL_EXPORT_SYNC_FILE:
		return give(fence,
			    &((struct dma_buf_export_sync_file *)argument)->fd);
	}
	return -ENOTTY;
}

static int answer(enum mock_target on, unsigned long request, void *argument)
{
	switch (on) {
	case MOCK_NODE:
		return answer_node(request, argument);
	case MOCK_ATTACHMENT:
		return answer_attachment(request, argument);
	case MOCK_BUFFER:
		return answer_buffer(request, argument);
	default:
		return (uint32_t)request == (uint32_t)SYNC_IOC_FILE_INFO
			       ? 0
			       : -ENOTTY;
	}
}

static int open_path(const char *path)
{
	return strcmp(path, "/dev/portalmem") ? -ENOENT : fake_open_node();
}

void fake_start(void)
{
	static const struct mock_kernel kernel = {open_path, answer,
						  find_ready};

	node = mock_new_node();
	buffer = mock_new_dmabuf(FAKE_SIZE);
	attachment = mock_new_attachment();
	fence = mock_new_fence();
	mock_use_kernel(&kernel);
}

void fake_stop(void)
{
	mock_use_kernel(NULL);
	close(node);
	close(buffer);
	close(attachment);
	close(fence);
}
