// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libportalmem-v4l2 with vivid, a camera made of software: what it draws lies
 * in our buffers and nowhere else. One of its two devices has the single-plane
 * API, the other the multi-plane API; both want each buffer in one piece.
 * quick: 6.12
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <portalmem-v4l2.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define CAPTURE_PLANES V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE
#define OUTPUT V4L2_BUF_TYPE_VIDEO_OUTPUT

#define FRAMES 4
#define WIDTH 320U
#define HEIGHT 180U

/* Frames come at least ten times a second; emulated machines are slow. */
#define WAIT_MS 20000

/* How full white and black are in limited range, and how grey in colour. */
#define WHITE 235
#define BLACK 16
#define GREY 128

static void load_vivid(void)
{
	guest_shell("modprobe -r vivid && "
		    "modprobe vivid n_devs=2 allocators=1,1 multiplanar=1,2");
}

static void unload_vivid(void)
{
	guest_shell("modprobe -r vivid");
}

/* The device of vivid that has all these capabilities. */
static int open_video(uint32_t wanted)
{
	for (int i = 0; i < 32; i++) {
		struct v4l2_capability capability;
		char path[32];
		int fd;

		snprintf(path, sizeof(path), "/dev/video%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		if (!ioctl(fd, VIDIOC_QUERYCAP, &capability) &&
		    !strcmp((char *)capability.driver, "vivid") &&
		    (capability.device_caps & wanted) == wanted)
			return fd;
		close(fd);
	}
	ck_abort_msg("there is no device with capabilities 0x%x", wanted);
	return -1;
}

static void set_format(int video, uint32_t type, uint32_t pixels)
{
	struct v4l2_format format = {.type = type};

	if (type == CAPTURE_PLANES) {
		format.fmt.pix_mp.width = WIDTH;
		format.fmt.pix_mp.height = HEIGHT;
		format.fmt.pix_mp.pixelformat = pixels;
	} else {
		format.fmt.pix.width = WIDTH;
		format.fmt.pix.height = HEIGHT;
		format.fmt.pix.pixelformat = pixels;
	}
	ck_assert_msg(!ioctl(video, VIDIOC_S_FMT, &format), "%s",
		      strerror(errno));
}

/* The control of that name. */
static struct v4l2_queryctrl find_control(int video, const char *name)
{
	struct v4l2_queryctrl control = {.id = V4L2_CTRL_FLAG_NEXT_CTRL};

	while (!ioctl(video, VIDIOC_QUERYCTRL, &control)) {
		if (!strcmp((char *)control.name, name))
			return control;
		control.id |= V4L2_CTRL_FLAG_NEXT_CTRL;
	}
	ck_abort_msg("vivid has no control \"%s\"", name);
	return control;
}

static void set_control(int video, uint32_t id, int value)
{
	struct v4l2_control control = {.id = id, .value = value};

	ck_assert_msg(!ioctl(video, VIDIOC_S_CTRL, &control), "%s",
		      strerror(errno));
}

static void press(int video, const char *name)
{
	set_control(video, find_control(video, name).id, 1);
}

/* Choose an item of a menu by its name. */
static void choose(int video, const char *name, const char *item)
{
	struct v4l2_queryctrl control = find_control(video, name);

	for (int i = control.minimum; i <= control.maximum; i++) {
		struct v4l2_querymenu menu = {.id = control.id,
					      .index = (uint32_t)i};

		if (!ioctl(video, VIDIOC_QUERYMENU, &menu) &&
		    !strcmp((char *)menu.name, item)) {
			set_control(video, control.id, i);
			return;
		}
	}
	ck_abort_msg("\"%s\" has no item \"%s\"", name, item);
}

/* A picture of one colour, without text in it. */
static void draw(int video, const char *pattern)
{
	choose(video, "Test Pattern", pattern);
	choose(video, "OSD Text Mode", "None");
}

static struct portalmem_device *open_heap(const char *node)
{
	struct portalmem_device *device;

	ck_assert_int_eq(portalmem_device_open(
				 node, PORTALMEM_BACKEND_PORTALMEM, &device),
			 0);
	return device;
}

