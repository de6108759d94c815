// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "portalmem-v4l2.h"
#include "unit.h"

#define FRAMES 2U

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define CAPTURE_PLANES V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
#define OUTPUT V4L2_BUF_TYPE_VIDEO_OUTPUT
#define OUTPUT_PLANES V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE

/* What a frame takes: one plane, or these two. */
#define SIZE 5000U
#define LUMA 8000U
#define CHROMA 4000U

static const struct v4l2_format capture_in = {.type = CAPTURE};
static const struct v4l2_format capture_out = {
	.type = CAPTURE,
	.fmt.pix = {.sizeimage = SIZE, .field = V4L2_FIELD_NONE},
};
static const struct v4l2_format output_in = {.type = OUTPUT};
static const struct v4l2_format output_out = {
	.type = OUTPUT,
	.fmt.pix = {.sizeimage = SIZE, .field = V4L2_FIELD_INTERLACED},
};
static const struct v4l2_format planes_in = {.type = CAPTURE_PLANES};
static const struct v4l2_format planes_out = {
	.type = CAPTURE_PLANES,
	.fmt.pix_mp = {.num_planes = 2,
		       .plane_fmt = {{.sizeimage = LUMA},
				     {.sizeimage = CHROMA}}},
};
static const struct v4l2_format output_planes_in = {.type = OUTPUT_PLANES};
static const struct v4l2_format output_planes_out = {
	.type = OUTPUT_PLANES,
	.fmt.pix_mp = {.num_planes = 2,
		       .field = V4L2_FIELD_NONE,
		       .plane_fmt = {{.sizeimage = LUMA},
				     {.sizeimage = CHROMA}}},
};

