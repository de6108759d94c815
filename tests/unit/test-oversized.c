// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sizes, offsets, counts, numbers and texts at the limits of their types, where
 * adding to them wraps, for every public function that takes such.
 */
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef WITH_DRM
#include "portalmem-drm.h"
#endif
#include "fake.h"
#include "portalmem-v4l2.h"
#include "unit.h"

#define SYNC (PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ)
#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE
#define OUTPUT V4L2_BUF_TYPE_VIDEO_OUTPUT

/* A text that no field has room for. */
#define LONG_TEXT ((size_t)1 << 20)

#define refuses(call) unit_assert_fails(call, EINVAL)

static struct portalmem_device *device, *memfd_device;
static struct portalmem_buffer *dmabuf, *memfd;
static int node, fence;
static char *text;

static void set_up(void)
{
	int fd;

	fake_start();
	fd = fake_open_buffer();
	node = fake_open_node();
	fence = fake_open_fence();
	memfd_device = unit_open_memfd();
	ck_assert_int_eq(
		portalmem_device_open(NULL, PORTALMEM_BACKEND_ANY, &device), 0);
	ck_assert_int_eq(portalmem_buffer_import(device, fd, &dmabuf), 0);
	memfd = unit_alloc_memfd(FAKE_SIZE);
	text = malloc(LONG_TEXT + 1);
	ck_assert_ptr_nonnull(text);
	memset(text, 'x', LONG_TEXT);
	text[LONG_TEXT] = '\0';
	close(fd);
}

static void tear_down(void)
{
	free(text);
	portalmem_buffer_unref(memfd);
	portalmem_buffer_unref(dmabuf);
	portalmem_device_unref(device);
	portalmem_device_unref(memfd_device);
	close(fence);
	close(node);
	fake_stop();
}

/* More than any memory, and next to where adding to it wraps. */
static const uint64_t sizes[] = {
	(uint64_t)1 << 62, INT64_MAX - 4096,  INT64_MAX,      INT64_MAX + 1ULL,
	UINT64_MAX - 4096, UINT64_MAX - 4095, UINT64_MAX - 1, UINT64_MAX,
};

static void assert_not_allocated(struct portalmem_device *from, uint64_t size)
{
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;
	struct portalmem_constraints wanted = PORTALMEM_CONSTRAINTS_INIT;
	struct portalmem_buffer *made = NULL;
	struct portalmem_pool *pool = NULL;
	unsigned int unmet = 0;

	unit_assert_fails(portalmem_buffer_alloc(from, size, NULL, &made),
			  ENOMEM);
	options.minimum = 1;
	unit_assert_fails(portalmem_pool_create(from, size, &options, &pool),
			  ENOMEM);
	wanted.size = size;
	unit_assert_fails(portalmem_device_check(from, &wanted, &unmet),
			  EOPNOTSUPP);
	ck_assert_uint_eq(unmet, PORTALMEM_NEED_SIZE);
	ck_assert_ptr_null(made);
	ck_assert_ptr_null(pool);
}

START_TEST(size_beyond_all_memory_is_enomem)
{
	struct portalmem_constraints wanted = PORTALMEM_CONSTRAINTS_INIT;
	struct portalmem_device *opened = NULL;
	unsigned int unmet = 0;

	assert_not_allocated(device, sizes[_i]);
	assert_not_allocated(memfd_device, sizes[_i]);
	wanted.size = sizes[_i];
	unit_assert_fails(portalmem_device_open_for(&wanted, &opened, &unmet),
			  EOPNOTSUPP);
	ck_assert_uint_eq(unmet, PORTALMEM_NEED_SIZE);
	ck_assert_ptr_null(opened);
}
END_TEST

START_TEST(memory_beyond_the_address_space_is_refused)
{
	uint64_t size = sizes[_i] & ~(PAGE - 1);
	struct portalmem_buffer *made = NULL;
	void *last = (void *)(uintptr_t)(UINTPTR_MAX - PAGE + 1);

	ck_assert_int_lt(
		portalmem_buffer_import_user(device, last, size, NULL, &made),
		0);
	ck_assert_int_lt(portalmem_buffer_import_user(device, text, sizes[_i],
						      NULL, &made),
			 0);
	ck_assert_ptr_null(made);
}
END_TEST

