// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/portalmem.h>
#include <linux/udmabuf.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static const struct udmabuf_create udmabuf_probe = {.memfd = ~0U};

static struct portalmem_device *open_udmabuf(void)
{
	static const struct mock_call calls[] = {
		{.open = "/dev/udmabuf"},
		{.request = UDMABUF_CREATE,
		 .on = MOCK_NODE,
		 .in = &udmabuf_probe,
		 .in_size = sizeof(udmabuf_probe),
		 .error = EINVAL},
	};
	struct portalmem_device *device;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(
		portalmem_device_open(NULL, PORTALMEM_BACKEND_UDMABUF, &device),
		0);
	return device;
}

static void assert_refused(struct portalmem_device *device, uint64_t size,
			   const struct portalmem_alloc_options *options,
			   int error)
{
	char marker;
	struct portalmem_buffer *const untouched = (void *)&marker;
	struct portalmem_buffer *buffer = untouched;

	unit_assert_fails(
		portalmem_buffer_alloc(device, size, options, &buffer), error);
	ck_assert_ptr_eq(buffer, untouched);
}

static struct portalmem_buffer *alloc_named(struct portalmem_device *device,
					    uint64_t size, const char *name,
					    enum portalmem_caching caching)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_buffer *buffer;

	options.name = name;
	options.caching = caching;
	ck_assert_int_eq(
		portalmem_buffer_alloc(device, size, &options, &buffer), 0);
	return buffer;
}

