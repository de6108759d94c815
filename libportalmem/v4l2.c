// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "portalmem-v4l2.h"

#ifndef DMA_BUF_MAGIC
#define DMA_BUF_MAGIC 0x444d4142
#endif

_Static_assert(PORTALMEM_V4L2_PLANES_MAX == VIDEO_MAX_PLANES,
	       "a frame has room for what the kernel's has");

struct portalmem_v4l2_queue {
	/*
	 * Held over each call that changes what the driver has, so that no
	 * frame can go between a poll() that finds it and its VIDIOC_DQBUF,
	 * which would then wait.
	 */
	pthread_mutex_t lock;
	int fd;
	uint32_t type;
	uint32_t field;
	unsigned int frames;
	unsigned int planes;
	uint32_t sizes[PORTALMEM_V4L2_PLANES_MAX]; /* the format's */
	struct portalmem_buffer *buffers[];	   /* frame after frame */
};

/* What the device's format says. */
struct layout {
	unsigned int planes;
	uint32_t sizes[PORTALMEM_V4L2_PLANES_MAX];
	uint32_t field;
};

static int call(int fd, unsigned long request, void *argument)
{
	int ret;

	do
		ret = ioctl(fd, request, argument);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

/* Is it a dma-buf? -EOPNOTSUPP otherwise. The buffer's file is a known one. */
static int check_dmabuf(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return -errno;
	return (unsigned long)fs.f_type == DMA_BUF_MAGIC ? 0 : -EOPNOTSUPP;
}

static bool is_multiplanar(uint32_t type)
{
	return type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE ||
	       type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
}

static bool is_output(uint32_t type)
{
	return type == V4L2_BUF_TYPE_VIDEO_OUTPUT ||
	       type == V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
}

static bool is_known_type(uint32_t type)
{
	return type == V4L2_BUF_TYPE_VIDEO_CAPTURE || is_multiplanar(type) ||
	       is_output(type);
}

static const char *device_advice(int error)
{
	switch (error) {
	case -ENODEV:
		return "the device is gone: close the queue";
	case -EIO:
		return "the device failed: close the queue";
	case -EBUSY:
		return "another queue or program uses the device";
	case -EOPNOTSUPP:
		return "give a video device that takes dma-bufs";
	default:
		return NULL;
	}
}

static int fail_on(int fd, int error, const char *what)
{
	return pm_fail(error, device_advice(error),
		       "cannot %s the video device at file descriptor %d", what,
		       fd);
}

static int fail_frame(int error, const char *advice, const char *what,
		      unsigned int index)
{
	return pm_fail(error, advice ? advice : device_advice(error),
		       "cannot give frame %u to the video device: %s", index,
		       what);
}

/* Read the format of a type that is known. */
static int read_layout(int fd, uint32_t type, struct layout *layout)
{
	struct v4l2_format format = {.type = type};
	const struct v4l2_pix_format_mplane *planes = &format.fmt.pix_mp;
	int ret = call(fd, VIDIOC_G_FMT, &format);

	/* A file that is no video device does not know the call. */
	if (ret == -ENOTTY)
		return -EOPNOTSUPP;
	if (ret)
		return ret;
	if (!is_multiplanar(type)) {
		layout->planes = 1;
		layout->sizes[0] = format.fmt.pix.sizeimage;
		layout->field = format.fmt.pix.field;
		return 0;
	}
	if (!planes->num_planes || planes->num_planes > VIDEO_MAX_PLANES)
		return -EIO;
	layout->planes = planes->num_planes;
	layout->field = planes->field;
	for (unsigned int i = 0; i < layout->planes; i++)
		layout->sizes[i] = planes->plane_fmt[i].sizeimage;
	return 0;
}

/* Leaves a text on failure. */
static int get_layout(int fd, uint32_t type, struct layout *layout)
{
	int ret;

	if (!is_known_type(type))
		return pm_refuse(-EINVAL,
				 "cannot use buffers of type %u: only video "
				 "capture and output are known",
				 type);
	ret = read_layout(fd, type, layout);
	if (ret == -EINVAL)
		return pm_fail(ret,
			       "the device has no such type: single-plane and "
			       "multi-plane are two",
			       "cannot read the format for buffers of type %u",
			       type);
	return ret ? fail_on(fd, ret, "read the format of") : 0;
}

PM_EXPORT int portalmem_v4l2_get_plane_sizes(int fd, uint32_t type,
					     uint32_t *sizes,
					     unsigned int count)
{
	struct layout layout = {0};
	int ret;

	if (count && !sizes)
		return pm_refuse(-EINVAL, "cannot read the plane sizes: no "
					  "place for them was given (NULL)");
	ret = get_layout(fd, type, &layout);
	if (ret)
		return ret;
	for (unsigned int i = 0; i < count && i < layout.planes; i++)
		sizes[i] = layout.sizes[i];
	return (int)layout.planes;
}

/* The same memory twice would be written twice. */
static int check_different(struct portalmem_buffer *const *buffers,
			   unsigned int count)
{
	ino_t inodes[PORTALMEM_V4L2_FRAMES_MAX * PORTALMEM_V4L2_PLANES_MAX];
	struct stat st;

	for (unsigned int i = 0; i < count; i++) {
		if (fstat(portalmem_buffer_get_fd(buffers[i]), &st))
			return pm_fail(-errno, NULL,
				       "cannot open a video queue");
		inodes[i] = st.st_ino;
		for (unsigned int k = 0; k < i; k++)
			if (inodes[k] == inodes[i])
				return pm_refuse(-EINVAL,
						 "cannot open a video queue: "
						 "buffers %u and %u are the "
						 "same",
						 k, i);
	}
	return 0;
}

static int check_buffer(struct portalmem_buffer *buffer, unsigned int index)
{
	int ret;

	if (!buffer)
		return pm_refuse(-EINVAL,
				 "cannot open a video queue: buffer %u was not "
				 "given (NULL)",
				 index);
	ret = check_dmabuf(portalmem_buffer_get_fd(buffer));
	if (ret == -EOPNOTSUPP)
		return pm_refuse(ret,
				 "cannot open a video queue: buffer %u is not "
				 "a dma-buf; allocate it from another backend "
				 "than memfd",
				 index);
	return ret ? pm_fail(ret, NULL,
			     "cannot open a video queue with buffer %u", index)
		   : 0;
}

static int check_buffers(struct portalmem_buffer *const *buffers,
			 unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		int ret = check_buffer(buffers[i], i);

		if (ret)
			return ret;
	}
	return check_different(buffers, count);
}