/* Both the start and the length, of a dma-buf and of a memfd. */
static void assert_not_within(struct portalmem_buffer *buffer, uint64_t offset,
			      uint64_t length)
{
	const struct portalmem_range range = {offset, length};
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;
	uint64_t aligned = offset & ~(PAGE - 1), done = 0;
	void *map = NULL;

	refuses(portalmem_buffer_map(buffer, aligned, length,
				     PORTALMEM_MAP_READ, &map));
	refuses(portalmem_buffer_read(buffer, offset, text, length));
	refuses(portalmem_buffer_write(buffer, offset, text, length));
	refuses(portalmem_buffer_load(buffer, offset, node, 0, length, NULL,
				      &done));
	refuses(portalmem_buffer_save(buffer, offset, node, 0, length, NULL,
				      &done));
	unit_assert_fails(portalmem_buffer_sync(buffer, SYNC, &range, 1),
			  ERANGE);
	unit_assert_fails(portalmem_access_begin(buffer, PORTALMEM_SYNC_READ,
						 &range, 1, &access),
			  ERANGE);
	ck_assert_ptr_null(map);
	ck_assert_ptr_null(access.buffer);
	ck_assert_uint_eq(done, 0);
}

START_TEST(part_that_is_not_within_a_buffer_is_refused)
{
	assert_not_within(dmabuf, sizes[_i], 1);
	assert_not_within(memfd, sizes[_i], 1);
	assert_not_within(dmabuf, PAGE, sizes[_i]);
	assert_not_within(memfd, PAGE, sizes[_i]);
	assert_not_within(dmabuf, sizes[_i], sizes[_i]);
	/* Together they wrap to something small. */
	assert_not_within(memfd, sizes[_i], UINT64_MAX - sizes[_i] + 2);
}
END_TEST

START_TEST(position_beyond_all_files_is_einval)
{
	uint64_t done = 0;

	refuses(portalmem_buffer_load(memfd, 0, node, INT64_MAX, PAGE, NULL,
				      &done));
	refuses(portalmem_buffer_load(memfd, 0, node, INT64_MAX - 4000, PAGE,
				      NULL, &done));
	refuses(portalmem_buffer_load(memfd, 0, node, INT64_MIN, PAGE, NULL,
				      &done));
	refuses(portalmem_buffer_save(memfd, 0, node, INT64_MAX, PAGE, NULL,
				      &done));
	refuses(portalmem_buffer_save(memfd, 0, node, INT64_MAX - 4000, PAGE,
				      NULL, &done));
	refuses(portalmem_buffer_save(memfd, 0, node, INT64_MIN, PAGE, NULL,
				      &done));
	ck_assert_uint_eq(done, 0);
}
END_TEST

START_TEST(too_many_ranges_are_einval)
{
	static const struct portalmem_range range;
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;
	struct portalmem_attachment *attached;

	ck_assert_int_eq(
		portalmem_buffer_attach(dmabuf, "pci", "x", NULL, &attached),
		0);
	for (size_t count = SIZE_MAX; count > 65536; count >>= 1) {
		refuses(portalmem_buffer_sync(dmabuf, SYNC, &range, count));
		refuses(portalmem_buffer_sync(memfd, SYNC, &range, count));
		refuses(portalmem_attachment_sync(attached, SYNC, &range,
						  count));
		refuses(portalmem_access_begin(dmabuf, PORTALMEM_SYNC_READ,
					       &range, count, &access));
	}
	portalmem_attachment_unref(attached);
}
END_TEST

