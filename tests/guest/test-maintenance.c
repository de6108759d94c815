// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * arch: arm64
 * vm: --append cma=0
 *
 * Which memory the kernel maintains the caches of, call by call, for devices
 * that do not see them. On x86 all do.
 *
 * The script smmu.sh names another device, which is behind an IOMMU: what that
 * sees in one piece is in many for the CPU.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attachment.h"
#include "fragment.h"
#include "guest.h"
#include "maintenance.h"
#include "soft-device.h"

#define PAGE 4096
#define SIZE MIB(16)
#define PART KIB(64)

/* Somewhere within a page, to somewhere within another. */
#define OFFSET (MIB(5) + 1234)

#define READS PM_DEVICE_READS
#define WRITES PM_DEVICE_WRITES

#define START DMA_BUF_SYNC_START
#define END DMA_BUF_SYNC_END
#define READ DMA_BUF_SYNC_READ
#define WRITE DMA_BUF_SYNC_WRITE

typedef struct portalmem_ioc_range range;

/* No buffer of the tests has more segments. */
#define MOST (SIZE / PAGE)

static int node;

/* The device that sees no caches. */
static const char *device_name = "pm_device.0";
static int has_iommu;

/* The segments of the buffer under test. */
static struct portalmem_ioc_segment *segments;
static unsigned int segments_count;

static struct maintenance_call *calls;
static struct maintenance_call *expected;

static void set_up(void)
{
	const char *name = getenv("PORTALMEM_TEST_DEVICE");

	soft_device_load();
	maintenance_start();
	if (!name)
		return;
	device_name = name;
	has_iommu = 1;
}

static void start_test(void)
{
	node = guest_open(GUEST_NODE);
	segments = calloc(MOST, sizeof(*segments));
	calls = calloc(MOST, sizeof(*calls));
	expected = calloc(MOST, sizeof(*expected));
	ck_assert(segments && calls && expected);
	maintenance_record();
	maintenance_forget();
}

static void end_test(void)
{
	free(segments);
	free(calls);
	free(expected);
	close(node);
}

static int use_buffer(int buffer)
{
	segments_count = guest_segments(buffer, segments, MOST);
	ck_assert_uint_le(segments_count, MOST);
	return buffer;
}

static int make_buffer(uint32_t caching)
{
	return use_buffer(guest_alloc(SIZE, caching));
}

/* The pages of a process, nearly each a segment. */
static int make_scattered_buffer(void)
{
	char *memory = fragment_scatter(SIZE);
	int buffer = guest_import(memory, SIZE, O_RDWR);

	ck_assert_int_eq(munmap(memory, SIZE), 0);
	use_buffer(buffer);
	ck_assert_uint_ge(segments_count, SIZE / PAGE * 15 / 16);
	return buffer;
}

/* The pieces of memory that lie in a range, in order. */
static unsigned int expect_calls(range r, int for_cpu, uint32_t direction)
{
	uint64_t end = r.offset + r.length;
	unsigned int count = 0;

	for (unsigned int i = 0; i < segments_count; i++) {
		uint64_t start = segments[i].offset;
		uint64_t stop = start + segments[i].length;
		uint64_t from = start > r.offset ? start : r.offset;
		uint64_t to = stop < end ? stop : end;

		if (from >= to)
			continue;
		ck_assert_uint_ne(segments[i].physical, 0);
		expected[count++] = (struct maintenance_call){
			.for_cpu = for_cpu,
			.direction = direction,
			.address = segments[i].physical + (from - start),
			.bytes = to - from,
		};
	}
	return count;
}

/* Segments may be maintained in parts, as bounds of the device's have it. */
static unsigned int join_neighbours(struct maintenance_call *all,
				    unsigned int count)
{
	unsigned int joined = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct maintenance_call *last = &all[joined - 1];

		if (joined && last->address + last->bytes == all[i].address &&
		    last->for_cpu == all[i].for_cpu &&
		    last->direction == all[i].direction)
			last->bytes += all[i].bytes;
		else
			all[joined++] = all[i];
	}
	return joined;
}