#define GET_FORMAT(which, errnum)                                              \
	{                                                                      \
		.request = VIDIOC_G_FMT, .on = MOCK_NODE, .in = &(which##_in), \
		.in_size = sizeof(which##_in), .out = &(which##_out),          \
		.error = (errnum),                                             \
	}

static const struct v4l2_requestbuffers places_in = {
	.count = FRAMES, .type = CAPTURE, .memory = V4L2_MEMORY_DMABUF};
static const struct v4l2_requestbuffers no_places_in = {
	.count = 0, .type = CAPTURE, .memory = V4L2_MEMORY_DMABUF};

#define REQUEST(argument, answer, errnum)                                      \
	{                                                                      \
		.request = VIDIOC_REQBUFS, .on = MOCK_NODE, .in = &(argument), \
		.in_size = sizeof(argument), .out = &(answer),                 \
		.error = (errnum),                                             \
	}

static const int capture_type = CAPTURE;

#define STREAM(which, errnum)                                     \
	{                                                         \
		.request = VIDIOC_STREAM##which, .on = MOCK_NODE, \
		.in = &capture_type, .in_size = sizeof(int),      \
		.error = (errnum),                                \
	}

#define POLL(time, found)                               \
	{                                               \
		.poll = POLLIN, .poll_timeout = (time), \
		.poll_revents = (found),                \
	}

static const struct v4l2_buffer dequeue_in = {
	.type = CAPTURE,
	.memory = V4L2_MEMORY_DMABUF,
};
static const struct v4l2_buffer dequeue_out = {
	.index = 1,
	.type = CAPTURE,
	.memory = V4L2_MEMORY_DMABUF,
	.bytesused = 4321,
	.sequence = 77,
	.timestamp = {.tv_sec = 5, .tv_usec = 250},
	.flags = V4L2_BUF_FLAG_ERROR | V4L2_BUF_FLAG_LAST |
		 V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC,
};

#define DEQUEUE(answer, errnum)                                              \
	{                                                                    \
		.request = VIDIOC_DQBUF, .on = MOCK_NODE, .in = &dequeue_in, \
		.in_size = sizeof(dequeue_in), .out = &(answer),             \
		.error = (errnum),                                           \
	}

#define QUEUE(argument, errnum)                                             \
	{                                                                   \
		.request = VIDIOC_QBUF, .on = MOCK_NODE, .in = &(argument), \
		.in_size = sizeof(argument),                                \
		.in_fd_at = MOCK_AT(struct v4l2_buffer, m),                 \
		.in_fd_is = MOCK_BUFFER, .error = (errnum),                 \
	}

#define QUEUE_PLANES(argument, plane_array, errnum)                         \
	{                                                                   \
		.request = VIDIOC_QBUF, .on = MOCK_NODE, .in = &(argument), \
		.in_size = sizeof(argument),                                \
		.in_pointer_at = MOCK_AT(struct v4l2_buffer, m),            \
		.in_fd_is = MOCK_BUFFER, .pointee = (plane_array),          \
		.pointee_size = sizeof(plane_array),                        \
		.pointee_fd_at = MOCK_AT(struct v4l2_plane, m),             \
		.pointee_stride = sizeof(struct v4l2_plane),                \
		.error = (errnum),                                          \
	}

static struct portalmem_buffer *buffers[2 * FRAMES];

/* As many as frames of two planes need, big enough for each. */
static void make_buffers(void)
{
	for (unsigned int i = 0; i < 2 * FRAMES; i++)
		buffers[i] = unit_import_dmabuf(2 * PAGE);
}

static void drop_buffers(void)
{
	for (unsigned int i = 0; i < 2 * FRAMES; i++)
		portalmem_buffer_unref(buffers[i]);
}

/* A queue for capture; the device's descriptor is the queue's alone. */
static struct portalmem_v4l2_queue *open_queue(void)
{
	static const struct mock_call calls[] = {
		GET_FORMAT(capture, 0),
		REQUEST(places_in, places_in, 0),
	};
	struct portalmem_v4l2_queue *queue;
	int fd = mock_new_node();

	make_buffers();
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_v4l2_queue_open(fd, CAPTURE, buffers, FRAMES,
						   1, &queue),
			 0);
	mock_assert_done();
	close(fd);
	drop_buffers();
	return queue;
}

static void close_queue(struct portalmem_v4l2_queue *queue)
{
	static const struct mock_call calls[] = {
		STREAM(OFF, 0),
		REQUEST(no_places_in, no_places_in, 0),
	};

	MOCK_EXPECT(calls);
	portalmem_v4l2_queue_close(queue);
	mock_expect(NULL, 0);
}

static void assert_not_opened_as(int fd, uint32_t type, unsigned int frames,
				 unsigned int planes, int error)
{
	char marker;
	struct portalmem_v4l2_queue *const untouched = (void *)&marker;
	struct portalmem_v4l2_queue *queue = untouched;

	unit_assert_fails(portalmem_v4l2_queue_open(fd, type, buffers, frames,
						    planes, &queue),
			  error);
	ck_assert_ptr_eq(queue, untouched);
}

static void assert_not_opened(int fd, int error)
{
	assert_not_opened_as(fd, CAPTURE, FRAMES, 1, error);
}

static void assert_not_taken(struct portalmem_v4l2_queue *queue, int timeout,
			     int error)
{
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	const struct portalmem_v4l2_frame untouched = frame;

	unit_assert_fails(portalmem_v4l2_queue_take(queue, timeout, &frame),
			  error);
	ck_assert_mem_eq(&frame, &untouched, sizeof(frame));
}

START_TEST(sizes_are_those_of_the_format)
{
	static const struct mock_call calls[] = {
		GET_FORMAT(capture, EINTR), GET_FORMAT(capture, 0),
		GET_FORMAT(planes, 0),	    GET_FORMAT(planes, 0),
		GET_FORMAT(planes, 0),
	};
	uint32_t sizes[3] = {1, 2, 3};
	int fd = mock_new_node();

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_v4l2_get_plane_sizes(fd, CAPTURE, sizes, 3),
			 1);
	ck_assert_uint_eq(sizes[0], SIZE);
	ck_assert_uint_eq(sizes[1], 2);
	ck_assert_int_eq(
		portalmem_v4l2_get_plane_sizes(fd, CAPTURE_PLANES, sizes, 1),
		2);
	ck_assert_uint_eq(sizes[0], LUMA);
	ck_assert_uint_eq(sizes[1], 2);
	ck_assert_int_eq(
		portalmem_v4l2_get_plane_sizes(fd, CAPTURE_PLANES, sizes, 3),
		2);
	ck_assert_uint_eq(sizes[1], CHROMA);
	ck_assert_uint_eq(sizes[2], 3);
	ck_assert_int_eq(
		portalmem_v4l2_get_plane_sizes(fd, CAPTURE_PLANES, NULL, 0), 2);
	close(fd);
}
END_TEST

static const struct format_error {
	int from_driver;
	int error;
} format_errors[] = {
	{EINVAL, EINVAL},
	{ENOTTY, EOPNOTSUPP},
	{ENODEV, ENODEV},
	{EIO, EIO},
};

START_TEST(format_that_cannot_be_read_is_refused)
{
	const struct format_error *row = &format_errors[_i];
	const struct mock_call calls[] = {
		GET_FORMAT(capture, row->from_driver),
		GET_FORMAT(capture, row->from_driver),
	};
	int fd = mock_new_node();
	uint32_t size = 7;

	make_buffers();
	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_v4l2_get_plane_sizes(fd, CAPTURE, &size, 1),
			  row->error);
	ck_assert_uint_eq(size, 7);
	assert_not_opened(fd, row->error);
	drop_buffers();
	close(fd);
}
END_TEST