/* Do the buffers have room for what the format says? */
static int check_layout(const struct layout *layout,
			struct portalmem_buffer *const *buffers,
			unsigned int frames, unsigned int planes)
{
	if (planes != layout->planes)
		return pm_refuse(-EINVAL,
				 "cannot open a video queue: a frame of the "
				 "format has %u planes, and not %u",
				 layout->planes, planes);
	for (unsigned int i = 0; i < frames * planes; i++) {
		uint64_t size = portalmem_buffer_get_size(buffers[i]);

		if (size < layout->sizes[i % planes])
			return pm_refuse(-EINVAL,
					 "cannot open a video queue: buffer %u "
					 "has %llu bytes, and its plane takes "
					 "%u",
					 i, (unsigned long long)size,
					 layout->sizes[i % planes]);
	}
	return 0;
}

/* Ask the driver for places for so many frames; with 0 they end. */
static int request_places(int fd, uint32_t type, unsigned int *frames)
{
	struct v4l2_requestbuffers request = {
		.count = *frames,
		.type = type,
		.memory = V4L2_MEMORY_DMABUF,
	};
	int ret = call(fd, VIDIOC_REQBUFS, &request);

	/* The type is one that the device has: it is the memory. */
	if (ret == -EINVAL || ret == -ENOTTY)
		return -EOPNOTSUPP;
	*frames = request.count;
	return ret;
}

static void give_up_places(int fd, uint32_t type)
{
	unsigned int none = 0;

	request_places(fd, type, &none);
}

/* Leaves a text on failure. */
static int get_places(int fd, uint32_t type, unsigned int frames)
{
	unsigned int got = frames;
	int ret = request_places(fd, type, &got);

	if (ret)
		return fail_on(fd, ret, "get places for frames from");
	if (got == frames)
		return 0;
	give_up_places(fd, type);
	return pm_refuse(-ENOBUFS,
			 "cannot open a video queue: the device takes %s %u "
			 "frames, and not %u",
			 got > frames ? "at least" : "at most", got, frames);
}

static struct portalmem_v4l2_queue *
new_queue(uint32_t type, const struct layout *layout,
	  struct portalmem_buffer *const *buffers, unsigned int frames)
{
	unsigned int count = frames * layout->planes;
	struct portalmem_v4l2_queue *queue;