START_TEST(buffer_is_zero_and_has_whole_pages)
{
	struct portalmem_buffer *buffer = unit_alloc(2 * PAGE + 1);
	const char *bytes;
	void *address;

	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), 3 * PAGE);
	ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
			 PORTALMEM_CACHING_CACHED);
	ck_assert_int_eq(portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_READ,
					      &address),
			 0);
	bytes = address;
	for (uint64_t i = 0; i < 3 * PAGE; i++)
		ck_assert_int_eq(bytes[i], 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(memfd_is_sealed_closed_on_exec_and_has_its_memory)
{
	struct portalmem_buffer *buffer = unit_alloc_memfd(40 * HUGE);
	int fd = portalmem_buffer_get_fd(buffer);
	struct stat st;

	ck_assert_int_eq(ftruncate(fd, 0), -1);
	ck_assert_int_eq(ftruncate(fd, (off_t)(41 * HUGE)), -1);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq((uint64_t)st.st_blocks * 512, 40 * HUGE);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(memfd_allocation_survives_a_signal)
{
	mock_fail_fallocate_once(EINTR);
	portalmem_buffer_unref(unit_alloc_memfd(PAGE));
}
END_TEST

START_TEST(memory_that_is_used_up_is_enomem)
{
	struct portalmem_device *device = unit_open_memfd();

	mock_fail_fallocate_once(ENOSPC);
	assert_refused(device, PAGE, NULL, ENOMEM);
	mock_fail_fallocate_once(ENOMEM);
	assert_refused(device, PAGE, NULL, ENOMEM);
	unit_assert_message_has("4096 bytes");
	portalmem_device_unref(device);
}
END_TEST

START_TEST(old_kernel_refuses_only_the_newest_memfd_flag)
{
	struct portalmem_device *device = unit_open_memfd();

	mock_fail_memfd_create(EINVAL);
	assert_refused(device, PAGE, NULL, EINVAL);
	mock_fail_memfd_flag(0x8);
	portalmem_buffer_unref(
		alloc_named(device, PAGE, NULL, PORTALMEM_CACHING_CACHED));
	portalmem_device_unref(device);
}
END_TEST

START_TEST(buffer_outlives_its_device_s_last_reference)
{
	struct portalmem_device *device = unit_open_device();
	struct portalmem_buffer *buffer =
		alloc_named(device, PAGE, "kept", PORTALMEM_CACHING_DEFAULT);
	struct portalmem_info info = PORTALMEM_INFO_INIT;

	portalmem_device_unref(device);
	ck_assert_int_eq(portalmem_buffer_get_info(buffer, &info), 0);
	ck_assert_str_eq(info.name, "kept");
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(last_reference_closes_the_buffer)
{
	unsigned int before = pmtest_count_fds();
	struct portalmem_buffer *buffer = unit_alloc(PAGE);
	unsigned int held = pmtest_count_fds();

	ck_assert_uint_gt(held, before);
	ck_assert_ptr_eq(portalmem_buffer_ref(buffer), buffer);
	portalmem_buffer_unref(buffer);
	ck_assert_uint_eq(pmtest_count_fds(), held);
	portalmem_buffer_unref(buffer);
	ck_assert_uint_eq(pmtest_count_fds(), before);
}
END_TEST

START_TEST(size_zero_is_einval)
{
	struct portalmem_device *device = unit_open_memfd();

	assert_refused(device, 0, NULL, EINVAL);
	portalmem_device_unref(device);
}
END_TEST

static const uint64_t too_large[] = {
	(uint64_t)1 << 50, (uint64_t)1 << 62, INT64_MAX - PAGE, INT64_MAX,
	(uint64_t)1 << 63, UINT64_MAX - PAGE, UINT64_MAX};

/* Should the library fail to refuse, the machine must not have to. */
static void limit_file_size(void)
{
	const struct rlimit limit = {.rlim_cur = 1 << 30, .rlim_max = 1 << 30};

	ck_assert_ptr_ne(signal(SIGXFSZ, SIG_IGN), SIG_ERR);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(more_than_the_machine_has_is_enomem)
{
	struct portalmem_device *memfd = unit_open_memfd();
	struct portalmem_device *heap = unit_open_heap("/dev/dma_heap/system");
	struct portalmem_device *udmabuf = open_udmabuf();

	limit_file_size();
	/* The kernel is not even asked. */
	mock_expect(NULL, 0);
	assert_refused(memfd, too_large[_i], NULL, ENOMEM);
	assert_refused(heap, too_large[_i], NULL, ENOMEM);
	assert_refused(udmabuf, too_large[_i], NULL, ENOMEM);
	portalmem_device_unref(memfd);
	portalmem_device_unref(heap);
	portalmem_device_unref(udmabuf);
}
END_TEST

/* Less than the machine has, but in use by others. */
START_TEST(more_than_is_available_is_enomem)
{
	struct portalmem_device *memfd = unit_open_memfd();
	struct portalmem_device *heap = unit_open_heap("/dev/dma_heap/system");
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned long long value, sum = 0;
	char line[128];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %llu", &value) == 1 ||
		    sscanf(line, "SwapFree: %llu", &value) == 1)
			sum += value;
	fclose(file);
	ck_assert_uint_gt(sum, 0);
	limit_file_size();
	mock_expect(NULL, 0);
	/* A little more, as others give memory back in the meantime. */
	sum = (sum << 10) + (512 << 20);
	assert_refused(memfd, sum, NULL, ENOMEM);
	assert_refused(heap, sum, NULL, ENOMEM);
	portalmem_device_unref(memfd);
	portalmem_device_unref(heap);
}
END_TEST

static const int no_caching[] = {-1, PORTALMEM_CACHING_UNKNOWN, 5, 32};

START_TEST(unknown_caching_is_einval)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_portalmem();

	options.caching = (enum portalmem_caching)no_caching[_i];
	assert_refused(device, PAGE, &options, EINVAL);
	portalmem_device_unref(device);
}
END_TEST

static const struct portalmem_alloc_options bad_places[] = {
	{.node = -2},
	{.node = INT_MIN},
	{.node = -1, .address_bits = 65},
	{.node = -1, .address_bits = UINT_MAX},
	{.node = -1, .alignment = 1},
	{.node = -1, .alignment = 2048},
	{.node = -1, .alignment = 3 * 4096},
	{.node = -1, .alignment = UINT64_MAX},
	{.node = -1, .region_offset = 4096},
	{.node = -1, .adopt = 1, .region_offset = 100},
	{.node = -1, .adopt = 1, .region_offset = UINT64_MAX},
	{.node = -1, .adopt = 1, .alignment = 4096},
	{.node = -1, .adopt = 1, .address_bits = 32},
};

START_TEST(place_that_cannot_be_is_einval)
{
	struct portalmem_alloc_options options = bad_places[_i];
	struct portalmem_device *device = unit_open_portalmem();

	options.struct_size = sizeof(options);
	/* The kernel is not even asked. */
	mock_expect(NULL, 0);
	assert_refused(device, PAGE, &options, EINVAL);
	portalmem_device_unref(device);
}
END_TEST

static const struct portalmem_alloc_options places[] = {
	{.node = 0},
	{.node = -1, .address_bits = 64},
	{.node = -1, .alignment = 4096},
	{.node = -1, .adopt = 1},
};

START_TEST(place_is_eopnotsupp_on_other_backends)
{
	struct portalmem_device *devices[] = {
		unit_open_memfd(), unit_open_heap("/dev/dma_heap/system"),
		open_udmabuf()};

	/* The kernel is not even asked. */
	mock_expect(NULL, 0);
	for (size_t i = 0; i < COUNT(devices); i++) {
		struct portalmem_alloc_options options = places[_i];

		options.struct_size = sizeof(options);
		assert_refused(devices[i], PAGE, &options, EOPNOTSUPP);
		portalmem_device_unref(devices[i]);
	}
}
END_TEST

static const char *const bad_names[] = {"line\nbreak", "tab\t", "\x7f",
					"\x1b[31m",
					"0123456789012345678901234567890+"};

START_TEST(bad_name_is_einval)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_memfd();

	options.name = bad_names[_i];
	assert_refused(device, PAGE, &options, EINVAL);
	unit_assert_message_has("name");
	portalmem_device_unref(device);
}
END_TEST

static const size_t bad_sizes[] = {
	0, 1, sizeof(struct portalmem_alloc_options) - 1,
	sizeof(struct portalmem_alloc_options) + 1, SIZE_MAX};

START_TEST(options_that_were_not_initialized_are_einval)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_memfd();

	options.struct_size = bad_sizes[_i];
	assert_refused(device, PAGE, &options, EINVAL);
	unit_assert_message_has("PORTALMEM_ALLOC_OPTIONS_INIT");
	portalmem_device_unref(device);
}
END_TEST

