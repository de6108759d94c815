// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/portalmem.h>
#include <linux/udmabuf.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static const struct portalmem_ioc_version version_in;
static const struct portalmem_ioc_version version_out = {
	.abi = PORTALMEM_ABI_VERSION,
	.features = PORTALMEM_FEATURE_WC,
};
static const struct portalmem_ioc_version other_version_out = {
	.abi = PORTALMEM_ABI_VERSION + 1,
};
static const struct dma_heap_allocation_data heap_probe = {
	.fd_flags = ~(uint32_t)DMA_HEAP_VALID_FD_FLAGS,
};
static const struct udmabuf_create udmabuf_probe = {.memfd = ~0U};

#define OPEN(path, errnum)                       \
	{                                        \
		.open = path, .error = (errnum), \
	}
#define ASK(number, argument, errnum)                                    \
	{                                                                \
		.request = (number), .on = MOCK_NODE, .in = &(argument), \
		.in_size = sizeof(argument), .error = (errnum),          \
	}
#define VERSION_ANSWERED(reply)                                    \
	{                                                          \
		.request = PORTALMEM_IOC_VERSION, .on = MOCK_NODE, \
		.in = &version_in, .in_size = sizeof(version_in),  \
		.out = &(reply),                                   \
	}
#define VERSION_FAILS(errnum) ASK(PORTALMEM_IOC_VERSION, version_in, errnum)
#define HEAP_FAILS(errnum) ASK(DMA_HEAP_IOCTL_ALLOC, heap_probe, errnum)
#define UDMABUF_FAILS(errnum) ASK(UDMABUF_CREATE, udmabuf_probe, errnum)

/* Open, look at the device and give it back. */
static void assert_opens(const char *path, enum portalmem_backend backend,
			 enum portalmem_backend got, const char *got_path)
{
	struct portalmem_device *device;

	ck_assert_int_eq(portalmem_device_open(path, backend, &device), 0);
	ck_assert_int_eq(portalmem_device_get_backend(device), got);
	ck_assert_str_eq(portalmem_device_get_path(device), got_path);
	portalmem_device_unref(device);
}

static void assert_refused(const char *path, enum portalmem_backend backend,
			   int error)
{
	char marker;
	struct portalmem_device *const untouched = (void *)&marker;
	struct portalmem_device *device = untouched;

	unit_assert_fails(portalmem_device_open(path, backend, &device), error);
	ck_assert_ptr_eq(device, untouched);
}

START_TEST(any_takes_the_portalmem_node_first)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", 0),
		VERSION_ANSWERED(version_out),
	};

	MOCK_EXPECT(calls);
	assert_opens(NULL, PORTALMEM_BACKEND_ANY, PORTALMEM_BACKEND_PORTALMEM,
		     "/dev/portalmem");
}
END_TEST

START_TEST(any_takes_the_system_heap_second)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", ENOENT),
		OPEN("/dev/dma_heap/system", 0),
		HEAP_FAILS(EINVAL),
	};

	MOCK_EXPECT(calls);
	assert_opens(NULL, PORTALMEM_BACKEND_ANY, PORTALMEM_BACKEND_DMA_HEAP,
		     "/dev/dma_heap/system");
}
END_TEST

START_TEST(any_takes_udmabuf_third)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", ENODEV),
		OPEN("/dev/dma_heap/system", ENOENT),
		OPEN("/dev/udmabuf", 0),
		UDMABUF_FAILS(EINVAL),
	};

	MOCK_EXPECT(calls);
	assert_opens(NULL, PORTALMEM_BACKEND_ANY, PORTALMEM_BACKEND_UDMABUF,
		     "/dev/udmabuf");
}
END_TEST

START_TEST(any_takes_a_memfd_last)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", ENOENT),
		OPEN("/dev/dma_heap/system", ENOENT),
		OPEN("/dev/udmabuf", ENXIO),
	};

	MOCK_EXPECT(calls);
	assert_opens(NULL, PORTALMEM_BACKEND_ANY, PORTALMEM_BACKEND_MEMFD, "");
}
END_TEST

START_TEST(any_goes_on_after_a_node_that_is_forbidden)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", EACCES),
		OPEN("/dev/dma_heap/system", EACCES),
		OPEN("/dev/udmabuf", 0),
		UDMABUF_FAILS(EINVAL),
	};

	MOCK_EXPECT(calls);
	assert_opens(NULL, PORTALMEM_BACKEND_ANY, PORTALMEM_BACKEND_UDMABUF,
		     "/dev/udmabuf");
}
END_TEST

