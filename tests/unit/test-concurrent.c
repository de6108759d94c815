// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every public function, from many threads on the same objects, beside itself
 * and beside all others. Most of what can go wrong here shows under the thread
 * sanitizer; every result is looked at as well.
 */
#include "config.h"

#include <fcntl.h>
#include <linux/videodev2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef WITH_DRM
#include "portalmem-drm.h"
#endif
#include "fake.h"
#include "portalmem-v4l2.h"
#include "unit.h"

#define THREADS 8U
#define ROUNDS 40
#define FRAMES 4U

/* What all threads use: of the fake kernel, but for the memfd. */
static struct portalmem_device *device;
static struct portalmem_buffer *dmabuf;
static struct portalmem_buffer *memfd; /* a page for each thread */
static struct portalmem_attachment *attached;
static struct portalmem_pool *pool;
static struct portalmem_v4l2_queue *queue;
static struct portalmem_buffer *frames[FRAMES];
static int node, fence, fd, file, pidfd;
static int one[2], many[2]; /* sockets, for the two kinds of messages */
static char *memory;	    /* of this process */

/* Of the calling thread. */
static _Thread_local unsigned int thread;
static _Thread_local const char *failed_at;

#define REQUIRE(condition)                      \
	do {                                    \
		if (!(condition)) {             \
			failed_at = #condition; \
			return false;           \
		}                               \
	} while (0)

static uint64_t own_page(void)
{
	return thread * PAGE;
}

static bool access_begin(void)
{
	const struct portalmem_range range = {own_page(), PAGE};
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;

	REQUIRE(!portalmem_access_begin(dmabuf, PORTALMEM_SYNC_WRITE, &range, 1,
					&access));
	REQUIRE(!portalmem_access_end(&access));
	REQUIRE(portalmem_access_end(&access) == -EINVAL);
	return true;
}

static bool attachment_get_fd(void)
{
	REQUIRE(portalmem_attachment_get_fd(attached) >= 0);
	return true;
}

static bool attachment_get_info(void)
{
	struct portalmem_attachment_info info = PORTALMEM_ATTACHMENT_INFO_INIT;

	REQUIRE(!portalmem_attachment_get_info(attached, &info));
	REQUIRE(info.size == FAKE_SIZE);
	return true;
}

static bool attachment_get_segments(void)
{
	struct portalmem_dma_segment segments[FAKE_SEGMENTS];
	size_t total;

	REQUIRE(portalmem_attachment_get_segments(attached, 1, segments,
						  FAKE_SEGMENTS,
						  &total) == FAKE_SEGMENTS - 1);
	REQUIRE(total == FAKE_SEGMENTS);
	return true;
}

static bool attachment_import(void)
{
	struct portalmem_attachment *imported;

	REQUIRE(!portalmem_attachment_import(
		portalmem_attachment_get_fd(attached), &imported));
	portalmem_attachment_unref(imported);
	return true;
}

static bool attachment_ref(void)
{
	REQUIRE(portalmem_attachment_ref(attached) == attached);
	portalmem_attachment_unref(attached);
	return true;
}

static bool attachment_sync(void)
{
	const struct portalmem_range range = {own_page(), 1};

	REQUIRE(!portalmem_attachment_sync(
		attached, PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ, &range,
		1));
	return true;
}

static bool backend_name(void)
{
	REQUIRE(!strcmp(portalmem_backend_name(PORTALMEM_BACKEND_MEMFD),
			"memfd"));
	return true;
}

static bool buffer_alloc(void)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_buffer *made;

	options.name = "made";
	REQUIRE(!portalmem_buffer_alloc(device, PAGE, &options, &made));
	portalmem_buffer_unref(made);
	return true;
}

static bool buffer_attach(void)
{
	struct portalmem_attachment *made;

	REQUIRE(!portalmem_buffer_attach(dmabuf, "pci", "0000:00:04.0", NULL,
					 &made));
	portalmem_attachment_unref(made);
	return true;
}

static bool buffer_export_env(void)
{
	char entry[PORTALMEM_ENV_MAX + 8];
	int copy = portalmem_buffer_export_env(dmabuf, "BUFFER", entry,
					       sizeof(entry));

	REQUIRE(copy >= 0);
	close(copy);
	REQUIRE(!strncmp(entry, "BUFFER=", 7));
	return true;
}

