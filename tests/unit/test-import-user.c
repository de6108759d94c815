// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <fcntl.h>
#include <linux/portalmem.h>
#include <string.h>

#include "unit.h"

/* The mock looks at the address, not at what is there. */
#define ADDRESS ((void *)(uintptr_t)0x7f0000000000)

static const struct portalmem_ioc_import_user plain_in = {
	.fd_flags = O_RDWR | O_CLOEXEC,
	.address = 0x7f0000000000,
	.size = 3 * 4096,
};
static const struct portalmem_ioc_import_user plain_out = {
	.fd_flags = O_RDWR | O_CLOEXEC,
	.address = 0x7f0000000000,
	.size = 3 * 4096,
	.segments = 2,
};
static const struct portalmem_ioc_import_user named_in = {
	.fd_flags = O_RDONLY | O_CLOEXEC,
	.address = 0x7f0000000000,
	.size = 3 * 4096,
	.name = "weights",
};

#define IMPORT(question, answer, errnum)                                     \
	{                                                                    \
		.request = PORTALMEM_IOC_IMPORT_USER, .on = MOCK_NODE,       \
		.in = &(question), .in_size = sizeof(question),              \
		.out = &(answer), .error = (errnum), .new_buffer = 3 * 4096, \
		.new_fd_at = MOCK_AT(struct portalmem_ioc_import_user, fd),  \
	}

static void assert_refused(struct portalmem_device *device, void *address,
			   uint64_t size,
			   const struct portalmem_import_options *options,
			   int error)
{
	char marker;
	struct portalmem_buffer *const untouched = (void *)&marker;
	struct portalmem_buffer *buffer = untouched;

	unit_assert_fails(portalmem_buffer_import_user(device, address, size,
						       options, &buffer),
			  error);
	ck_assert_ptr_eq(buffer, untouched);
}

START_TEST(memory_becomes_a_cached_buffer)
{
	static const struct mock_call calls[] = {
		IMPORT(plain_in, plain_out, EINTR),
		IMPORT(plain_in, plain_out, 0),
	};
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *buffer;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_import_user(device, ADDRESS, 3 * PAGE,
						      NULL, &buffer),
			 0);
	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), 3 * PAGE);
	ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
			 PORTALMEM_CACHING_CACHED);
	ck_assert_int_ge(portalmem_buffer_get_fd(buffer), 0);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(name_and_read_only_are_passed_on)
{
	static const struct mock_call calls[] = {IMPORT(named_in, named_in, 0)};
	struct portalmem_import_options options = PORTALMEM_IMPORT_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *buffer;

	options.name = "weights";
	options.read_only = 1;
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_import_user(device, ADDRESS, 3 * PAGE,
						      &options, &buffer),
			 0);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(options_say_no_name_and_not_read_only_at_first)
{
	static const struct mock_call calls[] = {
		IMPORT(plain_in, plain_out, 0)};
	struct portalmem_import_options options = PORTALMEM_IMPORT_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *buffer;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_import_user(device, ADDRESS, 3 * PAGE,
						      &options, &buffer),
			 0);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

/* What the kernel says, what the caller gets, and what the text advises. */
static const struct {
	int kernel;
	int error;
	const char *advice;
} errors[] = {
	{EACCES, EACCES, "make the buffer read-only, too"},
	{EFAULT, EFAULT, "not mapped"},
	{ENOMEM, ENOMEM, "ulimit -l"},
	{EMFILE, EMFILE, "ulimit -n"},
	{EIO, EIO, "12288 bytes at 0x7f0000000000 into /dev/portalmem"},
	{ENOTTY, EOPNOTSUPP, "older than this library"},
};

START_TEST(error_of_the_node_is_explained)
{
	const struct mock_call calls[] = {
		IMPORT(plain_in, plain_out, errors[_i].kernel)};
	struct portalmem_device *device = unit_open_portalmem();

	MOCK_EXPECT(calls);
	assert_refused(device, ADDRESS, 3 * PAGE, NULL, errors[_i].error);
	unit_assert_message_has(errors[_i].advice);
	unit_assert_message_has("cannot import ");
	portalmem_device_unref(device);
}
END_TEST

