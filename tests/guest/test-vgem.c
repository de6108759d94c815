// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vgem as importer of our buffers, and as exporter beside them.
 * quick: 6.12 6.1
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <portalmem-drm.h>
#include <portalmem.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xf86drm.h>

#include "devices.h"
#include "guest.h"

static ino_t inode_of(int fd)
{
	struct stat status;

	ck_assert_int_eq(fstat(fd, &status), 0);
	return status.st_ino;
}

static struct portalmem_buffer *import(struct portalmem_device *device, int fd)
{
	struct portalmem_buffer *buffer;

	ck_assert_int_eq(portalmem_buffer_import(device, fd, &buffer), 0);
	return buffer;
}

static struct portalmem_device *open_device(void)
{
	struct portalmem_device *device;

	ck_assert_int_eq(portalmem_device_open(
				 NULL, PORTALMEM_BACKEND_PORTALMEM, &device),
			 0);
	return device;
}

START_TEST(vgem_imports_our_buffer_and_hands_the_same_one_out)
{
	static const uint32_t modes[] = {PORTALMEM_CACHED, PORTALMEM_WC,
					 PORTALMEM_UC};
	struct portalmem_device *device = open_device();
	int vgem = devices_open_vgem();
	int fd = guest_alloc(MIB(3), modes[_i]);
	struct portalmem_buffer *buffer = import(device, fd);
	struct portalmem_buffer *exported;
	uint32_t handle, again;
	void *map;

	guest_fill(guest_map(fd, MIB(3)), MIB(3), 21);
	ck_assert_uint_eq(guest_info(fd).attachments, 0);
	ck_assert_int_eq(portalmem_drm_import(buffer, vgem, &handle), 0);
	ck_assert_uint_eq(guest_info(fd).attachments, 1);
	ck_assert_int_eq(portalmem_drm_import(buffer, vgem, &again), 0);
	ck_assert_uint_eq(handle, again);

	ck_assert_int_eq(portalmem_drm_export(device, vgem, handle, &exported),
			 0);
	ck_assert_uint_eq(inode_of(portalmem_buffer_get_fd(exported)),
			  inode_of(fd));
	ck_assert_int_eq(
		portalmem_buffer_map(exported, 0, 0, PORTALMEM_MAP_READ, &map),
		0);
	guest_assert_filled(map, MIB(3), 21);

	/* The importer alone keeps the memory alive. */
	portalmem_buffer_unref(exported);
	portalmem_buffer_unref(buffer);
	ck_assert_int_eq(portalmem_drm_close_handle(vgem, handle), 0);
	ck_assert_uint_eq(guest_info(fd).attachments, 0);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(handle_outlives_our_last_descriptor)
{
	struct portalmem_device *device = open_device();
	int vgem = devices_open_vgem();
	int fd = guest_alloc(MIB(1), PORTALMEM_CACHED);
	struct portalmem_buffer *buffer = import(device, fd);
	unsigned char *map = guest_map(fd, MIB(1));
	uint32_t handle;

	guest_fill(map, MIB(1), 4);
	munmap(map, MIB(1));
	ck_assert_int_eq(portalmem_drm_import(buffer, vgem, &handle), 0);
	portalmem_buffer_unref(buffer);
	close(fd);

	ck_assert_int_eq(portalmem_drm_export(device, vgem, handle, &buffer),
			 0);
	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), MIB(1));
	guest_assert_filled(guest_map(portalmem_buffer_get_fd(buffer), MIB(1)),
			    MIB(1), 4);
}
END_TEST

START_TEST(vgems_own_buffer_is_imported_mapped_and_synced_beside_ours)
{
	struct portalmem_device *device = open_device();
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_range range = {4096, 4096};
	int vgem = devices_open_vgem();
	int ours = guest_alloc(MIB(2), PORTALMEM_CACHED);
	struct portalmem_buffer *own = import(device, ours);
	struct portalmem_buffer *foreign;
	uint64_t size = MIB(2);
	uint32_t handle = devices_create_vgem_buffer(vgem, &size);
	void *to, *from;

	ck_assert_int_eq(portalmem_drm_export(device, vgem, handle, &foreign),
			 0);
	ck_assert_uint_eq(portalmem_buffer_get_size(foreign), size);
	ck_assert_int_eq(portalmem_buffer_get_info(foreign, &info), 0);
	ck_assert_str_ne(info.heap, "");
	ck_assert_int_eq(portalmem_buffer_get_exporter(foreign),
			 PORTALMEM_EXPORTER_DRM);
	ck_assert_int_eq(portalmem_buffer_get_exporter(own),
			 PORTALMEM_EXPORTER_PORTALMEM);
	ck_assert_uint_eq(info.segments, 0);
	ck_assert_int_eq(
		portalmem_buffer_map(foreign, 0, 0, PORTALMEM_MAP_RDWR, &to),
		0);
	ck_assert_int_eq(
		portalmem_buffer_map(own, 0, 0, PORTALMEM_MAP_RDWR, &from), 0);

	guest_fill(from, MIB(2), 5);
	ck_assert_int_eq(portalmem_buffer_sync(foreign,
					       PORTALMEM_SYNC_START |
						       PORTALMEM_SYNC_WRITE,
					       &range, 1),
			 0);
	memcpy(to, from, MIB(2));
	ck_assert_int_eq(
		portalmem_buffer_sync(foreign,
				      PORTALMEM_SYNC_END | PORTALMEM_SYNC_WRITE,
				      NULL, 0),
		0);
	guest_assert_filled(to, MIB(2), 5);
	portalmem_buffer_unref(foreign);
	portalmem_buffer_unref(own);
	portalmem_device_unref(device);
}
END_TEST