START_TEST(null_arguments_are_einval)
{
	struct portalmem_device *device = unit_open_memfd();

	assert_refused(NULL, PAGE, NULL, EINVAL);
	unit_assert_fails(portalmem_buffer_alloc(device, PAGE, NULL, NULL),
			  EINVAL);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(null_buffer_is_harmless)
{
	portalmem_buffer_unref(NULL);
	ck_assert_ptr_null(portalmem_buffer_ref(NULL));
	ck_assert_uint_eq(portalmem_buffer_get_size(NULL), 0);
	ck_assert_int_eq(portalmem_buffer_get_caching(NULL),
			 PORTALMEM_CACHING_UNKNOWN);
	unit_assert_fails(portalmem_buffer_get_fd(NULL), EINVAL);
}
END_TEST

static const enum portalmem_caching uncached[] = {PORTALMEM_CACHING_WC,
						  PORTALMEM_CACHING_UC};

START_TEST(uncached_is_eopnotsupp_on_other_backends)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *memfd = unit_open_memfd();
	struct portalmem_device *heap = unit_open_heap("/dev/dma_heap/system");
	struct portalmem_device *udmabuf = open_udmabuf();

	options.caching = uncached[_i];
	assert_refused(memfd, PAGE, &options, EOPNOTSUPP);
	assert_refused(heap, PAGE, &options, EOPNOTSUPP);
	assert_refused(udmabuf, PAGE, &options, EOPNOTSUPP);
	unit_assert_message_has("udmabuf");
	portalmem_device_unref(memfd);
	portalmem_device_unref(heap);
	portalmem_device_unref(udmabuf);
}
END_TEST