START_TEST(any_goes_on_after_a_module_of_another_abi)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", 0),
		VERSION_ANSWERED(other_version_out),
		OPEN("/dev/dma_heap/system", 0),
		HEAP_FAILS(EINVAL),
	};

	MOCK_EXPECT(calls);
	assert_opens(NULL, PORTALMEM_BACKEND_ANY, PORTALMEM_BACKEND_DMA_HEAP,
		     "/dev/dma_heap/system");
}
END_TEST

START_TEST(any_leaves_no_message_of_what_it_passed_over)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", EACCES),
		OPEN("/dev/dma_heap/system", ENOENT),
		OPEN("/dev/udmabuf", ENOENT),
	};

	MOCK_EXPECT(calls);
	assert_opens(NULL, PORTALMEM_BACKEND_ANY, PORTALMEM_BACKEND_MEMFD, "");
	ck_assert_str_eq(portalmem_error_message(), "");
}
END_TEST

START_TEST(nothing_at_all_is_enodev)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", ENOENT),
		OPEN("/dev/dma_heap/system", ENODEV),
		OPEN("/dev/udmabuf", ENXIO),
	};

	MOCK_EXPECT(calls);
	mock_fail_memfd_create(ENOSYS);
	assert_refused(NULL, PORTALMEM_BACKEND_ANY, ENODEV);
	unit_assert_message_has("modprobe portalmem");
}
END_TEST

START_TEST(nothing_but_a_forbidden_node_is_eacces)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", ENOENT),
		OPEN("/dev/dma_heap/system", EACCES),
		OPEN("/dev/udmabuf", ENOENT),
	};

	MOCK_EXPECT(calls);
	mock_fail_memfd_create(ENOSYS);
	assert_refused(NULL, PORTALMEM_BACKEND_ANY, EACCES);
	unit_assert_message_has("/dev/dma_heap/system");
	unit_assert_message_has("join its group");
}
END_TEST

static const int shortages[] = {EMFILE, ENFILE, ENOMEM};

START_TEST(any_does_not_choose_by_a_shortage_of_the_process)
{
	const struct mock_call calls[] = {
		OPEN("/dev/portalmem", shortages[_i]),
	};

	MOCK_EXPECT(calls);
	assert_refused(NULL, PORTALMEM_BACKEND_ANY, shortages[_i]);
	unit_assert_message_has("/dev/portalmem");
}
END_TEST

START_TEST(environment_forces_portalmem)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", 0),
		VERSION_ANSWERED(version_out),
	};

	MOCK_EXPECT(calls);
	setenv("PORTALMEM_BACKEND", "portalmem", 1);
	assert_opens(NULL, PORTALMEM_BACKEND_ANY, PORTALMEM_BACKEND_PORTALMEM,
		     "/dev/portalmem");
}
END_TEST

START_TEST(environment_forces_dma_heap)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/dma_heap/system", 0),
		HEAP_FAILS(EINVAL),
	};

	MOCK_EXPECT(calls);
	setenv("PORTALMEM_BACKEND", "dma-heap", 1);
	assert_opens(NULL, PORTALMEM_BACKEND_ANY, PORTALMEM_BACKEND_DMA_HEAP,
		     "/dev/dma_heap/system");
}
END_TEST

START_TEST(environment_forces_udmabuf)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/udmabuf", 0),
		UDMABUF_FAILS(EBADF),
	};

	MOCK_EXPECT(calls);
	setenv("PORTALMEM_BACKEND", "udmabuf", 1);
	assert_opens(NULL, PORTALMEM_BACKEND_ANY, PORTALMEM_BACKEND_UDMABUF,
		     "/dev/udmabuf");
}
END_TEST

START_TEST(environment_forces_memfd)
{
	setenv("PORTALMEM_BACKEND", "memfd", 1);
	assert_opens(NULL, PORTALMEM_BACKEND_ANY, PORTALMEM_BACKEND_MEMFD, "");
}
END_TEST

static const char *const no_choice[] = {"", "any"};

START_TEST(environment_may_leave_the_choice_open)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", 0),
		VERSION_ANSWERED(version_out),
	};

	MOCK_EXPECT(calls);
	setenv("PORTALMEM_BACKEND", no_choice[_i], 1);
	assert_opens(NULL, PORTALMEM_BACKEND_ANY, PORTALMEM_BACKEND_PORTALMEM,
		     "/dev/portalmem");
}
END_TEST