	queue = calloc(1, sizeof(*queue) + count * sizeof(queue->buffers[0]));
	if (!queue)
		return NULL;
	pthread_mutex_init(&queue->lock, NULL);
	queue->type = type;
	queue->field = layout->field;
	queue->frames = frames;
	queue->planes = layout->planes;
	for (unsigned int i = 0; i < layout->planes; i++)
		queue->sizes[i] = layout->sizes[i];
	for (unsigned int i = 0; i < count; i++)
		queue->buffers[i] = portalmem_buffer_ref(buffers[i]);
	return queue;
}

static void free_queue(struct portalmem_v4l2_queue *queue)
{
	for (unsigned int i = 0; i < queue->frames * queue->planes; i++)
		portalmem_buffer_unref(queue->buffers[i]);
	pthread_mutex_destroy(&queue->lock);
	free(queue);
}

static int open_checked(int fd, uint32_t type, const struct layout *layout,
			struct portalmem_buffer *const *buffers,
			unsigned int frames,
			struct portalmem_v4l2_queue **queuep)
{
	struct portalmem_v4l2_queue *queue;
	int ret;

	queue = new_queue(type, layout, buffers, frames);
	if (!queue)
		return pm_fail(-ENOMEM, NULL, "cannot open a video queue");
	queue->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (queue->fd < 0) {
		ret = pm_fail(-errno, NULL, "cannot open a video queue");
		goto err_free;
	}
	ret = get_places(queue->fd, type, frames);
	if (ret)
		goto err_close;
	*queuep = queue;
	return 0;

err_close:
	close(queue->fd);
err_free:
	free_queue(queue);
	return ret;
}

PM_EXPORT int portalmem_v4l2_queue_open(int fd, uint32_t type,
					struct portalmem_buffer *const *buffers,
					unsigned int frames,
					unsigned int planes,
					struct portalmem_v4l2_queue **queuep)
{
	struct layout layout = {0};
	int ret;

	if (!buffers || !queuep)
		return pm_refuse(-EINVAL, "cannot open a video queue: no "
					  "buffers or no place for the result "
					  "was given (NULL)");
	if (!frames || frames > PORTALMEM_V4L2_FRAMES_MAX || !planes ||
	    planes > PORTALMEM_V4L2_PLANES_MAX)
		return pm_refuse(-EINVAL,
				 "cannot open a video queue of %u frames of %u "
				 "planes: give 1 to %u of 1 to %u",
				 frames, planes, PORTALMEM_V4L2_FRAMES_MAX,
				 PORTALMEM_V4L2_PLANES_MAX);
	ret = check_buffers(buffers, frames * planes);
	if (!ret)
		ret = get_layout(fd, type, &layout);
	if (!ret)
		ret = check_layout(&layout, buffers, frames, planes);
	if (ret)
		return ret;
	return open_checked(fd, type, &layout, buffers, frames, queuep);
}

static int stream(const struct portalmem_v4l2_queue *queue,
		  unsigned long request)
{
	int type = (int)queue->type;

	return call(queue->fd, request, &type);
}

PM_EXPORT void portalmem_v4l2_queue_close(struct portalmem_v4l2_queue *queue)
{
	if (!queue)
		return;
	/* Of a device that is gone nothing is to be taken. */
	stream(queue, VIDIOC_STREAMOFF);
	give_up_places(queue->fd, queue->type);
	close(queue->fd);
	free_queue(queue);
}

/* What VIDIOC_QBUF has no more bits for is not of use to it. */
static uint32_t buffer_length(const struct portalmem_buffer *buffer)
{
	uint64_t size = portalmem_buffer_get_size(buffer);

	return size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;
}

static int check_used(const struct portalmem_v4l2_queue *queue,
		      struct portalmem_buffer *const *buffers,
		      unsigned int index, const uint32_t *used)
{
	if (!used)
		return 0;
	if (!is_output(queue->type))
		return fail_frame(-EINVAL, "give NULL",
				  "it captures, and takes no bytes", index);
	for (unsigned int i = 0; i < queue->planes; i++)
		if (used[i] > portalmem_buffer_get_size(buffers[i]))
			return fail_frame(-EINVAL, "give less",
					  "more bytes used than a plane's "
					  "buffer has",
					  index);
	return 0;
}