START_TEST(no_descriptor_left_is_emfile)
{
	struct portalmem_device *device = unit_open_memfd();

	unit_limit_fds(0);
	assert_refused(device, PAGE, NULL, EMFILE);
	unit_limit_fds(-1);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(no_memory_for_the_buffer_is_enomem)
{
	struct portalmem_device *device = unit_open_portalmem();

	/* Found before the kernel is asked for anything. */
	mock_fail_calloc(1);
	assert_refused(device, PAGE, NULL, ENOMEM);
	portalmem_device_unref(device);
}
END_TEST

static const struct portalmem_ioc_alloc alloc_in = {
	.caching = PORTALMEM_WC,
	.size = 2 * 4096,
	.fd_flags = O_RDWR | O_CLOEXEC,
	.name = "camera 0",
};
static const struct portalmem_ioc_alloc alloc_out = {
	.caching = PORTALMEM_WC,
	.size = 2 * 4096,
	.fd_flags = O_RDWR | O_CLOEXEC,
	.effective = PORTALMEM_UC,
	.segments = 2,
	.name = "camera 0",
};

#define PORTALMEM_ALLOC(errnum)                                               \
	{                                                                     \
		.request = PORTALMEM_IOC_ALLOC, .on = MOCK_NODE,              \
		.in = &alloc_in, .in_size = sizeof(alloc_in),                 \
		.out = &alloc_out, .error = (errnum), .new_buffer = 2 * 4096, \
		.new_fd_at = MOCK_AT(struct portalmem_ioc_alloc, fd),         \
	}

START_TEST(portalmem_is_asked_for_memory_in_a_place)
{
	static const struct portalmem_ioc_alloc in = {
		.flags = PORTALMEM_ALLOC_NODE,
		.size = 4096,
		.fd_flags = O_RDWR | O_CLOEXEC,
		.node = 1,
		.address_bits = 32,
	};
	static const struct mock_call calls[] = {
		{
			.request = PORTALMEM_IOC_ALLOC,
			.on = MOCK_NODE,
			.in = &in,
			.in_size = sizeof(in),
			.out = &in,
			.new_buffer = 4096,
			.new_fd_at = MOCK_AT(struct portalmem_ioc_alloc, fd),
		},
	};
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *buffer;

	options.node = 1;
	options.address_bits = 32;
	MOCK_EXPECT(calls);
	ck_assert_int_eq(
		portalmem_buffer_alloc(device, PAGE, &options, &buffer), 0);
	mock_assert_done();
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(portalmem_is_asked_for_an_alignment)
{
	static const struct portalmem_ioc_alloc in = {
		.size = 4096,
		.fd_flags = O_RDWR | O_CLOEXEC,
		.alignment = 1 << 21,
	};
	static const struct mock_call calls[] = {
		{
			.request = PORTALMEM_IOC_ALLOC,
			.on = MOCK_NODE,
			.in = &in,
			.in_size = sizeof(in),
			.out = &in,
			.new_buffer = 4096,
			.new_fd_at = MOCK_AT(struct portalmem_ioc_alloc, fd),
		},
	};
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *buffer;

	options.alignment = HUGE;
	MOCK_EXPECT(calls);
	ck_assert_int_eq(
		portalmem_buffer_alloc(device, PAGE, &options, &buffer), 0);
	mock_assert_done();
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(region_is_asked_for_its_contents)
{
	static const struct portalmem_ioc_alloc in = {
		.flags = PORTALMEM_ALLOC_ADOPT,
		.size = 4096,
		.fd_flags = O_RDWR | O_CLOEXEC,
		.region_offset = (uint64_t)3 << 32,
	};
	static const struct mock_call calls[] = {
		{
			.request = PORTALMEM_IOC_ALLOC,
			.on = MOCK_NODE,
			.in = &in,
			.in_size = sizeof(in),
			.out = &in,
			.new_buffer = 4096,
			.new_fd_at = MOCK_AT(struct portalmem_ioc_alloc, fd),
		},
	};
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *buffer;

	options.adopt = 1;
	options.region_offset = (uint64_t)3 << 32;
	MOCK_EXPECT(calls);
	ck_assert_int_eq(
		portalmem_buffer_alloc(device, PAGE, &options, &buffer), 0);
	mock_assert_done();
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(portalmem_is_asked_for_what_was_wanted)
{
	static const struct mock_call calls[] = {
		PORTALMEM_ALLOC(EINTR),
		PORTALMEM_ALLOC(0),
	};
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *buffer;

	MOCK_EXPECT(calls);
	buffer =
		alloc_named(device, PAGE + 1, "camera 0", PORTALMEM_CACHING_WC);
	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), 2 * PAGE);
	/* What was got, not what was asked for. */
	ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
			 PORTALMEM_CACHING_UC);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

static const struct portalmem_ioc_alloc strange_out = {
	.size = 2 * 4096,
	.effective = 9,
};

START_TEST(caching_of_a_newer_module_is_unknown)
{
	struct mock_call calls[] = {PORTALMEM_ALLOC(0)};
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *buffer;

	calls[0].out = &strange_out;
	MOCK_EXPECT(calls);
	buffer =
		alloc_named(device, 2 * PAGE, "camera 0", PORTALMEM_CACHING_WC);
	ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
			 PORTALMEM_CACHING_UNKNOWN);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

/* test-explain has those about which the library asks further. */
static const int node_errors[] = {EMFILE, ENFILE, EINVAL, EFAULT};

START_TEST(error_of_the_portalmem_node_is_passed_on)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	const struct mock_call calls[] = {PORTALMEM_ALLOC(node_errors[_i])};
	struct portalmem_device *device = unit_open_portalmem();

	options.caching = PORTALMEM_CACHING_WC;
	options.name = "camera 0";
	MOCK_EXPECT(calls);
	assert_refused(device, 2 * PAGE, &options, node_errors[_i]);
	unit_assert_message_has("/dev/portalmem");
	unit_assert_message_has("8192 bytes");
	unit_assert_message_has(strerror(node_errors[_i]));
	portalmem_device_unref(device);
}
END_TEST

static const struct dma_heap_allocation_data heap_in = {
	.len = 4096,
	.fd_flags = O_RDWR | O_CLOEXEC,
};

#define HEAP_ALLOC(errnum)                                                     \
	{                                                                      \
		.request = DMA_HEAP_IOCTL_ALLOC, .on = MOCK_NODE,              \
		.in = &heap_in, .in_size = sizeof(heap_in), .error = (errnum), \
		.new_buffer = 4096,                                            \
		.new_fd_at = MOCK_AT(struct dma_heap_allocation_data, fd),     \
	}
#define SET_NAME(text, errnum)                                  \
	{                                                       \
		.request = DMA_BUF_SET_NAME, .on = MOCK_BUFFER, \
		.in_text = (text), .error = (errnum),           \
	}

START_TEST(heap_is_asked_and_the_buffer_named)
{
	static const struct mock_call calls[] = {
		HEAP_ALLOC(0),
		SET_NAME("frame", 0),
	};
	struct portalmem_device *device =
		unit_open_heap("/dev/dma_heap/system");
	struct portalmem_buffer *buffer;

	MOCK_EXPECT(calls);
	buffer = alloc_named(device, 1, "frame", PORTALMEM_CACHING_CACHED);
	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), PAGE);
	ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
			 PORTALMEM_CACHING_CACHED);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(heap_buffer_without_a_name_is_not_named)
{
	static const struct mock_call calls[] = {HEAP_ALLOC(0)};
	struct portalmem_device *device =
		unit_open_heap("/dev/dma_heap/system");

	MOCK_EXPECT(calls);
	portalmem_buffer_unref(
		alloc_named(device, PAGE, "", PORTALMEM_CACHING_DEFAULT));
	portalmem_device_unref(device);
}
END_TEST

