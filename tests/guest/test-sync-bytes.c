// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vm: --mem 704 --append swiotlb=65536,force
 * quick: 6.12 6.12-arm64
 *
 * What cache maintenance does, shown by bytes. On this machine each device
 * works on a copy of the buffer, and a byte moves between the two only when it
 * is synced: one sync too few shows as old bytes, one too many as new ones. A
 * model of the buffer and of each device's copy says what has to be where.
 *
 * The copies of two mappings of 12,000 pages take 96 MiB, of 128 MiB for all.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "attachment.h"
#include "fragment.h"
#include "guest.h"
#include "soft-device.h"

#define PAGE 4096
#define DEVICES 2
#define MANY 10000

#define READS PM_DEVICE_READS
#define WRITES PM_DEVICE_WRITES

/* As the flags of a sync. */
#define START DMA_BUF_SYNC_START
#define END DMA_BUF_SYNC_END
#define READ DMA_BUF_SYNC_READ
#define WRITE DMA_BUF_SYNC_WRITE

typedef struct portalmem_ioc_range range;

/* A device's copy of the buffer, and what should be in it. */
struct copy {
	int device;
	uint32_t direction;
	char *expected;
	/* Made by PORTALMEM_IOC_ATTACH, else -1 and the device's own. */
	int attachment;
	struct portalmem_ioc_dma_segment *segments;
	uint32_t count;
};

/* The buffer under test, made before the tests are, as long as they run. */
static int buffer;
static size_t size;

/* Are devices attached by user space, not by their drivers? */
static int by_user;

/* Its state in the running test. */
static char *map;
static char *expected;
static struct copy copies[DEVICES];
static int copies_count;
static char *scratch;

/* Contents that differ from those of any other tag in every byte. */
static void fill(char *to, size_t length, uint32_t tag)
{
	guest_fill(to, length, 0);
	for (size_t i = 0; i < length / sizeof(tag); i++)
		((uint32_t *)to)[i] ^= tag * 0x01010101u;
}

static void assert_same(const char *what, const char *is, const char *should)
{
	size_t i = 0;

	if (!memcmp(is, should, size))
		return;
	while (is[i] == should[i])
		i++;
	ck_abort_msg("%s: wrong at offset %zu", what, i);
}

static void move_segments(const struct copy *copy, char *data, int write)
{
	for (uint32_t i = 0; i < copy->count; i++) {
		const struct portalmem_ioc_dma_segment *segment =
			&copy->segments[i];
		char *part = data + segment->offset;

		if (write)
			soft_device_write_at(copy->device, segment->address,
					     part, segment->length);
		else
			soft_device_read_at(copy->device, segment->address,
					    part, segment->length);
	}
}

static void read_copy(const struct copy *copy, char *data)
{
	if (copy->attachment < 0)
		soft_device_read(copy->device, 0, data, size);
	else
		move_segments(copy, data, 0);
}

static void write_copy(const struct copy *copy, char *data)
{
	if (copy->attachment < 0)
		soft_device_write(copy->device, 0, data, size);
	else
		move_segments(copy, data, 1);
}

/* Both ends hold what they should, every byte. */
static void check_bytes(void)
{
	assert_same("the buffer", map, expected);
	for (int i = 0; i < copies_count; i++) {
		read_copy(&copies[i], scratch);
		assert_same(i ? "the second device" : "the first device",
			    scratch, copies[i].expected);
	}
}

static void *allocate(size_t length)
{
	void *memory = malloc(length);

	ck_assert_ptr_nonnull(memory);
	return memory;
}

/* Ask for more segments than there are, and for all of them. */
static void read_segments(struct copy *copy)
{
	struct portalmem_ioc_dma_segments request = {0};
	uint64_t offset = 0;

	request.count = (uint32_t)(size / PAGE);
	copy->segments = allocate(request.count * sizeof(*copy->segments));
	request.segments = (uintptr_t)copy->segments;
	ck_assert_int_eq(
		ioctl(copy->attachment, PORTALMEM_IOC_DMA_SEGMENTS, &request),
		0);
	copy->count = request.count;
	for (uint32_t i = 0; i < copy->count; i++) {
		ck_assert_uint_eq(copy->segments[i].offset, offset);
		offset += copy->segments[i].length;
	}
	ck_assert_uint_eq(offset, size);
}

