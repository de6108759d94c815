// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Descriptors that are not open, that are files of another kind, and that a
 * program has closed under an object by mistake, for every public function that
 * takes one or uses one.
 */
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/videodev2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#ifdef WITH_DRM
#include "portalmem-drm.h"
#endif
#include "fake.h"
#include "portalmem-v4l2.h"
#include "unit.h"

#define SYNC (PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ)
#define CAPTURE V4L2_BUF_TYPE_VIDEO_CAPTURE

/* Good ones, of the fake kernel but for the memfd and the socket. */
static struct portalmem_device *device;
static struct portalmem_buffer *dmabuf, *memfd;
static int node, sockets[2];

static void set_up(void)
{
	int fd;

	fake_start();
	fd = fake_open_buffer();
	node = fake_open_node();
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets),
		0);
	ck_assert_int_eq(
		portalmem_device_open(NULL, PORTALMEM_BACKEND_ANY, &device), 0);
	ck_assert_int_eq(portalmem_buffer_import(device, fd, &dmabuf), 0);
	memfd = unit_alloc_memfd(FAKE_SIZE);
	close(fd);
}

static void tear_down(void)
{
	portalmem_buffer_unref(memfd);
	portalmem_buffer_unref(dmabuf);
	portalmem_device_unref(device);
	close(node);
	close(sockets[0]);
	close(sockets[1]);
	fake_stop();
}

/*
 * The calls, of a descriptor that must not do. What they leave untouched when
 * they fail they check by themselves.
 */

static int attachment_import(int fd)
{
	struct portalmem_attachment *made = NULL;
	int ret = portalmem_attachment_import(fd, &made);

	ck_assert_ptr_null(made);
	return ret;
}

static int buffer_import(int fd)
{
	struct portalmem_buffer *made = NULL;
	int ret = portalmem_buffer_import(device, fd, &made);

	ck_assert_ptr_null(made);
	return ret;
}

static int buffer_import_fence(int fd)
{
	return portalmem_buffer_import_fence(dmabuf, PORTALMEM_SYNC_READ, fd);
}

static int buffer_import_from(int fd)
{
	struct portalmem_buffer *made = NULL;
	int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	int ret = portalmem_buffer_import_from(device, pidfd, fd, &made);

	close(pidfd);
	ck_assert_ptr_null(made);
	return ret;
}

static int buffer_import_from_pidfd(int fd)
{
	struct portalmem_buffer *made = NULL;
	int ret = portalmem_buffer_import_from(
		device, fd, portalmem_buffer_get_fd(dmabuf), &made);

	ck_assert_ptr_null(made);
	return ret;
}

static int buffer_import_env(int fd)
{
	struct portalmem_buffer *made = NULL;
	char text[64];
	int ret;

	snprintf(text, sizeof(text), "1:%d:4096:1:2:0:0:", fd);
	ck_assert_int_eq(setenv("BUFFER", text, 1), 0);
	ret = portalmem_buffer_import_env(device, "BUFFER", &made);
	ck_assert_ptr_null(made);
	return ret;
}

static int buffer_load(int fd)
{
	uint64_t done = 0;
	int ret = portalmem_buffer_load(memfd, 0, fd, 0, 1, NULL, &done);

	ck_assert_uint_eq(done, 0);
	return ret;
}

static int buffer_save(int fd)
{
	uint64_t done = 0;
	int ret = portalmem_buffer_save(memfd, 0, fd, 0, 1, NULL, &done);

	ck_assert_uint_eq(done, 0);
	return ret;
}

static int buffer_receive(int fd)
{
	struct portalmem_buffer *made = NULL;
	int ret = portalmem_buffer_receive(device, fd, &made);

	ck_assert_ptr_null(made);
	return ret;
}

static int buffer_send(int fd)
{
	return portalmem_buffer_send(dmabuf, fd);
}

static int fence_wait(int fd)
{
	return portalmem_fence_wait(fd, 0);
}

static int receive_parcels(int fd)
{
	struct portalmem_parcel parcel = {NULL, -7};
	int ret = portalmem_receive(device, fd, NULL, &parcel, 1);

	ck_assert_ptr_null(parcel.buffer);
	ck_assert_int_eq(parcel.fence, -7);
	return ret;
}

static int send_parcels(int fd)
{
	const struct portalmem_parcel parcel = {dmabuf, -1};

	return portalmem_send(fd, &parcel, 1);
}

static int send_fence(int fd)
{
	const struct portalmem_parcel parcel = {dmabuf, fd};

	return portalmem_send(sockets[0], &parcel, 1);
}