START_TEST(range_beyond_an_attachment_is_erange)
{
	const struct portalmem_range ranges[] = {
		{sizes[_i], 1},
		{1, sizes[_i]},
		{sizes[_i], UINT64_MAX - sizes[_i] + 2},
	};
	struct portalmem_attachment *attached;

	ck_assert_int_eq(
		portalmem_buffer_attach(dmabuf, "pci", "x", NULL, &attached),
		0);
	for (int i = 0; i < COUNT(ranges); i++)
		unit_assert_fails(portalmem_attachment_sync(attached, SYNC,
							    &ranges[i], 1),
				  ERANGE);
	portalmem_attachment_unref(attached);
}
END_TEST

START_TEST(table_is_not_read_past_its_end)
{
	static const size_t firsts[] = {FAKE_SEGMENTS, UINT32_MAX,
					(size_t)UINT32_MAX + 1, SIZE_MAX};
	struct portalmem_dma_segment dma[FAKE_SEGMENTS];
	struct portalmem_segment cpu[FAKE_SEGMENTS];
	struct portalmem_attachment *attached;

	ck_assert_int_eq(
		portalmem_buffer_attach(dmabuf, "pci", "x", NULL, &attached),
		0);
	for (int i = 0; i < COUNT(firsts); i++) {
		size_t total = 0;

		ck_assert_int_eq(portalmem_buffer_get_segments(
					 dmabuf, firsts[i], cpu, 1, &total),
				 0);
		ck_assert_uint_eq(total, FAKE_SEGMENTS);
		ck_assert_int_eq(portalmem_attachment_get_segments(
					 attached, firsts[i], dma, 1, &total),
				 0);
		ck_assert_uint_eq(total, FAKE_SEGMENTS);
		/* Room for more than there can be. */
		ck_assert_int_eq(portalmem_buffer_get_segments(
					 dmabuf, 0, cpu, firsts[i], &total),
				 FAKE_SEGMENTS);
		ck_assert_int_eq(portalmem_attachment_get_segments(
					 attached, 0, dma, firsts[i], &total),
				 FAKE_SEGMENTS);
	}
	portalmem_attachment_unref(attached);
}
END_TEST

START_TEST(numbers_of_options_are_checked)
{
	static const unsigned int bits[] = {65, INT_MAX, UINT_MAX};
	struct portalmem_attach_options attach = PORTALMEM_ATTACH_OPTIONS_INIT;
	struct portalmem_constraints wanted = PORTALMEM_CONSTRAINTS_INIT;
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_attachment *attached = NULL;
	struct portalmem_device *opened = NULL;
	struct portalmem_buffer *made = NULL;

	for (int i = 0; i < COUNT(bits); i++) {
		options.address_bits = bits[i];
		refuses(portalmem_buffer_alloc(device, PAGE, &options, &made));
		attach.address_bits = bits[i];
		refuses(portalmem_buffer_attach(dmabuf, "pci", "x", &attach,
						&attached));
		wanted.address_bits = bits[i];
		refuses(portalmem_device_check(device, &wanted, NULL));
		refuses(portalmem_device_open_for(&wanted, &opened, NULL));
	}
	options.address_bits = 0;
	options.alignment = UINT64_MAX;
	refuses(portalmem_buffer_alloc(device, PAGE, &options, &made));
	options.alignment = 0;
	options.region_offset = UINT64_MAX;
	options.adopt = 1;
	refuses(portalmem_buffer_alloc(device, PAGE, &options, &made));
	options.adopt = 0;
	options.region_offset = 0;
	options.node = INT_MIN;
	refuses(portalmem_buffer_alloc(device, PAGE, &options, &made));
	options.node = -1;
	options.struct_size = SIZE_MAX;
	refuses(portalmem_buffer_alloc(device, PAGE, &options, &made));
	wanted.address_bits = 0;
	wanted.needs = UINT_MAX;
	refuses(portalmem_device_check(device, &wanted, NULL));
	refuses(portalmem_device_open_for(&wanted, &opened, NULL));
	ck_assert_ptr_null(made);
	ck_assert_ptr_null(attached);
	ck_assert_ptr_null(opened);
}
END_TEST