START_TEST(heap_buffer_that_cannot_be_named_is_given_back)
{
	static const struct mock_call calls[] = {
		HEAP_ALLOC(0),
		SET_NAME("frame", ENOMEM),
	};
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device =
		unit_open_heap("/dev/dma_heap/system");

	options.name = "frame";
	MOCK_EXPECT(calls);
	assert_refused(device, PAGE, &options, ENOMEM);
	portalmem_device_unref(device);
}
END_TEST

static const int heap_errors[] = {ENOMEM, EMFILE, ENFILE, EOPNOTSUPP, EINVAL};

START_TEST(error_of_a_heap_is_passed_on)
{
	const struct mock_call calls[] = {HEAP_ALLOC(heap_errors[_i])};
	struct portalmem_device *device =
		unit_open_heap("/dev/dma_heap/system");

	MOCK_EXPECT(calls);
	assert_refused(device, PAGE, NULL, heap_errors[_i]);
	unit_assert_message_has("/dev/dma_heap/system");
	portalmem_device_unref(device);
}
END_TEST

START_TEST(caching_of_another_heap_is_unknown)
{
	static const struct mock_call calls[] = {HEAP_ALLOC(0)};
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device =
		unit_open_heap("/dev/dma_heap/system-uncached");
	struct portalmem_buffer *buffer;

	MOCK_EXPECT(calls);
	buffer = alloc_named(device, PAGE, NULL, PORTALMEM_CACHING_DEFAULT);
	ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
			 PORTALMEM_CACHING_UNKNOWN);
	/* And so a caller who needs it cached is not told that it is. */
	options.caching = PORTALMEM_CACHING_CACHED;
	assert_refused(device, PAGE, &options, EOPNOTSUPP);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