static const unsigned int plane_counts[] = {0, 9, 255};

START_TEST(format_with_impossible_planes_is_eio)
{
	const struct v4l2_format wrong_in = {.type = CAPTURE_PLANES};
	const struct v4l2_format wrong_out = {
		.type = CAPTURE_PLANES,
		.fmt.pix_mp.num_planes = (uint8_t)plane_counts[_i],
	};
	const struct mock_call calls[] = {GET_FORMAT(wrong, 0)};
	uint32_t sizes[VIDEO_MAX_PLANES];
	int fd = mock_new_node();

	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_v4l2_get_plane_sizes(
				  fd, CAPTURE_PLANES, sizes, VIDEO_MAX_PLANES),
			  EIO);
	mock_assert_done();
	close(fd);
}
END_TEST

static const uint32_t other_types[] = {0, V4L2_BUF_TYPE_VBI_CAPTURE,
				       V4L2_BUF_TYPE_META_CAPTURE, UINT32_MAX};

START_TEST(types_other_than_video_are_einval)
{
	int fd = mock_new_node();

	make_buffers();
	unit_assert_fails(
		portalmem_v4l2_get_plane_sizes(fd, other_types[_i], NULL, 0),
		EINVAL);
	assert_not_opened_as(fd, other_types[_i], FRAMES, 1, EINVAL);
	drop_buffers();
	close(fd);
}
END_TEST

START_TEST(queue_keeps_what_it_needs_and_gives_all_back)
{
	static const struct v4l2_buffer queued = {
		.index = 1,
		.type = CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
		.length = 2 * PAGE,
	};
	static const struct mock_call calls[] = {QUEUE(queued, 0)};
	struct portalmem_v4l2_queue *queue = open_queue();

	/* The program has neither the device nor the buffers any more. */
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_v4l2_queue_give(queue, 1, NULL), 0);
	mock_assert_done();
	/* That no descriptor is left the fixture checks. */
	close_queue(queue);
}
END_TEST

START_TEST(closing_goes_on_when_the_device_is_gone)
{
	static const struct mock_call calls[] = {
		STREAM(OFF, ENODEV),
		REQUEST(no_places_in, no_places_in, ENODEV),
	};
	struct portalmem_v4l2_queue *queue = open_queue();

	MOCK_EXPECT(calls);
	portalmem_v4l2_queue_close(queue);
	portalmem_v4l2_queue_close(NULL);
}
END_TEST

START_TEST(buffer_smaller_than_its_plane_is_einval)
{
	static const struct mock_call calls[] = {
		GET_FORMAT(capture, 0),
		GET_FORMAT(planes, 0),
	};
	int fd = mock_new_node();

	make_buffers();
	portalmem_buffer_unref(buffers[1]);
	buffers[1] = unit_import_dmabuf(PAGE);
	MOCK_EXPECT(calls);
	assert_not_opened(fd, EINVAL);
	unit_assert_message_has("buffer 1 has 4096 bytes");
	unit_assert_message_has("5000");
	/* It is big enough for the smaller plane; this one is not. */
	portalmem_buffer_unref(buffers[2]);
	buffers[2] = unit_import_dmabuf(PAGE);
	assert_not_opened_as(fd, CAPTURE_PLANES, 2, 2, EINVAL);
	unit_assert_message_has("buffer 2 has 4096 bytes");
	unit_assert_message_has("8000");
	drop_buffers();
	close(fd);
}
END_TEST

START_TEST(planes_that_are_not_the_formats_are_einval)
{
	static const struct mock_call calls[] = {
		GET_FORMAT(capture, 0),
		GET_FORMAT(planes, 0),
	};
	int fd = mock_new_node();

	make_buffers();
	MOCK_EXPECT(calls);
	assert_not_opened_as(fd, CAPTURE, 2, 2, EINVAL);
	assert_not_opened_as(fd, CAPTURE_PLANES, 2, 1, EINVAL);
	unit_assert_message_has("2 planes, and not 1");
	drop_buffers();
	close(fd);
}
END_TEST

START_TEST(memfd_is_eopnotsupp)
{
	int fd = mock_new_node();

	make_buffers();
	portalmem_buffer_unref(buffers[1]);
	buffers[1] = unit_alloc(2 * PAGE);
	/* The device is not even asked. */
	assert_not_opened(fd, EOPNOTSUPP);
	unit_assert_message_has("buffer 1 is not a dma-buf");
	drop_buffers();
	close(fd);
}
END_TEST

