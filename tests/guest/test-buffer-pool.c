// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The library's pools: who holds a buffer is the kernel's to say. A buffer that
 * somebody else has in whatever way is never handed out, and is as soon as
 * nobody has it any more.
 * quick: 6.12
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <portalmem-drm.h>
#include <portalmem.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices.h"
#include "guest.h"
#include "soft-device.h"
#include "trace.h"
#include "uring.h"

#define SIZE MIB(3)

static const struct backend {
	enum portalmem_backend backend;
	const char *path;
	enum portalmem_caching caching;
	int is_optional; /* not in every kernel */
} backends[] = {
	{PORTALMEM_BACKEND_PORTALMEM, GUEST_NODE, PORTALMEM_CACHING_CACHED, 0},
	{PORTALMEM_BACKEND_PORTALMEM, GUEST_NODE, PORTALMEM_CACHING_WC, 0},
	{PORTALMEM_BACKEND_DMA_HEAP, GUEST_HEAP_NODE, PORTALMEM_CACHING_DEFAULT,
	 0},
	{PORTALMEM_BACKEND_DMA_HEAP, GUEST_STOCK_NODE,
	 PORTALMEM_CACHING_DEFAULT, 1},
	{PORTALMEM_BACKEND_UDMABUF, "/dev/udmabuf", PORTALMEM_CACHING_DEFAULT,
	 1},
};

static struct portalmem_pool *open_pool(const struct backend *backend)
{
	struct portalmem_alloc_options alloc = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;
	struct portalmem_device *device;
	struct portalmem_pool *pool;

	ck_assert_int_eq(
		portalmem_device_open(backend->path, backend->backend, &device),
		0);
	alloc.caching = backend->caching;
	options.alloc = &alloc;
	options.maximum = 1;
	ck_assert_int_eq(portalmem_pool_create(device, SIZE, &options, &pool),
			 0);
	portalmem_device_unref(device);
	return pool;
}

static struct portalmem_buffer *acquire(struct portalmem_pool *pool)
{
	struct portalmem_buffer *buffer;

	ck_assert_int_eq(portalmem_pool_acquire(pool, 0, &buffer), 0);
	return buffer;
}

static void assert_held(struct portalmem_pool *pool)
{
	struct portalmem_buffer *none;
	double start;

	ck_assert_int_eq(portalmem_pool_acquire(pool, 0, &none), -EAGAIN);
	start = guest_now();
	ck_assert_int_eq(portalmem_pool_acquire(pool, 60, &none), -ETIMEDOUT);
	ck_assert(guest_now() - start >= 0.059);
}

/* It is the same buffer, and nobody asked for a new one. */
static void assert_handed_out(struct portalmem_pool *pool,
			      const struct portalmem_buffer *expected)
{
	struct portalmem_pool_info info = PORTALMEM_POOL_INFO_INIT;
	struct portalmem_buffer *buffer;

	/* Some of it the kernel lets go of a moment later. */
	ck_assert_int_eq(portalmem_pool_acquire(pool, 5000, &buffer), 0);
	ck_assert_ptr_eq(buffer, expected);
	ck_assert_int_eq(portalmem_pool_get_info(pool, &info), 0);
	ck_assert_uint_eq(info.allocated, 1);
	ck_assert_uint_eq(info.dropped, 0);
	portalmem_buffer_unref(buffer);
}

/*
 * Another process, which is there before the pool is: it does not have what its
 * parent has, only what it is sent. It does as the bytes say that it reads, and
 * answers each.
 */
struct peer {
	pid_t pid;
	int socket; /* buffers */
	int orders; /* bytes */
};

static int do_order(char order, int socket)
{
	static struct portalmem_buffer *buffer;
	static char *map;
	static int fd = -1;

	switch (order) {
	case 'r': /* receive */
		return portalmem_buffer_receive(NULL, socket, &buffer);
	case 'm': /* map, and keep the mapping alone */
		fd = portalmem_buffer_get_fd(buffer);
		map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
		portalmem_buffer_unref(buffer);
		return map == MAP_FAILED || map[SIZE - 1] != 'z';
	case 'u': /* unmap a part of it, then the rest */
		return munmap(map, 4096);
	case 'U':
		return munmap(map + 4096, SIZE - 4096);
	case 'c': /* close */
		portalmem_buffer_unref(buffer);
		return 0;
	default:
		return 1;
	}
}

