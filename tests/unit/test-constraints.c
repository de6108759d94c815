// SPDX-License-Identifier: GPL-2.0-or-later
/* Which device a program gets that says what it needs. */
#include "config.h"

#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/portalmem.h>
#include <linux/udmabuf.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

#define CONTIGUOUS PORTALMEM_NEED_CONTIGUOUS
#define WC PORTALMEM_NEED_WC
#define PINNABLE PORTALMEM_NEED_PINNABLE
#define SHAREABLE PORTALMEM_NEED_SHAREABLE
#define ADDRESS_BITS PORTALMEM_NEED_ADDRESS_BITS
#define SIZE PORTALMEM_NEED_SIZE

#define SYSTEM_NODE "/dev/dma_heap/system"
#define CONTIGUOUS_NODE "/dev/dma_heap/portalmem-contiguous"

static const struct portalmem_ioc_version version_in;
static const struct portalmem_ioc_version version_out = {
	.abi = PORTALMEM_ABI_VERSION,
};
static const struct dma_heap_allocation_data heap_probe = {
	.fd_flags = ~(uint32_t)DMA_HEAP_VALID_FD_FLAGS,
};
static const struct udmabuf_create udmabuf_probe = {.memfd = ~0U};
static const struct portalmem_ioc_heap heap_in;
/* What a heap of 1 MiB that can do everything but be contiguous says. */
static const struct portalmem_ioc_heap heap_out = {
	.cachings = 1 << PORTALMEM_CACHED | 1 << PORTALMEM_WC,
	.features = PORTALMEM_HEAP_PINNABLE,
	.largest = 1 << 20,
};
static const struct portalmem_ioc_heap contiguous_out = {
	.cachings = 1 << PORTALMEM_CACHED | 1 << PORTALMEM_WC,
	.features = PORTALMEM_HEAP_PINNABLE | PORTALMEM_HEAP_CONTIGUOUS,
	.largest = 1 << 20,
};

#define OPEN(path, errnum)                       \
	{                                        \
		.open = path, .error = (errnum), \
	}
#define ASK(number, argument, reply, errnum)                             \
	{                                                                \
		.request = (number), .on = MOCK_NODE, .in = &(argument), \
		.in_size = sizeof(argument), .out = (reply),             \
		.error = (errnum),                                       \
	}
#define VERSION_ANSWERED ASK(PORTALMEM_IOC_VERSION, version_in, &version_out, 0)
#define HEAP_ANSWERED(reply) ASK(PORTALMEM_IOC_HEAP, heap_in, &(reply), 0)
#define HEAP_PROBED ASK(DMA_HEAP_IOCTL_ALLOC, heap_probe, NULL, EINVAL)
#define UDMABUF_PROBED ASK(UDMABUF_CREATE, udmabuf_probe, NULL, EINVAL)

static struct portalmem_constraints
constraints(unsigned int needs, unsigned int address_bits, uint64_t size)
{
	struct portalmem_constraints made = PORTALMEM_CONSTRAINTS_INIT;

	made.needs = needs;
	made.address_bits = address_bits;
	made.size = size;
	return made;
}

static void assert_opens(const struct portalmem_constraints *wanted,
			 enum portalmem_backend backend, const char *path)
{
	struct portalmem_device *device;
	unsigned int unmet = ~0U;

	ck_assert_int_eq(portalmem_device_open_for(wanted, &device, &unmet), 0);
	ck_assert_uint_eq(unmet, 0);
	ck_assert_int_eq(portalmem_device_get_backend(device), backend);
	ck_assert_str_eq(portalmem_device_get_path(device), path);
	portalmem_device_unref(device);
}

static void assert_refused(const struct portalmem_constraints *wanted,
			   int error, unsigned int lacks)
{
	char marker;
	struct portalmem_device *const untouched = (void *)&marker;
	struct portalmem_device *device = untouched;
	unsigned int unmet = 12345;

	unit_assert_fails(portalmem_device_open_for(wanted, &device, &unmet),
			  error);
	ck_assert_ptr_eq(device, untouched);
	ck_assert_uint_eq(unmet, lacks);
}

START_TEST(no_needs_get_the_module)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", 0),
		VERSION_ANSWERED,
		HEAP_ANSWERED(heap_out),
	};
	const struct portalmem_constraints none = PORTALMEM_CONSTRAINTS_INIT;

	MOCK_EXPECT(calls);
	assert_opens(&none, PORTALMEM_BACKEND_PORTALMEM, "/dev/portalmem");
}
END_TEST