static int v4l2_get_plane_sizes(int fd)
{
	uint32_t size = 7;
	int ret = portalmem_v4l2_get_plane_sizes(fd, CAPTURE, &size, 1);

	ck_assert_uint_eq(size, 7);
	return ret;
}

static int v4l2_queue_open(int fd)
{
	struct portalmem_v4l2_queue *queue = NULL;
	int ret = portalmem_v4l2_queue_open(fd, CAPTURE, &dmabuf, 1, 1, &queue);

	ck_assert_ptr_null(queue);
	return ret;
}

#ifdef WITH_DRM
static int drm_import(int fd)
{
	uint32_t handle = 7;
	int ret = portalmem_drm_import(dmabuf, fd, &handle);

	ck_assert_uint_eq(handle, 7);
	return ret;
}

static int drm_export(int fd)
{
	struct portalmem_buffer *made = NULL;
	int ret = portalmem_drm_export(device, fd, FAKE_HANDLE, &made);

	ck_assert_ptr_null(made);
	return ret;
}

static int drm_close_handle(int fd)
{
	return portalmem_drm_close_handle(fd, FAKE_HANDLE);
}
#endif

/* What a file can be. */
enum kind {
	PIPE,
	FILE_ON_DISK,
	FOLDER,
	UNIX_SOCKET,
	INET_SOCKET,
	EVENT,
	EPOLL,
	TIMER,
	SIGNALS,
	DEVICE_NULL,
	UNSEALED_MEMFD,
	EMPTY_MEMFD,
	PATH_ONLY,
	PROCESS,
	NODE,
	BUFFER,
	ATTACHMENT,
	FENCE,
	KINDS
};

#define BIT(kind) (1U << (kind))
#define SOCKETS (BIT(UNIX_SOCKET) | BIT(INET_SOCKET))
#define ALL (BIT(KINDS) - 1)

static int open_kind(enum kind kind, int *other)
{
	sigset_t none;
	int fds[2];

	*other = -1;
	switch (kind) {
	case PIPE:
		ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
		*other = fds[1];
		return fds[0];
	case FILE_ON_DISK:
		return open("/bin/sh", O_RDONLY | O_CLOEXEC);
	case FOLDER:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case UNIX_SOCKET:
		return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	case INET_SOCKET:
		return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	case EVENT:
		return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	case EPOLL:
		return epoll_create1(EPOLL_CLOEXEC);
	case TIMER:
		return timerfd_create(CLOCK_MONOTONIC,
				      TFD_CLOEXEC | TFD_NONBLOCK);
	case SIGNALS:
		sigemptyset(&none);
		return signalfd(-1, &none, SFD_CLOEXEC | SFD_NONBLOCK);
	case DEVICE_NULL:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case UNSEALED_MEMFD:
		fds[0] = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		ck_assert_int_eq(ftruncate(fds[0], 4096), 0);
		return fds[0];
	case EMPTY_MEMFD:
		fds[0] = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		ck_assert_int_eq(fcntl(fds[0], F_ADD_SEALS, F_SEAL_SHRINK), 0);
		return fds[0];
	case PATH_ONLY:
		return open("/", O_PATH | O_CLOEXEC);
	case PROCESS:
		return (int)syscall(SYS_pidfd_open, getpid(), 0);
	case NODE:
		return fake_open_node();
	case BUFFER:
		return fake_open_buffer();
	case ATTACHMENT:
		return fake_open_attachment();
	default:
		return fake_open_fence();
	}
}

/* Since Linux 6.9 it knows an ioctl of its own, and says EINVAL to others. */
#define NO_VIDEO (BIT(NODE) | BIT(EPOLL))

/*
 * What a call says of what is not open, of a kind that it is not for, and of an
 * INET socket and a path where these are special. GOOD are the kinds that are
 * right, or that say something of their own.
 */
