// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Arguments that make no sense, for every function that the library exports:
 * NULL for each object and for each place where a result goes, and descriptors
 * that a program has closed under a buffer. What is a function's own is in its
 * topic's tests.
 */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

/* Something to give beside a NULL; nothing of it may be looked at before. */
static struct portalmem_device *device;
static struct portalmem_buffer *buffer;
static struct portalmem_pool *pool;

#define SYNC (PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ)

#define refuses(call) unit_assert_fails(call, EINVAL)

/* A result's place, which stays as it is. */
#define untouched(type, name)                               \
	char name##_marker;                                 \
	type *const name##_before = (void *)&name##_marker; \
	type *name = name##_before

#define assert_untouched(name) ck_assert_ptr_eq(name, name##_before)

static void access_begin(void)
{
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;

	refuses(portalmem_access_begin(NULL, 1, NULL, 0, &access));
	refuses(portalmem_access_begin(buffer, 1, NULL, 0, NULL));
	refuses(portalmem_access_begin(buffer, 1, NULL, 1, &access));
	ck_assert_ptr_null(access.buffer);
}

static void access_end(void)
{
	refuses(portalmem_access_end(NULL));
}

static void attachment_get_fd(void)
{
	refuses(portalmem_attachment_get_fd(NULL));
}

static void attachment_get_info(void)
{
	struct portalmem_attachment_info info = PORTALMEM_ATTACHMENT_INFO_INIT;

	refuses(portalmem_attachment_get_info(NULL, &info));
	refuses(portalmem_attachment_get_info(NULL, NULL));
}

static void attachment_get_segments(void)
{
	struct portalmem_dma_segment segment;
	size_t total = 5;

	refuses(portalmem_attachment_get_segments(NULL, 0, &segment, 1,
						  &total));
	ck_assert_uint_eq(total, 5);
}

static void attachment_import(void)
{
	refuses(portalmem_attachment_import(0, NULL));
}

static void attachment_ref(void)
{
	ck_assert_ptr_null(portalmem_attachment_ref(NULL));
}

static void attachment_sync(void)
{
	refuses(portalmem_attachment_sync(NULL, SYNC, NULL, 0));
}

static void attachment_unref(void)
{
	portalmem_attachment_unref(NULL);
}

static void backend_name(void)
{
	ck_assert_str_eq(portalmem_backend_name((enum portalmem_backend) - 1),
			 "unknown");
	ck_assert_str_eq(portalmem_backend_name((enum portalmem_backend)99),
			 "unknown");
}

static void buffer_alloc(void)
{
	untouched(struct portalmem_buffer, made);

	refuses(portalmem_buffer_alloc(NULL, PAGE, NULL, &made));
	refuses(portalmem_buffer_alloc(device, PAGE, NULL, NULL));
	assert_untouched(made);
}

static void buffer_attach(void)
{
	untouched(struct portalmem_attachment, made);

	refuses(portalmem_buffer_attach(NULL, "pci", "x", NULL, &made));
	refuses(portalmem_buffer_attach(buffer, NULL, "x", NULL, &made));
	refuses(portalmem_buffer_attach(buffer, "pci", NULL, NULL, &made));
	refuses(portalmem_buffer_attach(buffer, "pci", "x", NULL, NULL));
	assert_untouched(made);
}

static void buffer_get_caching(void)
{
	ck_assert_int_eq(portalmem_buffer_get_caching(NULL),
			 PORTALMEM_CACHING_UNKNOWN);
}

static void buffer_get_exporter(void)
{
	ck_assert_int_eq(portalmem_buffer_get_exporter(NULL),
			 PORTALMEM_EXPORTER_UNKNOWN);
}

static void buffer_get_fd(void)
{
	refuses(portalmem_buffer_get_fd(NULL));
}

static void buffer_get_info(void)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;

	refuses(portalmem_buffer_get_info(NULL, &info));
	refuses(portalmem_buffer_get_info(buffer, NULL));
}

static void buffer_get_segments(void)
{
	struct portalmem_segment segment;
	size_t total = 5;

	refuses(portalmem_buffer_get_segments(NULL, 0, &segment, 1, &total));
	refuses(portalmem_buffer_get_segments(buffer, 0, NULL, 1, &total));
	ck_assert_uint_eq(total, 5);
}

static void buffer_get_size(void)
{
	ck_assert_uint_eq(portalmem_buffer_get_size(NULL), 0);
}