START_TEST(module_gives_all_but_contiguous_from_its_first_node)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", 0),
		VERSION_ANSWERED,
		HEAP_ANSWERED(heap_out),
	};
	const struct portalmem_constraints wanted[] = {
		constraints(SHAREABLE | PINNABLE, 32, 1 << 20),
		constraints(SHAREABLE | WC, 40, 1),
	};

	for (int i = 0; i < COUNT(wanted); i++) {
		MOCK_EXPECT(calls);
		assert_opens(&wanted[i], PORTALMEM_BACKEND_PORTALMEM,
			     "/dev/portalmem");
	}
}
END_TEST

START_TEST(contiguous_is_the_module_s_second_node)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", 0), VERSION_ANSWERED,
		HEAP_ANSWERED(heap_out),   OPEN(CONTIGUOUS_NODE, 0),
		VERSION_ANSWERED,	   HEAP_ANSWERED(contiguous_out),
	};
	const struct portalmem_constraints wanted =
		constraints(CONTIGUOUS | PINNABLE, 0, 0);

	MOCK_EXPECT(calls);
	assert_opens(&wanted, PORTALMEM_BACKEND_PORTALMEM, CONTIGUOUS_NODE);
}
END_TEST

START_TEST(contiguous_is_the_kernel_s_cma_heap_without_the_module)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", ENOENT),
		OPEN(CONTIGUOUS_NODE, ENOENT),
		OPEN(SYSTEM_NODE, 0),
		HEAP_PROBED,
		OPEN("/dev/dma_heap/default_cma_region", ENOENT),
		OPEN("/dev/dma_heap/reserved", 0),
		HEAP_PROBED,
	};
	const struct portalmem_constraints wanted =
		constraints(CONTIGUOUS | SHAREABLE, 0, 4096);

	MOCK_EXPECT(calls);
	assert_opens(&wanted, PORTALMEM_BACKEND_DMA_HEAP,
		     "/dev/dma_heap/reserved");
}
END_TEST

START_TEST(shareable_is_the_system_heap_without_the_module)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", ENOENT),
		OPEN(SYSTEM_NODE, 0),
		HEAP_PROBED,
	};
	const struct portalmem_constraints wanted =
		constraints(SHAREABLE, 0, 4096);

	MOCK_EXPECT(calls);
	assert_opens(&wanted, PORTALMEM_BACKEND_DMA_HEAP, SYSTEM_NODE);
}
END_TEST

START_TEST(shareable_is_udmabuf_without_heaps)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", ENOENT),
		OPEN(SYSTEM_NODE, ENOENT),
		OPEN("/dev/udmabuf", 0),
		UDMABUF_PROBED,
	};
	const struct portalmem_constraints wanted =
		constraints(SHAREABLE, 0, 4096);

	MOCK_EXPECT(calls);
	assert_opens(&wanted, PORTALMEM_BACKEND_UDMABUF, "/dev/udmabuf");
}
END_TEST

START_TEST(pinnable_is_a_memfd_without_the_module)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", ENOENT),
		OPEN(SYSTEM_NODE, 0),
		HEAP_PROBED,
		OPEN("/dev/udmabuf", 0),
		UDMABUF_PROBED,
	};
	const struct portalmem_constraints wanted =
		constraints(PINNABLE, 64, 4096);

	MOCK_EXPECT(calls);
	assert_opens(&wanted, PORTALMEM_BACKEND_MEMFD, "");
}
END_TEST

/* Without the module, the nearest is the first that lacks the fewest needs. */
static const struct {
	unsigned int needs;
	unsigned int address_bits;
	uint64_t size;
	unsigned int unmet;
	const char *told;
} impossible[] = {
	{PINNABLE | SHAREABLE, 0, 0, PINNABLE, "system"},
	{WC, 0, 0, WC, "write combining"},
	{0, 32, 0, ADDRESS_BITS, "limit on addresses"},
	{0, 0, UINT64_MAX, SIZE, "buffer of that size"},
	{0, 0, (uint64_t)1 << 62, SIZE, "buffer of that size"},
	{WC | PINNABLE, 0, 0, WC, "a memfd"},
	{WC | SHAREABLE, 63, 0, WC | ADDRESS_BITS, "modprobe portalmem"},
};

