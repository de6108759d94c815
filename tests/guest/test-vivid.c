// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vivid, a camera made of software, as an importer that wants each buffer in
 * one piece: it streams into buffers of the contiguous heap and refuses
 * scattered ones.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <portalmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

#define BUFFERS 3
#define FRAMES 8

/* With the allocator for devices that want one piece of memory. */
static int open_camera(void)
{
	guest_shell("modprobe vivid n_devs=1 allocators=1");
	for (int i = 0; i < 16; i++) {
		struct v4l2_capability capability;
		char path[32];
		int fd;

		snprintf(path, sizeof(path), "/dev/video%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, VIDIOC_QUERYCAP, &capability) &&
		    !strcmp((char *)capability.driver, "vivid") &&
		    capability.device_caps & V4L2_CAP_VIDEO_CAPTURE)
			return fd;
		close(fd);
	}
	ck_abort_msg("there is no camera");
}

/* Set a small format and give the size of its frames. */
static uint32_t set_format(int camera)
{
	struct v4l2_format format = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.fmt.pix = {.width = 320,
			    .height = 180,
			    .pixelformat = V4L2_PIX_FMT_YUYV,
			    .field = V4L2_FIELD_NONE},
	};

	ck_assert_msg(!ioctl(camera, VIDIOC_S_FMT, &format), "%s",
		      strerror(errno));
	return format.fmt.pix.sizeimage;
}

static void request_buffers(int camera, unsigned int count)
{
	struct v4l2_requestbuffers request = {
		.count = count,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
	};

	ck_assert_msg(!ioctl(camera, VIDIOC_REQBUFS, &request), "%s",
		      strerror(errno));
	ck_assert_uint_eq(request.count, count);
}

static int queue(int camera, unsigned int index, int fd)
{
	struct v4l2_buffer buffer = {
		.index = index,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
		.m.fd = fd,
	};

	return ioctl(camera, VIDIOC_QBUF, &buffer) ? errno : 0;
}

static struct v4l2_buffer dequeue(int camera)
{
	struct v4l2_buffer buffer = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
	};
	struct pollfd ready = {.fd = camera, .events = POLLIN};

	ck_assert_int_eq(poll(&ready, 1, 20000), 1);
	ck_assert_msg(!ioctl(camera, VIDIOC_DQBUF, &buffer), "%s",
		      strerror(errno));
	return buffer;
}

static int count_zeroes(const unsigned char *from, size_t size)
{
	int zeroes = 0;

	for (size_t i = 0; i < size; i++)
		zeroes += !from[i];
	return zeroes;
}

START_TEST(a_camera_streams_into_contiguous_buffers)
{
	int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
	int camera, fds[BUFFERS];
	unsigned char *maps[BUFFERS];
	uint32_t size, last = 0;

	camera = open_camera();
	size = set_format(camera);
	request_buffers(camera, BUFFERS);
	for (int i = 0; i < BUFFERS; i++) {
		fds[i] =
			guest_alloc_from(GUEST_CONTIGUOUS_NODE,
					 guest_request(size, PORTALMEM_CACHED));
		maps[i] = guest_map(fds[i], size);
		ck_assert_int_eq(queue(camera, i, fds[i]), 0);
	}
	ck_assert_int_eq(ioctl(camera, VIDIOC_STREAMON, &type), 0);
	for (int i = 0; i < FRAMES; i++) {
		struct v4l2_buffer frame = dequeue(camera);

		ck_assert_uint_eq(frame.bytesused, size);
		ck_assert_uint_eq(frame.flags & V4L2_BUF_FLAG_ERROR, 0);
		ck_assert(!i || frame.sequence > last);
		last = frame.sequence;
		/* A picture, and not the zeroes that the buffer began with. */
		ck_assert_int_lt(count_zeroes(maps[frame.index], size),
				 (int)size / 2);
		memset(maps[frame.index], 0, size);
		ck_assert_int_eq(queue(camera, frame.index, fds[frame.index]),
				 0);
	}
	ck_assert_int_eq(ioctl(camera, VIDIOC_STREAMOFF, &type), 0);
	for (int i = 0; i < BUFFERS; i++) {
		munmap(maps[i], size);
		close(fds[i]);
	}
	close(camera);
}
END_TEST

/* A buffer of more than one segment. */
static int alloc_scattered(uint64_t size)
{
	int fds[64], fd = -1;
	int count = 0;

	while (count < 64) {
		fd = guest_alloc(size, PORTALMEM_CACHED);
		if (guest_info(fd).segments > 1)
			break;
		fds[count++] = fd;
	}
	ck_assert_int_lt(count, 64);
	while (count--)
		close(fds[count]);
	return fd;
}

START_TEST(it_refuses_a_scattered_buffer)
{
	int camera, fd;
	uint32_t size;

	camera = open_camera();
	size = set_format(camera);
	request_buffers(camera, BUFFERS);
	fd = alloc_scattered(size);
	printf("# a buffer of %u segments: %s\n", guest_info(fd).segments,
	       strerror(queue(camera, 0, fd)));
	ck_assert_int_ne(queue(camera, 0, fd), 0);
	close(fd);
	close(camera);
}
END_TEST

START_TEST(its_own_buffer_is_told_to_be_a_video_device_s)
{
	struct v4l2_requestbuffers request = {
		.count = 1,
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.memory = V4L2_MEMORY_MMAP,
	};
	struct v4l2_exportbuffer export = {
		.type = V4L2_BUF_TYPE_VIDEO_CAPTURE,
		.flags = O_RDWR | O_CLOEXEC,
	};
	struct portalmem_buffer *buffer;
	int camera = open_camera();
	uint32_t size = set_format(camera);

	ck_assert_int_eq(ioctl(camera, VIDIOC_REQBUFS, &request), 0);
	ck_assert_int_eq(ioctl(camera, VIDIOC_EXPBUF, &export), 0);
	ck_assert_int_eq(portalmem_buffer_import(NULL, export.fd, &buffer), 0);
	ck_assert_uint_ge(portalmem_buffer_get_size(buffer), size);
	ck_assert_int_eq(portalmem_buffer_get_exporter(buffer),
			 PORTALMEM_EXPORTER_V4L2);
	portalmem_buffer_unref(buffer);
	close(export.fd);
	close(camera);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("vivid");
	TCase *tcase = guest_tcase("vivid");

	tcase_add_test(tcase, a_camera_streams_into_contiguous_buffers);
	tcase_add_test(tcase, it_refuses_a_scattered_buffer);
	tcase_add_test(tcase, its_own_buffer_is_told_to_be_a_video_device_s);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