static void assert_info_refused(size_t size)
{
	struct portalmem_attachment_info attachment =
		PORTALMEM_ATTACHMENT_INFO_INIT;
	struct portalmem_heap_info heap = PORTALMEM_HEAP_INFO_INIT;
	struct portalmem_pool_info pool_info = PORTALMEM_POOL_INFO_INIT;
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_attachment *attached;
	struct portalmem_pool *pool;

	ck_assert_int_eq(
		portalmem_buffer_attach(dmabuf, "pci", "x", NULL, &attached),
		0);
	ck_assert_int_eq(portalmem_pool_create(device, PAGE, NULL, &pool), 0);
	attachment.struct_size = size;
	heap.struct_size = size;
	pool_info.struct_size = size;
	info.struct_size = size;
	refuses(portalmem_attachment_get_info(attached, &attachment));
	refuses(portalmem_device_get_heap_info(device, &heap));
	refuses(portalmem_pool_get_info(pool, &pool_info));
	refuses(portalmem_buffer_get_info(dmabuf, &info));
	portalmem_pool_unref(pool);
	portalmem_attachment_unref(attached);
}

START_TEST(size_of_an_info_is_that_of_its_struct)
{
	assert_info_refused(SIZE_MAX);
	assert_info_refused(0);
	assert_info_refused((size_t)INT_MAX + 1);
}
END_TEST

START_TEST(text_without_an_end_is_refused)
{
	struct portalmem_import_options import = PORTALMEM_IMPORT_OPTIONS_INIT;
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_attachment *attached = NULL;
	struct portalmem_device *opened = NULL;
	struct portalmem_buffer *made = NULL;
	char entry[PORTALMEM_ENV_MAX];

	options.name = text;
	refuses(portalmem_buffer_alloc(device, PAGE, &options, &made));
	import.name = text;
	refuses(portalmem_buffer_import_user(device, (void *)(uintptr_t)PAGE,
					     PAGE, &import, &made));
	refuses(portalmem_buffer_attach(dmabuf, text, "x", NULL, &attached));
	refuses(portalmem_buffer_attach(dmabuf, "pci", text, NULL, &attached));
	unit_assert_fails(portalmem_buffer_set_name(dmabuf, text),
			  ENAMETOOLONG);
	unit_assert_fails(
		portalmem_buffer_export_env(dmabuf, text, entry, sizeof(entry)),
		ERANGE);
	unit_assert_fails(portalmem_buffer_import_env(device, text, &made),
			  ENOENT);
	/* The fake kernel has no such node. */
	text[0] = '/';
	ck_assert_int_lt(
		portalmem_device_open(text, PORTALMEM_BACKEND_ANY, &opened), 0);
	text[0] = 'x';
	ck_assert_int_lt(
		portalmem_device_open(text, PORTALMEM_BACKEND_ANY, &opened), 0);
	ck_assert_str_ne(portalmem_error_message(), "");
	ck_assert_uint_lt(strlen(portalmem_error_message()), 4096);
	ck_assert_ptr_null(made);
	ck_assert_ptr_null(attached);
	ck_assert_ptr_null(opened);
}
END_TEST

START_TEST(value_of_a_variable_without_an_end_is_ebadmsg)
{
	struct portalmem_buffer *made = NULL;

	ck_assert_int_eq(setenv("BUFFER", text, 1), 0);
	unit_assert_fails(portalmem_buffer_import_env(device, "BUFFER", &made),
			  EBADMSG);
	memset(text, '9', LONG_TEXT);
	ck_assert_int_eq(setenv("BUFFER", text, 1), 0);
	unit_assert_fails(portalmem_buffer_import_env(device, "BUFFER", &made),
			  EBADMSG);
	ck_assert_ptr_null(made);
}
END_TEST

START_TEST(room_for_more_than_any_text_is_room)
{
	static const size_t rooms[] = {PORTALMEM_ENV_MAX + 8,
				       (size_t)INT_MAX + 1, SIZE_MAX};
	char entry[PORTALMEM_ENV_MAX + 8];

	for (int i = 0; i < COUNT(rooms); i++) {
		int copy = portalmem_buffer_export_env(dmabuf, "BUFFER", entry,
						       rooms[i]);

		ck_assert_msg(copy >= 0, "%zu: %s", rooms[i],
			      portalmem_error_message());
		close(copy);
	}
}
END_TEST