static const struct call {
	const char *name;
	int (*run)(int fd);
	int closed;
	int foreign;
	unsigned int good;
	int inet;
	int path;
} calls[] = {
	{"attachment_import", attachment_import, EBADF, EINVAL, BIT(ATTACHMENT),
	 EINVAL, EINVAL},
	{"buffer_import", buffer_import, EBADF, EINVAL, BIT(BUFFER), EINVAL,
	 EINVAL},
	{"buffer_import_env", buffer_import_env, ESTALE, ESTALE, 0, ESTALE,
	 ESTALE},
	{"buffer_import_fence", buffer_import_fence, EBADF, EINVAL, BIT(FENCE),
	 EINVAL, EINVAL},
	/* Reading and writing a file is what these two are for. */
	{"buffer_load", buffer_load, EBADF, EISDIR,
	 ALL & ~(BIT(FOLDER) | BIT(PATH_ONLY)), 0, EBADF},
	{"buffer_receive", buffer_receive, EBADF, ENOTSOCK, BIT(UNIX_SOCKET),
	 EOPNOTSUPP, EBADF},
	{"buffer_save", buffer_save, EBADF, EBADF,
	 ALL & ~(BIT(FILE_ON_DISK) | BIT(FOLDER) | BIT(PATH_ONLY)), 0, EBADF},
	{"buffer_send", buffer_send, EBADF, ENOTSOCK, BIT(UNIX_SOCKET),
	 EOPNOTSUPP, EBADF},
	{"receive", receive_parcels, EBADF, ENOTSOCK, BIT(UNIX_SOCKET),
	 EOPNOTSUPP, EBADF},
	{"send", send_parcels, EBADF, ENOTSOCK, BIT(UNIX_SOCKET), EOPNOTSUPP,
	 EBADF},
	{"send", send_fence, EBADF, EINVAL, BIT(FENCE), EINVAL, EINVAL},
	/* It waits for any file that can be polled. */
	{"fence_wait", fence_wait, EBADF, ETIMEDOUT,
	 ALL & ~(BIT(PIPE) | BIT(EVENT) | BIT(EPOLL) | BIT(TIMER) |
		 BIT(SIGNALS) | BIT(PROCESS) | BIT(PATH_ONLY)),
	 0, EBADF},
	{"v4l2_get_plane_sizes", v4l2_get_plane_sizes, EBADF, EOPNOTSUPP,
	 NO_VIDEO, EOPNOTSUPP, EBADF},
	{"v4l2_queue_open", v4l2_queue_open, EBADF, EOPNOTSUPP, NO_VIDEO,
	 EOPNOTSUPP, EBADF},
#ifdef WITH_DRM
	{"drm_close_handle", drm_close_handle, EBADF, EOPNOTSUPP, NO_VIDEO,
	 EOPNOTSUPP, EBADF},
	{"drm_export", drm_export, EBADF, EOPNOTSUPP, NO_VIDEO, EOPNOTSUPP,
	 EBADF},
	{"drm_import", drm_import, EBADF, EOPNOTSUPP, NO_VIDEO, EOPNOTSUPP,
	 EBADF},
#endif
};

static const struct call from_calls[] = {
	{"buffer_import_from", buffer_import_from, EBADF, EINVAL, BIT(BUFFER),
	 EINVAL, EINVAL},
	{"buffer_import_from", buffer_import_from_pidfd, EBADF, EBADF,
	 BIT(PROCESS), EBADF, EBADF},
};

static void assert_closed_is_refused(const struct call *call)
{
	/* No call takes such a number for a file of its own meanwhile. */
	static const int numbers[] = {200, INT_MAX};
	static const int negative[] = {-1, -2, INT_MIN};

	ck_assert_int_eq(dup2(node, numbers[0]), numbers[0]);
	close(numbers[0]);
	for (int i = 0; i < COUNT(numbers); i++)
		unit_assert_fails(call->run(numbers[i]), call->closed);
	for (int i = 0; i < COUNT(negative); i++) {
		/* That is no fence, and no mistake. */
		if (call->run == send_fence && negative[i] == -1)
			continue;
		unit_assert_fails(call->run(negative[i]),
				  call->run == buffer_import_env
					  ? EBADMSG
					  : call->closed);
	}
}

static int expected_of(const struct call *call, unsigned int kind)
{
	switch (kind) {
	case INET_SOCKET:
		return call->inet;
	case PATH_ONLY:
		return call->path;
	default:
		return call->foreign;
	}
}

static void assert_foreign_is_refused(const struct call *call)
{
	for (unsigned int kind = 0; kind < KINDS; kind++) {
		int other, fd, ret;

		if (call->good & BIT(kind) ||
		    (kind == PROCESS && !unit_has_pidfds()))
			continue;
		fd = open_kind((enum kind)kind, &other);
		ck_assert_int_ge(fd, 0);
		ret = call->run(fd);
		ck_assert_msg(ret == -expected_of(call, kind),
			      "portalmem_%s, kind %u: %d", call->name, kind,
			      ret);
		ck_assert_str_ne(portalmem_error_message(), "");
		/* It is the caller's, as it was. */
		ck_assert_msg(fcntl(fd, F_GETFD) == FD_CLOEXEC,
			      "portalmem_%s, kind %u", call->name, kind);
		close(fd);
		if (other >= 0)
			close(other);
	}
}

START_TEST(descriptor_that_is_not_open_is_refused)
{
	assert_closed_is_refused(&calls[_i]);
}
END_TEST