static void obey(int socket, int orders)
{
	char order;

	while (read(orders, &order, 1) == 1) {
		char answer = do_order(order, socket) ? 'n' : 'y';

		if (write(orders, &answer, 1) != 1)
			break;
	}
	_exit(0);
}

static struct peer start_peer(void)
{
	int sockets[2], orders[2];
	struct peer peer;

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets),
		0);
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, orders), 0);
	peer.pid = fork();
	ck_assert_int_ge(peer.pid, 0);
	if (!peer.pid) {
		close(sockets[0]);
		close(orders[0]);
		obey(sockets[1], orders[1]);
	}
	close(sockets[1]);
	close(orders[1]);
	peer.socket = sockets[0];
	peer.orders = orders[0];
	return peer;
}

static void tell(const struct peer *peer, char order)
{
	char answer;

	ck_assert_int_eq(write(peer->orders, &order, 1), 1);
	ck_assert_int_eq(read(peer->orders, &answer, 1), 1);
	ck_assert_msg(answer == 'y', "the peer cannot do '%c'", order);
}

static void stop_peer(const struct peer *peer)
{
	int status;

	kill(peer->pid, SIGKILL);
	ck_assert_int_eq(waitpid(peer->pid, &status, 0), peer->pid);
	close(peer->socket);
	close(peer->orders);
}

static void mark_last_byte(struct portalmem_buffer *buffer)
{
	void *map;

	ck_assert_int_eq(
		portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR, &map),
		0);
	((char *)map)[SIZE - 1] = 'z';
}

START_TEST(buffer_under_way_is_held_until_the_socket_is_closed)
{
	struct portalmem_pool *pool = open_pool(&backends[_i]);
	struct portalmem_buffer *buffer = acquire(pool);
	int sockets[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets), 0);
	ck_assert_int_eq(portalmem_buffer_send(buffer, sockets[0]), 0);
	portalmem_buffer_unref(buffer);
	assert_held(pool);
	close(sockets[0]);
	assert_held(pool);
	close(sockets[1]);
	assert_handed_out(pool, buffer);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(buffer_that_another_process_has_is_held)
{
	struct peer peer = start_peer();
	struct portalmem_pool *pool = open_pool(&backends[_i]);
	struct portalmem_buffer *buffer = acquire(pool);

	mark_last_byte(buffer);
	ck_assert_int_eq(portalmem_buffer_send(buffer, peer.socket), 0);
	portalmem_buffer_unref(buffer);
	assert_held(pool);
	tell(&peer, 'r');
	/* By its descriptor alone. */
	assert_held(pool);
	tell(&peer, 'm');
	/* By its mapping alone, and by a part of that. */
	assert_held(pool);
	tell(&peer, 'u');
	assert_held(pool);
	tell(&peer, 'U');
	assert_handed_out(pool, buffer);

	/* By a descriptor again, until the process is killed. */
	buffer = acquire(pool);
	ck_assert_int_eq(portalmem_buffer_send(buffer, peer.socket), 0);
	tell(&peer, 'r');
	portalmem_buffer_unref(buffer);
	assert_held(pool);
	stop_peer(&peer);
	assert_handed_out(pool, buffer);
	portalmem_pool_unref(pool);
}
END_TEST

/* Nothing was sent: the child has what the parent had. */
START_TEST(buffer_that_a_child_inherited_is_held)
{
	struct portalmem_pool *pool = open_pool(&backends[_i]);
	struct portalmem_buffer *buffer = acquire(pool);
	struct peer child = start_peer();

	portalmem_buffer_unref(buffer);
	assert_held(pool);
	stop_peer(&child);
	assert_handed_out(pool, buffer);
	portalmem_pool_unref(pool);
}
END_TEST

