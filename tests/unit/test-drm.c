// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <drm.h>
#include <fcntl.h>
#include <linux/portalmem.h>
#include <string.h>
#include <unistd.h>

#include "portalmem-drm.h"
#include "unit.h"

#define HANDLE 42U

static const struct drm_get_cap cap_in = {.capability = DRM_CAP_PRIME};
static const struct drm_get_cap cap_both = {
	.capability = DRM_CAP_PRIME,
	.value = DRM_PRIME_CAP_IMPORT | DRM_PRIME_CAP_EXPORT,
};
static const struct drm_get_cap cap_import = {
	.capability = DRM_CAP_PRIME,
	.value = DRM_PRIME_CAP_IMPORT,
};
static const struct drm_get_cap cap_export = {
	.capability = DRM_CAP_PRIME,
	.value = DRM_PRIME_CAP_EXPORT,
};
static const struct drm_get_cap cap_none = {.capability = DRM_CAP_PRIME};
static const struct drm_prime_handle import_in;
static const struct drm_prime_handle import_out = {.handle = HANDLE};
static const struct drm_prime_handle export_in = {
	.handle = HANDLE,
	.flags = DRM_CLOEXEC | DRM_RDWR,
	.fd = -1,
};
static const struct drm_gem_close close_in = {.handle = HANDLE};

#define GET_CAP(reply, errnum)                                                 \
	{                                                                      \
		.request = DRM_IOCTL_GET_CAP, .on = MOCK_NODE, .in = &cap_in,  \
		.in_size = sizeof(cap_in), .out = &(reply), .error = (errnum), \
	}
#define IMPORT(errnum)                                                    \
	{                                                                 \
		.request = DRM_IOCTL_PRIME_FD_TO_HANDLE, .on = MOCK_NODE, \
		.in = &import_in, .in_size = sizeof(import_in),           \
		.in_fd_at = MOCK_AT(struct drm_prime_handle, fd),         \
		.in_fd_is = MOCK_BUFFER, .out = &import_out,              \
		.error = (errnum),                                        \
	}
#define EXPORT(errnum)                                                    \
	{                                                                 \
		.request = DRM_IOCTL_PRIME_HANDLE_TO_FD, .on = MOCK_NODE, \
		.in = &export_in, .in_size = sizeof(export_in),           \
		.new_buffer = 3 * 4096,                                   \
		.new_fd_at = MOCK_AT(struct drm_prime_handle, fd),        \
		.error = (errnum),                                        \
	}
#define GEM_CLOSE(errnum)                                        \
	{                                                        \
		.request = DRM_IOCTL_GEM_CLOSE, .on = MOCK_NODE, \
		.in = &close_in, .in_size = sizeof(close_in),    \
		.error = (errnum),                               \
	}

static void assert_import_refused(struct portalmem_buffer *buffer, int drm_fd,
				  int error)
{
	uint32_t handle = 7;

	unit_assert_fails(portalmem_drm_import(buffer, drm_fd, &handle), error);
	ck_assert_uint_eq(handle, 7);
}

static void assert_export_refused(int drm_fd, int error)
{
	char marker;
	struct portalmem_buffer *const untouched = (void *)&marker;
	struct portalmem_buffer *buffer = untouched;

	unit_assert_fails(portalmem_drm_export(NULL, drm_fd, HANDLE, &buffer),
			  error);
	ck_assert_ptr_eq(buffer, untouched);
}

START_TEST(buffer_becomes_a_handle)
{
	static const struct mock_call calls[] = {
		GET_CAP(cap_import, 0),
		IMPORT(EINTR),
		IMPORT(0),
	};
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);
	int drm_fd = mock_new_node();
	uint32_t handle;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_drm_import(buffer, drm_fd, &handle), 0);
	ck_assert_uint_eq(handle, HANDLE);
	portalmem_buffer_unref(buffer);
	close(drm_fd);
}
END_TEST

START_TEST(handle_becomes_a_buffer)
{
	static const struct mock_call calls[] = {
		GET_CAP(cap_export, 0),
		EXPORT(EINTR),
		EXPORT(0),
	};
	struct portalmem_buffer *buffer;
	int drm_fd = mock_new_node();

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_drm_export(NULL, drm_fd, HANDLE, &buffer),
			 0);
	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), 3 * PAGE);
	portalmem_buffer_unref(buffer);
	close(drm_fd);
}
END_TEST

static const struct portalmem_ioc_info info_in;
static const struct portalmem_ioc_info info_out = {
	.size = 3 * 4096,
	.effective = PORTALMEM_WC,
};

#define INFO(errnum)                                                          \
	{                                                                     \
		.request = PORTALMEM_IOC_INFO, .on = MOCK_NODE,               \
		.in = &info_in, .in_size = sizeof(info_in),                   \
		.in_fd_at = MOCK_AT(struct portalmem_ioc_info, fd),           \
		.in_fd_is = MOCK_BUFFER, .out = &info_out, .error = (errnum), \
	}

START_TEST(node_recognizes_its_buffer_behind_a_handle)
{
	static const struct mock_call calls[] = {
		GET_CAP(cap_both, 0),
		EXPORT(0),
		INFO(0),
	};
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *buffer;
	int drm_fd = mock_new_node();

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_drm_export(device, drm_fd, HANDLE, &buffer),
			 0);
	ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
			 PORTALMEM_CACHING_WC);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
	close(drm_fd);
}
END_TEST

START_TEST(failed_import_closes_the_exported_descriptor)
{
	static const struct mock_call calls[] = {
		GET_CAP(cap_both, 0),
		EXPORT(0),
		INFO(EIO),
	};
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *buffer;
	int drm_fd = mock_new_node();

	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_drm_export(device, drm_fd, HANDLE, &buffer),
			  EIO);
	portalmem_device_unref(device);
	close(drm_fd);
}
END_TEST

