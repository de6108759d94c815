// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <linux/portalmem.h>
#include <stdint.h>
#include <string.h>

#include "unit.h"

static const struct portalmem_ioc_heap heap_in;
static const struct portalmem_ioc_heap heap_out = {
	.caching = PORTALMEM_WC,
	.cachings = 1 << PORTALMEM_CACHED | 1 << PORTALMEM_WC,
	.features = PORTALMEM_HEAP_CONTIGUOUS | PORTALMEM_HEAP_REGION,
	.size = (uint64_t)8 << 30,
	.used = (uint64_t)5 << 30,
	.available = (uint64_t)3 << 30,
	.largest = (uint64_t)2 << 30,
	.fragments = 6,
	.buffers = 7,
	.pooled = 8 * 4096,
	.limit = (uint64_t)9 << 30,
	.user_limit = (uint64_t)10 << 30,
	.user_used = 11 * 4096,
	.name = "camera",
};
static const struct portalmem_ioc_heap odd_out = {
	.caching = 4,
	.cachings = UINT32_MAX,
	/* It does not end, and it holds what must not reach a terminal. */
	.name = "\x1b[2J56789abcdef0123456789abcdefg",
};

static const struct portalmem_ioc_trim trim_in;
static const struct portalmem_ioc_trim trim_out = {.freed = (uint64_t)5 << 32};

#define HEAP(reply, errnum)                                                  \
	{                                                                    \
		.request = PORTALMEM_IOC_HEAP, .on = MOCK_NODE,              \
		.in = &heap_in, .in_size = sizeof(heap_in), .out = &(reply), \
		.error = (errnum),                                           \
	}
#define TRIM(errnum)                                                          \
	{                                                                     \
		.request = PORTALMEM_IOC_TRIM, .on = MOCK_NODE,               \
		.in = &trim_in, .in_size = sizeof(trim_in), .out = &trim_out, \
		.error = (errnum),                                            \
	}

START_TEST(node_tells_of_its_heap_each_time)
{
	static const struct mock_call calls[] = {
		HEAP(heap_out, 0),
		HEAP(heap_out, EINTR),
		HEAP(heap_out, 0),
	};
	struct portalmem_heap_info info = PORTALMEM_HEAP_INFO_INIT;
	struct portalmem_device *device = unit_open_portalmem();

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_device_get_heap_info(device, &info), 0);
	ck_assert_int_eq(portalmem_device_get_heap_info(device, &info), 0);
	ck_assert_uint_eq(info.struct_size, sizeof(info));
	ck_assert_int_eq(info.caching, PORTALMEM_CACHING_WC);
	ck_assert_uint_eq(info.cachings, 1 << PORTALMEM_CACHING_CACHED |
						 1 << PORTALMEM_CACHING_WC);
	ck_assert_uint_eq(info.features, PORTALMEM_HEAP_IS_CONTIGUOUS |
						 PORTALMEM_HEAP_IS_REGION);
	ck_assert_uint_eq(info.size, (uint64_t)8 << 30);
	ck_assert_uint_eq(info.used, (uint64_t)5 << 30);
	ck_assert_uint_eq(info.available, (uint64_t)3 << 30);
	ck_assert_uint_eq(info.largest, (uint64_t)2 << 30);
	ck_assert_uint_eq(info.fragments, 6);
	ck_assert_uint_eq(info.buffers, 7);
	ck_assert_uint_eq(info.pooled, 8 * PAGE);
	ck_assert_uint_eq(info.limit, (uint64_t)9 << 30);
	ck_assert_uint_eq(info.user_limit, (uint64_t)10 << 30);
	ck_assert_uint_eq(info.user_used, 11 * PAGE);
	ck_assert_str_eq(info.name, "camera");
	portalmem_device_unref(device);
}
END_TEST

START_TEST(odd_answers_of_the_node_are_tamed)
{
	static const struct mock_call calls[] = {HEAP(odd_out, 0)};
	struct portalmem_heap_info info = PORTALMEM_HEAP_INFO_INIT;
	struct portalmem_device *device = unit_open_portalmem();

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_device_get_heap_info(device, &info), 0);
	ck_assert_int_eq(info.caching, PORTALMEM_CACHING_UNKNOWN);
	ck_assert_uint_eq(info.cachings, 0xf);
	ck_assert_str_eq(info.name, "?[2J56789abcdef0123456789abcdef");
	portalmem_device_unref(device);
}
END_TEST

/* What the kernel says, and what the caller gets. */
static const struct {
	int kernel;
	int error;
} errors[] = {{EIO, EIO}, {EFAULT, EFAULT}, {ENOTTY, EOPNOTSUPP}};