static int queue_frame(struct portalmem_v4l2_queue *queue,
		       struct portalmem_buffer *const *buffers,
		       unsigned int index, const uint32_t *used)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
	struct v4l2_buffer buffer = {
		.index = index,
		.type = queue->type,
		.memory = V4L2_MEMORY_DMABUF,
	};
	int ret;

	for (unsigned int i = 0; i < queue->planes; i++) {
		planes[i].m.fd = portalmem_buffer_get_fd(buffers[i]);
		planes[i].length = buffer_length(buffers[i]);
		if (is_output(queue->type))
			planes[i].bytesused = used ? used[i] : queue->sizes[i];
	}
	if (is_output(queue->type))
		buffer.field = queue->field;
	if (is_multiplanar(queue->type)) {
		buffer.m.planes = planes;
		buffer.length = queue->planes;
	} else {
		buffer.m.fd = planes[0].m.fd;
		buffer.length = planes[0].length;
		buffer.bytesused = planes[0].bytesused;
	}
	pthread_mutex_lock(&queue->lock);
	ret = call(queue->fd, VIDIOC_QBUF, &buffer);
	pthread_mutex_unlock(&queue->lock);
	return ret;
}

PM_EXPORT int portalmem_v4l2_queue_give(struct portalmem_v4l2_queue *queue,
					unsigned int index,
					const uint32_t *used)
{
	struct portalmem_buffer *const *buffers;
	int ret;

	if (!queue)
		return pm_refuse(-EINVAL, "cannot give a frame to a video "
					  "device: no queue was given (NULL)");
	if (index >= queue->frames)
		return pm_refuse(-EINVAL,
				 "cannot give frame %u to the video device: "
				 "the queue has %u",
				 index, queue->frames);
	buffers = queue->buffers + (size_t)index * queue->planes;
	ret = check_used(queue, buffers, index, used);
	if (ret)
		return ret;
	ret = queue_frame(queue, buffers, index, used);
	if (ret)
		return fail_frame(ret,
				  ret == -EINVAL || ret == -EFAULT
					  ? "the device has it already, or "
					    "wants each buffer in one piece "
					    "(portalmem-contiguous)"
					  : NULL,
				  "the driver refuses it", index);
	return 0;
}

/* Tell of a frame that the driver handed out, if it can be true. */
static int describe(const struct portalmem_v4l2_queue *queue,
		    const struct v4l2_buffer *buffer,
		    const struct v4l2_plane *planes,
		    struct portalmem_v4l2_frame *frame)
{
	struct portalmem_v4l2_frame found = PORTALMEM_V4L2_FRAME_INIT;

	if (buffer->index >= queue->frames)
		return -EIO;
	found.index = buffer->index;
	found.sequence = buffer->sequence;
	found.timestamp = (uint64_t)buffer->timestamp.tv_sec * 1000000000U +
			  (uint64_t)buffer->timestamp.tv_usec * 1000U;
	if (buffer->flags & V4L2_BUF_FLAG_ERROR)
		found.flags |= PORTALMEM_V4L2_FRAME_IS_BROKEN;
	if (buffer->flags & V4L2_BUF_FLAG_LAST)
		found.flags |= PORTALMEM_V4L2_FRAME_IS_LAST;
	found.planes = queue->planes;
	for (unsigned int i = 0; i < queue->planes; i++) {
		unsigned int at = buffer->index * queue->planes + i;

		found.offset[i] = planes[i].data_offset;
		found.used[i] = planes[i].bytesused;
		/* Who believes it reads up to there. */
		if (found.used[i] >
			    portalmem_buffer_get_size(queue->buffers[at]) ||
		    (found.used[i] && found.offset[i] > found.used[i]))
			return -EIO;
	}
	*frame = found;
	return 0;
}

static int dequeue_frame(const struct portalmem_v4l2_queue *queue,
			 struct portalmem_v4l2_frame *frame)
{
	struct v4l2_plane planes[VIDEO_MAX_PLANES] = {0};
	struct v4l2_buffer buffer = {
		.type = queue->type,
		.memory = V4L2_MEMORY_DMABUF,
	};
	int ret;

	if (is_multiplanar(queue->type)) {
		buffer.m.planes = planes;
		buffer.length = VIDEO_MAX_PLANES;
	}
	ret = call(queue->fd, VIDIOC_DQBUF, &buffer);
	if (ret)
		return ret;
	if (!is_multiplanar(queue->type))
		planes[0].bytesused = buffer.bytesused;
	return describe(queue, &buffer, planes, frame);
}