static void attach_by_user(struct copy *copy, const char *name)
{
	struct portalmem_ioc_attach request =
		attachment_request(buffer, "platform", name);
	int error;

	request.direction = copy->direction;
	error = attachment_try(&request);
	ck_assert_msg(!error, "%s: %s", name, strerror(error));
	copy->attachment = request.fd;
	copy->device = soft_device_open(name);
	read_segments(copy);
}

/* Attach the next device. */
static struct copy *attach(uint32_t direction)
{
	static const char *const names[DEVICES] = {"pm_device.0",
						   "pm_device.1"};
	struct copy *copy = &copies[copies_count];

	*copy = (struct copy){.direction = direction, .attachment = -1};
	if (by_user)
		attach_by_user(copy, names[copies_count]);
	else
		copy->device = soft_device_open_with(names[copies_count],
						     buffer, direction);
	copy->expected = allocate(size);
	read_copy(copy, copy->expected);
	copies_count++;
	return copy;
}

static void detach(struct copy *copy)
{
	close(copy->device);
	if (copy->attachment >= 0)
		close(copy->attachment);
	free(copy->segments);
	free(copy->expected);
}

static void cpu_writes(uint32_t tag)
{
	fill(expected, size, tag);
	memcpy(map, expected, size);
}

static void device_writes(struct copy *copy, uint32_t tag)
{
	fill(copy->expected, size, tag);
	write_copy(copy, copy->expected);
}

static void start_test(void)
{
	map = guest_map(buffer, size);
	expected = allocate(size);
	scratch = allocate(size);
	cpu_writes(1);
	copies_count = 0;
}

static void end_test(void)
{
	for (int i = 0; i < copies_count; i++)
		detach(&copies[i]);
	free(expected);
	free(scratch);
}

/*
 * What the device writes gets to the CPU before the CPU's access, when it wants
 * to read. Where the device only writes, what the CPU is about to overwrite in
 * parts is the device's, too.
 */
static int pulls(const struct copy *copy, uint64_t flags)
{
	if (flags & END || !(copy->direction & WRITES))
		return 0;
	return copy->direction == WRITES || flags & READ;
}

/* What the CPU wrote gets to the device after the CPU's access, likewise. */
static int pushes(const struct copy *copy, uint64_t flags)
{
	if (!(flags & END) || !(copy->direction & READS))
		return 0;
	return copy->direction == READS || flags & WRITE;
}

static void expect_of(struct copy *copy, uint64_t flags, range r)
{
	char *device = copy->expected + r.offset;

	if (pulls(copy, flags))
		memcpy(expected + r.offset, device, r.length);
	if (pushes(copy, flags))
		memcpy(device, expected + r.offset, r.length);
}

static void expect_sync(uint64_t flags, range r)
{
	for (int i = 0; i < copies_count; i++)
		expect_of(&copies[i], flags, r);
}

/* On a node with a buffer, or on an attachment with -1. */
static int try_sync_of(int file, int fd, uint32_t flags, const range *ranges,
		       uint32_t count)
{
	struct portalmem_ioc_sync sync = {
		.flags = flags,
		.fd = fd,
		.ranges = (uintptr_t)ranges,
		.count = count,
	};

	return ioctl(file, PORTALMEM_IOC_SYNC, &sync) ? errno : 0;
}

static int try_sync(uint32_t flags, const range *ranges, uint32_t count)
{
	int node = guest_open(GUEST_NODE);
	int error = try_sync_of(node, buffer, flags, ranges, count);

	close(node);
	return error;
}

/* Sync ranges, and both ends are as the model says. */
static void sync_ranges(uint32_t flags, const range *ranges, uint32_t count)
{
	ck_assert_int_eq(try_sync(flags, ranges, count), 0);
	for (uint32_t i = 0; i < count; i++)
		expect_sync(flags, ranges[i]);
	check_bytes();
}

static void sync_range(uint32_t flags, uint64_t offset, uint64_t length)
{
	range r = {.offset = offset, .length = length};

	sync_ranges(flags, &r, 1);
}

/* The same for one device alone. */
static void sync_device(struct copy *copy, uint32_t flags, range r)
{
	ck_assert_int_eq(try_sync_of(copy->attachment, -1, flags, &r, 1), 0);
	expect_of(copy, flags, r);
	check_bytes();
}