static bool buffer_export_fence(void)
{
	int made;

	REQUIRE(!portalmem_buffer_export_fence(dmabuf, PORTALMEM_SYNC_WRITE,
					       &made));
	close(made);
	return true;
}

static bool buffer_get_caching(void)
{
	REQUIRE(portalmem_buffer_get_caching(dmabuf) ==
		PORTALMEM_CACHING_CACHED);
	return true;
}

static bool buffer_get_exporter(void)
{
	REQUIRE(portalmem_buffer_get_exporter(dmabuf) ==
		PORTALMEM_EXPORTER_PORTALMEM);
	REQUIRE(portalmem_buffer_get_exporter(memfd) ==
		PORTALMEM_EXPORTER_MEMFD);
	return true;
}

static bool buffer_get_fd(void)
{
	REQUIRE(portalmem_buffer_get_fd(dmabuf) >= 0);
	return true;
}

static bool buffer_get_info(void)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;

	REQUIRE(!portalmem_buffer_get_info(dmabuf, &info));
	REQUIRE(info.size == FAKE_SIZE);
	return true;
}

static bool buffer_get_segments(void)
{
	struct portalmem_segment segments[FAKE_SEGMENTS];
	size_t total;

	REQUIRE(portalmem_buffer_get_segments(dmabuf, 1, segments,
					      FAKE_SEGMENTS,
					      &total) == FAKE_SEGMENTS - 1);
	REQUIRE(total == FAKE_SEGMENTS);
	return true;
}

static bool buffer_get_size(void)
{
	REQUIRE(portalmem_buffer_get_size(dmabuf) == FAKE_SIZE);
	return true;
}

static bool buffer_import(void)
{
	struct portalmem_buffer *imported;

	REQUIRE(!portalmem_buffer_import(device, fd, &imported));
	portalmem_buffer_unref(imported);
	return true;
}

/* Each variable is taken over by one thread. */
#define VARIABLES (THREADS * 4U)
static char variables[VARIABLES][PORTALMEM_ENV_MAX + 16];
static atomic_uint next_variable;

static void put_variables(void)
{
	char name[16];

	for (unsigned int i = 0; i < VARIABLES; i++) {
		snprintf(name, sizeof(name), "BUFFER%u", i);
		ck_assert_int_ge(
			portalmem_buffer_export_env(dmabuf, name, variables[i],
						    sizeof(variables[i])),
			0);
		ck_assert_int_eq(putenv(variables[i]), 0);
	}
}

static void take_variables_that_are_left(void)
{
	unsigned int i = atomic_load(&next_variable);

	for (; i < VARIABLES; i++)
		close(atoi(strchr(variables[i], '=') + strlen("=1:")));
}

static bool buffer_import_env(void)
{
	unsigned int number = atomic_fetch_add(&next_variable, 1);
	struct portalmem_buffer *imported;
	char name[16];

	/* There are no more. */
	if (number >= VARIABLES) {
		atomic_store(&next_variable, VARIABLES);
		return true;
	}
	snprintf(name, sizeof(name), "BUFFER%u", number);
	REQUIRE(!portalmem_buffer_import_env(device, name, &imported));
	portalmem_buffer_unref(imported);
	return true;
}

static bool buffer_import_fence(void)
{
	REQUIRE(!portalmem_buffer_import_fence(dmabuf, PORTALMEM_SYNC_WRITE,
					       fence));
	return true;
}

static bool buffer_import_from(void)
{
	struct portalmem_buffer *imported;

	/* Where a tool does not know pidfds, there is none. */
	if (pidfd < 0)
		return true;
	REQUIRE(!portalmem_buffer_import_from(device, pidfd, fd, &imported));
	portalmem_buffer_unref(imported);
	return true;
}

static bool buffer_import_user(void)
{
	struct portalmem_buffer *made;

	REQUIRE(!portalmem_buffer_import_user(device, memory + own_page(), PAGE,
					      NULL, &made));
	portalmem_buffer_unref(made);
	return true;
}