/* Memory of this process, which no heap ever had. */
START_TEST(vgem_imports_memory_of_a_process_and_hands_the_same_out)
{
	struct portalmem_import_options options = PORTALMEM_IMPORT_OPTIONS_INIT;
	struct portalmem_device *device = open_device();
	int vgem = devices_open_vgem();
	struct portalmem_buffer *buffer, *exported;
	uint32_t handle;
	char *own, *map;

	own = mmap(NULL, MIB(3), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(own, MAP_FAILED);
	guest_fill(own, MIB(3), 41);
	options.name = "own";
	ck_assert_int_eq(portalmem_buffer_import_user(device, own, MIB(3),
						      &options, &buffer),
			 0);
	ck_assert_int_eq(portalmem_drm_import(buffer, vgem, &handle), 0);
	ck_assert_uint_eq(
		guest_info(portalmem_buffer_get_fd(buffer)).attachments, 1);
	portalmem_buffer_unref(buffer);

	ck_assert_int_eq(portalmem_drm_export(device, vgem, handle, &exported),
			 0);
	map = guest_map(portalmem_buffer_get_fd(exported), MIB(3));
	guest_assert_filled(map, MIB(3), 41);
	guest_fill(map, MIB(3), 42);
	guest_assert_filled(own, MIB(3), 42);
	guest_fill(own, MIB(3), 43);
	guest_assert_filled(map, MIB(3), 43);

	/* The importer alone keeps what the process gives up. */
	munmap(own, MIB(3));
	munmap(map, MIB(3));
	portalmem_buffer_unref(exported);
	ck_assert_int_eq(portalmem_drm_export(device, vgem, handle, &exported),
			 0);
	map = guest_map(portalmem_buffer_get_fd(exported), MIB(3));
	guest_assert_filled(map, MIB(3), 43);
	portalmem_buffer_unref(exported);
	ck_assert_int_eq(portalmem_drm_close_handle(vgem, handle), 0);
	portalmem_device_unref(device);
}
END_TEST

/* A driver that would write to it has no use for it. */
START_TEST(vgem_is_refused_a_read_only_buffer)
{
	struct portalmem_import_options options = PORTALMEM_IMPORT_OPTIONS_INIT;
	struct portalmem_device *device = open_device();
	int vgem = devices_open_vgem();
	struct portalmem_buffer *buffer;
	uint32_t handle;
	char *own;

	own = mmap(NULL, KIB(4), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(own, MAP_FAILED);
	options.read_only = 1;
	ck_assert_int_eq(portalmem_buffer_import_user(device, own, KIB(4),
						      &options, &buffer),
			 0);
	ck_assert_int_eq(portalmem_drm_import(buffer, vgem, &handle), -EACCES);
	ck_assert_uint_eq(
		guest_info(portalmem_buffer_get_fd(buffer)).attachments, 0);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

/* A buffer that another exporter made, through two files of the device. */
START_TEST(foreign_buffer_goes_both_ways)
{
	int first = devices_open_vgem(), second = devices_open_vgem();
	uint64_t size = MIB(1);
	uint32_t made = devices_create_vgem_buffer(first, &size), handle;
	struct portalmem_buffer *buffer, *again;
	char *map;

	ck_assert_int_eq(portalmem_drm_export(NULL, first, made, &buffer), 0);
	ck_assert_int_eq(portalmem_drm_import(buffer, second, &handle), 0);
	ck_assert_int_eq(portalmem_drm_export(NULL, second, handle, &again), 0);
	ck_assert_uint_eq(inode_of(portalmem_buffer_get_fd(again)),
			  inode_of(portalmem_buffer_get_fd(buffer)));
	map = guest_map(portalmem_buffer_get_fd(buffer), size);
	guest_fill(map, size, 61);
	guest_assert_filled(guest_map(portalmem_buffer_get_fd(again), size),
			    size, 61);
	portalmem_buffer_unref(buffer);
	portalmem_buffer_unref(again);
	ck_assert_int_eq(portalmem_drm_close_handle(second, handle), 0);
	ck_assert_int_eq(portalmem_drm_close_handle(first, made), 0);
}
END_TEST

START_TEST(bad_arguments_are_refused_and_nothing_is_attached)
{
	struct portalmem_device *device = open_device(), *memfds;
	struct portalmem_buffer *memfd, *out;
	int vgem = devices_open_vgem();
	int fd = guest_alloc(MIB(1), PORTALMEM_CACHED);
	int null = guest_open("/dev/null"), closed = dup(null);
	struct portalmem_buffer *buffer = import(device, fd);
	unsigned int fds;
	uint32_t handle;

	ck_assert_int_eq(
		portalmem_device_open(NULL, PORTALMEM_BACKEND_MEMFD, &memfds),
		0);
	ck_assert_int_eq(portalmem_buffer_alloc(memfds, 4096, NULL, &memfd), 0);
	/* Last, so that nothing else becomes that descriptor. */
	close(closed);
	fds = pmtest_count_fds();
	ck_assert_int_eq(portalmem_drm_import(NULL, vgem, &handle), -EINVAL);
	ck_assert_int_eq(portalmem_drm_import(buffer, vgem, NULL), -EINVAL);
	ck_assert_int_eq(portalmem_drm_import(buffer, closed, &handle), -EBADF);
	ck_assert_int_eq(portalmem_drm_import(buffer, null, &handle),
			 -EOPNOTSUPP);
	/* The buffer's own descriptor is a file, but no device. */
	ck_assert_int_eq(portalmem_drm_import(buffer, fd, &handle),
			 -EOPNOTSUPP);
	ck_assert_int_eq(portalmem_drm_import(memfd, vgem, &handle),
			 -EOPNOTSUPP);
	ck_assert_int_eq(portalmem_drm_export(device, vgem, 1, NULL), -EINVAL);
	ck_assert_int_eq(portalmem_drm_export(device, closed, 1, &out), -EBADF);
	ck_assert_int_eq(portalmem_drm_export(device, null, 1, &out),
			 -EOPNOTSUPP);
	ck_assert_int_eq(portalmem_drm_export(device, vgem, 0, &out), -ENOENT);
	ck_assert_int_eq(portalmem_drm_export(device, vgem, UINT32_MAX, &out),
			 -ENOENT);
	ck_assert_int_eq(portalmem_drm_close_handle(closed, 1), -EBADF);
	ck_assert_int_eq(portalmem_drm_close_handle(null, 1), -EOPNOTSUPP);
	ck_assert_int_eq(portalmem_drm_close_handle(vgem, UINT32_MAX), -EINVAL);
	pmtest_assert_no_leaked_fds(fds);
	ck_assert_uint_eq(guest_info(fd).attachments, 0);
	portalmem_buffer_unref(memfd);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(memfds);
	portalmem_device_unref(device);
}
END_TEST

struct passing {
	struct portalmem_device *device;
	struct portalmem_buffer *buffer;
	int vgem;
	uint32_t handle;
	ino_t inode;
	int wrong;
};

static void *pass_on(void *argument)
{
	struct passing *passing = argument;

	for (int i = 0; i < 200 && !passing->wrong; i++) {
		struct portalmem_buffer *out;
		struct stat status;
		uint32_t handle;

		passing->wrong = portalmem_drm_import(passing->buffer,
						      passing->vgem, &handle) ||
				 handle != passing->handle ||
				 portalmem_drm_export(passing->device,
						      passing->vgem, handle,
						      &out);
		if (passing->wrong)
			break;
		passing->wrong = fstat(portalmem_buffer_get_fd(out), &status) ||
				 status.st_ino != passing->inode;
		portalmem_buffer_unref(out);
	}
	return NULL;
}

START_TEST(many_threads_pass_one_buffer_both_ways)
{
	struct portalmem_device *device = open_device();
	int fd = guest_alloc(MIB(1), PORTALMEM_CACHED);
	struct passing passing = {
		.device = device,
		.buffer = import(device, fd),
		.vgem = devices_open_vgem(),
		.inode = inode_of(fd),
	};
	struct passing each[4];
	pthread_t threads[4];

	ck_assert_int_eq(portalmem_drm_import(passing.buffer, passing.vgem,
					      &passing.handle),
			 0);
	for (int i = 0; i < 4; i++) {
		each[i] = passing;
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, pass_on, &each[i]),
			0);
	}
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
		ck_assert_int_eq(each[i].wrong, 0);
	}
	ck_assert_uint_eq(guest_info(fd).attachments, 1);
	ck_assert_int_eq(
		portalmem_drm_close_handle(passing.vgem, passing.handle), 0);
	ck_assert_uint_eq(guest_info(fd).attachments, 0);
	portalmem_buffer_unref(passing.buffer);
	portalmem_device_unref(device);
}
END_TEST