START_TEST(descriptor_of_another_kind_is_refused)
{
	assert_foreign_is_refused(&calls[_i]);
}
END_TEST

START_TEST(descriptor_of_a_process_that_does_not_do_is_refused)
{
	assert_closed_is_refused(&from_calls[_i]);
	assert_foreign_is_refused(&from_calls[_i]);
}
END_TEST

/*
 * Descriptors that the library keeps to itself are found by what was there
 * before. Below them is room for others, so that no call gets their numbers.
 */
#define NUMBERS 64
static bool were_nodes[NUMBERS];
static int room[4];

static void note_nodes(void)
{
	for (int fd = 0; fd < NUMBERS; fd++)
		were_nodes[fd] = mock_is(fd, MOCK_NODE);
	for (int i = 0; i < COUNT(room); i++)
		room[i] = eventfd(0, EFD_CLOEXEC);
}

static int find_new_node(void)
{
	int fd = 0;

	while (fd < NUMBERS && !(mock_is(fd, MOCK_NODE) && !were_nodes[fd]))
		fd++;
	ck_assert_int_lt(fd, NUMBERS);
	for (int i = 0; i < COUNT(room); i++)
		close(room[i]);
	return fd;
}

static void close_new_node(void)
{
	ck_assert_int_eq(close(find_new_node()), 0);
}

/* Something that nothing can be done with, in the place of a file. */
static void replace(int fd)
{
	int event = eventfd(0, EFD_CLOEXEC);

	ck_assert_int_eq(dup3(event, fd, O_CLOEXEC), fd);
	close(event);
}

/* Nothing is done with the file, and so nothing is wrong. */
static void assert_known_without_the_file(struct portalmem_buffer *closed,
					  int fd)
{
	ck_assert_int_eq(portalmem_buffer_get_fd(closed), fd);
	ck_assert_uint_eq(portalmem_buffer_get_size(closed), FAKE_SIZE);
	ck_assert_int_eq(portalmem_buffer_get_caching(closed),
			 PORTALMEM_CACHING_CACHED);
	ck_assert_ptr_eq(portalmem_buffer_ref(closed), closed);
	portalmem_buffer_unref(closed);
}

static void assert_file_is_missed(struct portalmem_buffer *closed)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	const struct portalmem_parcel parcel = {closed, -1};
	char entry[PORTALMEM_ENV_MAX + 8], byte = 7;
	uint64_t done = 0;
	void *map = NULL;

	unit_assert_fails(portalmem_buffer_export_env(closed, "BUFFER", entry,
						      sizeof(entry)),
			  EBADF);
	unit_assert_fails(portalmem_buffer_get_info(closed, &info), EBADF);
	unit_assert_fails(
		portalmem_buffer_map(closed, 0, 0, PORTALMEM_MAP_READ, &map),
		EBADF);
	unit_assert_fails(portalmem_buffer_read(closed, 0, &byte, 1), EBADF);
	unit_assert_fails(portalmem_buffer_write(closed, 0, "x", 1), EBADF);
	unit_assert_fails(
		portalmem_buffer_load(closed, 0, node, 0, 1, NULL, &done),
		EBADF);
	unit_assert_fails(
		portalmem_buffer_save(closed, 0, node, 0, 1, NULL, &done),
		EBADF);
	unit_assert_fails(portalmem_buffer_send(closed, sockets[0]), EBADF);
	unit_assert_fails(portalmem_send(sockets[0], &parcel, 1), EBADF);
	ck_assert_ptr_null(map);
	ck_assert_int_eq(byte, 7);
	ck_assert_uint_eq(done, 0);
}

START_TEST(memfd_closed_under_its_buffer_is_ebadf)
{
	struct portalmem_buffer *closed = unit_alloc_memfd(FAKE_SIZE);
	int fd = portalmem_buffer_get_fd(closed);

	close(fd);
	assert_known_without_the_file(closed, fd);
	assert_file_is_missed(closed);
	portalmem_buffer_unref(closed);
}
END_TEST