START_TEST(without_sync_each_end_keeps_its_bytes)
{
	attach(READS | WRITES);
	cpu_writes(2);
	check_bytes();
	ck_assert(memcmp(expected, copies[0].expected, size));
	device_writes(&copies[0], 3);
	check_bytes();
	ck_assert(memcmp(expected, copies[0].expected, size));
}
END_TEST

/* At and across borders of pages and segments, at both ends of the buffer. */
static void sync_single_ranges(uint32_t flags)
{
	static const struct portalmem_ioc_range ranges[] = {
		{0, PAGE},
		{1, 1},
		{61, 70},
		{PAGE - 1, 2},
		{PAGE - 5, PAGE + 10},
		{3, 6 * PAGE + 17},
	};
	size_t place = size / 2 / PAGE * PAGE;

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		sync_range(flags, place + ranges[i].offset, ranges[i].length);
		place += 8 * PAGE;
	}
	sync_range(flags, 0, 1);
	sync_range(flags, size - 1, 1);
	sync_range(flags, size, 0);
	sync_range(flags, 3, size - 5);
}

START_TEST(sync_of_a_range_moves_these_bytes_to_the_device)
{
	attach(_i ? READS : READS | WRITES);
	cpu_writes(2);
	sync_single_ranges(END | WRITE);
}
END_TEST

START_TEST(sync_of_a_range_moves_these_bytes_to_the_cpu)
{
	device_writes(attach(_i ? WRITES : READS | WRITES), 2);
	sync_single_ranges(START | READ);
}
END_TEST

START_TEST(ranges_overlap_and_come_in_any_order)
{
	const range ranges[] = {
		{size - 3 * PAGE, 2 * PAGE},
		{100, 0},
		{7 * PAGE + 5, 3 * PAGE},
		{8 * PAGE, 17},
		{6 * PAGE, 2 * PAGE + 9},
		{7 * PAGE + 5, 3 * PAGE},
		{0, 33},
		{33, 11},
	};
	uint32_t count = sizeof(ranges) / sizeof(ranges[0]);

	attach(READS | WRITES);
	cpu_writes(2);
	sync_ranges(END | WRITE, ranges, count);
	device_writes(&copies[0], 3);
	sync_ranges(START | READ, ranges, count);
}
END_TEST

static void refuse_in_a_batch(range bad)
{
	const range ranges[] = {{0, PAGE}, bad, {PAGE, PAGE}};

	ck_assert_int_eq(try_sync(END | WRITE, ranges, 3), ERANGE);
	ck_assert_int_eq(try_sync(START | READ, ranges, 3), ERANGE);
}

START_TEST(range_outside_the_buffer_is_refused_before_a_byte_moves)
{
	attach(READS | WRITES);
	cpu_writes(2);
	refuse_in_a_batch((range){0, size + 1});
	refuse_in_a_batch((range){size - 1, 2});
	refuse_in_a_batch((range){size, 1});
	refuse_in_a_batch((range){size + 1, 0});
	refuse_in_a_batch((range){UINT64_MAX, 0});
	refuse_in_a_batch((range){0, UINT64_MAX});
	/* These wrap around. */
	refuse_in_a_batch((range){PAGE, UINT64_MAX});
	refuse_in_a_batch((range){PAGE, UINT64_MAX - PAGE + 1});
	refuse_in_a_batch((range){UINT64_MAX - PAGE + 1, 2 * PAGE});
	check_bytes();
}
END_TEST

/* As many as one call takes, each a few bytes at another place. */
static range *make_most_ranges(void)
{
	uint32_t count = PORTALMEM_SYNC_RANGES_MAX;
	range *ranges = calloc(count + 1, sizeof(*ranges));
	uint64_t step = size / count;

	ck_assert_ptr_nonnull(ranges);
	ck_assert_uint_gt(step, 1);
	for (uint32_t i = 0; i < count; i++)
		ranges[i] = (range){i * step, 1 + i % (step - 1)};
	return ranges;
}

START_TEST(one_call_takes_thousands_of_ranges)
{
	uint32_t count = PORTALMEM_SYNC_RANGES_MAX;
	range *ranges = make_most_ranges();

	attach(READS | WRITES);
	cpu_writes(2);
	sync_ranges(END | WRITE, ranges, count);
	cpu_writes(3);
	ck_assert_int_eq(try_sync(END | WRITE, ranges, count + 1), EINVAL);
	check_bytes();
	device_writes(&copies[0], 4);
	ck_assert_int_eq(try_sync(START | READ, ranges, count + 1), EINVAL);
	check_bytes();
	sync_ranges(START | READ, ranges, count);
	/* None at all is fine, too. */
	device_writes(&copies[0], 5);
	sync_ranges(START | READ, NULL, 0);
	free(ranges);
}
END_TEST