/* A copy of the descriptor, and a mapping that the library does not know. */
START_TEST(buffer_that_this_process_has_besides_the_pool_is_held)
{
	struct portalmem_pool *pool = open_pool(&backends[_i]);
	struct portalmem_buffer *buffer = acquire(pool);
	int copy = dup(portalmem_buffer_get_fd(buffer));
	void *map;

	ck_assert_int_ge(copy, 0);
	portalmem_buffer_unref(buffer);
	assert_held(pool);
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, copy, 4096);
	ck_assert_ptr_ne(map, MAP_FAILED);
	close(copy);
	assert_held(pool);
	munmap(map, 4096);
	assert_handed_out(pool, buffer);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(buffer_that_a_driver_imported_is_held)
{
	struct portalmem_pool *pool = open_pool(&backends[_i]);
	struct portalmem_buffer *buffer = acquire(pool);
	int vgem = devices_open_vgem();
	uint32_t handle;

	ck_assert_int_eq(portalmem_drm_import(buffer, vgem, &handle), 0);
	portalmem_buffer_unref(buffer);
	assert_held(pool);
	ck_assert_int_eq(portalmem_drm_close_handle(vgem, handle), 0);
	assert_handed_out(pool, buffer);
	close(vgem);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(buffer_that_is_attached_is_held)
{
	struct portalmem_pool *pool = open_pool(&backends[_i]);
	struct portalmem_buffer *buffer = acquire(pool);
	struct portalmem_attachment *attachment;

	soft_device_load();
	ck_assert_int_eq(portalmem_buffer_attach(buffer, "platform",
						 "pm_device.0", NULL,
						 &attachment),
			 0);
	portalmem_buffer_unref(buffer);
	assert_held(pool);
	portalmem_attachment_unref(attachment);
	assert_handed_out(pool, buffer);
	portalmem_pool_unref(pool);
}
END_TEST

static struct portalmem_ioc_holders ask(int fd)
{
	struct portalmem_ioc_holders holders = {.fd = fd};
	int node = guest_open(GUEST_NODE);

	ck_assert_msg(!ioctl(node, PORTALMEM_IOC_HOLDERS, &holders), "%s",
		      strerror(errno));
	close(node);
	return holders;
}

/* The driver has let go of the buffer, only its fence is still there. */
START_TEST(buffer_with_a_fence_is_held_until_it_is_signalled)
{
	struct portalmem_pool *pool = open_pool(&backends[_i]);
	struct portalmem_buffer *buffer = acquire(pool);
	int vgem = devices_open_vgem();
	uint32_t handle, fence;

	ck_assert_int_eq(portalmem_drm_import(buffer, vgem, &handle), 0);
	fence = devices_attach_fence(vgem, handle);
	ck_assert_int_eq(portalmem_drm_close_handle(vgem, handle), 0);
	if (backends[_i].backend == PORTALMEM_BACKEND_PORTALMEM) {
		struct portalmem_ioc_holders holders =
			ask(portalmem_buffer_get_fd(buffer));

		ck_assert_uint_eq(holders.references, 2);
		ck_assert_uint_eq(holders.holders,
				  PORTALMEM_HOLDER_REFERENCE |
					  PORTALMEM_HOLDER_FENCE);
	}
	portalmem_buffer_unref(buffer);
	assert_held(pool);
	devices_signal_fence(vgem, fence);
	assert_handed_out(pool, buffer);
	close(vgem);
	portalmem_pool_unref(pool);
}
END_TEST

/* No descriptor and no mapping is left, but io_uring may still write. */
START_TEST(buffer_with_pinned_pages_is_held)
{
	struct portalmem_pool *pool = open_pool(&backends[0]);
	struct portalmem_buffer *buffer = acquire(pool);
	struct uring ring = uring_open();
	void *map = guest_map(portalmem_buffer_get_fd(buffer), SIZE);

	ck_assert_int_eq(uring_register(&ring, map, SIZE), 0);
	munmap(map, SIZE);
	ck_assert_uint_eq(ask(portalmem_buffer_get_fd(buffer)).holders,
			  PORTALMEM_HOLDER_REFERENCE | PORTALMEM_HOLDER_PIN);
	portalmem_buffer_unref(buffer);
	assert_held(pool);
	uring_close(&ring);
	assert_handed_out(pool, buffer);
	portalmem_pool_unref(pool);
}
END_TEST

static const struct backend *traced;
static int traced_is_shared;

/* Check's assertions make system calls of their own. */
static void acquire_and_release(void)
{
	struct portalmem_pool *pool = open_pool(traced);
	struct portalmem_buffer *buffer = acquire(pool);
	int failed = 0;
	void *map;

	if (traced_is_shared)
		portalmem_buffer_get_fd(buffer);
	portalmem_buffer_unref(buffer);
	/* What has to be opened is. */
	portalmem_buffer_unref(acquire(pool));
	trace_mark();
	for (int i = 0; i < 10; i++) {
		failed |= portalmem_pool_acquire(pool, -1, &buffer);
		failed |= portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR,
					       &map);
		*(char *)map = 1;
		portalmem_buffer_unref(buffer);
	}
	trace_mark();
	ck_assert_int_eq(failed, 0);
	portalmem_pool_unref(pool);
}