START_TEST(handle_is_closed)
{
	static const struct mock_call calls[] = {GEM_CLOSE(0)};
	int drm_fd = mock_new_node();

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_drm_close_handle(drm_fd, HANDLE), 0);
	close(drm_fd);
}
END_TEST

START_TEST(device_without_prime_is_eopnotsupp)
{
	static const struct mock_call calls[] = {
		GET_CAP(cap_none, 0),
		GET_CAP(cap_none, 0),
		GET_CAP(cap_export, 0),
		GET_CAP(cap_import, 0),
	};
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);
	int drm_fd = mock_new_node();

	MOCK_EXPECT(calls);
	assert_import_refused(buffer, drm_fd, EOPNOTSUPP);
	assert_export_refused(drm_fd, EOPNOTSUPP);
	/* One direction does not stand for the other. */
	assert_import_refused(buffer, drm_fd, EOPNOTSUPP);
	assert_export_refused(drm_fd, EOPNOTSUPP);
	unit_assert_message_has("PRIME");
	portalmem_buffer_unref(buffer);
	close(drm_fd);
}
END_TEST

START_TEST(file_that_is_no_drm_device_is_eopnotsupp)
{
	static const struct mock_call calls[] = {
		GET_CAP(cap_none, ENOTTY),
		GET_CAP(cap_none, ENOTTY),
		GEM_CLOSE(ENOTTY),
	};
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);
	int drm_fd = mock_new_node();

	MOCK_EXPECT(calls);
	assert_import_refused(buffer, drm_fd, EOPNOTSUPP);
	assert_export_refused(drm_fd, EOPNOTSUPP);
	unit_assert_fails(portalmem_drm_close_handle(drm_fd, HANDLE),
			  EOPNOTSUPP);
	portalmem_buffer_unref(buffer);
	close(drm_fd);
}
END_TEST

START_TEST(memfd_is_eopnotsupp)
{
	struct portalmem_buffer *buffer = unit_alloc_memfd(PAGE);
	int drm_fd = mock_new_node();

	/* The device is not even asked. */
	assert_import_refused(buffer, drm_fd, EOPNOTSUPP);
	unit_assert_message_has("not a dma-buf");
	portalmem_buffer_unref(buffer);
	close(drm_fd);
}
END_TEST

START_TEST(closed_descriptor_is_ebadf)
{
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);

	assert_import_refused(buffer, -1, EBADF);
	assert_export_refused(-1, EBADF);
	unit_assert_fails(portalmem_drm_close_handle(-1, HANDLE), EBADF);
	portalmem_buffer_unref(buffer);
}
END_TEST

static const int driver_errors[] = {EINVAL, ENOMEM, EACCES, ENOSYS};

START_TEST(refusal_of_the_driver_is_passed_on)
{
	const struct mock_call calls[] = {
		GET_CAP(cap_both, 0),
		IMPORT(driver_errors[_i]),
		GET_CAP(cap_both, 0),
		EXPORT(driver_errors[_i]),
	};
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);
	int drm_fd = mock_new_node();

	MOCK_EXPECT(calls);
	assert_import_refused(buffer, drm_fd, driver_errors[_i]);
	assert_export_refused(drm_fd, driver_errors[_i]);
	unit_assert_message_has("handle 42");
	unit_assert_message_has(strerror(driver_errors[_i]));
	portalmem_buffer_unref(buffer);
	close(drm_fd);
}
END_TEST

START_TEST(unknown_handle_has_its_errors)
{
	static const struct mock_call calls[] = {
		GET_CAP(cap_both, 0),
		EXPORT(ENOENT),
		GEM_CLOSE(EINVAL),
	};
	int drm_fd = mock_new_node();

	MOCK_EXPECT(calls);
	assert_export_refused(drm_fd, ENOENT);
	unit_assert_fails(portalmem_drm_close_handle(drm_fd, HANDLE), EINVAL);
	unit_assert_message_has("handle 42");
	close(drm_fd);
}
END_TEST

START_TEST(null_arguments_are_einval)
{
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);
	int drm_fd = mock_new_node();

	assert_import_refused(NULL, drm_fd, EINVAL);
	unit_assert_fails(portalmem_drm_import(buffer, drm_fd, NULL), EINVAL);
	unit_assert_fails(portalmem_drm_export(NULL, drm_fd, HANDLE, NULL),
			  EINVAL);
	portalmem_buffer_unref(buffer);
	close(drm_fd);
}
END_TEST

static Suite *drm_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("drm", &tc);

	tcase_add_test(tc, buffer_becomes_a_handle);
	tcase_add_test(tc, handle_becomes_a_buffer);
	tcase_add_test(tc, node_recognizes_its_buffer_behind_a_handle);
	tcase_add_test(tc, failed_import_closes_the_exported_descriptor);
	tcase_add_test(tc, handle_is_closed);
	tcase_add_test(tc, device_without_prime_is_eopnotsupp);
	tcase_add_test(tc, file_that_is_no_drm_device_is_eopnotsupp);
	tcase_add_test(tc, memfd_is_eopnotsupp);
	tcase_add_test(tc, closed_descriptor_is_ebadf);
	tcase_add_loop_test(tc, refusal_of_the_driver_is_passed_on, 0,
			    COUNT(driver_errors));
	tcase_add_test(tc, unknown_handle_has_its_errors);
	tcase_add_test(tc, null_arguments_are_einval);
	return suite;
}

PMTEST_MAIN(drm_suite)