START_TEST(one_buffer_for_two_frames_is_einval)
{
	struct portalmem_buffer *again;
	int fd = mock_new_node();

	make_buffers();
	ck_assert_int_eq(
		portalmem_buffer_import(
			NULL, portalmem_buffer_get_fd(buffers[0]), &again),
		0);
	portalmem_buffer_unref(buffers[1]);
	buffers[1] = again;
	assert_not_opened(fd, EINVAL);
	unit_assert_message_has("buffers 0 and 1 are the same");
	drop_buffers();
	close(fd);
}
END_TEST

static const struct format_error request_errors[] = {
	{EBUSY, EBUSY},	  {EINVAL, EOPNOTSUPP}, {ENOTTY, EOPNOTSUPP},
	{ENODEV, ENODEV}, {ENOMEM, ENOMEM},
};

START_TEST(device_that_takes_no_frames_is_refused)
{
	const struct format_error *row = &request_errors[_i];
	const struct mock_call calls[] = {
		GET_FORMAT(capture, 0),
		REQUEST(places_in, places_in, row->from_driver),
	};
	int fd = mock_new_node();

	make_buffers();
	MOCK_EXPECT(calls);
	assert_not_opened(fd, row->error);
	drop_buffers();
	close(fd);
}
END_TEST

static const struct frame_count {
	unsigned int count;
	const char *text;
} frame_counts[] = {{1, "at most 1"}, {5, "at least 5"}};

START_TEST(other_number_of_frames_is_enobufs)
{
	const struct v4l2_requestbuffers got = {
		.count = frame_counts[_i].count,
		.type = CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
	};
	const struct mock_call calls[] = {
		GET_FORMAT(capture, 0),
		REQUEST(places_in, got, 0),
		REQUEST(no_places_in, no_places_in, 0),
	};
	int fd = mock_new_node();

	make_buffers();
	MOCK_EXPECT(calls);
	assert_not_opened(fd, ENOBUFS);
	unit_assert_message_has(frame_counts[_i].text);
	mock_assert_done();
	drop_buffers();
	close(fd);
}
END_TEST

START_TEST(no_memory_and_no_descriptors_are_told)
{
	static const struct mock_call calls[] = {
		GET_FORMAT(capture, 0),
		GET_FORMAT(capture, 0),
	};
	int fd = mock_new_node();

	make_buffers();
	MOCK_EXPECT(calls);
	mock_fail_calloc(1);
	assert_not_opened(fd, ENOMEM);
	unit_limit_fds(0);
	assert_not_opened(fd, EMFILE);
	unit_limit_fds(-1);
	drop_buffers();
	close(fd);
}
END_TEST

START_TEST(arguments_out_of_range_are_einval)
{
	struct portalmem_v4l2_queue *queue;
	struct portalmem_buffer *none[1] = {NULL};
	int fd = mock_new_node();

	make_buffers();
	assert_not_opened_as(fd, CAPTURE, 0, 1, EINVAL);
	assert_not_opened_as(fd, CAPTURE, 1, 0, EINVAL);
	assert_not_opened_as(fd, CAPTURE, PORTALMEM_V4L2_FRAMES_MAX + 1, 1,
			     EINVAL);
	assert_not_opened_as(fd, CAPTURE, 1, PORTALMEM_V4L2_PLANES_MAX + 1,
			     EINVAL);
	assert_not_opened_as(fd, CAPTURE, UINT32_MAX, UINT32_MAX, EINVAL);
	unit_assert_fails(
		portalmem_v4l2_queue_open(fd, CAPTURE, NULL, 1, 1, &queue),
		EINVAL);
	unit_assert_fails(
		portalmem_v4l2_queue_open(fd, CAPTURE, buffers, 1, 1, NULL),
		EINVAL);
	unit_assert_fails(
		portalmem_v4l2_queue_open(fd, CAPTURE, none, 1, 1, &queue),
		EINVAL);
	unit_assert_message_has("buffer 0");
	unit_assert_fails(portalmem_v4l2_get_plane_sizes(fd, CAPTURE, NULL, 1),
			  EINVAL);
	drop_buffers();
	close(fd);
}
END_TEST

START_TEST(closed_descriptor_is_ebadf)
{
	make_buffers();
	unit_assert_fails(portalmem_v4l2_get_plane_sizes(-1, CAPTURE, NULL, 0),
			  EBADF);
	assert_not_opened(-1, EBADF);
	drop_buffers();
}
END_TEST

START_TEST(file_that_is_no_video_device_is_eopnotsupp)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	make_buffers();
	assert_not_opened(fd, EOPNOTSUPP);
	drop_buffers();
	close(fd);
}
END_TEST

START_TEST(null_queue_is_einval)
{
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;

	unit_assert_fails(portalmem_v4l2_queue_give(NULL, 0, NULL), EINVAL);
	unit_assert_fails(portalmem_v4l2_queue_take(NULL, 0, &frame), EINVAL);
	unit_assert_fails(portalmem_v4l2_queue_start(NULL), EINVAL);
	unit_assert_fails(portalmem_v4l2_queue_stop(NULL), EINVAL);
}
END_TEST