static void buffer_import(void)
{
	refuses(portalmem_buffer_import(device, 0, NULL));
}

static void buffer_import_user(void)
{
	untouched(struct portalmem_buffer, made);

	refuses(portalmem_buffer_import_user(NULL, NULL, PAGE, NULL, &made));
	refuses(portalmem_buffer_import_user(device, NULL, PAGE, NULL, NULL));
	assert_untouched(made);
}

static void buffer_map(void)
{
	untouched(void, address);

	refuses(portalmem_buffer_map(NULL, 0, 0, PORTALMEM_MAP_READ, &address));
	refuses(portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_READ, NULL));
	assert_untouched(address);
}

static void buffer_receive(void)
{
	refuses(portalmem_buffer_receive(device, 0, NULL));
}

static void buffer_ref(void)
{
	ck_assert_ptr_null(portalmem_buffer_ref(NULL));
}

static void buffer_send(void)
{
	refuses(portalmem_buffer_send(NULL, 0));
}

static void buffer_set_name(void)
{
	refuses(portalmem_buffer_set_name(NULL, "name"));
	refuses(portalmem_buffer_set_name(buffer, NULL));
}

static void buffer_sync(void)
{
	refuses(portalmem_buffer_sync(NULL, SYNC, NULL, 0));
	refuses(portalmem_buffer_sync(buffer, SYNC, NULL, 1));
}

static void buffer_unmap(void)
{
	refuses(portalmem_buffer_unmap(NULL, &buffer));
	refuses(portalmem_buffer_unmap(buffer, NULL));
}

static void buffer_unref(void)
{
	portalmem_buffer_unref(NULL);
}

static void caching_name(void)
{
	ck_assert_str_eq(portalmem_caching_name((enum portalmem_caching) - 1),
			 "unknown");
	ck_assert_str_eq(portalmem_caching_name((enum portalmem_caching)99),
			 "unknown");
}

static void device_check(void)
{
	const struct portalmem_constraints none = PORTALMEM_CONSTRAINTS_INIT;
	unsigned int unmet = 5;

	refuses(portalmem_device_check(NULL, &none, &unmet));
	refuses(portalmem_device_check(device, NULL, &unmet));
	ck_assert_uint_eq(unmet, 5);
}

static void device_get_backend(void)
{
	ck_assert_int_eq(portalmem_device_get_backend(NULL),
			 PORTALMEM_BACKEND_ANY);
}

static void device_get_heap_info(void)
{
	struct portalmem_heap_info info = PORTALMEM_HEAP_INFO_INIT;

	refuses(portalmem_device_get_heap_info(NULL, &info));
	refuses(portalmem_device_get_heap_info(device, NULL));
}

static void device_get_path(void)
{
	ck_assert_ptr_null(portalmem_device_get_path(NULL));
}

static void device_open(void)
{
	refuses(portalmem_device_open(NULL, PORTALMEM_BACKEND_MEMFD, NULL));
	refuses(portalmem_device_open("/dev/portalmem", PORTALMEM_BACKEND_ANY,
				      NULL));
}

static void device_open_for(void)
{
	const struct portalmem_constraints none = PORTALMEM_CONSTRAINTS_INIT;
	untouched(struct portalmem_device, opened);
	unsigned int unmet = 5;

	refuses(portalmem_device_open_for(NULL, &opened, &unmet));
	refuses(portalmem_device_open_for(&none, NULL, &unmet));
	ck_assert_uint_eq(unmet, 5);
	assert_untouched(opened);
}

static void device_ref(void)
{
	ck_assert_ptr_null(portalmem_device_ref(NULL));
}

static void device_trim(void)
{
	uint64_t freed = 5;

	refuses(portalmem_device_trim(NULL, &freed));
	ck_assert_uint_eq(freed, 5);
}

static void device_unref(void)
{
	portalmem_device_unref(NULL);
}

static void error_message(void)
{
	refuses(portalmem_access_end(NULL));
	ck_assert_str_ne(portalmem_error_message(), "");
}

static void exporter_name(void)
{
	ck_assert_str_eq(portalmem_exporter_name((enum portalmem_exporter) - 1),
			 "unknown");
}

static void pool_acquire(void)
{
	untouched(struct portalmem_buffer, acquired);

	refuses(portalmem_pool_acquire(NULL, 0, &acquired));
	refuses(portalmem_pool_acquire(pool, 0, NULL));
	assert_untouched(acquired);
}