START_TEST(system_calls_are_none_and_for_a_shared_buffer_one)
{
	const int by_module = backends[_i].backend ==
			      PORTALMEM_BACKEND_PORTALMEM;
	struct trace trace;

	traced = &backends[_i];
	traced_is_shared = 0;
	trace = trace_run(acquire_and_release);
	ck_assert_msg(!trace.count, "%zu system calls, the first is %ld",
		      trace.count, trace.numbers[0]);

	traced_is_shared = 1;
	trace = trace_run(acquire_and_release);
	/* Elsewhere one for the references and one for the fences. */
	ck_assert_uint_eq(trace.count, by_module ? 10 : 20);
	for (size_t i = 0; i < trace.count; i++) {
		if (by_module)
			ck_assert_int_eq(trace.numbers[i], SYS_ioctl);
		else if (i % 2 == 0)
			ck_assert_int_eq(trace.numbers[i], SYS_pread64);
	}
}
END_TEST

START_TEST(holders_are_counted)
{
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED), copy;
	int child_end[2];
	void *map;
	pid_t child;

	ck_assert_uint_eq(ask(fd).references, 1);
	ck_assert_uint_eq(ask(fd).holders, 0);
	map = guest_map(fd, SIZE);
	ck_assert_uint_eq(ask(fd).references, 2);
	ck_assert_uint_eq(ask(fd).holders, PORTALMEM_HOLDER_REFERENCE);
	copy = dup(fd);
	ck_assert_uint_eq(ask(fd).references, 3);

	ck_assert_int_eq(pipe(child_end), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		char byte;

		close(child_end[1]);
		_exit(read(child_end[0], &byte, 1) != 0);
	}
	ck_assert_uint_eq(ask(fd).references, 6);
	close(child_end[1]);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	close(child_end[0]);
	close(copy);
	munmap(map, SIZE);
	ck_assert_uint_eq(ask(fd).references, 1);
	ck_assert_uint_eq(ask(fd).holders, 0);
	close(fd);
}
END_TEST