static void sync_all(uint64_t flags)
{
	struct dma_buf_sync sync = {.flags = flags};

	ck_assert_int_eq(ioctl(buffer, DMA_BUF_IOCTL_SYNC, &sync), 0);
	expect_sync(flags, (range){0, size});
	check_bytes();
}

START_TEST(sync_ioctl_of_dma_bufs_moves_the_whole_buffer)
{
	attach(READS | WRITES);
	cpu_writes(2);
	sync_all(END | WRITE);
	ck_assert_mem_eq(copies[0].expected, expected, size);
	device_writes(&copies[0], 3);
	sync_all(START | READ);
	ck_assert_mem_eq(copies[0].expected, expected, size);
}
END_TEST

static const uint32_t directions[] = {READS, WRITES, READS | WRITES};
static const uint32_t accesses[] = {READ, WRITE, READ | WRITE};

#define DIRECTIONS 3
#define ACCESSES 3

/*
 * Whatever is synced for: what a device only reads never comes from it, and
 * what it only writes never gets there.
 */
START_TEST(bytes_move_only_as_device_and_caller_say)
{
	uint32_t access = accesses[_i % ACCESSES];

	attach(directions[_i / ACCESSES]);
	cpu_writes(2);
	device_writes(&copies[0], 3);
	sync_range(START | access, 2 * PAGE - 7, PAGE);
	sync_range(END | access, 4 * PAGE - 7, PAGE);
	sync_all(START | access);
	cpu_writes(4);
	sync_all(END | access);
}
END_TEST

START_TEST(sync_reaches_every_attached_device)
{
	attach(directions[_i / DIRECTIONS]);
	attach(directions[_i % DIRECTIONS]);
	cpu_writes(2);
	sync_range(END | WRITE, 5 * PAGE + 100, 2 * PAGE);
	/* Two that write the same bytes would race. */
	for (int i = 0; i < DEVICES; i++)
		if (copies[i].direction == WRITES ||
		    copies[!i].direction == READS)
			device_writes(&copies[i], 3 + i);
	if (copies[0].direction == READS || copies[1].direction == READS)
		sync_range(START | READ, 3 * PAGE + 100, 3 * PAGE);
}
END_TEST

START_TEST(device_that_left_leaves_the_other_in_sync)
{
	int stays = _i;

	attach(READS);
	attach(READS);
	detach(&copies[!stays]);
	copies[0] = copies[stays];
	copies_count = 1;
	cpu_writes(2);
	sync_range(END | WRITE, PAGE / 2, 7 * PAGE);
}
END_TEST

START_TEST(own_sync_of_an_attachment_is_for_its_device_alone)
{
	struct copy *first, *second;

	by_user = 1;
	first = attach(READS | WRITES);
	second = attach(READS | WRITES);
	cpu_writes(2);
	device_writes(first, 3);
	device_writes(second, 4);
	sync_device(second, START | READ, (range){PAGE - 9, 3 * PAGE});
	sync_device(first, END | WRITE, (range){2 * PAGE - 9, 3 * PAGE});
	sync_device(first, START | READ, (range){7 * PAGE, 2});
	sync_device(second, END | WRITE, (range){0, size});
}
END_TEST

/* Longer than one bounce buffer. */
static void make_one_segment(uint32_t caching)
{
	soft_device_load();
	size = KIB(512);
	buffer = guest_alloc(size, caching);
	ck_assert_uint_eq(guest_info(buffer).segments, 1);
}

static void make_cached(void)
{
	make_one_segment(PORTALMEM_CACHED);
}

static void make_cached_for_user(void)
{
	make_one_segment(PORTALMEM_CACHED);
	by_user = 1;
}

static void make_many_segments(void)
{
	soft_device_load();
	fragment_into_pages();
	size = (size_t)MANY * PAGE * 9 / 8;
	buffer = fragment_alloc(size, MANY);
	fragment_mend();
}

static void close_buffer(void)
{
	close(buffer);
	by_user = 0;
}

