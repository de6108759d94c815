// SPDX-License-Identifier: GPL-2.0-or-later
/* The library on the real backends of a kernel. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <portalmem.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

/* The path decides the rest; NULL is each backend's usual node. */
static const struct backend {
	enum portalmem_backend backend;
	const char *path;
	int is_optional; /* not in every kernel */
	int has_cached;	 /* for who asks by name, not for the default */
	int has_wc;
	const char *heap;
} backends[] = {
	{PORTALMEM_BACKEND_PORTALMEM, NULL, 0, 1, 1, "system"},
	{PORTALMEM_BACKEND_PORTALMEM, GUEST_HEAP_WC_NODE, 0, 1, 1, "system"},
	{PORTALMEM_BACKEND_DMA_HEAP, GUEST_HEAP_NODE, 0, 0, 0, "portalmem"},
	{PORTALMEM_BACKEND_DMA_HEAP, "/dev/dma_heap/system", 1, 1, 0, "system"},
	{PORTALMEM_BACKEND_UDMABUF, NULL, 1, 1, 0, "udmabuf"},
};

/* A sandbox may forbid this call, before the C library's for all of us. */
static int statx_is_forbidden;

int guest_statx(int fd, const char *path, int flags, unsigned int mask,
		struct statx *st) __asm__("statx");

int guest_statx(int fd, const char *path, int flags, unsigned int mask,
		struct statx *st)
{
	if (statx_is_forbidden) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_statx, fd, path, flags, mask, st);
}

/* The kernel has no such node: nothing to hold the library against. */
static int is_absent(const struct backend *backend)
{
	const char *path = backend->path ? backend->path : "/dev/udmabuf";

	return backend->is_optional && access(path, F_OK);
}

static struct portalmem_device *open_backend(const struct backend *backend)
{
	struct portalmem_device *device;

	ck_assert_int_eq(
		portalmem_device_open(backend->path, backend->backend, &device),
		0);
	ck_assert_int_eq(portalmem_device_get_backend(device),
			 backend->backend);
	return device;
}

START_TEST(buffer_is_allocated_mapped_synced_named_and_described)
{
	const struct backend *backend = &backends[_i];
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_range ranges[] = {{4096, 100}, {0, 4096}};
	struct portalmem_device *device;
	struct portalmem_buffer *buffer;
	struct stat status;
	void *map;

	device = open_backend(backend);
	options.name = "first";
	ck_assert_int_eq(
		portalmem_buffer_alloc(device, MIB(3) - 1, &options, &buffer),
		0);
	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), MIB(3));
	ck_assert_int_eq(
		portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR, &map),
		0);
	guest_assert_zero(map, MIB(3));
	ck_assert_int_eq(portalmem_buffer_sync(buffer,
					       PORTALMEM_SYNC_START |
						       PORTALMEM_SYNC_RDWR,
					       ranges, 2),
			 0);
	guest_fill(map, MIB(3), 1);
	ck_assert_int_eq(
		portalmem_buffer_sync(buffer,
				      PORTALMEM_SYNC_END | PORTALMEM_SYNC_RDWR,
				      NULL, 0),
		0);
	guest_assert_filled(map, MIB(3), 1);

	ck_assert_int_eq(portalmem_buffer_get_info(buffer, &info), 0);
	ck_assert_uint_eq(info.size, MIB(3));
	ck_assert_str_eq(info.name, "first");
	ck_assert_str_eq(info.heap, backend->heap);
	ck_assert_int_eq(fstat(portalmem_buffer_get_fd(buffer), &status), 0);
	ck_assert_uint_eq(info.inode, status.st_ino);
	ck_assert_int_eq(portalmem_buffer_set_name(buffer, "second"), 0);
	ck_assert_int_eq(portalmem_buffer_get_info(buffer, &info), 0);
	ck_assert_str_eq(info.name, "second");
	if (backend->backend == PORTALMEM_BACKEND_PORTALMEM) {
		ck_assert_uint_ge(info.segments, 1);
		ck_assert_int_eq(info.pid, getpid());
	}

	ck_assert_int_eq(portalmem_buffer_unmap(buffer, map), 0);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(caching_is_given_or_refused_never_something_else)
{
	static const enum portalmem_caching modes[] = {PORTALMEM_CACHING_CACHED,
						       PORTALMEM_CACHING_WC,
						       PORTALMEM_CACHING_UC};
	/* Elsewhere than on x86, uncached memory is write-combined. */
	static const enum portalmem_caching given[] = {
		PORTALMEM_CACHING_CACHED,
		PORTALMEM_CACHING_WC,
#ifdef __x86_64__
		PORTALMEM_CACHING_UC,
#else
		PORTALMEM_CACHING_WC,
#endif
	};
	const struct backend *backend = &backends[_i];
	struct portalmem_device *device;

	device = open_backend(backend);
	for (int i = 0; i < 3; i++) {
		struct portalmem_alloc_options options =
			PORTALMEM_ALLOC_OPTIONS_INIT;
		struct portalmem_buffer *buffer;
		int ret;

		options.caching = modes[i];
		ret = portalmem_buffer_alloc(device, 4096, &options, &buffer);
		if (!(i ? backend->has_wc : backend->has_cached)) {
			ck_assert_int_eq(ret, -EOPNOTSUPP);
			continue;
		}
		ck_assert_int_eq(ret, 0);
		ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
				 given[i]);
		portalmem_buffer_unref(buffer);
	}
	portalmem_device_unref(device);
}
END_TEST