START_TEST(attached_device_is_a_holder)
{
	struct portalmem_attachment *attachment;
	struct portalmem_device *device;
	struct portalmem_buffer *buffer;
	int fd;

	soft_device_load();
	ck_assert_int_eq(portalmem_device_open(
				 NULL, PORTALMEM_BACKEND_PORTALMEM, &device),
			 0);
	ck_assert_int_eq(portalmem_buffer_alloc(device, SIZE, NULL, &buffer),
			 0);
	fd = portalmem_buffer_get_fd(buffer);
	ck_assert_int_eq(portalmem_buffer_attach(buffer, "platform",
						 "pm_device.0", NULL,
						 &attachment),
			 0);
	ck_assert_uint_eq(ask(fd).holders,
			  PORTALMEM_HOLDER_REFERENCE | PORTALMEM_HOLDER_DEVICE);
	portalmem_attachment_unref(attachment);
	ck_assert_uint_eq(ask(fd).holders, 0);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(holders_refuses_what_it_does_not_know)
{
	static const unsigned int sizes[] = {8, 12, 15};
	int node = guest_open(GUEST_NODE);
	int fd = guest_alloc(4096, PORTALMEM_CACHED);
	int vgem = devices_open_vgem();
	uint64_t size = 4096;
	uint32_t handle = devices_create_vgem_buffer(vgem, &size);
	struct portalmem_device *device;
	struct portalmem_buffer *foreign;
	struct {
		struct portalmem_ioc_holders known;
		uint32_t more;
	} longer = {.known = {.fd = fd}, .more = 1};
	struct portalmem_ioc_holders holders = {.fd = fd, .flags = 1};

	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_HOLDERS, &holders), -1);
	ck_assert_int_eq(errno, EINVAL);
	holders.flags = 0;
	holders.fd = -1;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_HOLDERS, &holders), -1);
	ck_assert_int_eq(errno, EBADF);
	holders.fd = node;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_HOLDERS, &holders), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_HOLDERS, NULL), -1);
	ck_assert_int_eq(errno, EFAULT);

	ck_assert_int_eq(portalmem_device_open(
				 NULL, PORTALMEM_BACKEND_PORTALMEM, &device),
			 0);
	ck_assert_int_eq(portalmem_drm_export(device, vgem, handle, &foreign),
			 0);
	holders.fd = portalmem_buffer_get_fd(foreign);
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_HOLDERS, &holders), -1);
	ck_assert_int_eq(errno, EXDEV);
	portalmem_buffer_unref(foreign);
	portalmem_device_unref(device);

	holders.fd = fd;
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(
			ioctl(node,
			      _IOC(_IOC_READ | _IOC_WRITE, PORTALMEM_IOC_MAGIC,
				   0x0B, sizes[i]),
			      &holders),
			-1);
		ck_assert_int_eq(errno, EINVAL);
	}
	ck_assert_int_eq(
		ioctl(node,
		      _IOWR(PORTALMEM_IOC_MAGIC, 0x0B, __typeof__(longer)),
		      &longer),
		-1);
	ck_assert_int_eq(errno, E2BIG);
	longer.more = 0;
	ck_assert_int_eq(
		ioctl(node,
		      _IOWR(PORTALMEM_IOC_MAGIC, 0x0B, __typeof__(longer)),
		      &longer),
		0);
	ck_assert_uint_eq(longer.known.references, 1);
	close(vgem);
	close(fd);
	close(node);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("buffer pool");
	TCase *tcase = guest_tcase("buffer pool");

	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		int n = (int)i;

		if (backends[i].is_optional && access(backends[i].path, F_OK)) {
			printf("# this kernel has no %s\n", backends[i].path);
			continue;
		}
		tcase_add_loop_test(
			tcase,
			buffer_under_way_is_held_until_the_socket_is_closed, n,
			n + 1);
		tcase_add_loop_test(tcase,
				    buffer_that_another_process_has_is_held, n,
				    n + 1);
		tcase_add_loop_test(
			tcase, buffer_that_a_child_inherited_is_held, n, n + 1);
		tcase_add_loop_test(
			tcase,
			buffer_that_this_process_has_besides_the_pool_is_held,
			n, n + 1);
		tcase_add_loop_test(
			tcase, buffer_that_a_driver_imported_is_held, n, n + 1);
		tcase_add_loop_test(
			tcase,
			buffer_with_a_fence_is_held_until_it_is_signalled, n,
			n + 1);
		tcase_add_loop_test(
			tcase,
			system_calls_are_none_and_for_a_shared_buffer_one, n,
			n + 1);
	}
	tcase_add_loop_test(tcase, buffer_that_is_attached_is_held, 0, 2);
	/* Older kernels register anonymous memory only. */
	if (uring_registers_files())
		tcase_add_test(tcase, buffer_with_pinned_pages_is_held);
	tcase_add_test(tcase, holders_are_counted);
	tcase_add_test(tcase, attached_device_is_a_holder);
	tcase_add_test(tcase, holders_refuses_what_it_does_not_know);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