static bool buffer_load(void)
{
	uint64_t done;

	REQUIRE(!portalmem_buffer_load(memfd, own_page(), file,
				       (int64_t)own_page(), PAGE, NULL, &done));
	REQUIRE(done == PAGE);
	return true;
}

static bool buffer_map(void)
{
	void *whole, *page;

	REQUIRE(!portalmem_buffer_map(dmabuf, 0, 0, PORTALMEM_MAP_READ,
				      &whole));
	REQUIRE(!portalmem_buffer_map(dmabuf, own_page(), PAGE,
				      PORTALMEM_MAP_RDWR, &page));
	*(volatile char *)page = 1;
	REQUIRE(!portalmem_buffer_unmap(dmabuf, page));
	REQUIRE(!portalmem_buffer_unmap(dmabuf, whole));
	return true;
}

static bool buffer_read(void)
{
	char bytes[16];

	REQUIRE(!portalmem_buffer_read(memfd, own_page() + 5, bytes,
				       sizeof(bytes)));
	return true;
}

static bool buffer_receive(void)
{
	struct portalmem_buffer *got;

	REQUIRE(!portalmem_buffer_send(dmabuf, one[0]));
	REQUIRE(!portalmem_buffer_receive(device, one[1], &got));
	portalmem_buffer_unref(got);
	return true;
}

static bool buffer_ref(void)
{
	REQUIRE(portalmem_buffer_ref(dmabuf) == dmabuf);
	portalmem_buffer_unref(dmabuf);
	return true;
}

static bool buffer_save(void)
{
	uint64_t done;

	REQUIRE(!portalmem_buffer_save(memfd, own_page(), file,
				       (int64_t)own_page(), PAGE, NULL, &done));
	REQUIRE(done == PAGE);
	return true;
}

static bool buffer_set_name(void)
{
	REQUIRE(!portalmem_buffer_set_name(dmabuf, thread % 2 ? "a" : "b"));
	return true;
}

static bool buffer_sync(void)
{
	const struct portalmem_range range = {own_page(), 1};

	REQUIRE(!portalmem_buffer_sync(
		dmabuf, PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ, &range, 1));
	REQUIRE(!portalmem_buffer_sync(
		dmabuf, PORTALMEM_SYNC_END | PORTALMEM_SYNC_READ, NULL, 0));
	return true;
}

static bool buffer_wait(void)
{
	REQUIRE(!portalmem_buffer_wait(dmabuf, PORTALMEM_SYNC_WRITE, -1));
	return true;
}

static bool buffer_write(void)
{
	REQUIRE(!portalmem_buffer_write(memfd, own_page() + 5, "bytes", 5));
	return true;
}

static bool caching_name(void)
{
	REQUIRE(!strcmp(portalmem_caching_name(PORTALMEM_CACHING_WC), "wc"));
	return true;
}

static bool device_check(void)
{
	struct portalmem_constraints wanted = PORTALMEM_CONSTRAINTS_INIT;
	unsigned int unmet;

	wanted.needs = PORTALMEM_NEED_PINNABLE;
	REQUIRE(!portalmem_device_check(device, &wanted, &unmet));
	return true;
}

static bool device_get_backend(void)
{
	REQUIRE(portalmem_device_get_backend(device) ==
		PORTALMEM_BACKEND_PORTALMEM);
	return true;
}

static bool device_get_heap_info(void)
{
	struct portalmem_heap_info info = PORTALMEM_HEAP_INFO_INIT;

	REQUIRE(!portalmem_device_get_heap_info(device, &info));
	REQUIRE(info.largest == FAKE_SIZE);
	return true;
}

static bool device_get_path(void)
{
	REQUIRE(!strcmp(portalmem_device_get_path(device), "/dev/portalmem"));
	return true;
}

static bool device_open(void)
{
	struct portalmem_device *opened;

	REQUIRE(!portalmem_device_open(NULL, PORTALMEM_BACKEND_ANY, &opened));
	portalmem_device_unref(opened);
	return true;
}