START_TEST(stream_starts_and_stops)
{
	static const struct mock_call calls[] = {
		STREAM(ON, EINTR),
		STREAM(ON, 0),
		STREAM(OFF, 0),
	};
	struct portalmem_v4l2_queue *queue = open_queue();

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_v4l2_queue_start(queue), 0);
	ck_assert_int_eq(portalmem_v4l2_queue_stop(queue), 0);
	mock_assert_done();
	close_queue(queue);
}
END_TEST

static const int stream_errors[] = {EBUSY, ENODEV, EIO, EINVAL, EPIPE, ENOSPC};

START_TEST(refusal_to_stream_is_passed_on)
{
	const struct mock_call calls[] = {
		STREAM(ON, stream_errors[_i]),
		STREAM(OFF, stream_errors[_i]),
	};
	struct portalmem_v4l2_queue *queue = open_queue();

	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_v4l2_queue_start(queue), stream_errors[_i]);
	unit_assert_message_has("cannot start");
	unit_assert_fails(portalmem_v4l2_queue_stop(queue), stream_errors[_i]);
	unit_assert_message_has("cannot stop");
	mock_assert_done();
	close_queue(queue);
}
END_TEST

static const int give_errors[] = {EBUSY, ENODEV, EIO, EINVAL, EFAULT, ENOMEM};

START_TEST(frame_that_the_driver_refuses_has_its_error)
{
	static const struct v4l2_buffer queued = {
		.type = CAPTURE,
		.memory = V4L2_MEMORY_DMABUF,
		.length = 2 * PAGE,
	};
	const struct mock_call calls[] = {QUEUE(queued, give_errors[_i])};
	struct portalmem_v4l2_queue *queue = open_queue();

	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_v4l2_queue_give(queue, 0, NULL),
			  give_errors[_i]);
	unit_assert_message_has("frame 0");
	mock_assert_done();
	close_queue(queue);
}
END_TEST

START_TEST(frame_that_is_not_there_is_not_given)
{
	static const uint32_t used[] = {100};
	struct portalmem_v4l2_queue *queue = open_queue();

	unit_assert_fails(portalmem_v4l2_queue_give(queue, FRAMES, NULL),
			  EINVAL);
	unit_assert_fails(portalmem_v4l2_queue_give(queue, UINT32_MAX, NULL),
			  EINVAL);
	/* A device that captures takes no bytes. */
	unit_assert_fails(portalmem_v4l2_queue_give(queue, 0, used), EINVAL);
	close_queue(queue);
}
END_TEST

START_TEST(frame_is_taken_and_described)
{
	static const struct mock_call calls[] = {
		POLL(0, POLLIN),
		DEQUEUE(dequeue_out, EINTR),
		DEQUEUE(dequeue_out, 0),
	};
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	struct portalmem_v4l2_queue *queue = open_queue();

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_v4l2_queue_take(queue, 0, &frame), 0);
	ck_assert_uint_eq(frame.index, 1);
	ck_assert_uint_eq(frame.planes, 1);
	ck_assert_uint_eq(frame.used[0], 4321);
	ck_assert_uint_eq(frame.offset[0], 0);
	ck_assert_uint_eq(frame.sequence, 77);
	ck_assert_uint_eq(frame.timestamp, 5000250000);
	ck_assert_uint_eq(frame.flags, PORTALMEM_V4L2_FRAME_IS_BROKEN |
					       PORTALMEM_V4L2_FRAME_IS_LAST);
	mock_assert_done();
	close_queue(queue);
}
END_TEST

START_TEST(take_waits_as_long_as_it_is_told)
{
	static const struct mock_call at_once[] = {POLL(0, 0)};
	static const struct mock_call for_a_second[] = {
		POLL(0, 0),
		POLL(1000, POLLIN),
		/* Somebody else had it; the rest of the time is left. */
		POLL(0, 0),
		{.poll = POLLIN, .poll_timeout = 1000, .error = EINTR},
		POLL(0, POLLIN),
		DEQUEUE(dequeue_out, EAGAIN),
		POLL(1000, POLLIN),
		POLL(0, POLLIN),
		DEQUEUE(dequeue_out, 0),
	};
	static const struct mock_call for_ever[] = {
		POLL(0, 0),
		POLL(-1, POLLIN),
		POLL(0, POLLIN),
		DEQUEUE(dequeue_out, 0),
	};
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	struct portalmem_v4l2_queue *queue = open_queue();

	MOCK_EXPECT(at_once);
	assert_not_taken(queue, 0, ETIMEDOUT);
	MOCK_EXPECT(for_a_second);
	ck_assert_int_eq(portalmem_v4l2_queue_take(queue, 1000, &frame), 0);
	MOCK_EXPECT(for_ever);
	ck_assert_int_eq(portalmem_v4l2_queue_take(queue, -1, &frame), 0);
	mock_assert_done();
	close_queue(queue);
}
END_TEST