START_TEST(flags_that_are_not_known_are_einval)
{
	static const unsigned int flags[] = {
		INT_MAX, UINT_MAX, (unsigned int)INT_MAX + 1, 1U << 8};
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;
	struct portalmem_attachment *attached;
	void *map = NULL;
	int made = -7;

	ck_assert_int_eq(
		portalmem_buffer_attach(dmabuf, "pci", "x", NULL, &attached),
		0);
	for (int i = 0; i < COUNT(flags); i++) {
		refuses(portalmem_buffer_map(dmabuf, 0, 0, flags[i], &map));
		refuses(portalmem_buffer_sync(dmabuf, flags[i], NULL, 0));
		refuses(portalmem_attachment_sync(attached, flags[i], NULL, 0));
		refuses(portalmem_access_begin(dmabuf, flags[i], NULL, 0,
					       &access));
		refuses(portalmem_buffer_wait(dmabuf, flags[i], 0));
		refuses(portalmem_buffer_export_fence(dmabuf, flags[i], &made));
		refuses(portalmem_buffer_import_fence(dmabuf, flags[i], fence));
	}
	ck_assert_ptr_null(map);
	ck_assert_int_eq(made, -7);
	portalmem_attachment_unref(attached);
}
END_TEST

START_TEST(number_of_an_access_that_never_was_is_einval)
{
	struct portalmem_access access = {dmabuf, UINT64_MAX};

	refuses(portalmem_access_end(&access));
	access = (struct portalmem_access){dmabuf, 0};
	refuses(portalmem_access_end(&access));
}
END_TEST