START_TEST(error_of_the_node_is_passed_on)
{
	const struct mock_call calls[] = {HEAP(heap_out, errors[_i].kernel)};
	struct portalmem_heap_info info = PORTALMEM_HEAP_INFO_INIT;
	struct portalmem_device *device = unit_open_portalmem();

	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_device_get_heap_info(device, &info),
			  errors[_i].error);
	unit_assert_message_has("cannot describe the heap of /dev/portalmem: ");
	ck_assert_uint_eq(info.size, 0);
	ck_assert_str_eq(info.name, "");
	portalmem_device_unref(device);
}
END_TEST

START_TEST(other_backends_tell_nothing_and_keep_nothing)
{
	struct portalmem_device *devices[] = {
		unit_open_memfd(), unit_open_heap("/dev/dma_heap/system")};
	struct portalmem_heap_info info = PORTALMEM_HEAP_INFO_INIT;
	uint64_t freed = 99;

	/* The kernel is not even asked. */
	mock_expect(NULL, 0);
	for (int i = 0; i < COUNT(devices); i++) {
		unit_assert_fails(
			portalmem_device_get_heap_info(devices[i], &info),
			EOPNOTSUPP);
		unit_assert_message_has(portalmem_backend_name(
			portalmem_device_get_backend(devices[i])));
		unit_assert_fails(portalmem_device_trim(devices[i], &freed),
				  EOPNOTSUPP);
		unit_assert_message_has(portalmem_backend_name(
			portalmem_device_get_backend(devices[i])));
		portalmem_device_unref(devices[i]);
	}
	ck_assert_str_eq(info.name, "");
	ck_assert_uint_eq(freed, 99);
}
END_TEST

static const size_t bad_sizes[] = {0, 1, sizeof(struct portalmem_heap_info) - 1,
				   sizeof(struct portalmem_heap_info) + 1,
				   SIZE_MAX};

START_TEST(info_that_was_not_initialized_is_einval)
{
	struct portalmem_heap_info info = PORTALMEM_HEAP_INFO_INIT;
	struct portalmem_device *device = unit_open_portalmem();

	info.struct_size = bad_sizes[_i];
	unit_assert_fails(portalmem_device_get_heap_info(device, &info),
			  EINVAL);
	unit_assert_message_has("PORTALMEM_HEAP_INFO_INIT");
	portalmem_device_unref(device);
}
END_TEST

START_TEST(null_arguments_are_einval)
{
	struct portalmem_heap_info info = PORTALMEM_HEAP_INFO_INIT;
	struct portalmem_device *device = unit_open_memfd();
	uint64_t freed;

	unit_assert_fails(portalmem_device_get_heap_info(NULL, &info), EINVAL);
	unit_assert_fails(portalmem_device_get_heap_info(device, NULL), EINVAL);
	unit_assert_fails(portalmem_device_trim(NULL, &freed), EINVAL);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(trim_tells_what_was_given_back)
{
	static const struct mock_call calls[] = {TRIM(EINTR), TRIM(0), TRIM(0)};
	struct portalmem_device *device = unit_open_portalmem();
	uint64_t freed = 0;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_device_trim(device, &freed), 0);
	ck_assert_uint_eq(freed, (uint64_t)5 << 32);
	ck_assert_int_eq(portalmem_device_trim(device, NULL), 0);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(error_of_trimming_is_passed_on)
{
	const struct mock_call calls[] = {TRIM(errors[_i].kernel)};
	struct portalmem_device *device = unit_open_portalmem();
	uint64_t freed = 99;

	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_device_trim(device, &freed),
			  errors[_i].error);
	unit_assert_message_has("cannot trim the heap of /dev/portalmem: ");
	ck_assert_uint_eq(freed, 99);
	portalmem_device_unref(device);
}
END_TEST

static Suite *heap_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("heap", &tc);

	tcase_add_test(tc, node_tells_of_its_heap_each_time);
	tcase_add_test(tc, odd_answers_of_the_node_are_tamed);
	tcase_add_loop_test(tc, error_of_the_node_is_passed_on, 0,
			    COUNT(errors));
	tcase_add_test(tc, other_backends_tell_nothing_and_keep_nothing);
	tcase_add_loop_test(tc, info_that_was_not_initialized_is_einval, 0,
			    COUNT(bad_sizes));
	tcase_add_test(tc, null_arguments_are_einval);
	tcase_add_test(tc, trim_tells_what_was_given_back);
	tcase_add_loop_test(tc, error_of_trimming_is_passed_on, 0,
			    COUNT(errors));
	return suite;
}

PMTEST_MAIN(heap_suite)