/* Wait until there is something to dequeue; 0 when there is nothing. */
static int wait_for_frame(const struct portalmem_v4l2_queue *queue, int timeout,
			  short *revents)
{
	struct pollfd ready = {
		.fd = queue->fd,
		.events = is_output(queue->type) ? POLLOUT : POLLIN,
	};
	int ret = poll(&ready, 1, timeout);

	*revents = ready.revents;
	return ret < 0 ? -errno : ret;
}

/*
 * Take a frame if there is one now; -EAGAIN when there is none. The driver does
 * not wait, whatever the descriptor's mode is: a frame that poll() has found
 * cannot go to anybody else, and on an error VIDIOC_DQBUF tells it.
 */
static int take_now(struct portalmem_v4l2_queue *queue,
		    struct portalmem_v4l2_frame *frame)
{
	short revents;
	int ret;

	pthread_mutex_lock(&queue->lock);
	ret = wait_for_frame(queue, 0, &revents);
	if (ret > 0) {
		ret = dequeue_frame(queue, frame);
		/* An error that the driver does not tell is not waited for. */
		if (ret == -EAGAIN && revents & (POLLERR | POLLHUP | POLLNVAL))
			ret = -EIO;
	} else if (!ret || ret == -EINTR) {
		ret = -EAGAIN;
	}
	pthread_mutex_unlock(&queue->lock);
	return ret;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int take(struct portalmem_v4l2_queue *queue, int timeout_ms,
		struct portalmem_v4l2_frame *frame)
{
	int64_t end = timeout_ms > 0 ? now_ms() + timeout_ms : 0;
	int left = timeout_ms;
	short revents;
	int ret;

	for (;;) {
		ret = take_now(queue, frame);
		if (ret != -EAGAIN)
			return ret;
		if (timeout_ms > 0) {
			int64_t rest = end - now_ms();

			left = rest > 0 ? (int)rest : 0;
		}
		if (!left)
			return -ETIMEDOUT;
		ret = wait_for_frame(queue, left, &revents);
		if (ret < 0 && ret != -EINTR)
			return ret;
	}
}

static const char *take_advice(int error)
{
	switch (error) {
	case -EINVAL:
		return "give frames and start first";
	case -EPIPE:
		return "the last frame has been taken: stop";
	case -ETIMEDOUT:
		return "wait longer, or see that the device has frames";
	default:
		return device_advice(error);
	}
}

PM_EXPORT int portalmem_v4l2_queue_take(struct portalmem_v4l2_queue *queue,
					int timeout_ms,
					struct portalmem_v4l2_frame *frame)
{
	int ret;

	if (!queue || !frame)
		return pm_refuse(-EINVAL, "cannot take a frame: no queue or no "
					  "place for the result was given "
					  "(NULL)");
	if (frame->struct_size != sizeof(*frame))
		return pm_refuse(-EINVAL,
				 "cannot take a frame: the frame was not "
				 "initialized; start from "
				 "PORTALMEM_V4L2_FRAME_INIT");
	if (timeout_ms < -1)
		return pm_refuse(-EINVAL,
				 "cannot take a frame within %d ms: give -1, "
				 "0 or more",
				 timeout_ms);
	ret = take(queue, timeout_ms, frame);
	return ret ? pm_fail(ret, take_advice(ret),
			     "cannot take a frame from the video device at "
			     "file descriptor %d",
			     queue->fd)
		   : 0;
}

PM_EXPORT int portalmem_v4l2_queue_start(struct portalmem_v4l2_queue *queue)
{
	int ret;

	if (!queue)
		return pm_refuse(-EINVAL, "cannot start a video device: no "
					  "queue was given (NULL)");
	pthread_mutex_lock(&queue->lock);
	ret = stream(queue, VIDIOC_STREAMON);
	pthread_mutex_unlock(&queue->lock);
	return ret ? fail_on(queue->fd, ret, "start") : 0;
}

PM_EXPORT int portalmem_v4l2_queue_stop(struct portalmem_v4l2_queue *queue)
{
	int ret;

	if (!queue)
		return pm_refuse(-EINVAL, "cannot stop a video device: no "
					  "queue was given (NULL)");
	pthread_mutex_lock(&queue->lock);
	ret = stream(queue, VIDIOC_STREAMOFF);
	pthread_mutex_unlock(&queue->lock);
	return ret ? fail_on(queue->fd, ret, "stop") : 0;
}