START_TEST(times_at_their_limits_are_times_or_refused)
{
	struct portalmem_receive_options receive =
		PORTALMEM_RECEIVE_OPTIONS_INIT;
	struct portalmem_parcel parcel;
	struct portalmem_buffer *taken;
	struct portalmem_pool *pool;

	ck_assert_int_eq(portalmem_pool_create(device, PAGE, NULL, &pool), 0);
	ck_assert_int_eq(portalmem_fence_wait(fence, INT_MAX), 0);
	refuses(portalmem_fence_wait(fence, INT_MIN));
	ck_assert_int_eq(
		portalmem_buffer_wait(dmabuf, PORTALMEM_SYNC_READ, INT_MAX), 0);
	refuses(portalmem_buffer_wait(dmabuf, PORTALMEM_SYNC_READ, INT_MIN));
	ck_assert_int_eq(portalmem_pool_acquire(pool, INT_MAX, &taken), 0);
	portalmem_buffer_unref(taken);
	refuses(portalmem_pool_acquire(pool, INT_MIN, &taken));
	receive.timeout_ms = INT_MIN;
	refuses(portalmem_receive(device, node, &receive, &parcel, 1));
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(pool_of_any_limits_is_a_pool)
{
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;
	struct portalmem_buffer *taken;
	struct portalmem_pool *pool = NULL;

	options.maximum = UINT_MAX;
	options.idle_ms = INT_MAX;
	ck_assert_int_eq(portalmem_pool_create(device, PAGE, &options, &pool),
			 0);
	ck_assert_int_eq(portalmem_pool_acquire(pool, 0, &taken), 0);
	portalmem_buffer_unref(taken);
	ck_assert_int_eq(portalmem_pool_trim(pool, UINT_MAX), 0);
	ck_assert_int_eq(portalmem_pool_trim(pool, (unsigned int)INT_MAX + 1),
			 0);
	ck_assert_int_eq(portalmem_pool_trim(pool, 0), 1);
	portalmem_pool_unref(pool);
	pool = NULL;
	options.idle_ms = INT_MIN;
	refuses(portalmem_pool_create(device, PAGE, &options, &pool));
	options.idle_ms = 0;
	options.minimum = UINT_MAX;
	options.maximum = UINT_MAX - 1;
	refuses(portalmem_pool_create(device, PAGE, &options, &pool));
	/* More than descriptors, each of them as large as can be. */
	options.maximum = UINT_MAX;
	unit_assert_fails(portalmem_pool_create(memfd_device, UINT64_MAX,
						&options, &pool),
			  ENOMEM);
	ck_assert_ptr_null(pool);
}
END_TEST

START_TEST(batch_is_counted_before_it_is_looked_at)
{
	const struct portalmem_parcel parcel = {dmabuf, -1};
	struct portalmem_parcel got;
	struct portalmem_buffer *received;
	int pair[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	refuses(portalmem_send(pair[0], &parcel, PORTALMEM_PARCELS_MAX + 1));
	refuses(portalmem_send(pair[0], &parcel, SIZE_MAX));
	refuses(portalmem_send(pair[0], &parcel,
			       SIZE_MAX / sizeof(parcel) + 2));
	/* Room that there is not, but that is not written to. */
	ck_assert_int_eq(portalmem_send(pair[0], &parcel, 1), 0);
	ck_assert_int_eq(
		portalmem_receive(device, pair[1], NULL, &got, SIZE_MAX), 1);
	portalmem_buffer_unref(got.buffer);
	/* The most that one message has is too much for one buffer. */
	ck_assert_int_eq(portalmem_buffer_send(dmabuf, pair[0]), 0);
	ck_assert_int_eq(portalmem_buffer_receive(device, pair[1], &received),
			 0);
	portalmem_buffer_unref(received);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(names_of_no_enumerator_are_unknown)
{
	static const int numbers[] = {-1, 64, INT_MAX, INT_MIN};
	struct portalmem_device *opened = NULL;

	for (int i = 0; i < COUNT(numbers); i++) {
		ck_assert_str_eq(portalmem_backend_name(
					 (enum portalmem_backend)numbers[i]),
				 "unknown");
		ck_assert_str_eq(portalmem_caching_name(
					 (enum portalmem_caching)numbers[i]),
				 "unknown");
		ck_assert_str_eq(portalmem_exporter_name(
					 (enum portalmem_exporter)numbers[i]),
				 "unknown");
		refuses(portalmem_device_open(
			NULL, (enum portalmem_backend)numbers[i], &opened));
	}
	ck_assert_ptr_null(opened);
}
END_TEST

#ifdef WITH_DRM
START_TEST(handle_that_is_none_is_refused)
{
	static const uint32_t handles[] = {0, INT32_MAX, UINT32_MAX};
	struct portalmem_buffer *made = NULL;

	for (int i = 0; i < COUNT(handles); i++) {
		unit_assert_fails(
			portalmem_drm_export(device, node, handles[i], &made),
			ENOENT);
		refuses(portalmem_drm_close_handle(node, handles[i]));
	}
	ck_assert_ptr_null(made);
}
END_TEST
#endif

START_TEST(video_queue_of_too_much_is_einval)
{
	static const unsigned int numbers[] = {
		0, PORTALMEM_V4L2_FRAMES_MAX + 1, INT_MAX, UINT_MAX,
		/* Times 2 or 8 this is little. */
		(unsigned int)INT_MAX + 2, UINT_MAX / 8 + 2};
	struct portalmem_v4l2_queue *queue = NULL;
	uint32_t plane_sizes[PORTALMEM_V4L2_PLANES_MAX] = {0};

	for (int i = 0; i < COUNT(numbers); i++) {
		refuses(portalmem_v4l2_queue_open(node, CAPTURE, &dmabuf,
						  numbers[i], 1, &queue));
		refuses(portalmem_v4l2_queue_open(node, CAPTURE, &dmabuf, 1,
						  numbers[i], &queue));
		refuses(portalmem_v4l2_queue_open(node, CAPTURE, &dmabuf,
						  numbers[i], numbers[i],
						  &queue));
	}
	refuses(portalmem_v4l2_queue_open(node, UINT32_MAX, &dmabuf, 1, 1,
					  &queue));
	refuses(portalmem_v4l2_get_plane_sizes(node, UINT32_MAX, plane_sizes,
					       1));
	/* Only what there is is written. */
	ck_assert_int_eq(portalmem_v4l2_get_plane_sizes(node, CAPTURE,
							plane_sizes, UINT_MAX),
			 1);
	ck_assert_uint_eq(plane_sizes[0], PAGE);
	ck_assert_uint_eq(plane_sizes[1], 0);
	ck_assert_ptr_null(queue);
}
END_TEST

START_TEST(frame_beyond_the_queue_is_einval)
{
	static const unsigned int indices[] = {1, INT_MAX, UINT_MAX};
	static const uint32_t used[] = {FAKE_SIZE + 1, INT32_MAX, UINT32_MAX};
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	struct portalmem_v4l2_queue *queue;

	ck_assert_int_eq(
		portalmem_v4l2_queue_open(node, OUTPUT, &dmabuf, 1, 1, &queue),
		0);
	for (int i = 0; i < COUNT(indices); i++)
		refuses(portalmem_v4l2_queue_give(queue, indices[i], NULL));
	for (int i = 0; i < COUNT(used); i++)
		refuses(portalmem_v4l2_queue_give(queue, 0, &used[i]));
	refuses(portalmem_v4l2_queue_take(queue, INT_MIN, &frame));
	frame.struct_size = SIZE_MAX;
	refuses(portalmem_v4l2_queue_take(queue, 0, &frame));
	portalmem_v4l2_queue_close(queue);
	ck_assert_int_eq(
		portalmem_v4l2_queue_open(node, CAPTURE, &dmabuf, 1, 1, &queue),
		0);
	ck_assert_int_eq(portalmem_v4l2_queue_give(queue, 0, NULL), 0);
	ck_assert_int_eq(portalmem_v4l2_queue_start(queue), 0);
	frame.struct_size = sizeof(frame);
	ck_assert_int_eq(portalmem_v4l2_queue_take(queue, INT_MAX, &frame), 0);
	portalmem_v4l2_queue_close(queue);
}
END_TEST

static Suite *oversized_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("oversized", &tc);

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, size_beyond_all_memory_is_enomem, 0,
			    COUNT(sizes));
	tcase_add_loop_test(tc, memory_beyond_the_address_space_is_refused, 0,
			    COUNT(sizes));
	tcase_add_loop_test(tc, part_that_is_not_within_a_buffer_is_refused, 0,
			    COUNT(sizes));
	tcase_add_test(tc, position_beyond_all_files_is_einval);
	tcase_add_test(tc, too_many_ranges_are_einval);
	tcase_add_loop_test(tc, range_beyond_an_attachment_is_erange, 0,
			    COUNT(sizes));
	tcase_add_test(tc, table_is_not_read_past_its_end);
	tcase_add_test(tc, numbers_of_options_are_checked);
	tcase_add_test(tc, size_of_an_info_is_that_of_its_struct);
	tcase_add_test(tc, text_without_an_end_is_refused);
	tcase_add_test(tc, value_of_a_variable_without_an_end_is_ebadmsg);
	tcase_add_test(tc, room_for_more_than_any_text_is_room);
	tcase_add_test(tc, flags_that_are_not_known_are_einval);
	tcase_add_test(tc, number_of_an_access_that_never_was_is_einval);
	tcase_add_test(tc, times_at_their_limits_are_times_or_refused);
	tcase_add_test(tc, pool_of_any_limits_is_a_pool);
	tcase_add_test(tc, batch_is_counted_before_it_is_looked_at);
	tcase_add_test(tc, names_of_no_enumerator_are_unknown);
#ifdef WITH_DRM
	tcase_add_test(tc, handle_that_is_none_is_refused);
#endif
	tcase_add_test(tc, video_queue_of_too_much_is_einval);
	tcase_add_test(tc, frame_beyond_the_queue_is_einval);
	return suite;
}

PMTEST_MAIN(oversized_suite)