START_TEST(received_buffer_is_the_sent_one)
{
	static const int types[] = {SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM};
	const struct backend *backend = &backends[_i];
	struct portalmem_device *device;
	struct portalmem_buffer *buffer, *received;
	void *one, *two;

	device = open_backend(backend);
	for (int i = 0; i < 3; i++) {
		int sockets[2];

		ck_assert_int_eq(socketpair(AF_UNIX, types[i], 0, sockets), 0);
		ck_assert_int_eq(
			portalmem_buffer_alloc(device, MIB(2), NULL, &buffer),
			0);
		ck_assert_int_eq(portalmem_buffer_send(buffer, sockets[0]), 0);
		ck_assert_int_eq(
			portalmem_buffer_receive(NULL, sockets[1], &received),
			0);
		ck_assert_int_eq(portalmem_buffer_map(buffer, 0, 0,
						      PORTALMEM_MAP_RDWR, &one),
				 0);
		ck_assert_int_eq(portalmem_buffer_map(received, 0, 0,
						      PORTALMEM_MAP_RDWR, &two),
				 0);
		guest_fill(one, MIB(2), 31);
		guest_assert_filled(two, MIB(2), 31);
		portalmem_buffer_unref(buffer);
		portalmem_buffer_unref(received);
	}
	portalmem_device_unref(device);
}
END_TEST

/* Names that a file of another kind could have, or that could hide a line. */
static const char *const names[] = {"", "any", "anon_inode:sync_file",
				    "/memfd:"};

/* The kernel says that it is a dma-buf, by its type and in /proc. */
START_TEST(dmabuf_is_known_whatever_its_name_and_without_statx)
{
	struct portalmem_device *device = open_backend(&backends[_i]);
	struct portalmem_buffer *buffer, *imported;

	ck_assert_int_eq(portalmem_buffer_alloc(device, 4096, NULL, &buffer),
			 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_int_eq(portalmem_buffer_set_name(buffer, names[i]),
				 0);
		for (int forbidden = 0; forbidden < 2; forbidden++) {
			statx_is_forbidden = forbidden;
			ck_assert_msg(
				!portalmem_buffer_import(
					NULL, portalmem_buffer_get_fd(buffer),
					&imported),
				"%s: %s", names[i], portalmem_error_message());
			portalmem_buffer_unref(imported);
		}
		statx_is_forbidden = 0;
	}
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(fence_is_known_without_statx)
{
	struct portalmem_device *device = open_backend(&backends[0]);
	struct portalmem_buffer *buffer;
	int fence, sockets[2];

	ck_assert_int_eq(portalmem_buffer_alloc(device, 4096, NULL, &buffer),
			 0);
	ck_assert_int_eq(portalmem_buffer_export_fence(
				 buffer, PORTALMEM_SYNC_WRITE, &fence),
			 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), 0);
	for (int forbidden = 0; forbidden < 2; forbidden++) {
		struct portalmem_parcel parcel = {buffer, fence};

		statx_is_forbidden = forbidden;
		ck_assert_int_eq(portalmem_buffer_import_fence(
					 buffer, PORTALMEM_SYNC_WRITE, fence),
				 0);
		ck_assert_int_eq(portalmem_send(sockets[0], &parcel, 1), 0);
		ck_assert_int_eq(
			portalmem_receive(NULL, sockets[1], NULL, &parcel, 1),
			1);
		ck_assert_int_ge(parcel.fence, 0);
		close(parcel.fence);
		portalmem_buffer_unref(parcel.buffer);
	}
	statx_is_forbidden = 0;
	close(fence);
	close(sockets[0]);
	close(sockets[1]);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(more_than_memory_is_enomem)
{
	struct portalmem_device *device = open_backend(&backends[0]);
	struct portalmem_buffer *buffer = NULL;

	ck_assert_int_eq(portalmem_buffer_alloc(device, (uint64_t)1 << 40, NULL,
						&buffer),
			 -ENOMEM);
	ck_assert_ptr_null(buffer);
	ck_assert_str_ne(portalmem_error_message(), "");
	portalmem_device_unref(device);
}
END_TEST

START_TEST(module_is_the_first_choice)
{
	struct portalmem_device *device;

	ck_assert_int_eq(
		portalmem_device_open(NULL, PORTALMEM_BACKEND_ANY, &device), 0);
	ck_assert_int_eq(portalmem_device_get_backend(device),
			 PORTALMEM_BACKEND_PORTALMEM);
	ck_assert_str_eq(portalmem_device_get_path(device), GUEST_NODE);
	portalmem_device_unref(device);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("library");
	TCase *tcase = guest_tcase("library");

	for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++) {
		int n = (int)i;

		if (is_absent(&backends[i])) {
			printf("# this kernel has no %s\n", backends[i].heap);
			continue;
		}
		tcase_add_loop_test(
			tcase,
			buffer_is_allocated_mapped_synced_named_and_described,
			n, n + 1);
		tcase_add_loop_test(
			tcase, caching_is_given_or_refused_never_something_else,
			n, n + 1);
		tcase_add_loop_test(tcase, received_buffer_is_the_sent_one, n,
				    n + 1);
		tcase_add_loop_test(
			tcase,
			dmabuf_is_known_whatever_its_name_and_without_statx, n,
			n + 1);
	}
	tcase_add_test(tcase, fence_is_known_without_statx);
	tcase_add_test(tcase, more_than_memory_is_enomem);
	tcase_add_test(tcase, module_is_the_first_choice);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