static void pool_create(void)
{
	untouched(struct portalmem_pool, created);

	refuses(portalmem_pool_create(NULL, PAGE, NULL, &created));
	refuses(portalmem_pool_create(device, PAGE, NULL, NULL));
	assert_untouched(created);
}

static void pool_get_info(void)
{
	struct portalmem_pool_info info = PORTALMEM_POOL_INFO_INIT;

	refuses(portalmem_pool_get_info(NULL, &info));
	refuses(portalmem_pool_get_info(pool, NULL));
}

static void pool_ref(void)
{
	ck_assert_ptr_null(portalmem_pool_ref(NULL));
}

static void pool_trim(void)
{
	refuses(portalmem_pool_trim(NULL, 0));
}

static void pool_unref(void)
{
	portalmem_pool_unref(NULL);
}

static void buffer_export_env(void)
{
	char entry[PORTALMEM_ENV_MAX + 8];

	refuses(portalmem_buffer_export_env(NULL, "BUFFER", entry,
					    sizeof(entry)));
	refuses(portalmem_buffer_export_env(buffer, NULL, entry,
					    sizeof(entry)));
	refuses(portalmem_buffer_export_env(buffer, "BUFFER", NULL,
					    sizeof(entry)));
}

static void buffer_export_fence(void)
{
	int fence = -7;

	refuses(portalmem_buffer_export_fence(NULL, PORTALMEM_SYNC_READ,
					      &fence));
	refuses(portalmem_buffer_export_fence(buffer, PORTALMEM_SYNC_READ,
					      NULL));
	ck_assert_int_eq(fence, -7);
}

static void buffer_import_env(void)
{
	untouched(struct portalmem_buffer, imported);

	refuses(portalmem_buffer_import_env(NULL, NULL, &imported));
	refuses(portalmem_buffer_import_env(NULL, "BUFFER", NULL));
	assert_untouched(imported);
}

static void buffer_import_fence(void)
{
	refuses(portalmem_buffer_import_fence(NULL, PORTALMEM_SYNC_READ, 0));
}

static void buffer_import_from(void)
{
	refuses(portalmem_buffer_import_from(NULL, 0, 0, NULL));
}

static void buffer_load(void)
{
	uint64_t done = 7;

	refuses(portalmem_buffer_load(NULL, 0, 0, 0, 1, NULL, &done));
	ck_assert_uint_le(done, 7);
}

static void buffer_read(void)
{
	char byte = 7;

	refuses(portalmem_buffer_read(NULL, 0, &byte, 1));
	refuses(portalmem_buffer_read(buffer, 0, NULL, 1));
	ck_assert_int_eq(byte, 7);
}

static void buffer_save(void)
{
	refuses(portalmem_buffer_save(NULL, 0, 1, 0, 1, NULL, NULL));
}

static void buffer_wait(void)
{
	refuses(portalmem_buffer_wait(NULL, PORTALMEM_SYNC_READ, 0));
}

static void buffer_write(void)
{
	refuses(portalmem_buffer_write(NULL, 0, "x", 1));
	refuses(portalmem_buffer_write(buffer, 0, NULL, 1));
}

static void fence_wait(void)
{
	unit_assert_fails(portalmem_fence_wait(-1, 0), EBADF);
	refuses(portalmem_fence_wait(0, -2));
}

static void receive(void)
{
	struct portalmem_parcel parcel = {NULL, -7};

	refuses(portalmem_receive(NULL, 0, NULL, NULL, 1));
	refuses(portalmem_receive(NULL, 0, NULL, &parcel, 0));
	ck_assert_ptr_null(parcel.buffer);
	ck_assert_int_eq(parcel.fence, -7);
}

static void send_parcels(void)
{
	const struct portalmem_parcel nothing = {NULL, -1};

	refuses(portalmem_send(0, NULL, 1));
	refuses(portalmem_send(0, &nothing, 1));
	refuses(portalmem_send(0, &nothing, 0));
}

static void version(void)
{
	ck_assert_str_eq(portalmem_version(), PACKAGE_VERSION);
}