START_TEST(forced_backend_that_is_not_there_is_not_replaced)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/udmabuf", ENOENT),
	};

	MOCK_EXPECT(calls);
	setenv("PORTALMEM_BACKEND", "udmabuf", 1);
	assert_refused(NULL, PORTALMEM_BACKEND_ANY, ENOENT);
	unit_assert_message_has("modprobe udmabuf");
}
END_TEST

START_TEST(unknown_backend_in_the_environment_is_einval)
{
	setenv("PORTALMEM_BACKEND", "ion\n", 1);
	assert_refused(NULL, PORTALMEM_BACKEND_ANY, EINVAL);
	unit_assert_message_has("PORTALMEM_BACKEND is 'ion?'");
}
END_TEST

START_TEST(argument_goes_before_the_environment)
{
	setenv("PORTALMEM_BACKEND", "ion", 1);
	assert_opens(NULL, PORTALMEM_BACKEND_MEMFD, PORTALMEM_BACKEND_MEMFD,
		     "");
}
END_TEST

START_TEST(path_goes_before_the_environment)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/dma_heap/portalmem-wc", 0),
		VERSION_ANSWERED(version_out),
	};

	MOCK_EXPECT(calls);
	setenv("PORTALMEM_BACKEND", "memfd", 1);
	assert_opens("/dev/dma_heap/portalmem-wc", PORTALMEM_BACKEND_ANY,
		     PORTALMEM_BACKEND_PORTALMEM, "/dev/dma_heap/portalmem-wc");
}
END_TEST

START_TEST(path_is_asked_for_a_dma_heap)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/dma_heap/reserved", 0),
		VERSION_FAILS(ENOTTY),
		HEAP_FAILS(EINVAL),
	};

	MOCK_EXPECT(calls);
	assert_opens("/dev/dma_heap/reserved", PORTALMEM_BACKEND_ANY,
		     PORTALMEM_BACKEND_DMA_HEAP, "/dev/dma_heap/reserved");
}
END_TEST

START_TEST(name_is_that_of_a_heap)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/dma_heap/camera", 0),
		VERSION_ANSWERED(version_out),
	};

	MOCK_EXPECT(calls);
	assert_opens("camera", PORTALMEM_BACKEND_ANY,
		     PORTALMEM_BACKEND_PORTALMEM, "/dev/dma_heap/camera");
}
END_TEST

START_TEST(name_of_no_heap_is_told_as_a_path)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/dma_heap/camera", ENOENT),
	};

	MOCK_EXPECT(calls);
	assert_refused("camera", PORTALMEM_BACKEND_ANY, ENOENT);
	unit_assert_message_has("cannot open /dev/dma_heap/camera:");
}
END_TEST

START_TEST(name_of_a_heap_without_the_protocol_is_told_as_a_path)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/dma_heap/system", 0),
		VERSION_FAILS(ENOTTY),
	};

	MOCK_EXPECT(calls);
	assert_refused("system", PORTALMEM_BACKEND_PORTALMEM, EOPNOTSUPP);
	unit_assert_message_has("cannot use /dev/dma_heap/system:");
}
END_TEST

START_TEST(empty_name_is_no_heap_s)
{
	mock_expect(NULL, 0);
	assert_refused("", PORTALMEM_BACKEND_ANY, ENOENT);
}
END_TEST

static const int udmabuf_answers[] = {EINVAL, EBADF, EBADFD};

START_TEST(path_is_asked_for_udmabuf)
{
	const struct mock_call calls[] = {
		OPEN("/dev/udmabuf", 0),
		VERSION_FAILS(ENOTTY),
		HEAP_FAILS(ENOTTY),
		UDMABUF_FAILS(udmabuf_answers[_i]),
	};

	MOCK_EXPECT(calls);
	assert_opens("/dev/udmabuf", PORTALMEM_BACKEND_ANY,
		     PORTALMEM_BACKEND_UDMABUF, "/dev/udmabuf");
}
END_TEST

START_TEST(path_of_another_driver_is_eopnotsupp)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/zero", 0),
		VERSION_FAILS(ENOTTY),
		HEAP_FAILS(ENOTTY),
		UDMABUF_FAILS(ENOTTY),
	};

	MOCK_EXPECT(calls);
	assert_refused("/dev/zero", PORTALMEM_BACKEND_ANY, EOPNOTSUPP);
	unit_assert_message_has("/dev/zero");
}
END_TEST