/* Exactly these pieces were maintained, each in one routine. */
static void assert_maintained(range r, int for_cpu, uint32_t direction)
{
	unsigned int wanted = expect_calls(r, for_cpu, direction);
	unsigned int count = maintenance_read(calls, MOST);
	uint64_t bytes = 0;

	for (unsigned int i = 0; i < count; i++)
		bytes += calls[i].bytes;
	ck_assert_uint_eq(bytes, r.length);
	wanted = join_neighbours(expected, wanted);
	count = join_neighbours(calls, count);
	ck_assert_uint_eq(count, wanted);
	for (unsigned int i = 0; i < count; i++) {
		ck_assert_int_eq(calls[i].for_cpu, expected[i].for_cpu);
		ck_assert_uint_eq(calls[i].direction, expected[i].direction);
		ck_assert_uint_eq(calls[i].address, expected[i].address);
		ck_assert_uint_eq(calls[i].bytes, expected[i].bytes);
	}
	maintenance_forget();
}

static void assert_nothing_maintained(void)
{
	ck_assert_uint_eq(maintenance_read(calls, MOST), 0);
}

static void sync_range(int file, int fd, uint32_t flags, range r)
{
	struct portalmem_ioc_sync sync = {
		.flags = flags,
		.fd = fd,
		.ranges = (uintptr_t)&r,
		.count = 1,
	};

	ck_assert_msg(!ioctl(file, PORTALMEM_IOC_SYNC, &sync), "%s",
		      strerror(errno));
}

static void sync_all(int buffer, uint64_t flags)
{
	struct dma_buf_sync sync = {.flags = flags};

	ck_assert_int_eq(ioctl(buffer, DMA_BUF_IOCTL_SYNC, &sync), 0);
}

/* Less than a page, and less than a line of a cache. */
static void check_small_ranges(int file, int fd)
{
	static const struct portalmem_ioc_range ranges[] = {
		{OFFSET, 1},	 {OFFSET, 70},	{MIB(5), 200},
		{MIB(5) - 3, 8}, {SIZE - 1, 1},
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		sync_range(file, fd, START | READ, ranges[i]);
		assert_maintained(ranges[i], 1, MAINTENANCE_FROM_DEVICE);
		sync_range(file, fd, END | READ | WRITE, ranges[i]);
		assert_maintained(ranges[i], 0, MAINTENANCE_BIDIRECTIONAL);
	}
}

/*
 * A part, before and after the CPU's access, on a node with the buffer or on an
 * attachment with -1.
 */
static void check_sync(int file, int fd)
{
	const range part = {OFFSET, PART};

	maintenance_forget();
	sync_range(file, fd, END | WRITE, part);
	assert_maintained(part, 0, MAINTENANCE_TO_DEVICE);
	sync_range(file, fd, START | READ, part);
	assert_maintained(part, 1, MAINTENANCE_FROM_DEVICE);
	sync_range(file, fd, START | READ | WRITE, part);
	assert_maintained(part, 1, MAINTENANCE_BIDIRECTIONAL);
	sync_range(file, fd, START | READ, (range){OFFSET, 0});
	assert_nothing_maintained();
	check_small_ranges(file, fd);
}

static void check_sync_of_all(int buffer)
{
	const range whole = {0, SIZE};

	maintenance_forget();
	sync_all(buffer, END | WRITE);
	assert_maintained(whole, 0, MAINTENANCE_TO_DEVICE);
	sync_all(buffer, START | READ);
	assert_maintained(whole, 1, MAINTENANCE_FROM_DEVICE);
}

START_TEST(range_is_maintained_without_a_device)
{
	int buffer = _i ? make_scattered_buffer()
			: make_buffer(PORTALMEM_CACHED);

	check_sync(node, buffer);
	check_sync_of_all(buffer);
	close(buffer);
}
END_TEST