struct stream {
	int video;
	uint32_t type;
	unsigned int planes;
	uint32_t sizes[PORTALMEM_V4L2_PLANES_MAX];
	struct portalmem_buffer *buffers[FRAMES * PORTALMEM_V4L2_PLANES_MAX];
	unsigned char *maps[FRAMES * PORTALMEM_V4L2_PLANES_MAX];
	struct portalmem_v4l2_queue *queue;
};

static void allocate(struct stream *stream, const char *node)
{
	struct portalmem_device *device = open_heap(node);
	int planes = portalmem_v4l2_get_plane_sizes(stream->video, stream->type,
						    stream->sizes,
						    PORTALMEM_V4L2_PLANES_MAX);

	ck_assert_msg(planes > 0, "%s", portalmem_error_message());
	stream->planes = (unsigned int)planes;
	for (unsigned int i = 0; i < FRAMES * stream->planes; i++) {
		void *map;

		ck_assert_int_eq(portalmem_buffer_alloc(
					 device,
					 stream->sizes[i % stream->planes],
					 NULL, &stream->buffers[i]),
				 0);
		ck_assert_int_eq(portalmem_buffer_map(stream->buffers[i], 0, 0,
						      PORTALMEM_MAP_RDWR, &map),
				 0);
		stream->maps[i] = map;
	}
	portalmem_device_unref(device);
}

static struct stream open_stream(uint32_t capabilities, uint32_t type,
				 uint32_t pixels)
{
	struct stream stream = {.video = open_video(capabilities),
				.type = type};
	int ret;

	set_format(stream.video, type, pixels);
	allocate(&stream, GUEST_CONTIGUOUS_NODE);
	ret = portalmem_v4l2_queue_open(stream.video, type, stream.buffers,
					FRAMES, stream.planes, &stream.queue);
	ck_assert_msg(!ret, "%s", portalmem_error_message());
	return stream;
}

static struct stream open_camera(void)
{
	return open_stream(V4L2_CAP_VIDEO_CAPTURE, CAPTURE, V4L2_PIX_FMT_YUYV);
}

static void close_stream(struct stream *stream)
{
	portalmem_v4l2_queue_close(stream->queue);
	for (unsigned int i = 0; i < FRAMES * stream->planes; i++)
		portalmem_buffer_unref(stream->buffers[i]);
	close(stream->video);
}

static void give(struct stream *stream, unsigned int index)
{
	ck_assert_msg(!portalmem_v4l2_queue_give(stream->queue, index, NULL),
		      "%s", portalmem_error_message());
}

static void start(struct stream *stream)
{
	for (unsigned int i = 0; i < FRAMES; i++)
		give(stream, i);
	ck_assert_msg(!portalmem_v4l2_queue_start(stream->queue), "%s",
		      portalmem_error_message());
}

static struct portalmem_v4l2_frame take(struct stream *stream)
{
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;

	ck_assert_msg(
		!portalmem_v4l2_queue_take(stream->queue, WAIT_MS, &frame),
		"%s", portalmem_error_message());
	return frame;
}

/* What the CPU reads of a plane, between the calls that let it. */
static unsigned char *look(struct stream *stream, unsigned int buffer)
{
	ck_assert_int_eq(portalmem_buffer_sync(stream->buffers[buffer],
					       PORTALMEM_SYNC_START |
						       PORTALMEM_SYNC_RDWR,
					       NULL, 0),
			 0);
	return stream->maps[buffer];
}

static void look_away(struct stream *stream, unsigned int buffer)
{
	ck_assert_int_eq(
		portalmem_buffer_sync(stream->buffers[buffer],
				      PORTALMEM_SYNC_END | PORTALMEM_SYNC_RDWR,
				      NULL, 0),
		0);
}

/* Every STEPth byte of these is that, give or take the rounding of colours. */
static int is_all(const unsigned char *bytes, size_t size, size_t step,
		  int value)
{
	for (size_t i = 0; i < size; i += step)
		if (abs(bytes[i] - value) > 2)
			return 0;
	return 1;
}

/* Luma is every other byte of YUYV, and colour what is between. */
static int is_grey(const unsigned char *bytes, int luma)
{
	return is_all(bytes, WIDTH * HEIGHT * 2, 2, luma) &&
	       is_all(bytes + 1, WIDTH * HEIGHT * 2 - 1, 2, GREY);
}