/* The module tells its own buffers from others by more than their type. */
START_TEST(info_and_sync_refuse_buffers_of_other_exporters)
{
	int vgem = devices_open_vgem();
	uint64_t size = 4096;
	uint32_t handle = devices_create_vgem_buffer(vgem, &size);
	struct portalmem_ioc_sync sync = {.flags = DMA_BUF_SYNC_RW};
	struct portalmem_ioc_info info = {0};
	int node = guest_open(GUEST_NODE);
	int fd;

	ck_assert_int_eq(drmPrimeHandleToFD(vgem, handle, DRM_CLOEXEC, &fd), 0);
	info.fd = fd;
	sync.fd = fd;
	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_INFO, &info), -1);
	ck_assert_int_eq(errno, EXDEV);
	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SYNC, &sync), -1);
	ck_assert_int_eq(errno, EXDEV);
}
END_TEST

START_TEST(ranges_of_an_imported_buffer_sync_for_the_device)
{
	struct portalmem_device *device = open_device();
	int vgem = devices_open_vgem();
	int fd = guest_alloc(MIB(16), PORTALMEM_CACHED);
	struct portalmem_buffer *buffer = import(device, fd);
	struct portalmem_range ranges[] = {
		{MIB(15), MIB(1)}, {1, MIB(9)}, {0, 0}};
	struct portalmem_range outside = {MIB(16), 1};
	uint32_t handle;

	ck_assert_int_eq(portalmem_drm_import(buffer, vgem, &handle), 0);
	for (unsigned int end = 0; end < 2; end++)
		for (unsigned int rw = 1; rw < 4; rw++)
			ck_assert_int_eq(
				portalmem_buffer_sync(
					buffer,
					rw | (end ? PORTALMEM_SYNC_END
						  : PORTALMEM_SYNC_START),
					ranges, 3),
				0);
	ck_assert_int_eq(portalmem_buffer_sync(buffer,
					       PORTALMEM_SYNC_START |
						       PORTALMEM_SYNC_READ,
					       &outside, 1),
			 -ERANGE);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

/* The fence times out after 10 s by itself, so a test that hangs is a failure. */
START_TEST(sync_before_cpu_access_waits_for_the_devices_fence)
{
	struct portalmem_range range = {0, 4096};
	struct portalmem_device *device = open_device();
	int vgem = devices_open_vgem();
	int fd = guest_alloc(MIB(1), PORTALMEM_CACHED);
	struct portalmem_buffer *buffer = import(device, fd);
	struct pollfd done = {.events = POLLIN};
	uint32_t handle, fence;
	int pipes[2], status;
	pid_t child;

	ck_assert_int_eq(portalmem_drm_import(buffer, vgem, &handle), 0);
	fence = devices_attach_fence(vgem, handle);
	/* The end of CPU access has nothing to wait for. */
	ck_assert_int_eq(
		portalmem_buffer_sync(buffer,
				      PORTALMEM_SYNC_END | PORTALMEM_SYNC_READ,
				      &range, 1),
		0);

	ck_assert_int_eq(pipe(pipes), 0);
	done.fd = pipes[0];
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		int ret = portalmem_buffer_sync(
			buffer, PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ,
			_i ? &range : NULL, _i ? 1 : 0);

		_exit(ret || write(pipes[1], "x", 1) != 1);
	}
	ck_assert_int_eq(poll(&done, 1, 500), 0);
	devices_signal_fence(vgem, fence);
	ck_assert_int_eq(poll(&done, 1, 5000), 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("vgem");
	TCase *tcase = guest_tcase("vgem");

	tcase_add_loop_test(tcase,
			    vgem_imports_our_buffer_and_hands_the_same_one_out,
			    0, 3);
	tcase_add_test(tcase, handle_outlives_our_last_descriptor);
	tcase_add_test(
		tcase,
		vgems_own_buffer_is_imported_mapped_and_synced_beside_ours);
	tcase_add_test(tcase,
		       vgem_imports_memory_of_a_process_and_hands_the_same_out);
	tcase_add_test(tcase, vgem_is_refused_a_read_only_buffer);
	tcase_add_test(tcase, foreign_buffer_goes_both_ways);
	tcase_add_test(tcase,
		       bad_arguments_are_refused_and_nothing_is_attached);
	tcase_add_test(tcase, many_threads_pass_one_buffer_both_ways);
	tcase_add_test(tcase, info_and_sync_refuse_buffers_of_other_exporters);
	tcase_add_test(tcase, ranges_of_an_imported_buffer_sync_for_the_device);
	tcase_add_loop_test(tcase,
			    sync_before_cpu_access_waits_for_the_devices_fence,
			    0, 2);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