static const struct {
	enum portalmem_backend backend;
	struct mock_call call;
} wrong_protocol[] = {
	{PORTALMEM_BACKEND_PORTALMEM, VERSION_FAILS(ENOTTY)},
	{PORTALMEM_BACKEND_PORTALMEM, VERSION_FAILS(EINVAL)},
	{PORTALMEM_BACKEND_PORTALMEM, VERSION_ANSWERED(other_version_out)},
	{PORTALMEM_BACKEND_DMA_HEAP, HEAP_FAILS(ENOTTY)},
	{PORTALMEM_BACKEND_UDMABUF, UDMABUF_FAILS(ENOTTY)},
};

START_TEST(node_of_another_protocol_is_eopnotsupp)
{
	const struct mock_call calls[] = {
		OPEN("/dev/other", 0),
		wrong_protocol[_i].call,
	};

	MOCK_EXPECT(calls);
	assert_refused("/dev/other", wrong_protocol[_i].backend, EOPNOTSUPP);
	unit_assert_message_has("/dev/other");
	unit_assert_message_has(
		portalmem_backend_name(wrong_protocol[_i].backend));
}
END_TEST

START_TEST(error_of_the_module_is_passed_on)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", 0),
		VERSION_FAILS(EIO),
	};

	MOCK_EXPECT(calls);
	assert_refused(NULL, PORTALMEM_BACKEND_PORTALMEM, EIO);
}
END_TEST

static const int open_errors[] = {EACCES, ENOENT, EMFILE, ENFILE,
				  ENOMEM, ENXIO,  EISDIR, ENAMETOOLONG};

START_TEST(error_of_open_is_passed_on)
{
	const struct mock_call calls[] = {
		OPEN("/dev/node", open_errors[_i]),
	};

	MOCK_EXPECT(calls);
	assert_refused("/dev/node", PORTALMEM_BACKEND_ANY, open_errors[_i]);
	unit_assert_message_has("/dev/node");
	unit_assert_message_has(strerror(open_errors[_i]));
}
END_TEST

START_TEST(signals_do_not_disturb)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", EINTR), OPEN("/dev/portalmem", 0),
		VERSION_FAILS(EINTR),	       VERSION_FAILS(EINTR),
		VERSION_ANSWERED(version_out),
	};

	MOCK_EXPECT(calls);
	assert_opens(NULL, PORTALMEM_BACKEND_PORTALMEM,
		     PORTALMEM_BACKEND_PORTALMEM, "/dev/portalmem");
}
END_TEST

START_TEST(unknown_backend_is_einval)
{
	static const int unknown[] = {-1, 5, 0x7fffffff};

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		assert_refused(NULL, (enum portalmem_backend)unknown[i],
			       EINVAL);
		assert_refused("/dev/portalmem",
			       (enum portalmem_backend)unknown[i], EINVAL);
	}
}
END_TEST

START_TEST(memfd_with_a_path_is_einval)
{
	assert_refused("/dev/portalmem", PORTALMEM_BACKEND_MEMFD, EINVAL);
}
END_TEST

START_TEST(no_place_for_the_device_is_einval)
{
	unit_assert_fails(
		portalmem_device_open(NULL, PORTALMEM_BACKEND_MEMFD, NULL),
		EINVAL);
}
END_TEST

START_TEST(memfd_without_descriptors_is_emfile)
{
	unit_limit_fds(0);
	assert_refused(NULL, PORTALMEM_BACKEND_MEMFD, EMFILE);
	unit_assert_message_has("ulimit -n");
}
END_TEST

START_TEST(kernel_without_memfd_is_eopnotsupp)
{
	mock_fail_memfd_create(ENOSYS);
	assert_refused(NULL, PORTALMEM_BACKEND_MEMFD, EOPNOTSUPP);
}
END_TEST

START_TEST(no_memory_is_enomem)
{
	mock_fail_calloc(1);
	assert_refused(NULL, PORTALMEM_BACKEND_MEMFD, ENOMEM);
}
END_TEST

START_TEST(last_reference_closes_the_node)
{
	unsigned int before = pmtest_count_fds();
	struct portalmem_device *device = unit_open_portalmem();

	ck_assert_ptr_eq(portalmem_device_ref(device), device);
	portalmem_device_unref(device);
	ck_assert_uint_eq(pmtest_count_fds(), before + 1);
	portalmem_device_unref(device);
	ck_assert_uint_eq(pmtest_count_fds(), before);
}
END_TEST

START_TEST(null_device_is_harmless)
{
	portalmem_device_unref(NULL);
	ck_assert_ptr_null(portalmem_device_ref(NULL));
	ck_assert_ptr_null(portalmem_device_get_path(NULL));
	ck_assert_int_eq(portalmem_device_get_backend(NULL),
			 PORTALMEM_BACKEND_ANY);
}
END_TEST