START_TEST(need_that_nobody_meets_is_told)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", ENOENT),
		OPEN(SYSTEM_NODE, 0),
		HEAP_PROBED,
		OPEN("/dev/udmabuf", 0),
		UDMABUF_PROBED,
	};
	const struct portalmem_constraints wanted =
		constraints(impossible[_i].needs, impossible[_i].address_bits,
			    impossible[_i].size);
	struct portalmem_device *device;

	MOCK_EXPECT(calls);
	assert_refused(&wanted, EOPNOTSUPP, impossible[_i].unmet);
	unit_assert_message_has(impossible[_i].told);
	/* Who does not want to know which need not ask. */
	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_device_open_for(&wanted, &device, NULL),
			  EOPNOTSUPP);
}
END_TEST

START_TEST(needs_that_exclude_each_other_are_told)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", 0),    VERSION_ANSWERED,
		HEAP_ANSWERED(heap_out),      OPEN(SYSTEM_NODE, ENOENT),
		OPEN("/dev/udmabuf", ENOENT),
	};
	const struct portalmem_constraints wanted =
		constraints(WC | PINNABLE, 0, 0);

	MOCK_EXPECT(calls);
	assert_refused(&wanted, EOPNOTSUPP, PINNABLE);
	unit_assert_message_has("/dev/portalmem");
	unit_assert_message_has("ask for less");
}
END_TEST

START_TEST(forbidden_node_is_told_when_the_rest_does_not_do)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", EACCES),
		OPEN(SYSTEM_NODE, ENOENT),
		OPEN("/dev/udmabuf", ENOENT),
	};
	const struct portalmem_constraints wanted = constraints(WC, 0, 0);

	MOCK_EXPECT(calls);
	assert_refused(&wanted, EOPNOTSUPP, WC);
	unit_assert_message_has("/dev/portalmem");
	unit_assert_message_has(strerror(EACCES));
}
END_TEST

START_TEST(nothing_but_a_forbidden_node_is_eacces)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", ENOENT),
		OPEN(SYSTEM_NODE, EACCES),
		OPEN("/dev/udmabuf", EACCES),
	};
	const struct portalmem_constraints none = PORTALMEM_CONSTRAINTS_INIT;

	MOCK_EXPECT(calls);
	mock_fail_memfd_create(ENOSYS);
	assert_refused(&none, EACCES, 12345);
	unit_assert_message_has(SYSTEM_NODE);
}
END_TEST

START_TEST(nothing_at_all_is_enodev)
{
	static const struct mock_call calls[] = {
		OPEN("/dev/portalmem", ENOENT),
		OPEN(SYSTEM_NODE, ENODEV),
		OPEN("/dev/udmabuf", ENXIO),
	};
	const struct portalmem_constraints none = PORTALMEM_CONSTRAINTS_INIT;

	MOCK_EXPECT(calls);
	mock_fail_memfd_create(ENOSYS);
	assert_refused(&none, ENODEV, 12345);
	unit_assert_message_has("modprobe portalmem");
}
END_TEST

static const int shortages[] = {EMFILE, ENFILE, ENOMEM};

START_TEST(no_choice_is_made_by_a_shortage_of_the_process)
{
	const struct mock_call calls[] = {
		OPEN("/dev/portalmem", shortages[_i]),
	};
	const struct portalmem_constraints none = PORTALMEM_CONSTRAINTS_INIT;

	MOCK_EXPECT(calls);
	assert_refused(&none, shortages[_i], 12345);
	unit_assert_message_has("/dev/portalmem");
}
END_TEST

START_TEST(environment_forces_the_backend)
{
	static const struct mock_call heaps[] = {
		OPEN(SYSTEM_NODE, 0),
		HEAP_PROBED,
	};
	static const struct mock_call module[] = {
		OPEN("/dev/portalmem", 0), VERSION_ANSWERED,
		HEAP_ANSWERED(heap_out),   OPEN(CONTIGUOUS_NODE, 0),
		VERSION_ANSWERED,	   HEAP_ANSWERED(contiguous_out),
	};
	struct portalmem_constraints wanted = constraints(PINNABLE, 0, 0);

	setenv("PORTALMEM_BACKEND", "dma-heap", 1);
	MOCK_EXPECT(heaps);
	assert_refused(&wanted, EOPNOTSUPP, PINNABLE);
	unit_assert_message_has("PORTALMEM_BACKEND");
	setenv("PORTALMEM_BACKEND", "memfd", 1);
	assert_opens(&wanted, PORTALMEM_BACKEND_MEMFD, "");
	/* A backend is all of its heaps. */
	wanted.needs = CONTIGUOUS;
	setenv("PORTALMEM_BACKEND", "portalmem", 1);
	MOCK_EXPECT(module);
	assert_opens(&wanted, PORTALMEM_BACKEND_PORTALMEM, CONTIGUOUS_NODE);
	setenv("PORTALMEM_BACKEND", "cardboard", 1);
	assert_refused(&wanted, EINVAL, 12345);
	unit_assert_message_has("cardboard");
}
END_TEST