/* By what follows "portalmem_" in their names. */
static const struct {
	const char *name;
	void (*run)(void);
} functions[] = {
#define FUNCTION(name)      \
	{                   \
#name, name \
	}
	FUNCTION(access_begin),
	FUNCTION(access_end),
	FUNCTION(attachment_get_fd),
	FUNCTION(attachment_get_info),
	FUNCTION(attachment_get_segments),
	FUNCTION(attachment_import),
	FUNCTION(attachment_ref),
	FUNCTION(attachment_sync),
	FUNCTION(attachment_unref),
	FUNCTION(backend_name),
	FUNCTION(buffer_alloc),
	FUNCTION(buffer_attach),
	FUNCTION(buffer_export_env),
	FUNCTION(buffer_export_fence),
	FUNCTION(buffer_get_caching),
	FUNCTION(buffer_get_exporter),
	FUNCTION(buffer_get_fd),
	FUNCTION(buffer_get_info),
	FUNCTION(buffer_get_segments),
	FUNCTION(buffer_get_size),
	FUNCTION(buffer_import),
	FUNCTION(buffer_import_env),
	FUNCTION(buffer_import_fence),
	FUNCTION(buffer_import_from),
	FUNCTION(buffer_import_user),
	FUNCTION(buffer_load),
	FUNCTION(buffer_map),
	FUNCTION(buffer_read),
	FUNCTION(buffer_receive),
	FUNCTION(buffer_ref),
	FUNCTION(buffer_save),
	FUNCTION(buffer_send),
	FUNCTION(buffer_set_name),
	FUNCTION(buffer_sync),
	FUNCTION(buffer_unmap),
	FUNCTION(buffer_unref),
	FUNCTION(buffer_wait),
	FUNCTION(buffer_write),
	FUNCTION(caching_name),
	FUNCTION(device_check),
	FUNCTION(device_get_backend),
	FUNCTION(device_get_heap_info),
	FUNCTION(device_get_path),
	FUNCTION(device_open),
	FUNCTION(device_open_for),
	FUNCTION(device_ref),
	FUNCTION(device_trim),
	FUNCTION(device_unref),
	FUNCTION(error_message),
	FUNCTION(exporter_name),
	FUNCTION(fence_wait),
	FUNCTION(pool_acquire),
	FUNCTION(pool_create),
	FUNCTION(pool_get_info),
	FUNCTION(pool_ref),
	FUNCTION(pool_trim),
	FUNCTION(pool_unref),
	FUNCTION(receive),
	{"send", send_parcels},
	FUNCTION(version),
};