static const int take_errors[] = {EIO, ENODEV, EINVAL, EPIPE};

START_TEST(error_of_the_device_ends_the_wait)
{
	const struct mock_call calls[] = {
		POLL(0, 0),
		POLL(-1, POLLERR),
		POLL(0, POLLERR),
		DEQUEUE(dequeue_out, take_errors[_i]),
	};
	struct portalmem_v4l2_queue *queue = open_queue();

	MOCK_EXPECT(calls);
	assert_not_taken(queue, -1, take_errors[_i]);
	mock_assert_done();
	close_queue(queue);
}
END_TEST

static const short unexplained[] = {POLLERR, POLLHUP | POLLERR, POLLNVAL};

START_TEST(error_without_a_reason_is_eio)
{
	const struct mock_call calls[] = {
		POLL(0, unexplained[_i]),
		DEQUEUE(dequeue_out, EAGAIN),
	};
	struct portalmem_v4l2_queue *queue = open_queue();

	MOCK_EXPECT(calls);
	assert_not_taken(queue, -1, EIO);
	mock_assert_done();
	close_queue(queue);
}
END_TEST

START_TEST(wait_that_fails_has_its_error)
{
	static const struct mock_call calls[] = {
		{.poll = POLLIN, .error = ENOMEM},
		POLL(0, 0),
		{.poll = POLLIN, .poll_timeout = -1, .error = ENOMEM},
	};
	struct portalmem_v4l2_queue *queue = open_queue();

	MOCK_EXPECT(calls);
	assert_not_taken(queue, -1, ENOMEM);
	assert_not_taken(queue, -1, ENOMEM);
	mock_assert_done();
	close_queue(queue);
}
END_TEST

static const struct v4l2_buffer impossible[] = {
	{.index = FRAMES, .type = CAPTURE, .memory = V4L2_MEMORY_DMABUF},
	{.index = UINT32_MAX, .type = CAPTURE, .memory = V4L2_MEMORY_DMABUF},
	{.type = CAPTURE,
	 .memory = V4L2_MEMORY_DMABUF,
	 .bytesused = 2 * PAGE + 1},
};

START_TEST(frame_that_cannot_be_is_eio)
{
	const struct mock_call calls[] = {
		POLL(0, POLLIN),
		DEQUEUE(impossible[_i], 0),
	};
	struct portalmem_v4l2_queue *queue = open_queue();

	MOCK_EXPECT(calls);
	assert_not_taken(queue, 0, EIO);
	mock_assert_done();
	close_queue(queue);
}
END_TEST

START_TEST(take_refuses_what_it_cannot_fill)
{
	struct portalmem_v4l2_frame frame = {0};
	struct portalmem_v4l2_queue *queue = open_queue();

	unit_assert_fails(portalmem_v4l2_queue_take(queue, 0, &frame), EINVAL);
	unit_assert_message_has("PORTALMEM_V4L2_FRAME_INIT");
	unit_assert_fails(portalmem_v4l2_queue_take(queue, 0, NULL), EINVAL);
	assert_not_taken(queue, -2, EINVAL);
	close_queue(queue);
}
END_TEST