START_TEST(test_pattern_lies_in_our_buffers)
{
	struct stream stream = open_camera();
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	unsigned int seen = 0;
	uint32_t last = 0;

	ck_assert_uint_eq(stream.sizes[0], WIDTH * HEIGHT * 2);
	draw(stream.video, "100% White");
	for (unsigned int i = 0; i < FRAMES; i++)
		guest_assert_zero(stream.maps[i], stream.sizes[0]);
	start(&stream);
	/* The device has our memory itself. */
	ck_assert_int_eq(portalmem_buffer_get_info(stream.buffers[0], &info),
			 0);
	ck_assert_uint_eq(info.attachments, 1);

	for (int i = 0; i < 3 * FRAMES; i++) {
		struct portalmem_v4l2_frame frame = take(&stream);

		ck_assert_uint_lt(frame.index, FRAMES);
		ck_assert_uint_eq(frame.planes, 1);
		ck_assert_uint_eq(frame.used[0], stream.sizes[0]);
		ck_assert_uint_eq(frame.offset[0], 0);
		ck_assert_uint_eq(frame.flags, 0);
		ck_assert_uint_gt(frame.timestamp, 0);
		ck_assert_msg(!i || frame.sequence > last, "%u after %u",
			      frame.sequence, last);
		last = frame.sequence;
		seen |= 1U << frame.index;
		ck_assert_msg(is_grey(look(&stream, frame.index), WHITE),
			      "frame %d is not white", i);
		/* Whatever is there the next time was drawn there. */
		memset(stream.maps[frame.index], 0, stream.sizes[0]);
		look_away(&stream, frame.index);
		give(&stream, frame.index);
	}
	ck_assert_uint_eq(seen, (1U << FRAMES) - 1);
	close_stream(&stream);
}
END_TEST

START_TEST(frames_follow_what_the_camera_sees)
{
	struct stream stream = open_camera();
	int tries = 0, black = 0;

	draw(stream.video, "100% White");
	start(&stream);
	ck_assert(is_grey(stream.maps[take(&stream).index], WHITE));
	draw(stream.video, "100% Black");
	/* Frames that were drawn before come first. */
	for (; !black && tries < 3 * FRAMES; tries++) {
		struct portalmem_v4l2_frame frame = take(&stream);

		black = is_grey(look(&stream, frame.index), BLACK);
		look_away(&stream, frame.index);
		give(&stream, frame.index);
	}
	ck_assert(black);
	close_stream(&stream);
}
END_TEST

START_TEST(frames_differ_from_one_to_the_next)
{
	struct stream stream = open_camera();
	unsigned char *before = malloc(WIDTH * HEIGHT * 2);
	struct portalmem_v4l2_frame frame;

	/* It writes into the picture how many frames there were. */
	choose(stream.video, "Test Pattern", "75% Colorbar");
	choose(stream.video, "OSD Text Mode", "All");
	start(&stream);
	frame = take(&stream);
	memcpy(before, look(&stream, frame.index), WIDTH * HEIGHT * 2);
	look_away(&stream, frame.index);
	for (int i = 0; i < FRAMES; i++) {
		const unsigned char *bytes;

		give(&stream, frame.index);
		frame = take(&stream);
		bytes = look(&stream, frame.index);
		ck_assert(memcmp(before, bytes, WIDTH * HEIGHT * 2) != 0);
		memcpy(before, bytes, WIDTH * HEIGHT * 2);
		look_away(&stream, frame.index);
	}
	free(before);
	close_stream(&stream);
}
END_TEST