static bool device_open_for(void)
{
	struct portalmem_constraints wanted = PORTALMEM_CONSTRAINTS_INIT;
	struct portalmem_device *opened;
	unsigned int unmet;

	wanted.needs = PORTALMEM_NEED_SHAREABLE;
	REQUIRE(!portalmem_device_open_for(&wanted, &opened, &unmet));
	portalmem_device_unref(opened);
	return true;
}

static bool device_ref(void)
{
	REQUIRE(portalmem_device_ref(device) == device);
	portalmem_device_unref(device);
	return true;
}

static bool device_trim(void)
{
	uint64_t freed;

	REQUIRE(!portalmem_device_trim(device, &freed));
	REQUIRE(freed == PAGE);
	return true;
}

/* Each thread hears of its own failure. */
static bool error_message(void)
{
	char text[32];

	snprintf(text, sizeof(text), "-%u ms", thread + 100);
	REQUIRE(portalmem_fence_wait(fence, -(int)(thread + 100)) == -EINVAL);
	REQUIRE(strstr(portalmem_error_message(), text));
	return true;
}

static bool exporter_name(void)
{
	REQUIRE(!strcmp(portalmem_exporter_name(PORTALMEM_EXPORTER_DRM),
			"drm"));
	return true;
}

static bool fence_wait(void)
{
	REQUIRE(!portalmem_fence_wait(fence, -1));
	return true;
}

static bool pool_acquire(void)
{
	struct portalmem_buffer *taken;
	void *map;

	REQUIRE(!portalmem_pool_acquire(pool, -1, &taken));
	REQUIRE(!portalmem_buffer_map(taken, 0, 0, PORTALMEM_MAP_RDWR, &map));
	portalmem_buffer_unref(taken);
	return true;
}

static bool pool_create(void)
{
	struct portalmem_pool *made;

	REQUIRE(!portalmem_pool_create(device, PAGE, NULL, &made));
	portalmem_pool_unref(made);
	return true;
}

static bool pool_get_info(void)
{
	struct portalmem_pool_info info = PORTALMEM_POOL_INFO_INIT;

	REQUIRE(!portalmem_pool_get_info(pool, &info));
	REQUIRE(info.buffers <= FRAMES && info.acquired <= info.buffers);
	return true;
}

static bool pool_ref(void)
{
	REQUIRE(portalmem_pool_ref(pool) == pool);
	portalmem_pool_unref(pool);
	return true;
}

static bool pool_trim(void)
{
	REQUIRE(portalmem_pool_trim(pool, thread % 3) >= 0);
	return true;
}

static bool receive_parcels(void)
{
	const struct portalmem_parcel sent[] = {{dmabuf, fence}, {memfd, -1}};
	struct portalmem_receive_options options =
		PORTALMEM_RECEIVE_OPTIONS_INIT;
	struct portalmem_parcel got[2];

	options.wait = 1;
	REQUIRE(!portalmem_send(many[0], sent, 2));
	REQUIRE(portalmem_receive(device, many[1], &options, got, 2) == 2);
	REQUIRE(got[0].fence == -1);
	portalmem_buffer_unref(got[0].buffer);
	portalmem_buffer_unref(got[1].buffer);
	return true;
}

static bool version(void)
{
	REQUIRE(!strcmp(portalmem_version(), PACKAGE_VERSION));
	return true;
}

#ifdef WITH_DRM
static bool drm_import(void)
{
	struct portalmem_buffer *made;
	uint32_t handle;

	REQUIRE(!portalmem_drm_import(dmabuf, node, &handle));
	REQUIRE(handle == FAKE_HANDLE);
	REQUIRE(!portalmem_drm_export(device, node, handle, &made));
	portalmem_buffer_unref(made);
	REQUIRE(!portalmem_drm_close_handle(node, handle));
	return true;
}
#endif

static bool v4l2_get_plane_sizes(void)
{
	uint32_t size;

	REQUIRE(portalmem_v4l2_get_plane_sizes(
			node, V4L2_BUF_TYPE_VIDEO_CAPTURE, &size, 1) == 1);
	REQUIRE(size == PAGE);
	return true;
}