static const struct {
	uintptr_t address;
	uint64_t size;
} bad_ranges[] = {
	{0x10000, 0},	       {0x10001, 4096}, {0x10000, 4095},
	{0x10000, UINT64_MAX}, {0x10800, 4096},
};

START_TEST(parts_of_pages_are_einval)
{
	struct portalmem_device *device = unit_open_portalmem();

	/* The kernel is not even asked. */
	mock_expect(NULL, 0);
	assert_refused(device, (void *)bad_ranges[_i].address,
		       bad_ranges[_i].size, NULL, EINVAL);
	portalmem_device_unref(device);
}
END_TEST

static const char *const bad_names[] = {"0123456789abcdef0123456789abcdef",
					"two\nlines", "\x7f"};

START_TEST(bad_name_is_einval)
{
	struct portalmem_import_options options = PORTALMEM_IMPORT_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_portalmem();

	options.name = bad_names[_i];
	mock_expect(NULL, 0);
	assert_refused(device, ADDRESS, PAGE, &options, EINVAL);
	unit_assert_message_has("cannot import memory: the name");
	portalmem_device_unref(device);
}
END_TEST

START_TEST(options_that_were_not_initialized_are_einval)
{
	struct portalmem_import_options options = {0};
	struct portalmem_device *device = unit_open_portalmem();

	mock_expect(NULL, 0);
	assert_refused(device, ADDRESS, PAGE, &options, EINVAL);
	unit_assert_message_has("PORTALMEM_IMPORT_OPTIONS_INIT");
	portalmem_device_unref(device);
}
END_TEST

START_TEST(null_arguments_are_einval)
{
	struct portalmem_device *device = unit_open_portalmem();

	mock_expect(NULL, 0);
	assert_refused(NULL, ADDRESS, PAGE, NULL, EINVAL);
	unit_assert_fails(
		portalmem_buffer_import_user(device, ADDRESS, PAGE, NULL, NULL),
		EINVAL);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(other_backends_take_no_memory)
{
	struct portalmem_device *devices[] = {
		unit_open_memfd(), unit_open_heap("/dev/dma_heap/system")};

	mock_expect(NULL, 0);
	for (int i = 0; i < COUNT(devices); i++) {
		assert_refused(devices[i], ADDRESS, PAGE, NULL, EOPNOTSUPP);
		unit_assert_message_has(portalmem_backend_name(
			portalmem_device_get_backend(devices[i])));
		portalmem_device_unref(devices[i]);
	}
}
END_TEST

START_TEST(no_memory_for_the_buffer_is_enomem)
{
	struct portalmem_device *device = unit_open_portalmem();

	mock_fail_calloc(1);
	mock_expect(NULL, 0);
	assert_refused(device, ADDRESS, PAGE, NULL, ENOMEM);
	portalmem_device_unref(device);
}
END_TEST

static Suite *suite(void)
{
	TCase *tcase;
	Suite *suite = unit_suite("import-user", &tcase);

	tcase_add_test(tcase, memory_becomes_a_cached_buffer);
	tcase_add_test(tcase, name_and_read_only_are_passed_on);
	tcase_add_test(tcase, options_say_no_name_and_not_read_only_at_first);
	tcase_add_loop_test(tcase, error_of_the_node_is_explained, 0,
			    COUNT(errors));
	tcase_add_loop_test(tcase, parts_of_pages_are_einval, 0,
			    COUNT(bad_ranges));
	tcase_add_loop_test(tcase, bad_name_is_einval, 0, COUNT(bad_names));
	tcase_add_test(tcase, options_that_were_not_initialized_are_einval);
	tcase_add_test(tcase, null_arguments_are_einval);
	tcase_add_test(tcase, other_backends_take_no_memory);
	unit_add_shortage_test(tcase, no_memory_for_the_buffer_is_enomem);
	return suite;
}

PMTEST_MAIN(suite)