START_TEST(each_plane_lies_in_a_buffer_of_its_own)
{
	struct stream stream = open_stream(V4L2_CAP_VIDEO_CAPTURE_MPLANE,
					   CAPTURE_PLANES, V4L2_PIX_FMT_NV16M);
	uint32_t last = 0;

	ck_assert_uint_eq(stream.planes, 2);
	draw(stream.video, "100% White");
	start(&stream);
	for (int i = 0; i < 2 * FRAMES; i++) {
		struct portalmem_v4l2_frame frame = take(&stream);
		unsigned int luma = frame.index * 2, colour = luma + 1;

		ck_assert_uint_eq(frame.planes, 2);
		ck_assert_msg(!i || frame.sequence > last, "%u after %u",
			      frame.sequence, last);
		last = frame.sequence;
		ck_assert_uint_eq(frame.used[0], stream.sizes[0]);
		ck_assert_uint_eq(frame.used[1], stream.sizes[1]);
		ck_assert_uint_ge(frame.used[0] - frame.offset[0],
				  WIDTH * HEIGHT);
		ck_assert_uint_ge(frame.used[1] - frame.offset[1],
				  WIDTH * HEIGHT);
		ck_assert(is_all(look(&stream, luma) + frame.offset[0],
				 WIDTH * HEIGHT, 1, WHITE));
		ck_assert(is_all(look(&stream, colour) + frame.offset[1],
				 WIDTH * HEIGHT, 1, GREY));
		memset(stream.maps[luma], 0, stream.sizes[0]);
		memset(stream.maps[colour], 0, stream.sizes[1]);
		look_away(&stream, luma);
		look_away(&stream, colour);
		give(&stream, frame.index);
	}
	close_stream(&stream);
}
END_TEST

START_TEST(output_device_takes_our_buffers)
{
	struct stream stream =
		open_stream(V4L2_CAP_VIDEO_OUTPUT, OUTPUT, V4L2_PIX_FMT_YUYV);
	unsigned int seen = 0;

	start(&stream);
	for (int i = 0; i < 2 * FRAMES; i++) {
		struct portalmem_v4l2_frame frame = take(&stream);

		ck_assert_uint_eq(frame.flags, 0);
		seen |= 1U << frame.index;
		give(&stream, frame.index);
	}
	ck_assert_uint_eq(seen, (1U << FRAMES) - 1);
	close_stream(&stream);
}
END_TEST

/* A descriptor that does not block makes no difference. */
START_TEST(wait_ends_when_its_time_is_over)
{
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	struct stream stream = open_camera();
	int flags = fcntl(stream.video, F_GETFL);
	double begin, took;

	if (_i)
		ck_assert_int_eq(
			fcntl(stream.video, F_SETFL, flags | O_NONBLOCK), 0);
	start(&stream);
	for (int i = 0; i < FRAMES; i++)
		take(&stream);
	/* The camera has no frame left to fill. */
	begin = guest_now();
	ck_assert_int_eq(portalmem_v4l2_queue_take(stream.queue, 300, &frame),
			 -ETIMEDOUT);
	took = guest_now() - begin;
	ck_assert_msg(took >= 0.3 && took < 10, "%f s", took);
	begin = guest_now();
	ck_assert_int_eq(portalmem_v4l2_queue_take(stream.queue, 0, &frame),
			 -ETIMEDOUT);
	ck_assert(guest_now() - begin < 10);
	give(&stream, 0);
	ck_assert_uint_eq(take(&stream).index, 0);
	close_stream(&stream);
}
END_TEST

START_TEST(not_started_is_einval_and_stopped_gives_all_back)
{
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	struct stream stream = open_camera();

	ck_assert_int_eq(
		portalmem_v4l2_queue_take(stream.queue, WAIT_MS, &frame),
		-EINVAL);
	start(&stream);
	ck_assert_int_eq(portalmem_v4l2_queue_give(stream.queue, 1, NULL),
			 -EINVAL);
	ck_assert_int_eq(portalmem_v4l2_queue_stop(stream.queue), 0);
	ck_assert_int_eq(portalmem_v4l2_queue_stop(stream.queue), 0);
	ck_assert_int_eq(
		portalmem_v4l2_queue_take(stream.queue, WAIT_MS, &frame),
		-EINVAL);
	start(&stream);
	take(&stream);
	close_stream(&stream);
}
END_TEST

struct waiting {
	struct portalmem_v4l2_queue *queue;
	int result;
};

static void *wait_for_ever(void *argument)
{
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	struct waiting *waiting = argument;

	waiting->result = portalmem_v4l2_queue_take(waiting->queue, -1, &frame);
	return NULL;
}