/* It stops the camera for the others, too, when it is closed. */
static bool v4l2_queue_open(void)
{
	struct portalmem_v4l2_queue *opened;

	REQUIRE(!portalmem_v4l2_queue_open(node, V4L2_BUF_TYPE_VIDEO_CAPTURE,
					   &dmabuf, 1, 1, &opened));
	portalmem_v4l2_queue_close(opened);
	return true;
}

/* Others give and take the same frames, and start and stop. */
static bool v4l2_queue_give(void)
{
	int ret = portalmem_v4l2_queue_give(queue, thread % FRAMES, NULL);

	REQUIRE(!ret || ret == -EINVAL);
	return true;
}

static bool v4l2_queue_take(void)
{
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	int ret = portalmem_v4l2_queue_take(queue, 1, &frame);

	REQUIRE(!ret || ret == -EINVAL || ret == -ETIMEDOUT || ret == -EIO);
	REQUIRE(ret || frame.index < FRAMES);
	return true;
}

static bool v4l2_queue_start(void)
{
	REQUIRE(!portalmem_v4l2_queue_start(queue));
	return true;
}

static bool v4l2_queue_stop(void)
{
	REQUIRE(!portalmem_v4l2_queue_stop(queue));
	return true;
}

/* With the peers that belong to it, where there is no sense in it alone. */
static bool (*const bodies[])(void) = {
	access_begin,
	attachment_get_fd,
	attachment_get_info,
	attachment_get_segments,
	attachment_import,
	attachment_ref,
	attachment_sync,
	backend_name,
	buffer_alloc,
	buffer_attach,
	buffer_export_env,
	buffer_export_fence,
	buffer_get_caching,
	buffer_get_exporter,
	buffer_get_fd,
	buffer_get_info,
	buffer_get_segments,
	buffer_get_size,
	buffer_import,
	buffer_import_env,
	buffer_import_fence,
	buffer_import_from,
	buffer_import_user,
	buffer_load,
	buffer_map,
	buffer_read,
	buffer_receive,
	buffer_ref,
	buffer_save,
	buffer_set_name,
	buffer_sync,
	buffer_wait,
	buffer_write,
	caching_name,
	device_check,
	device_get_backend,
	device_get_heap_info,
	device_get_path,
	device_open,
	device_open_for,
	device_ref,
	device_trim,
	error_message,
	exporter_name,
	fence_wait,
	pool_acquire,
	pool_create,
	pool_get_info,
	pool_ref,
	pool_trim,
	receive_parcels,
	version,
#ifdef WITH_DRM
	drm_import,
#endif
	v4l2_get_plane_sizes,
	v4l2_queue_open,
	v4l2_queue_give,
	v4l2_queue_take,
	v4l2_queue_start,
	v4l2_queue_stop,
};

static atomic_uint next_thread;
static _Atomic(const char *) failure;

static void run_body(bool (*body)(void))
{
	if (!body())
		atomic_store(&failure, failed_at);
}

/* Half of the threads run the test's own, the others go through all. */
static void *run(void *data)
{
	bool (*const *own)(void) = data;

	thread = atomic_fetch_add(&next_thread, 1);
	for (unsigned int i = 0; i < ROUNDS; i++)
		run_body(thread % 2 ? *own
				    : bodies[(i + thread * 7) % COUNT(bodies)]);
	return NULL;
}

static void run_threads(void *(*body)(void *), void *data)
{
	pthread_t threads[THREADS];

	for (unsigned int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, body, data),
				 0);
	for (unsigned int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_msg(!atomic_load(&failure), "%s", atomic_load(&failure));
}

static struct portalmem_buffer *import_memfd(void)
{
	struct portalmem_buffer *made;
	int copy = mock_new_dmabuf(PAGE);

	ck_assert_int_eq(portalmem_buffer_import(NULL, copy, &made), 0);
	close(copy);
	return made;
}

static void make_queue(void)
{
	for (unsigned int i = 0; i < FRAMES; i++)
		frames[i] = import_memfd();
	ck_assert_int_eq(portalmem_v4l2_queue_open(node,
						   V4L2_BUF_TYPE_VIDEO_CAPTURE,
						   frames, FRAMES, 1, &queue),
			 0);
}

static void drop_queue(void)
{
	portalmem_v4l2_queue_close(queue);
	for (unsigned int i = 0; i < FRAMES; i++)
		portalmem_buffer_unref(frames[i]);
}