START_TEST(null_is_refused)
{
	device = unit_open_memfd();
	buffer = unit_alloc_memfd(PAGE);
	ck_assert_int_eq(portalmem_pool_create(device, PAGE, NULL, &pool), 0);
	functions[_i].run();
	portalmem_pool_unref(pool);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

static int is_listed(const char *symbol)
{
	for (int i = 0; i < COUNT(functions); i++)
		if (!strcmp(symbol, functions[i].name))
			return 1;
	return 0;
}

START_TEST(no_function_of_the_library_is_forgotten)
{
	FILE *file = fopen(UNIT_SYMBOLS, "re");
	char line[128], symbol[128];
	int seen = 0;

	ck_assert_msg(file != NULL, UNIT_SYMBOLS);
	while (fgets(line, sizeof(line), file)) {
		if (line[0] == '#' || strstr(line, "LIBPORTALMEM_PRIVATE"))
			continue;
		ck_assert_int_eq(
			sscanf(line, "portalmem_%127[a-z0-9_]", symbol), 1);
		ck_assert_msg(is_listed(symbol), "portalmem_%s", symbol);
		seen++;
	}
	fclose(file);
	ck_assert_int_eq(seen, COUNT(functions));
}
END_TEST

/* What a program does by mistake that closes a number too often. */
static struct portalmem_buffer *closed_buffer(int is_dmabuf)
{
	struct portalmem_buffer *closed = is_dmabuf ? unit_import_dmabuf(PAGE)
						    : unit_alloc_memfd(PAGE);

	close(portalmem_buffer_get_fd(closed));
	return closed;
}

START_TEST(descriptor_closed_under_a_buffer_is_ebadf)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;
	struct portalmem_buffer *closed;
	untouched(struct portalmem_buffer, made);
	untouched(void, address);
	int pair[2];

	/* First, so that no other descriptor takes the number. */
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	closed = closed_buffer(_i);
	unit_assert_fails(portalmem_buffer_get_info(closed, &info), EBADF);
	unit_assert_fails(portalmem_buffer_map(closed, 0, 0, PORTALMEM_MAP_RDWR,
					       &address),
			  EBADF);
	unit_assert_fails(portalmem_buffer_send(closed, pair[0]), EBADF);
	unit_assert_fails(portalmem_buffer_import(
				  NULL, portalmem_buffer_get_fd(closed), &made),
			  EBADF);
	if (_i) {
		unit_assert_fails(portalmem_buffer_sync(closed, SYNC, NULL, 0),
				  EBADF);
		unit_assert_fails(portalmem_access_begin(closed,
							 PORTALMEM_SYNC_READ,
							 NULL, 0, &access),
				  EBADF);
		ck_assert_ptr_null(access.buffer);
		unit_assert_fails(portalmem_buffer_set_name(closed, "name"),
				  EBADF);
		ck_assert_int_eq(portalmem_buffer_get_exporter(closed),
				 PORTALMEM_EXPORTER_UNKNOWN);
	}
	ck_assert_uint_eq(info.size, 0);
	assert_untouched(address);
	assert_untouched(made);
	portalmem_buffer_unref(closed);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

START_TEST(closed_socket_is_ebadf)
{
	struct portalmem_buffer *sent = unit_alloc_memfd(PAGE);
	untouched(struct portalmem_buffer, made);
	int pair[2];

	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	close(pair[0]);
	close(pair[1]);
	unit_assert_fails(portalmem_buffer_send(sent, pair[0]), EBADF);
	unit_assert_fails(portalmem_buffer_receive(NULL, pair[1], &made),
			  EBADF);
	unit_assert_fails(portalmem_buffer_send(sent, -1), EBADF);
	unit_assert_fails(portalmem_buffer_receive(NULL, -1, &made), EBADF);
	assert_untouched(made);
	portalmem_buffer_unref(sent);
}
END_TEST

/* More than any memory, and next to where adding to it would wrap. */
static const uint64_t oversized[] = {
	(uint64_t)1 << 62, INT64_MAX - 4096,
	INT64_MAX,	   (uint64_t)INT64_MAX + 1,
	UINT64_MAX - 4096, UINT64_MAX - 4095,
	UINT64_MAX,
};

START_TEST(more_than_there_can_be_is_refused)
{
	struct portalmem_constraints wanted = PORTALMEM_CONSTRAINTS_INIT;
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;
	struct portalmem_range range = {0, oversized[_i]};
	untouched(struct portalmem_buffer, made);
	untouched(struct portalmem_pool, created);
	untouched(void, address);
	unsigned int unmet;

	device = unit_open_memfd();
	buffer = unit_alloc_memfd(PAGE);
	unit_assert_fails(
		portalmem_buffer_alloc(device, oversized[_i], NULL, &made),
		ENOMEM);
	options.minimum = 1;
	unit_assert_fails(portalmem_pool_create(device, oversized[_i], &options,
						&created),
			  ENOMEM);
	wanted.size = oversized[_i];
	unit_assert_fails(portalmem_device_check(device, &wanted, &unmet),
			  EOPNOTSUPP);
	ck_assert_uint_eq(unmet, PORTALMEM_NEED_SIZE);
	refuses(portalmem_buffer_map(buffer, 0, oversized[_i],
				     PORTALMEM_MAP_READ, &address));
	refuses(portalmem_buffer_map(buffer, oversized[_i] & ~(PAGE - 1), PAGE,
				     PORTALMEM_MAP_READ, &address));
	unit_assert_fails(portalmem_buffer_sync(buffer, SYNC, &range, 1),
			  ERANGE);
	unit_assert_fails(portalmem_access_begin(buffer, PORTALMEM_SYNC_READ,
						 &range, 1, &access),
			  ERANGE);
	range = (struct portalmem_range){oversized[_i], 1};
	unit_assert_fails(portalmem_buffer_sync(buffer, SYNC, &range, 1),
			  ERANGE);
	assert_untouched(made);
	assert_untouched(created);
	assert_untouched(address);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

static Suite *arguments_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("arguments", &tc);

	tcase_add_loop_test(tc, null_is_refused, 0, COUNT(functions));
	tcase_add_test(tc, no_function_of_the_library_is_forgotten);
	tcase_add_loop_test(tc, descriptor_closed_under_a_buffer_is_ebadf, 0,
			    2);
	tcase_add_test(tc, closed_socket_is_ebadf);
	tcase_add_loop_test(tc, more_than_there_can_be_is_refused, 0,
			    COUNT(oversized));
	return suite;
}

PMTEST_MAIN(arguments_suite)