/* What concerns devices, too. */
static void assert_dmabuf_is_missed(struct portalmem_buffer *closed)
{
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;
	struct portalmem_attachment *made = NULL;
	struct portalmem_v4l2_queue *queue = NULL;
	struct portalmem_segment segment;
	int fence = -7;
	size_t total = 7;

	unit_assert_fails(portalmem_access_begin(closed, PORTALMEM_SYNC_READ,
						 NULL, 0, &access),
			  EBADF);
	unit_assert_fails(
		portalmem_buffer_attach(closed, "pci", "x", NULL, &made),
		EBADF);
	unit_assert_fails(portalmem_buffer_export_fence(
				  closed, PORTALMEM_SYNC_READ, &fence),
			  EBADF);
	unit_assert_fails(
		portalmem_buffer_get_segments(closed, 0, &segment, 1, &total),
		EBADF);
	unit_assert_fails(portalmem_buffer_set_name(closed, "name"), EBADF);
	unit_assert_fails(portalmem_buffer_sync(closed, SYNC, NULL, 0), EBADF);
	unit_assert_fails(portalmem_buffer_wait(closed, PORTALMEM_SYNC_READ, 0),
			  EBADF);
	unit_assert_fails(
		portalmem_v4l2_queue_open(node, CAPTURE, &closed, 1, 1, &queue),
		EBADF);
	ck_assert_ptr_null(access.buffer);
	ck_assert_ptr_null(made);
	ck_assert_ptr_null(queue);
	ck_assert_int_eq(fence, -7);
	ck_assert_uint_eq(total, 7);
}

#ifdef WITH_DRM
static void assert_dmabuf_is_missed_for_drm(struct portalmem_buffer *closed)
{
	uint32_t handle = 7;

	unit_assert_fails(portalmem_drm_import(closed, node, &handle), EBADF);
	ck_assert_uint_eq(handle, 7);
}
#else
static void assert_dmabuf_is_missed_for_drm(struct portalmem_buffer *closed)
{
	(void)closed;
}
#endif

START_TEST(dmabuf_closed_under_its_buffer_is_ebadf)
{
	int fence = fake_open_fence(), copy = fake_open_buffer(), fd;
	struct portalmem_buffer *closed;

	ck_assert_int_eq(portalmem_buffer_import(device, copy, &closed), 0);
	close(copy);
	fd = portalmem_buffer_get_fd(closed);
	close(fd);
	assert_known_without_the_file(closed, fd);
	/* The node was asked who made it when it was imported. */
	ck_assert_int_eq(portalmem_buffer_get_exporter(closed),
			 PORTALMEM_EXPORTER_PORTALMEM);
	assert_file_is_missed(closed);
	assert_dmabuf_is_missed(closed);
	assert_dmabuf_is_missed_for_drm(closed);
	unit_assert_fails(portalmem_buffer_import_fence(
				  closed, PORTALMEM_SYNC_READ, fence),
			  EBADF);
	portalmem_buffer_unref(closed);
	close(fence);
}
END_TEST

START_TEST(what_was_there_before_the_close_can_be_undone)
{
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;
	struct portalmem_buffer *closed;
	int copy = fake_open_buffer();
	void *map;

	ck_assert_int_eq(portalmem_buffer_import(device, copy, &closed), 0);
	ck_assert_int_eq(
		portalmem_buffer_map(closed, 0, 0, PORTALMEM_MAP_RDWR, &map),
		0);
	ck_assert_int_eq(portalmem_access_begin(closed, PORTALMEM_SYNC_WRITE,
						NULL, 0, &access),
			 0);
	close(portalmem_buffer_get_fd(closed));
	unit_assert_fails(portalmem_access_end(&access), EBADF);
	/* It is still open, for when the file is there again. */
	ck_assert_int_eq(dup3(copy, portalmem_buffer_get_fd(closed), O_CLOEXEC),
			 portalmem_buffer_get_fd(closed));
	ck_assert_int_eq(portalmem_access_end(&access), 0);
	close(portalmem_buffer_get_fd(closed));
	ck_assert_int_eq(portalmem_buffer_unmap(closed, map), 0);
	ck_assert_int_eq(unit_is_mapped(map), 0);
	portalmem_buffer_unref(closed);
	close(copy);
}
END_TEST

START_TEST(attachment_s_file_that_is_closed_is_ebadf)
{
	struct portalmem_attachment_info info = PORTALMEM_ATTACHMENT_INFO_INIT;
	struct portalmem_dma_segment segment;
	struct portalmem_attachment *closed;
	size_t total = 7;
	int fd;

	ck_assert_int_eq(
		portalmem_buffer_attach(dmabuf, "pci", "x", NULL, &closed), 0);
	fd = portalmem_attachment_get_fd(closed);
	close(fd);
	ck_assert_int_eq(portalmem_attachment_get_fd(closed), fd);
	unit_assert_fails(portalmem_attachment_get_info(closed, &info), EBADF);
	unit_assert_fails(portalmem_attachment_get_segments(closed, 0, &segment,
							    1, &total),
			  EBADF);
	unit_assert_fails(portalmem_attachment_sync(closed, SYNC, NULL, 0),
			  EBADF);
	ck_assert_uint_eq(info.size, 0);
	ck_assert_uint_eq(total, 7);
	ck_assert_ptr_eq(portalmem_attachment_ref(closed), closed);
	portalmem_attachment_unref(closed);
	portalmem_attachment_unref(closed);
}
END_TEST