START_TEST(frames_of_two_planes_go_both_ways)
{
	static const struct v4l2_requestbuffers places = {
		.count = FRAMES,
		.type = CAPTURE_PLANES,
		.memory = V4L2_MEMORY_DMABUF};
	static const struct v4l2_requestbuffers none = {
		.type = CAPTURE_PLANES, .memory = V4L2_MEMORY_DMABUF};
	static const int type = CAPTURE_PLANES;
	static const struct v4l2_buffer queued = {
		.index = 1,
		.type = CAPTURE_PLANES,
		.memory = V4L2_MEMORY_DMABUF,
		.length = 2,
	};
	static const struct v4l2_plane queued_planes[] = {{.length = 2 * PAGE},
							  {.length = 2 * PAGE}};
	static const struct v4l2_buffer taken_in = {
		.type = CAPTURE_PLANES,
		.memory = V4L2_MEMORY_DMABUF,
		.length = VIDEO_MAX_PLANES,
	};
	static const struct v4l2_plane none_yet[VIDEO_MAX_PLANES];
	static const struct v4l2_plane done[VIDEO_MAX_PLANES] = {
		{.bytesused = LUMA, .data_offset = 64},
		{.bytesused = CHROMA},
	};
	static const struct v4l2_plane cut[VIDEO_MAX_PLANES] = {
		{.bytesused = 8, .data_offset = 64},
	};
#define DEQUEUE_PLANES(array)                                              \
	{                                                                  \
		.request = VIDIOC_DQBUF, .on = MOCK_NODE, .in = &taken_in, \
		.in_size = sizeof(taken_in),                               \
		.in_pointer_at = MOCK_AT(struct v4l2_buffer, m),           \
		.pointee = none_yet, .pointee_size = sizeof(none_yet),     \
		.out_pointee = (array),                                    \
	}
	static const struct mock_call calls[] = {
		GET_FORMAT(planes, 0),
		REQUEST(places, places, 0),
		QUEUE_PLANES(queued, queued_planes, 0),
		POLL(0, POLLIN),
		DEQUEUE_PLANES(done),
		POLL(0, POLLIN),
		DEQUEUE_PLANES(cut),
		{.request = VIDIOC_STREAMOFF,
		 .on = MOCK_NODE,
		 .in = &type,
		 .in_size = sizeof(type)},
		REQUEST(none, none, 0),
	};
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	struct portalmem_v4l2_queue *queue;
	int fd = mock_new_node();

	make_buffers();
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_v4l2_queue_open(fd, CAPTURE_PLANES, buffers,
						   FRAMES, 2, &queue),
			 0);
	ck_assert_int_eq(portalmem_v4l2_queue_give(queue, 1, NULL), 0);
	ck_assert_int_eq(portalmem_v4l2_queue_take(queue, 0, &frame), 0);
	ck_assert_uint_eq(frame.planes, 2);
	ck_assert_uint_eq(frame.used[0], LUMA);
	ck_assert_uint_eq(frame.offset[0], 64);
	ck_assert_uint_eq(frame.used[1], CHROMA);
	ck_assert_uint_eq(frame.offset[1], 0);
	/* Data that ends before it begins. */
	assert_not_taken(queue, 0, EIO);
	portalmem_v4l2_queue_close(queue);
	drop_buffers();
	close(fd);
}
END_TEST

START_TEST(output_tells_how_much_is_in_a_frame)
{
	static const struct v4l2_requestbuffers places = {
		.count = FRAMES, .type = OUTPUT, .memory = V4L2_MEMORY_DMABUF};
	static const struct v4l2_requestbuffers none = {
		.type = OUTPUT, .memory = V4L2_MEMORY_DMABUF};
	static const int type = OUTPUT;
	static const struct v4l2_buffer whole = {
		.type = OUTPUT,
		.memory = V4L2_MEMORY_DMABUF,
		.length = 2 * PAGE,
		.bytesused = SIZE,
		.field = V4L2_FIELD_INTERLACED,
	};
	static const struct v4l2_buffer part = {
		.index = 1,
		.type = OUTPUT,
		.memory = V4L2_MEMORY_DMABUF,
		.length = 2 * PAGE,
		.bytesused = 123,
		.field = V4L2_FIELD_INTERLACED,
	};
	static const struct v4l2_buffer shown_in = {
		.type = OUTPUT, .memory = V4L2_MEMORY_DMABUF};
	static const struct mock_call calls[] = {
		GET_FORMAT(output, 0),
		REQUEST(places, places, 0),
		QUEUE(whole, 0),
		QUEUE(part, 0),
		{.poll = POLLOUT, .poll_revents = POLLOUT},
		{.request = VIDIOC_DQBUF,
		 .on = MOCK_NODE,
		 .in = &shown_in,
		 .in_size = sizeof(shown_in)},
		{.request = VIDIOC_STREAMOFF,
		 .on = MOCK_NODE,
		 .in = &type,
		 .in_size = sizeof(type)},
		REQUEST(none, none, 0),
	};
	static const uint32_t used[] = {123}, too_much[] = {2 * PAGE + 1};
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	struct portalmem_v4l2_queue *queue;
	int fd = mock_new_node();

	make_buffers();
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_v4l2_queue_open(fd, OUTPUT, buffers, FRAMES,
						   1, &queue),
			 0);
	ck_assert_int_eq(portalmem_v4l2_queue_give(queue, 0, NULL), 0);
	unit_assert_fails(portalmem_v4l2_queue_give(queue, 1, too_much),
			  EINVAL);
	ck_assert_int_eq(portalmem_v4l2_queue_give(queue, 1, used), 0);
	ck_assert_int_eq(portalmem_v4l2_queue_take(queue, 0, &frame), 0);
	portalmem_v4l2_queue_close(queue);
	drop_buffers();
	close(fd);
}
END_TEST