static void make_files(void)
{
	node = fake_open_node();
	fence = fake_open_fence();
	fd = fake_open_buffer();
	file = memfd_create("file", MFD_CLOEXEC);
	ck_assert_int_eq(ftruncate(file, THREADS * PAGE), 0);
	pidfd = unit_has_pidfds() ? (int)syscall(SYS_pidfd_open, getpid(), 0)
				  : -1;
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, one), 0);
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, many), 0);
}

static void drop_files(void)
{
	close(node);
	close(fence);
	close(fd);
	close(file);
	if (pidfd >= 0)
		close(pidfd);
	close(one[0]);
	close(one[1]);
	close(many[0]);
	close(many[1]);
}

static void set_up(void)
{
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;

	fake_start();
	make_files();
	options.maximum = FRAMES;
	ck_assert_int_eq(
		portalmem_device_open(NULL, PORTALMEM_BACKEND_ANY, &device), 0);
	ck_assert_int_eq(portalmem_buffer_import(device, fd, &dmabuf), 0);
	ck_assert_int_eq(
		portalmem_buffer_attach(dmabuf, "pci", "x", NULL, &attached),
		0);
	ck_assert_int_eq(portalmem_pool_create(device, PAGE, &options, &pool),
			 0);
	memfd = unit_alloc_memfd(THREADS * PAGE);
	ck_assert_int_eq(posix_memalign((void **)&memory, PAGE, THREADS * PAGE),
			 0);
	make_queue();
	put_variables();
}

static void tear_down(void)
{
	take_variables_that_are_left();
	drop_queue();
	free(memory);
	portalmem_buffer_unref(memfd);
	portalmem_pool_unref(pool);
	portalmem_attachment_unref(attached);
	portalmem_buffer_unref(dmabuf);
	portalmem_device_unref(device);
	drop_files();
	fake_stop();
}

START_TEST(every_function_holds_beside_itself_and_all_others)
{
	run_threads(run, (void *)(uintptr_t)&bodies[_i]);
}
END_TEST

/* Who has taken a frame has it alone. */
static atomic_bool is_taken[FRAMES];

static bool take_and_give(void)
{
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;

	REQUIRE(!portalmem_v4l2_queue_take(queue, -1, &frame));
	REQUIRE(!atomic_exchange(&is_taken[frame.index], true));
	atomic_store(&is_taken[frame.index], false);
	REQUIRE(!portalmem_v4l2_queue_give(queue, frame.index, NULL));
	return true;
}

static void *stream(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++)
		run_body(take_and_give);
	return NULL;
}

START_TEST(frame_goes_to_one_of_many_threads)
{
	for (unsigned int i = 0; i < FRAMES; i++)
		ck_assert_int_eq(portalmem_v4l2_queue_give(queue, i, NULL), 0);
	ck_assert_int_eq(portalmem_v4l2_queue_start(queue), 0);
	run_threads(stream, NULL);
}
END_TEST

/* The last reference of each kind is any thread's. */
static void *give_back(void *unused)
{
	(void)unused;
	portalmem_attachment_unref(attached);
	portalmem_pool_unref(pool);
	portalmem_buffer_unref(dmabuf);
	portalmem_device_unref(device);
	return NULL;
}

START_TEST(last_reference_is_any_thread_s)
{
	for (unsigned int i = 1; i < THREADS; i++) {
		portalmem_attachment_ref(attached);
		portalmem_pool_ref(pool);
		portalmem_buffer_ref(dmabuf);
		portalmem_device_ref(device);
	}
	run_threads(give_back, NULL);
	/* There is nothing left for the fixture, which counts descriptors. */
	attached = NULL;
	pool = NULL;
	dmabuf = NULL;
	device = NULL;
}
END_TEST

static Suite *concurrent_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("concurrent", &tc);

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc,
			    every_function_holds_beside_itself_and_all_others,
			    0, COUNT(bodies));
	tcase_add_test(tc, frame_goes_to_one_of_many_threads);
	tcase_add_test(tc, last_reference_is_any_thread_s);
	return suite;
}

PMTEST_MAIN(concurrent_suite)