START_TEST(stopping_ends_the_wait_of_another_thread)
{
	struct stream stream = open_camera();
	struct waiting waiting = {.queue = stream.queue};
	pthread_t thread;

	start(&stream);
	for (int i = 0; i < FRAMES; i++)
		take(&stream);
	ck_assert_int_eq(pthread_create(&thread, NULL, wait_for_ever, &waiting),
			 0);
	usleep(200000);
	ck_assert_int_eq(portalmem_v4l2_queue_stop(stream.queue), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(waiting.result, -EINVAL);
	close_stream(&stream);
}
END_TEST

#define THREADS 3
#define EACH 8

struct taker {
	struct portalmem_v4l2_queue *queue;
	uint32_t sequences[EACH];
	int result;
};

static void *take_some(void *argument)
{
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	struct taker *taker = argument;

	for (int i = 0; i < EACH && !taker->result; i++) {
		taker->result = portalmem_v4l2_queue_take(taker->queue, WAIT_MS,
							  &frame);
		taker->sequences[i] = frame.sequence;
		if (!taker->result)
			taker->result = portalmem_v4l2_queue_give(
				taker->queue, frame.index, NULL);
	}
	return NULL;
}

START_TEST(each_frame_goes_to_one_thread)
{
	struct stream stream = open_camera();
	struct taker takers[THREADS] = {0};
	pthread_t threads[THREADS];

	start(&stream);
	for (int i = 0; i < THREADS; i++) {
		takers[i].queue = stream.queue;
		ck_assert_int_eq(pthread_create(&threads[i], NULL, take_some,
						&takers[i]),
				 0);
	}
	for (int i = 0; i < THREADS; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_int_eq(takers[i].result, 0);
	}
	for (int i = 0; i < THREADS * EACH; i++)
		for (int k = 0; k < i; k++)
			ck_assert_uint_ne(takers[i / EACH].sequences[i % EACH],
					  takers[k / EACH].sequences[k % EACH]);
	close_stream(&stream);
}
END_TEST

START_TEST(second_queue_is_ebusy)
{
	struct stream stream = open_camera();
	struct portalmem_v4l2_queue *second;
	int again = open_video(V4L2_CAP_VIDEO_CAPTURE);

	ck_assert_int_eq(portalmem_v4l2_queue_open(again, CAPTURE,
						   stream.buffers, FRAMES, 1,
						   &second),
			 -EBUSY);
	close_stream(&stream);
	close(again);
}
END_TEST

START_TEST(closed_queue_leaves_the_device_to_the_next)
{
	struct stream stream = open_camera();
	struct portalmem_info info = PORTALMEM_INFO_INIT;

	start(&stream);
	take(&stream);
	portalmem_v4l2_queue_close(stream.queue);
	ck_assert_int_eq(portalmem_buffer_get_info(stream.buffers[0], &info),
			 0);
	ck_assert_uint_eq(info.attachments, 0);
	ck_assert_int_eq(portalmem_v4l2_queue_open(stream.video, CAPTURE,
						   stream.buffers, FRAMES, 1,
						   &stream.queue),
			 0);
	start(&stream);
	take(&stream);
	close_stream(&stream);
}
END_TEST

/* The first of one size that has more than one segment. */
static struct portalmem_buffer *alloc_scattered(struct portalmem_device *device,
						uint64_t size)
{
	struct portalmem_buffer *held[64], *found = NULL;
	struct portalmem_info info;
	int count = 0;

	while (!found && count < 64) {
		struct portalmem_buffer *buffer;

		info = (struct portalmem_info)PORTALMEM_INFO_INIT;
		ck_assert_int_eq(
			portalmem_buffer_alloc(device, size, NULL, &buffer), 0);
		ck_assert_int_eq(portalmem_buffer_get_info(buffer, &info), 0);
		if (info.segments > 1)
			found = buffer;
		else
			held[count++] = buffer;
	}
	while (count--)
		portalmem_buffer_unref(held[count]);
	ck_assert_ptr_nonnull(found);
	return found;
}

START_TEST(scattered_buffer_is_refused_with_advice)
{
	struct stream stream = open_camera();
	struct portalmem_device *device = open_heap(NULL);
	struct portalmem_buffer *scattered =
		alloc_scattered(device, stream.sizes[0]);

	portalmem_v4l2_queue_close(stream.queue);
	portalmem_buffer_unref(stream.buffers[0]);
	stream.buffers[0] = scattered;
	ck_assert_int_eq(portalmem_v4l2_queue_open(stream.video, CAPTURE,
						   stream.buffers, FRAMES, 1,
						   &stream.queue),
			 0);
	ck_assert_int_lt(portalmem_v4l2_queue_give(stream.queue, 0, NULL), 0);
	printf("# %s\n", portalmem_error_message());
	ck_assert_ptr_nonnull(
		strstr(portalmem_error_message(), "portalmem-contiguous"));
	portalmem_device_unref(device);
	close_stream(&stream);
}
END_TEST

START_TEST(broken_frame_is_told)
{
	struct stream stream = open_camera();
	int broken = 0;

	start(&stream);
	take(&stream);
	press(stream.video, "Inject V4L2_BUF_FLAG_ERROR");
	for (int i = 0; !broken && i < FRAMES - 1; i++)
		broken = take(&stream).flags & PORTALMEM_V4L2_FRAME_IS_BROKEN;
	ck_assert(broken);
	close_stream(&stream);
}
END_TEST

START_TEST(failed_device_is_eio)
{
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	struct stream stream = open_camera();

	start(&stream);
	take(&stream);
	press(stream.video, "Inject Fatal Streaming Error");
	ck_assert_int_eq(
		portalmem_v4l2_queue_take(stream.queue, WAIT_MS, &frame), -EIO);
	/* Stopped and started it works again. */
	ck_assert_int_eq(portalmem_v4l2_queue_stop(stream.queue), 0);
	start(&stream);
	take(&stream);
	close_stream(&stream);
}
END_TEST

/* The last test: without its devices vivid is of no more use. */
START_TEST(unplugged_device_is_enodev)
{
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	struct stream stream = open_camera();

	start(&stream);
	take(&stream);
	press(stream.video, "Disconnect");
	ck_assert_int_eq(
		portalmem_v4l2_queue_take(stream.queue, WAIT_MS, &frame),
		-ENODEV);
	ck_assert_int_eq(portalmem_v4l2_queue_give(stream.queue, 0, NULL),
			 -ENODEV);
	ck_assert_int_eq(portalmem_v4l2_queue_start(stream.queue), -ENODEV);
	ck_assert_int_eq(portalmem_v4l2_queue_stop(stream.queue), -ENODEV);
	ck_assert_int_eq(
		portalmem_v4l2_get_plane_sizes(stream.video, CAPTURE, NULL, 0),
		-ENODEV);
	close_stream(&stream);
}
END_TEST

START_TEST(shipped_example_works)
{
	const char *build = getenv("PORTALMEM_BUILDDIR");
	char command[1024];

	snprintf(command, sizeof(command),
		 "camera=$(grep -l '^vivid-000-vid-cap$' "
		 "/sys/class/video4linux/video*/name | head -n 1) && "
		 "%s/examples/v4l2 /dev/$(basename $(dirname $camera)) 12",
		 build);
	guest_shell(command);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("v4l2");
	TCase *tcase = guest_tcase("v4l2");

	tcase_add_unchecked_fixture(tcase, load_vivid, unload_vivid);
	tcase_add_test(tcase, test_pattern_lies_in_our_buffers);
	tcase_add_test(tcase, frames_follow_what_the_camera_sees);
	tcase_add_test(tcase, frames_differ_from_one_to_the_next);
	tcase_add_test(tcase, each_plane_lies_in_a_buffer_of_its_own);
	tcase_add_test(tcase, output_device_takes_our_buffers);
	tcase_add_loop_test(tcase, wait_ends_when_its_time_is_over, 0, 2);
	tcase_add_test(tcase, not_started_is_einval_and_stopped_gives_all_back);
	tcase_add_test(tcase, stopping_ends_the_wait_of_another_thread);
	tcase_add_test(tcase, each_frame_goes_to_one_thread);
	tcase_add_test(tcase, second_queue_is_ebusy);
	tcase_add_test(tcase, closed_queue_leaves_the_device_to_the_next);
	tcase_add_test(tcase, scattered_buffer_is_refused_with_advice);
	tcase_add_test(tcase, broken_frame_is_told);
	tcase_add_test(tcase, failed_device_is_eio);
	tcase_add_test(tcase, shipped_example_works);
	tcase_add_test(tcase, unplugged_device_is_enodev);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