START_TEST(node_closed_under_its_device_is_ebadf)
{
	struct portalmem_heap_info info = PORTALMEM_HEAP_INFO_INIT;
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;
	struct portalmem_constraints wanted = PORTALMEM_CONSTRAINTS_INIT;
	struct portalmem_pool_info pool_info = PORTALMEM_POOL_INFO_INIT;
	struct portalmem_buffer *made = NULL;
	struct portalmem_pool *pool, *failed = NULL;
	struct portalmem_device *closed;
	uint64_t freed = 7;
	unsigned int unmet;
	int fd = fake_open_buffer();

	note_nodes();
	ck_assert_int_eq(
		portalmem_device_open(NULL, PORTALMEM_BACKEND_ANY, &closed), 0);
	close_new_node();
	ck_assert_int_eq(portalmem_pool_create(closed, PAGE, NULL, &pool), 0);
	unit_assert_fails(portalmem_buffer_alloc(closed, PAGE, NULL, &made),
			  EBADF);
	unit_assert_fails(portalmem_buffer_import(closed, fd, &made), EBADF);
	unit_assert_fails(portalmem_buffer_import_user(closed,
						       (void *)(uintptr_t)PAGE,
						       PAGE, NULL, &made),
			  EBADF);
	unit_assert_fails(portalmem_device_get_heap_info(closed, &info), EBADF);
	unit_assert_fails(portalmem_device_trim(closed, &freed), EBADF);
	options.minimum = 1;
	unit_assert_fails(
		portalmem_pool_create(closed, PAGE, &options, &failed), EBADF);
	unit_assert_fails(portalmem_pool_acquire(pool, 0, &made), EBADF);
	wanted.needs = PORTALMEM_NEED_PINNABLE;
	unit_assert_fails(portalmem_device_check(closed, &wanted, &unmet),
			  EOPNOTSUPP);
	ck_assert_int_eq(portalmem_pool_get_info(pool, &pool_info), 0);
	ck_assert_uint_eq(pool_info.buffers, 0);
	ck_assert_int_eq(portalmem_pool_trim(pool, 0), 0);
	ck_assert_ptr_eq(portalmem_pool_ref(pool), pool);
	portalmem_pool_unref(pool);
	ck_assert_int_eq(portalmem_device_get_backend(closed),
			 PORTALMEM_BACKEND_PORTALMEM);
	ck_assert_str_eq(portalmem_device_get_path(closed), "/dev/portalmem");
	ck_assert_ptr_eq(portalmem_device_ref(closed), closed);
	portalmem_device_unref(closed);
	ck_assert_ptr_null(made);
	ck_assert_ptr_null(failed);
	ck_assert_uint_eq(freed, 7);
	portalmem_pool_unref(pool);
	portalmem_device_unref(closed);
	close(fd);
}
END_TEST