/* What a heap of the module says, and which of all the needs it then lacks. */
static const struct {
	struct portalmem_ioc_heap says;
	uint64_t size;
	unsigned int unmet;
} heaps[] = {
	{{.cachings = 1 << PORTALMEM_CACHED, .largest = 1 << 20},
	 4096,
	 CONTIGUOUS | WC | PINNABLE},
	{{.cachings = 1 << PORTALMEM_WC, .largest = 8192},
	 8193,
	 CONTIGUOUS | PINNABLE | SIZE},
	{{.features = PORTALMEM_HEAP_REGION | PORTALMEM_HEAP_CONTIGUOUS,
	  .largest = 8192},
	 8191,
	 WC | PINNABLE | ADDRESS_BITS},
	{{.largest = 1 << 24, .limit = 2 << 20, .used = 1 << 20},
	 1 << 20,
	 CONTIGUOUS | WC | PINNABLE},
	{{.largest = 1 << 24, .limit = 2 << 20, .used = 1 << 20},
	 (1 << 20) + 1,
	 CONTIGUOUS | WC | PINNABLE | SIZE},
	{{.largest = 1 << 24, .limit = 2 << 20, .used = 3 << 20},
	 1,
	 CONTIGUOUS | WC | PINNABLE | SIZE},
	{{.largest = 1 << 24, .user_limit = 2 << 20, .user_used = 1 << 20},
	 1 << 20,
	 CONTIGUOUS | WC | PINNABLE},
	{{.largest = 1 << 24, .user_limit = 2 << 20, .user_used = 3 << 20},
	 1,
	 CONTIGUOUS | WC | PINNABLE | SIZE},
};