START_TEST(backends_have_their_names)
{
	static const char *const names[] = {"any", "portalmem", "dma-heap",
					    "udmabuf", "memfd"};

	for (int i = 0; i < 5; i++)
		ck_assert_str_eq(
			portalmem_backend_name((enum portalmem_backend)i),
			names[i]);
	ck_assert_str_eq(portalmem_backend_name((enum portalmem_backend)5),
			 "unknown");
}
END_TEST

START_TEST(caching_modes_have_their_names)
{
	static const char *const names[] = {"default", "cached", "wc", "uc",
					    "unknown"};

	for (int i = 0; i < 5; i++)
		ck_assert_str_eq(
			portalmem_caching_name((enum portalmem_caching)i),
			names[i]);
	ck_assert_str_eq(portalmem_caching_name((enum portalmem_caching)5),
			 "unknown");
}
END_TEST

START_TEST(version_is_the_package_s)
{
	ck_assert_str_eq(portalmem_version(), PACKAGE_VERSION);
}
END_TEST

static Suite *device_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("device", &tc);

	tcase_add_test(tc, any_takes_the_portalmem_node_first);
	tcase_add_test(tc, any_takes_the_system_heap_second);
	tcase_add_test(tc, any_takes_udmabuf_third);
	tcase_add_test(tc, any_takes_a_memfd_last);
	tcase_add_test(tc, any_goes_on_after_a_node_that_is_forbidden);
	tcase_add_test(tc, any_goes_on_after_a_module_of_another_abi);
	tcase_add_test(tc, any_leaves_no_message_of_what_it_passed_over);
	tcase_add_test(tc, nothing_at_all_is_enodev);
	tcase_add_test(tc, nothing_but_a_forbidden_node_is_eacces);
	tcase_add_loop_test(tc,
			    any_does_not_choose_by_a_shortage_of_the_process, 0,
			    COUNT(shortages));
	tcase_add_test(tc, environment_forces_portalmem);
	tcase_add_test(tc, environment_forces_dma_heap);
	tcase_add_test(tc, environment_forces_udmabuf);
	tcase_add_test(tc, environment_forces_memfd);
	tcase_add_loop_test(tc, environment_may_leave_the_choice_open, 0,
			    COUNT(no_choice));
	tcase_add_test(tc, forced_backend_that_is_not_there_is_not_replaced);
	tcase_add_test(tc, unknown_backend_in_the_environment_is_einval);
	tcase_add_test(tc, argument_goes_before_the_environment);
	tcase_add_test(tc, path_goes_before_the_environment);
	tcase_add_test(tc, path_is_asked_for_a_dma_heap);
	tcase_add_test(tc, name_is_that_of_a_heap);
	tcase_add_test(tc, name_of_no_heap_is_told_as_a_path);
	tcase_add_test(tc,
		       name_of_a_heap_without_the_protocol_is_told_as_a_path);
	tcase_add_test(tc, empty_name_is_no_heap_s);
	tcase_add_loop_test(tc, path_is_asked_for_udmabuf, 0,
			    COUNT(udmabuf_answers));
	tcase_add_test(tc, path_of_another_driver_is_eopnotsupp);
	tcase_add_loop_test(tc, node_of_another_protocol_is_eopnotsupp, 0,
			    COUNT(wrong_protocol));
	tcase_add_test(tc, error_of_the_module_is_passed_on);
	tcase_add_loop_test(tc, error_of_open_is_passed_on, 0,
			    COUNT(open_errors));
	tcase_add_test(tc, signals_do_not_disturb);
	tcase_add_test(tc, unknown_backend_is_einval);
	tcase_add_test(tc, memfd_with_a_path_is_einval);
	tcase_add_test(tc, no_place_for_the_device_is_einval);
	tcase_add_test(tc, memfd_without_descriptors_is_emfile);
	tcase_add_test(tc, kernel_without_memfd_is_eopnotsupp);
	unit_add_shortage_test(tc, no_memory_is_enomem);
	tcase_add_test(tc, last_reference_closes_the_node);
	tcase_add_test(tc, null_device_is_harmless);
	tcase_add_test(tc, backends_have_their_names);
	tcase_add_test(tc, caching_modes_have_their_names);
	tcase_add_test(tc, version_is_the_package_s);
	return suite;
}

PMTEST_MAIN(device_suite)