START_TEST(buffer_of_a_pool_that_is_closed_is_not_handed_out)
{
	struct portalmem_buffer *taken, *again;
	struct portalmem_pool *pool;

	ck_assert_int_eq(portalmem_pool_create(device, PAGE, NULL, &pool), 0);
	ck_assert_int_eq(portalmem_pool_acquire(pool, 0, &taken), 0);
	close(portalmem_buffer_get_fd(taken));
	portalmem_buffer_unref(taken);
	ck_assert_int_eq(portalmem_pool_acquire(pool, 0, &again), 0);
	ck_assert_int_ge(fcntl(portalmem_buffer_get_fd(again), F_GETFD), 0);
	portalmem_buffer_unref(again);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(camera_closed_under_its_queue_is_ebadf)
{
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	struct portalmem_v4l2_queue *closed;

	note_nodes();
	ck_assert_int_eq(portalmem_v4l2_queue_open(node, CAPTURE, &dmabuf, 1, 1,
						   &closed),
			 0);
	close_new_node();
	unit_assert_fails(portalmem_v4l2_queue_start(closed), EBADF);
	unit_assert_fails(portalmem_v4l2_queue_give(closed, 0, NULL), EBADF);
	unit_assert_fails(portalmem_v4l2_queue_take(closed, 0, &frame), EBADF);
	unit_assert_fails(portalmem_v4l2_queue_stop(closed), EBADF);
	portalmem_v4l2_queue_close(closed);
}
END_TEST

/* The fake kernel takes a frame only with a dma-buf. */
START_TEST(dmabuf_closed_under_a_queue_is_ebadf)
{
	struct portalmem_v4l2_queue *queue;

	ck_assert_int_eq(
		portalmem_v4l2_queue_open(node, CAPTURE, &dmabuf, 1, 1, &queue),
		0);
	close(portalmem_buffer_get_fd(dmabuf));
	unit_assert_fails(portalmem_v4l2_queue_give(queue, 0, NULL), EBADF);
	portalmem_v4l2_queue_close(queue);
}
END_TEST

/* What a program gets that closes a number too often and opens another file. */
START_TEST(file_in_the_place_of_an_attachment_s_is_refused)
{
	struct portalmem_attachment_info info = PORTALMEM_ATTACHMENT_INFO_INIT;
	struct portalmem_attachment *attached;
	struct portalmem_dma_segment segment;
	size_t total = 7;

	ck_assert_int_eq(
		portalmem_buffer_attach(dmabuf, "pci", "x", NULL, &attached),
		0);
	replace(portalmem_attachment_get_fd(attached));
	unit_assert_fails(portalmem_attachment_get_info(attached, &info),
			  ENOTTY);
	unit_assert_fails(portalmem_attachment_get_segments(
				  attached, 0, &segment, 1, &total),
			  ENOTTY);
	unit_assert_fails(portalmem_attachment_sync(attached, SYNC, NULL, 0),
			  ENOTTY);
	ck_assert_uint_eq(total, 7);
	portalmem_attachment_unref(portalmem_attachment_ref(attached));
	portalmem_attachment_unref(attached);
}
END_TEST

START_TEST(file_in_the_place_of_a_buffer_s_is_refused)
{
	struct portalmem_buffer *buffer = unit_alloc_memfd(FAKE_SIZE);
	char byte = 7;
	void *map = NULL;

	replace(portalmem_buffer_get_fd(buffer));
	ck_assert_int_lt(
		portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_READ, &map),
		0);
	ck_assert_int_lt(portalmem_buffer_read(buffer, 0, &byte, 1), 0);
	ck_assert_int_lt(portalmem_buffer_write(buffer, 0, "x", 1), 0);
	ck_assert_ptr_null(map);
	ck_assert_int_eq(byte, 7);
	portalmem_buffer_unref(portalmem_buffer_ref(buffer));
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(file_in_the_place_of_a_node_is_refused)
{
	struct portalmem_heap_info info = PORTALMEM_HEAP_INFO_INIT;
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;
	struct portalmem_buffer *made = NULL;
	struct portalmem_pool *pool, *failed = NULL;
	struct portalmem_device *replaced;

	note_nodes();
	ck_assert_int_eq(
		portalmem_device_open(NULL, PORTALMEM_BACKEND_ANY, &replaced),
		0);
	replace(find_new_node());
	ck_assert_int_eq(portalmem_pool_create(replaced, PAGE, NULL, &pool), 0);
	ck_assert_int_lt(portalmem_buffer_alloc(replaced, PAGE, NULL, &made),
			 0);
	ck_assert_int_lt(portalmem_pool_acquire(pool, 0, &made), 0);
	ck_assert_int_lt(portalmem_device_get_heap_info(replaced, &info), 0);
	ck_assert_int_lt(portalmem_device_trim(replaced, NULL), 0);
	options.minimum = 1;
	ck_assert_int_lt(
		portalmem_pool_create(replaced, PAGE, &options, &failed), 0);
	ck_assert_ptr_null(made);
	ck_assert_ptr_null(failed);
	ck_assert_int_eq(portalmem_pool_trim(pool, 0), 0);
	portalmem_device_unref(portalmem_device_ref(replaced));
	portalmem_pool_unref(portalmem_pool_ref(pool));
	portalmem_pool_unref(pool);
	portalmem_device_unref(replaced);
}
END_TEST

START_TEST(file_in_the_place_of_a_camera_is_refused)
{
	struct portalmem_v4l2_frame frame = PORTALMEM_V4L2_FRAME_INIT;
	struct portalmem_v4l2_queue *queue;

	note_nodes();
	ck_assert_int_eq(
		portalmem_v4l2_queue_open(node, CAPTURE, &dmabuf, 1, 1, &queue),
		0);
	replace(find_new_node());
	unit_assert_fails(portalmem_v4l2_queue_start(queue), ENOTTY);
	unit_assert_fails(portalmem_v4l2_queue_give(queue, 0, NULL), ENOTTY);
	unit_assert_fails(portalmem_v4l2_queue_take(queue, 0, &frame),
			  ETIMEDOUT);
	unit_assert_fails(portalmem_v4l2_queue_stop(queue), ENOTTY);
	portalmem_v4l2_queue_close(queue);
}
END_TEST

/* A buffer that is no dma-buf, and one that no node knows. */
START_TEST(buffer_of_another_backend_is_refused)
{
	struct portalmem_attachment *made = NULL;
	struct portalmem_v4l2_queue *queue = NULL;
	struct portalmem_segment segment;
	struct portalmem_buffer *foreign;
	int fd = fake_open_buffer(), fence = fake_open_fence();

	ck_assert_int_eq(portalmem_buffer_import(NULL, fd, &foreign), 0);
	unit_assert_fails(
		portalmem_buffer_attach(memfd, "pci", "x", NULL, &made),
		EOPNOTSUPP);
	unit_assert_fails(
		portalmem_buffer_attach(foreign, "pci", "x", NULL, &made),
		EOPNOTSUPP);
	unit_assert_fails(
		portalmem_buffer_get_segments(memfd, 0, &segment, 1, NULL),
		EOPNOTSUPP);
	unit_assert_fails(
		portalmem_buffer_get_segments(foreign, 0, &segment, 1, NULL),
		EOPNOTSUPP);
	unit_assert_fails(
		portalmem_v4l2_queue_open(node, CAPTURE, &memfd, 1, 1, &queue),
		EOPNOTSUPP);
	unit_assert_fails(portalmem_buffer_wait(memfd, PORTALMEM_SYNC_READ, 0),
			  EOPNOTSUPP);
	unit_assert_fails(portalmem_buffer_import_fence(
				  memfd, PORTALMEM_SYNC_READ, fence),
			  EOPNOTSUPP);
	unit_assert_fails(portalmem_buffer_export_fence(
				  memfd, PORTALMEM_SYNC_READ, &fence),
			  EOPNOTSUPP);
	unit_assert_fails(portalmem_buffer_set_name(memfd, "name"), EOPNOTSUPP);
	ck_assert_ptr_null(made);
	ck_assert_ptr_null(queue);
	portalmem_buffer_unref(foreign);
	close(fence);
	close(fd);
}
END_TEST

/* What belongs to another object is not this one's. */
START_TEST(mapping_and_access_of_another_buffer_are_refused)
{
	struct portalmem_access access = PORTALMEM_ACCESS_INIT, forged;
	void *map;

	ck_assert_int_eq(
		portalmem_buffer_map(dmabuf, 0, 0, PORTALMEM_MAP_RDWR, &map),
		0);
	unit_assert_fails(portalmem_buffer_unmap(memfd, map), EINVAL);
	ck_assert_int_eq(portalmem_buffer_unmap(dmabuf, map), 0);
	ck_assert_int_eq(portalmem_access_begin(dmabuf, PORTALMEM_SYNC_WRITE,
						NULL, 0, &access),
			 0);
	forged = access;
	forged.buffer = memfd;
	unit_assert_fails(portalmem_access_end(&forged), EINVAL);
	ck_assert_int_eq(portalmem_access_end(&access), 0);
}
END_TEST

static Suite *descriptors_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("descriptors", &tc);

	tcase_add_checked_fixture(tc, set_up, tear_down);
	tcase_add_loop_test(tc, descriptor_that_is_not_open_is_refused, 0,
			    COUNT(calls));
	tcase_add_loop_test(tc, descriptor_of_another_kind_is_refused, 0,
			    COUNT(calls));
	if (unit_has_pidfds())
		tcase_add_loop_test(
			tc, descriptor_of_a_process_that_does_not_do_is_refused,
			0, COUNT(from_calls));
	tcase_add_test(tc, memfd_closed_under_its_buffer_is_ebadf);
	tcase_add_test(tc, dmabuf_closed_under_its_buffer_is_ebadf);
	tcase_add_test(tc, what_was_there_before_the_close_can_be_undone);
	tcase_add_test(tc, attachment_s_file_that_is_closed_is_ebadf);
	tcase_add_test(tc, node_closed_under_its_device_is_ebadf);
	tcase_add_test(tc, buffer_of_a_pool_that_is_closed_is_not_handed_out);
	tcase_add_test(tc, camera_closed_under_its_queue_is_ebadf);
	tcase_add_test(tc, dmabuf_closed_under_a_queue_is_ebadf);
	tcase_add_test(tc, file_in_the_place_of_an_attachment_s_is_refused);
	tcase_add_test(tc, file_in_the_place_of_a_buffer_s_is_refused);
	tcase_add_test(tc, file_in_the_place_of_a_node_is_refused);
	tcase_add_test(tc, file_in_the_place_of_a_camera_is_refused);
	tcase_add_test(tc, buffer_of_another_backend_is_refused);
	tcase_add_test(tc, mapping_and_access_of_another_buffer_are_refused);
	return suite;
}

PMTEST_MAIN(descriptors_suite)