START_TEST(open_device_tells_what_it_lacks)
{
	const struct mock_call calls[] = {HEAP_ANSWERED(heaps[_i].says)};
	const struct portalmem_constraints all = constraints(
		CONTIGUOUS | WC | PINNABLE | SHAREABLE, 32, heaps[_i].size);
	struct portalmem_device *device = unit_open_portalmem();
	unsigned int unmet;

	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_device_check(device, &all, &unmet),
			  EOPNOTSUPP);
	ck_assert_uint_eq(unmet, heaps[_i].unmet);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(module_that_does_not_tell_meets_only_what_is_certain)
{
	static const struct mock_call calls[] = {
		ASK(PORTALMEM_IOC_HEAP, heap_in, NULL, ENOTTY)};
	const struct portalmem_constraints all =
		constraints(CONTIGUOUS | WC | PINNABLE | SHAREABLE, 32, 1);
	const struct portalmem_constraints certain =
		constraints(SHAREABLE, 0, 0);
	struct portalmem_device *device = unit_open_portalmem();
	unsigned int unmet;

	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_device_check(device, &all, &unmet),
			  EOPNOTSUPP);
	ck_assert_uint_eq(unmet,
			  CONTIGUOUS | WC | PINNABLE | ADDRESS_BITS | SIZE);
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_device_check(device, &certain, &unmet), 0);
	ck_assert_uint_eq(unmet, 0);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(memfd_tells_what_it_lacks)
{
	const struct portalmem_constraints all =
		constraints(CONTIGUOUS | WC | PINNABLE | SHAREABLE, 63, 1);
	const struct portalmem_constraints met = constraints(PINNABLE, 64, 1);
	struct portalmem_device *device = unit_open_memfd();
	unsigned int unmet;

	unit_assert_fails(portalmem_device_check(device, &all, &unmet),
			  EOPNOTSUPP);
	ck_assert_uint_eq(unmet, CONTIGUOUS | WC | SHAREABLE | ADDRESS_BITS);
	unit_assert_message_has("a memfd");
	unit_assert_message_has("contiguous memory, write combining, sharing");
	unit_assert_fails(portalmem_device_check(device, &all, NULL),
			  EOPNOTSUPP);
	ck_assert_int_eq(portalmem_device_check(device, &met, &unmet), 0);
	ck_assert_uint_eq(unmet, 0);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(heap_of_an_unknown_name_is_shareable_and_no_more)
{
	const struct portalmem_constraints all =
		constraints(CONTIGUOUS | WC | PINNABLE | SHAREABLE, 32, 1);
	struct portalmem_device *device =
		unit_open_heap("/dev/dma_heap/vendor");
	unsigned int unmet;

	unit_assert_fails(portalmem_device_check(device, &all, &unmet),
			  EOPNOTSUPP);
	ck_assert_uint_eq(unmet, CONTIGUOUS | WC | PINNABLE | ADDRESS_BITS);
	portalmem_device_unref(device);
}
END_TEST

static void assert_bad(const struct portalmem_constraints *bad,
		       struct portalmem_device *device)
{
	unsigned int unmet = 12345;

	assert_refused(bad, EINVAL, 12345);
	unit_assert_fails(portalmem_device_check(device, bad, &unmet), EINVAL);
	ck_assert_uint_eq(unmet, 12345);
}

START_TEST(bad_constraints_are_einval)
{
	const struct portalmem_constraints bad[] = {
		constraints(16, 0, 0),
		constraints(32, 0, 0),
		constraints(64, 0, 0),
		constraints(~0U, 0, 0),
		constraints(0, 65, 0),
		constraints(0, ~0U, 0),
		{.struct_size = 0},
		{.struct_size = sizeof(struct portalmem_constraints) + 1},
	};
	struct portalmem_device *device = unit_open_memfd();

	for (int i = 0; i < COUNT(bad); i++)
		assert_bad(&bad[i], device);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(null_arguments_are_einval)
{
	const struct portalmem_constraints none = PORTALMEM_CONSTRAINTS_INIT;
	struct portalmem_device *device = unit_open_memfd();
	unsigned int unmet = 12345;

	assert_bad(NULL, device);
	unit_assert_fails(portalmem_device_open_for(&none, NULL, &unmet),
			  EINVAL);
	unit_assert_fails(portalmem_device_check(NULL, &none, &unmet), EINVAL);
	ck_assert_uint_eq(unmet, 12345);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(no_memory_is_enomem)
{
	const struct portalmem_constraints none = PORTALMEM_CONSTRAINTS_INIT;

	mock_fail_calloc(1);
	assert_refused(&none, ENOMEM, 12345);
}
END_TEST

static Suite *constraints_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("constraints", &tc);

	tcase_add_test(tc, no_needs_get_the_module);
	tcase_add_test(tc, module_gives_all_but_contiguous_from_its_first_node);
	tcase_add_test(tc, contiguous_is_the_module_s_second_node);
	tcase_add_test(tc,
		       contiguous_is_the_kernel_s_cma_heap_without_the_module);
	tcase_add_test(tc, shareable_is_the_system_heap_without_the_module);
	tcase_add_test(tc, shareable_is_udmabuf_without_heaps);
	tcase_add_test(tc, pinnable_is_a_memfd_without_the_module);
	tcase_add_loop_test(tc, need_that_nobody_meets_is_told, 0,
			    COUNT(impossible));
	tcase_add_test(tc, needs_that_exclude_each_other_are_told);
	tcase_add_test(tc, forbidden_node_is_told_when_the_rest_does_not_do);
	tcase_add_test(tc, nothing_but_a_forbidden_node_is_eacces);
	tcase_add_test(tc, nothing_at_all_is_enodev);
	tcase_add_loop_test(tc, no_choice_is_made_by_a_shortage_of_the_process,
			    0, COUNT(shortages));
	tcase_add_test(tc, environment_forces_the_backend);
	tcase_add_loop_test(tc, open_device_tells_what_it_lacks, 0,
			    COUNT(heaps));
	tcase_add_test(tc,
		       module_that_does_not_tell_meets_only_what_is_certain);
	tcase_add_test(tc, memfd_tells_what_it_lacks);
	tcase_add_test(tc, heap_of_an_unknown_name_is_shareable_and_no_more);
	tcase_add_test(tc, bad_constraints_are_einval);
	tcase_add_test(tc, null_arguments_are_einval);
	unit_add_shortage_test(tc, no_memory_is_enomem);
	return suite;
}

PMTEST_MAIN(constraints_suite)
