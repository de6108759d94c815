// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * v4l2: capture frames of a camera into shared buffers, without a copy.
 *
 *	v4l2 DEVICE [FRAMES]
 *
 * DEVICE is a video device like /dev/video0. FRAMES is how many frames to take,
 * 30 unless told. For each of them the program prints its number, its size and
 * how bright it is. Any other device or process could be given the buffer
 * instead: it is a dma-buf.
 *
 * What there is to it, in the order in which main() does it:
 *
 *  1. Set the format (set_format); the frames are as big as it says.
 *  2. Allocate a buffer for each frame and map it (allocate). Many cameras have
 *     no scatter-gather, and so the buffers are in one piece.
 *  3. Make the buffers the camera's (portalmem_v4l2_queue_open), give it all of
 *     them, and start it (start).
 *  4. Take each frame, look at it between sync calls, and give it back
 *     (capture).
 *  5. Close the queue before the buffers are given back: the camera draws no
 *     more (main).
 */
#include <fcntl.h>
#include <linux/videodev2.h>
#include <portalmem-v4l2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TYPE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define BUFFERS 4
#define TIMEOUT_MS 20000

struct camera {
	int fd;
	struct portalmem_v4l2_queue *queue;
	struct portalmem_buffer *buffers[BUFFERS];
	const unsigned char *bytes[BUFFERS]; /* as the CPU sees them */
};

/* Of the library's last call that failed. */
static bool failed_call(void)
{
	fprintf(stderr, "v4l2: %s\n", portalmem_error_message());
	return false;
}

/* Brightness and colour by turns: two bytes for each point. */
static bool set_format(const struct camera *camera)
{
	struct v4l2_format format = {
		.type = TYPE,
		.fmt.pix = {.width = 640,
			    .height = 360,
			    .pixelformat = V4L2_PIX_FMT_YUYV,
			    .field = V4L2_FIELD_ANY},
	};

	if (ioctl(camera->fd, VIDIOC_S_FMT, &format)) {
		perror("setting the format");
		return false;
	}
	/* The driver gives what it has, which may be another one. */
	if (format.fmt.pix.pixelformat != V4L2_PIX_FMT_YUYV) {
		fprintf(stderr, "v4l2: the camera has no YUYV\n");
		return false;
	}
	printf("%ux%u\n", format.fmt.pix.width, format.fmt.pix.height);
	return true;
}

static bool allocate_from(struct portalmem_device *device,
			  struct camera *camera, uint32_t size)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	void *address;

	options.name = "frame";
	for (int i = 0; i < BUFFERS; i++) {
		if (portalmem_buffer_alloc(device, size, &options,
					   &camera->buffers[i]) < 0 ||
		    portalmem_buffer_map(camera->buffers[i], 0, 0,
					 PORTALMEM_MAP_READ, &address) < 0)
			return failed_call();
		camera->bytes[i] = address;
	}
	return true;
}

static bool allocate(struct camera *camera)
{
	struct portalmem_device *device;
	uint32_t size;
	bool done;

	if (portalmem_v4l2_get_plane_sizes(camera->fd, TYPE, &size, 1) < 0 ||
	    portalmem_device_open("portalmem-contiguous", PORTALMEM_BACKEND_ANY,
				  &device) < 0)
		return failed_call();
	done = allocate_from(device, camera, size);
	/* The buffers keep what they need of it. */
	portalmem_device_unref(device);
	return done;
}

static bool start(struct camera *camera)
{
	if (portalmem_v4l2_queue_open(camera->fd, TYPE, camera->buffers,
				      BUFFERS, 1, &camera->queue) < 0)
		return failed_call();
	for (unsigned int i = 0; i < BUFFERS; i++)
		if (portalmem_v4l2_queue_give(camera->queue, i, NULL) < 0)
			return failed_call();
	if (portalmem_v4l2_queue_start(camera->queue) < 0)
		return failed_call();
	return true;
}

/* The mean of every other byte. */
static unsigned int brightness(const unsigned char *bytes, uint32_t size)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < size; i += 2)
		sum += bytes[i];
	return size ? (unsigned int)(sum * 2 / size) : 0;
}

static bool show(const struct camera *camera,
		 const struct portalmem_v4l2_frame *frame)
{
	struct portalmem_buffer *buffer = camera->buffers[frame->index];
	unsigned int mean;

	if (portalmem_buffer_sync(buffer,
				  PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ,
				  NULL, 0) < 0)
		return failed_call();
	mean = brightness(camera->bytes[frame->index], frame->used[0]);
	if (portalmem_buffer_sync(buffer,
				  PORTALMEM_SYNC_END | PORTALMEM_SYNC_READ,
				  NULL, 0) < 0)
		return failed_call();
	printf("frame %u in buffer %u: %u bytes, brightness %u%s\n",
	       frame->sequence, frame->index, frame->used[0], mean,
	       frame->flags & PORTALMEM_V4L2_FRAME_IS_BROKEN ? ", broken" : "");
	return true;
}

static bool capture(struct camera *camera, int count)
{
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;

	for (int i = 0; i < count; i++) {
		if (portalmem_v4l2_queue_take(camera->queue, TIMEOUT_MS,
					      &frame) < 0)
			return failed_call();
		if (!show(camera, &frame))
			return false;
		if (portalmem_v4l2_queue_give(camera->queue, frame.index,
					      NULL) < 0)
			return failed_call();
	}
	return true;
}

int main(int argc, char **argv)
{
	struct camera camera = {.fd = -1};
	bool done;

	if (argc < 2 || argc > 3) {
		fprintf(stderr, "usage: v4l2 DEVICE [FRAMES]\n");
		return 2;
	}
	camera.fd = open(argv[1], O_RDWR | O_CLOEXEC);
	if (camera.fd < 0) {
		perror(argv[1]);
		return 1;
	}
	done = set_format(&camera) && allocate(&camera) && start(&camera) &&
	       capture(&camera, argc > 2 ? atoi(argv[2]) : 30);
	portalmem_v4l2_queue_close(camera.queue);
	for (int i = 0; i < BUFFERS; i++)
		portalmem_buffer_unref(camera.buffers[i]);
	close(camera.fd);
	return done ? 0 : 1;
}