START_TEST(range_is_maintained_for_the_device_of_a_driver)
{
	int buffer = _i ? make_scattered_buffer()
			: make_buffer(PORTALMEM_CACHED);
	int device = soft_device_open_with(device_name, buffer, READS | WRITES);

	check_sync(node, buffer);
	check_sync_of_all(buffer);
	close(device);
	close(buffer);
}
END_TEST

/* An IOMMU makes of many segments a few. */
static void assert_translated(int attachment)
{
	struct portalmem_ioc_attachment info = {0};

	ck_assert_int_eq(ioctl(attachment, PORTALMEM_IOC_ATTACHMENT, &info), 0);
	ck_assert_uint_ne(info.features & PORTALMEM_ATTACHMENT_NEEDS_SYNC, 0);
	ck_assert_int_eq(!!(info.features & PORTALMEM_ATTACHMENT_TRANSLATED),
			 has_iommu);
	if (has_iommu && segments_count > 1000)
		ck_assert_uint_lt(info.segments, 10);
}

START_TEST(range_is_maintained_for_the_device_of_user_space)
{
	int buffer = _i ? make_scattered_buffer()
			: make_buffer(PORTALMEM_CACHED);
	int attachment = attachment_open(buffer, "platform", device_name);

	assert_translated(attachment);
	check_sync(node, buffer);
	check_sync(attachment, -1);
	check_sync_of_all(buffer);
	close(attachment);
	close(buffer);
}
END_TEST

/* Nothing is invalidated that the device does not write. */
START_TEST(device_that_only_reads_costs_the_reader_nothing)
{
	int buffer = make_buffer(PORTALMEM_CACHED);
	int device = soft_device_open_with(device_name, buffer, READS);

	maintenance_forget();
	sync_all(buffer, START | READ);
	assert_nothing_maintained();
	sync_range(node, buffer, END | READ | WRITE, (range){OFFSET, PART});
	assert_maintained((range){OFFSET, PART}, 0, MAINTENANCE_TO_DEVICE);
	close(device);
	close(buffer);
}
END_TEST

/* What the guest has the host's files from: PCI is coherent on this machine. */
#define COHERENT "0000:00:01.0"

START_TEST(device_that_sees_the_caches_needs_nothing)
{
	int buffer = make_buffer(PORTALMEM_CACHED);
	int attachment, device;

	maintenance_forget();
	attachment = attachment_open(buffer, "pci", COHERENT);
	device = soft_device_open_with(COHERENT, buffer, READS | WRITES);
	sync_all(buffer, END | WRITE);
	sync_all(buffer, START | READ);
	sync_range(attachment, -1, END | READ | WRITE, (range){0, SIZE});
	close(attachment);
	close(device);
	assert_nothing_maintained();
	close(buffer);
}
END_TEST

START_TEST(write_combined_buffer_needs_nothing)
{
	int buffer = make_buffer(PORTALMEM_WC);
	int device;

	maintenance_forget();
	sync_all(buffer, END | WRITE);
	sync_all(buffer, START | READ);
	device = soft_device_open_with(device_name, buffer, READS | WRITES);
	sync_all(buffer, END | WRITE);
	sync_all(buffer, START | READ);
	sync_range(node, buffer, END | READ | WRITE, (range){OFFSET, PART});
	close(device);
	assert_nothing_maintained();
	close(buffer);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("cache maintenance");
	TCase *tcase = guest_tcase("cache maintenance");

	tcase_add_unchecked_fixture(tcase, set_up, maintenance_stop);
	tcase_add_checked_fixture(tcase, start_test, end_test);
	tcase_add_loop_test(tcase, range_is_maintained_without_a_device, 0, 2);
	tcase_add_loop_test(
		tcase, range_is_maintained_for_the_device_of_a_driver, 0, 2);
	tcase_add_loop_test(
		tcase, range_is_maintained_for_the_device_of_user_space, 0, 2);
	tcase_add_test(tcase, device_that_only_reads_costs_the_reader_nothing);
	tcase_add_test(tcase, device_that_sees_the_caches_needs_nothing);
	tcase_add_test(tcase, write_combined_buffer_needs_nothing);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