static const struct udmabuf_create udmabuf_in = {
	.flags = UDMABUF_FLAGS_CLOEXEC,
	.size = 4096,
};

#define UDMABUF_ALLOC(errnum)                                                  \
	{                                                                      \
		.request = UDMABUF_CREATE, .on = MOCK_NODE, .in = &udmabuf_in, \
		.in_size = sizeof(udmabuf_in),                                 \
		.in_fd_at = MOCK_AT(struct udmabuf_create, memfd),             \
		.in_fd_is = MOCK_MEMFD, .error = (errnum), .new_buffer = 4096, \
	}

START_TEST(udmabuf_gets_a_sealed_memfd_and_the_buffer_is_named)
{
	static const struct mock_call calls[] = {
		UDMABUF_ALLOC(EINTR),
		UDMABUF_ALLOC(0),
		SET_NAME("frame", 0),
	};
	struct portalmem_device *device = open_udmabuf();
	struct portalmem_buffer *buffer;

	MOCK_EXPECT(calls);
	buffer = alloc_named(device, 4000, "frame", PORTALMEM_CACHING_CACHED);
	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), PAGE);
	ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
			 PORTALMEM_CACHING_CACHED);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(udmabuf_without_a_name_is_not_named)
{
	static const struct mock_call calls[] = {UDMABUF_ALLOC(0)};
	struct portalmem_device *device = open_udmabuf();

	MOCK_EXPECT(calls);
	portalmem_buffer_unref(
		alloc_named(device, PAGE, NULL, PORTALMEM_CACHING_DEFAULT));
	portalmem_device_unref(device);
}
END_TEST