START_TEST(output_of_two_planes_tells_how_much_is_in_each)
{
	static const struct v4l2_requestbuffers places = {
		.count = 1,
		.type = OUTPUT_PLANES,
		.memory = V4L2_MEMORY_DMABUF};
	static const struct v4l2_requestbuffers none = {
		.type = OUTPUT_PLANES, .memory = V4L2_MEMORY_DMABUF};
	static const int type = OUTPUT_PLANES;
	static const struct v4l2_buffer queued = {
		.type = OUTPUT_PLANES,
		.memory = V4L2_MEMORY_DMABUF,
		.length = 2,
		.field = V4L2_FIELD_NONE,
	};
	static const struct v4l2_plane parts[] = {
		{.length = 2 * PAGE, .bytesused = 10},
		{.length = 2 * PAGE, .bytesused = 20}};
	static const struct mock_call calls[] = {
		GET_FORMAT(output_planes, 0),
		REQUEST(places, places, 0),
		QUEUE_PLANES(queued, parts, 0),
		{.request = VIDIOC_STREAMOFF,
		 .on = MOCK_NODE,
		 .in = &type,
		 .in_size = sizeof(type)},
		REQUEST(none, none, 0),
	};
	static const uint32_t used[] = {10, 20};
	static const uint32_t too_much[] = {10, 2 * PAGE + 1};
	struct portalmem_v4l2_queue *queue;
	int fd = mock_new_node();

	make_buffers();
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_v4l2_queue_open(fd, OUTPUT_PLANES, buffers,
						   1, 2, &queue),
			 0);
	unit_assert_fails(portalmem_v4l2_queue_give(queue, 0, too_much),
			  EINVAL);
	ck_assert_int_eq(portalmem_v4l2_queue_give(queue, 0, used), 0);
	portalmem_v4l2_queue_close(queue);
	drop_buffers();
	close(fd);
}
END_TEST

static Suite *v4l2_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("v4l2", &tc);

	tcase_add_test(tc, sizes_are_those_of_the_format);
	tcase_add_loop_test(tc, format_that_cannot_be_read_is_refused, 0,
			    COUNT(format_errors));
	tcase_add_loop_test(tc, format_with_impossible_planes_is_eio, 0,
			    COUNT(plane_counts));
	tcase_add_loop_test(tc, types_other_than_video_are_einval, 0,
			    COUNT(other_types));
	tcase_add_test(tc, queue_keeps_what_it_needs_and_gives_all_back);
	tcase_add_test(tc, closing_goes_on_when_the_device_is_gone);
	tcase_add_test(tc, buffer_smaller_than_its_plane_is_einval);
	tcase_add_test(tc, planes_that_are_not_the_formats_are_einval);
	tcase_add_test(tc, memfd_is_eopnotsupp);
	tcase_add_test(tc, one_buffer_for_two_frames_is_einval);
	tcase_add_loop_test(tc, device_that_takes_no_frames_is_refused, 0,
			    COUNT(request_errors));
	tcase_add_loop_test(tc, other_number_of_frames_is_enobufs, 0,
			    COUNT(frame_counts));
	unit_add_shortage_test(tc, no_memory_and_no_descriptors_are_told);
	tcase_add_test(tc, arguments_out_of_range_are_einval);
	tcase_add_test(tc, closed_descriptor_is_ebadf);
	tcase_add_test(tc, file_that_is_no_video_device_is_eopnotsupp);
	tcase_add_test(tc, null_queue_is_einval);
	tcase_add_test(tc, stream_starts_and_stops);
	tcase_add_loop_test(tc, refusal_to_stream_is_passed_on, 0,
			    COUNT(stream_errors));
	tcase_add_loop_test(tc, frame_that_the_driver_refuses_has_its_error, 0,
			    COUNT(give_errors));
	tcase_add_test(tc, frame_that_is_not_there_is_not_given);
	tcase_add_test(tc, frame_is_taken_and_described);
	tcase_add_test(tc, take_waits_as_long_as_it_is_told);
	tcase_add_loop_test(tc, error_of_the_device_ends_the_wait, 0,
			    COUNT(take_errors));
	tcase_add_loop_test(tc, error_without_a_reason_is_eio, 0,
			    COUNT(unexplained));
	tcase_add_test(tc, wait_that_fails_has_its_error);
	tcase_add_loop_test(tc, frame_that_cannot_be_is_eio, 0,
			    COUNT(impossible));
	tcase_add_test(tc, take_refuses_what_it_cannot_fill);
	tcase_add_test(tc, frames_of_two_planes_go_both_ways);
	tcase_add_test(tc, output_tells_how_much_is_in_a_frame);
	tcase_add_test(tc, output_of_two_planes_tells_how_much_is_in_each);
	return suite;
}

PMTEST_MAIN(v4l2_suite)