static TCase *bytes_tcase(const char *name, void (*make)(void))
{
	TCase *tcase = guest_tcase(name);

	tcase_add_unchecked_fixture(tcase, make, close_buffer);
	tcase_add_checked_fixture(tcase, start_test, end_test);
	tcase_add_test(tcase, without_sync_each_end_keeps_its_bytes);
	tcase_add_loop_test(
		tcase, sync_of_a_range_moves_these_bytes_to_the_device, 0, 2);
	tcase_add_loop_test(tcase, sync_of_a_range_moves_these_bytes_to_the_cpu,
			    0, 2);
	tcase_add_test(tcase, ranges_overlap_and_come_in_any_order);
	tcase_add_test(tcase,
		       range_outside_the_buffer_is_refused_before_a_byte_moves);
	tcase_add_test(tcase, one_call_takes_thousands_of_ranges);
	tcase_add_test(tcase, sync_ioctl_of_dma_bufs_moves_the_whole_buffer);
	tcase_add_loop_test(tcase, bytes_move_only_as_device_and_caller_say, 0,
			    DIRECTIONS * ACCESSES);
	tcase_add_loop_test(tcase, sync_reaches_every_attached_device, 0,
			    DIRECTIONS * DIRECTIONS);
	tcase_add_loop_test(tcase, device_that_left_leaves_the_other_in_sync, 0,
			    DEVICES);
	return tcase;
}

/* The same, and what only user space can do. */
static TCase *user_tcase(const char *name, void (*make)(void))
{
	TCase *tcase = bytes_tcase(name, make);

	tcase_add_test(tcase,
		       own_sync_of_an_attachment_is_for_its_device_alone);
	return tcase;
}

/* What has to do with the number of segments; it moves 40 MiB at a time. */
static TCase *many_tcase(void)
{
	TCase *tcase = guest_tcase("10,000 segments");

	tcase_add_unchecked_fixture(tcase, make_many_segments, close_buffer);
	tcase_add_checked_fixture(tcase, start_test, end_test);
	tcase_add_test(tcase, without_sync_each_end_keeps_its_bytes);
	tcase_add_loop_test(
		tcase, sync_of_a_range_moves_these_bytes_to_the_device, 0, 1);
	tcase_add_loop_test(tcase, sync_of_a_range_moves_these_bytes_to_the_cpu,
			    0, 1);
	tcase_add_test(tcase, ranges_overlap_and_come_in_any_order);
	tcase_add_test(tcase, one_call_takes_thousands_of_ranges);
	tcase_add_test(tcase, sync_ioctl_of_dma_bufs_moves_the_whole_buffer);
	tcase_add_test(tcase,
		       own_sync_of_an_attachment_is_for_its_device_alone);
	return tcase;
}

#ifdef __x86_64__

static void make_write_combined(void)
{
	make_one_segment(PORTALMEM_WC);
}

static void make_write_combined_for_user(void)
{
	make_one_segment(PORTALMEM_WC);
	by_user = 1;
}

static void add_write_combined(Suite *suite)
{
	suite_add_tcase(suite,
			bytes_tcase("write-combined", make_write_combined));
	suite_add_tcase(suite,
			user_tcase("write-combined, attached by user space",
				   make_write_combined_for_user));
}

#else

/* Caches cannot be flushed for a mode without them: what is flushed is a copy. */
START_TEST(write_combining_cannot_be_had_where_all_devices_bounce)
{
	struct portalmem_ioc_alloc request =
		guest_request(KIB(64), PORTALMEM_WC);

	ck_assert_int_eq(guest_try(GUEST_NODE, &request), EOPNOTSUPP);
}
END_TEST

static void add_write_combined(Suite *suite)
{
	TCase *tcase = guest_tcase("write-combined");

	tcase_add_test(tcase,
		       write_combining_cannot_be_had_where_all_devices_bounce);
	suite_add_tcase(suite, tcase);
}

#endif

static Suite *suite(void)
{
	Suite *suite = suite_create("sync by bytes");

	suite_add_tcase(suite, bytes_tcase("cached", make_cached));
	suite_add_tcase(suite, user_tcase("cached, attached by user space",
					  make_cached_for_user));
	add_write_combined(suite);
	suite_add_tcase(suite, many_tcase());
	return suite;
}

PMTEST_MAIN(suite)