START_TEST(udmabuf_that_cannot_be_named_is_given_back)
{
	static const struct mock_call calls[] = {
		UDMABUF_ALLOC(0),
		SET_NAME("frame", ENOMEM),
	};
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = open_udmabuf();

	options.name = "frame";
	MOCK_EXPECT(calls);
	assert_refused(device, PAGE, &options, ENOMEM);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(limit_of_udmabuf_is_enomem)
{
	static const struct mock_call calls[] = {UDMABUF_ALLOC(EINVAL)};
	struct portalmem_device *device = open_udmabuf();

	MOCK_EXPECT(calls);
	assert_refused(device, PAGE, NULL, ENOMEM);
	unit_assert_message_has("size_limit_mb");
	portalmem_device_unref(device);
}
END_TEST

START_TEST(error_of_udmabuf_is_passed_on)
{
	static const struct mock_call calls[] = {UDMABUF_ALLOC(EMFILE)};
	struct portalmem_device *device = open_udmabuf();

	MOCK_EXPECT(calls);
	assert_refused(device, PAGE, NULL, EMFILE);
	unit_assert_message_has("/dev/udmabuf");
	portalmem_device_unref(device);
}
END_TEST

START_TEST(udmabuf_without_memfd_is_passed_on)
{
	struct portalmem_device *device = open_udmabuf();

	mock_expect(NULL, 0);
	unit_limit_fds(0);
	assert_refused(device, PAGE, NULL, EMFILE);
	unit_limit_fds(-1);
	portalmem_device_unref(device);
}
END_TEST

static Suite *alloc_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("alloc", &tc);

	tcase_add_test(tc, buffer_is_zero_and_has_whole_pages);
	tcase_add_test(tc, memfd_is_sealed_closed_on_exec_and_has_its_memory);
	tcase_add_test(tc, memfd_allocation_survives_a_signal);
	tcase_add_test(tc, memory_that_is_used_up_is_enomem);
	tcase_add_test(tc, old_kernel_refuses_only_the_newest_memfd_flag);
	tcase_add_test(tc, buffer_outlives_its_device_s_last_reference);
	tcase_add_test(tc, last_reference_closes_the_buffer);
	tcase_add_test(tc, size_zero_is_einval);
	tcase_add_loop_test(tc, more_than_the_machine_has_is_enomem, 0,
			    COUNT(too_large));
	tcase_add_test(tc, more_than_is_available_is_enomem);
	tcase_add_loop_test(tc, unknown_caching_is_einval, 0,
			    COUNT(no_caching));
	tcase_add_loop_test(tc, place_that_cannot_be_is_einval, 0,
			    COUNT(bad_places));
	tcase_add_loop_test(tc, place_is_eopnotsupp_on_other_backends, 0,
			    COUNT(places));
	tcase_add_loop_test(tc, bad_name_is_einval, 0, COUNT(bad_names));
	tcase_add_loop_test(tc, options_that_were_not_initialized_are_einval, 0,
			    COUNT(bad_sizes));
	tcase_add_test(tc, null_arguments_are_einval);
	tcase_add_test(tc, null_buffer_is_harmless);
	tcase_add_loop_test(tc, uncached_is_eopnotsupp_on_other_backends, 0,
			    COUNT(uncached));
	tcase_add_test(tc, no_descriptor_left_is_emfile);
	unit_add_shortage_test(tc, no_memory_for_the_buffer_is_enomem);
	tcase_add_test(tc, portalmem_is_asked_for_what_was_wanted);
	tcase_add_test(tc, portalmem_is_asked_for_memory_in_a_place);
	tcase_add_test(tc, portalmem_is_asked_for_an_alignment);
	tcase_add_test(tc, region_is_asked_for_its_contents);
	tcase_add_test(tc, caching_of_a_newer_module_is_unknown);
	tcase_add_loop_test(tc, error_of_the_portalmem_node_is_passed_on, 0,
			    COUNT(node_errors));
	tcase_add_test(tc, heap_is_asked_and_the_buffer_named);
	tcase_add_test(tc, heap_buffer_without_a_name_is_not_named);
	tcase_add_test(tc, heap_buffer_that_cannot_be_named_is_given_back);
	tcase_add_loop_test(tc, error_of_a_heap_is_passed_on, 0,
			    COUNT(heap_errors));
	tcase_add_test(tc, caching_of_another_heap_is_unknown);
	tcase_add_test(tc, udmabuf_gets_a_sealed_memfd_and_the_buffer_is_named);
	tcase_add_test(tc, udmabuf_without_a_name_is_not_named);
	tcase_add_test(tc, udmabuf_that_cannot_be_named_is_given_back);
	tcase_add_test(tc, limit_of_udmabuf_is_enomem);
	tcase_add_test(tc, error_of_udmabuf_is_passed_on);
	tcase_add_test(tc, udmabuf_without_memfd_is_passed_on);
	return suite;
}

PMTEST_MAIN(alloc_suite)
