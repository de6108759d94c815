// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A DMA engine moves bytes between buffers. The machine has two engines, by
 * engine.dts: one that is not coherent, and one that is.
 */
#include <config.h>

#include <errno.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attachment.h"
#include "guest.h"
#include "kmod/pm_engine.h"
#include "maintenance.h"

/* What cannot be had in one piece ends in single pages, which are scattered. */
#define SIZE (KIB(256) + KIB(28))

/* Where the engines see the memory that the CPU sees at 0. */
#define BUS_OFFSET 0xc0000000u

static const struct {
	const char *device;
	int coherent;
} engines[] = {
	{"3f007000.dma-controller", 0},
	{"3f007800.dma-controller", 1},
};

static const struct {
	uint32_t source;
	uint32_t target;
} cachings[] = {
	{PORTALMEM_CACHED, PORTALMEM_CACHED},
	{PORTALMEM_CACHED, PORTALMEM_WC},
	{PORTALMEM_WC, PORTALMEM_CACHED},
	{PORTALMEM_WC, PORTALMEM_WC},
};

#define ENGINES ((int)(sizeof(engines) / sizeof(engines[0])))
#define CACHINGS ((int)(sizeof(cachings) / sizeof(cachings[0])))

/* Two buffers that an engine has mapped. */
struct pair {
	int engine;
	int source;
	int target;
	char *from;
	char *to;
};

static int alloc_scattered(uint32_t caching)
{
	int fd = guest_alloc_scattered(SIZE, caching, 64);

	ck_assert_uint_gt(guest_info(fd).segments, 2);
	return fd;
}

static struct pair set_up(int engine, uint32_t source, uint32_t target)
{
	struct pm_engine_setup setup;
	struct pair pair = {
		.engine = guest_open("/dev/pm_engine"),
		.source = alloc_scattered(source),
		.target = alloc_scattered(target),
	};

	pair.from = guest_map(pair.source, SIZE);
	pair.to = guest_map(pair.target, SIZE);
	guest_fill(pair.from, SIZE, 1);
	guest_fill(pair.to, SIZE, 2);
	setup.source = pair.source;
	setup.target = pair.target;
	snprintf(setup.device, sizeof(setup.device), "%s",
		 engines[engine].device);
	ck_assert_msg(!ioctl(pair.engine, PM_ENGINE_IOC_SETUP, &setup),
		      "%s: %s", setup.device, strerror(errno));
	return pair;
}

static void tear_down(const struct pair *pair)
{
	close(pair->engine);
	munmap(pair->from, SIZE);
	munmap(pair->to, SIZE);
	close(pair->source);
	close(pair->target);
}

static void sync_range(int fd, uint64_t offset, uint64_t length, uint32_t flags)
{
	struct portalmem_ioc_range range = {offset, length};
	struct portalmem_ioc_sync sync = {
		.flags = flags,
		.fd = fd,
		.ranges = (uintptr_t)&range,
		.count = 1,
	};
	int node = guest_open(GUEST_NODE);

	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SYNC, &sync), 0);
	close(node);
}

/* Copy a range with nothing but the maintenance that it needs. */
static struct pm_engine_copy copy(const struct pair *pair, uint64_t from,
				  uint64_t to, uint64_t length)
{
	struct pm_engine_copy copy = {
		.from = from,
		.to = to,
		.length = length,
	};

	sync_range(pair->source, from, length,
		   DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	sync_range(pair->target, to, length,
		   DMA_BUF_SYNC_END | DMA_BUF_SYNC_READ);
	ck_assert_msg(!ioctl(pair->engine, PM_ENGINE_IOC_COPY, &copy),
		      "copying: %s", strerror(errno));
	sync_range(pair->target, to, length,
		   DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	return copy;
}

START_TEST(engine_copies_scattered_buffers_of_any_caching)
{
	struct pair pair = set_up(_i / CACHINGS, cachings[_i % CACHINGS].source,
				  cachings[_i % CACHINGS].target);
	struct pm_engine_copy done = copy(&pair, 0, 0, SIZE);

	ck_assert_uint_ge(done.transfers, guest_info(pair.source).segments);
	ck_assert_uint_ge(done.transfers, guest_info(pair.target).segments);
	guest_assert_filled(pair.from, SIZE, 1);
	guest_assert_filled(pair.to, SIZE, 1);
	tear_down(&pair);
}
END_TEST

/* Neither end of the range is at a page's, nor in both buffers alike. */
START_TEST(engine_copies_a_range_across_segments_and_nothing_beside_it)
{
	const size_t from = KIB(192) + 1028, to = KIB(128) + 4,
		     length = KIB(80) + 16;
	struct pair pair = set_up(_i, PORTALMEM_CACHED, PORTALMEM_CACHED);
	static char expected[SIZE];
	struct pm_engine_copy done;

	memcpy(expected, pair.to, SIZE);
	memcpy(expected + to, pair.from + from, length);
	done = copy(&pair, from, to, length);
	ck_assert_uint_gt(done.transfers, 2);
	guest_assert_filled(pair.from, SIZE, 1);
	ck_assert_int_eq(memcmp(pair.to, expected, SIZE), 0);
	tear_down(&pair);
}
END_TEST

START_TEST(maintenance_is_of_the_range_and_for_the_engine_that_needs_it)
{
	const uint64_t length = engines[_i].coherent ? 0 : 65536;
	struct pair pair = set_up(_i, PORTALMEM_CACHED, PORTALMEM_CACHED);

	maintenance_start();
	sync_range(pair.source, KIB(200), 65536,
		   DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE);
	ck_assert_uint_eq(maintenance_cleaned(), length);
	ck_assert_uint_eq(maintenance_invalidated(), 0);
	sync_range(pair.target, KIB(200), 65536,
		   DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ);
	ck_assert_uint_eq(maintenance_cleaned(), length);
	ck_assert_uint_eq(maintenance_invalidated(), length);
	maintenance_stop();
	tear_down(&pair);
}
END_TEST

START_TEST(write_combined_buffers_need_no_maintenance)
{
	struct pair pair = set_up(_i, PORTALMEM_WC, PORTALMEM_WC);

	maintenance_start();
	copy(&pair, 0, 0, SIZE);
	ck_assert_uint_eq(maintenance_cleaned(), 0);
	ck_assert_uint_eq(maintenance_invalidated(), 0);
	maintenance_stop();
	tear_down(&pair);
}
END_TEST

/* Where this board's devices see memory is not where the CPU does. */
START_TEST(attachment_tells_what_the_engine_must_be_given)
{
	int buffer = alloc_scattered(PORTALMEM_CACHED);
	int attachment =
		attachment_open(buffer, "platform", engines[_i].device);
	struct portalmem_ioc_attachment info = attachment_info(attachment);
	struct portalmem_ioc_segment segments[128];
	struct portalmem_ioc_dma_segment dma[128];
	unsigned int count = guest_segments(buffer, segments, 128);

	ck_assert_uint_eq(info.address_bits, 32);
	ck_assert_int_eq(!(info.features & PORTALMEM_ATTACHMENT_NEEDS_SYNC),
			 engines[_i].coherent);
	/* Nothing translates here but that offset. */
	ck_assert_uint_eq(attachment_segments(attachment, dma, 128), count);
	for (unsigned int i = 0; i < count; i++) {
		ck_assert_uint_eq(dma[i].length, segments[i].length);
		ck_assert_uint_eq(dma[i].address,
				  segments[i].physical + BUS_OFFSET);
	}
	close(attachment);
	close(buffer);
}
END_TEST

static void load_module(void)
{
	guest_load_test_module("pm_engine");
}

static Suite *suite(void)
{
	Suite *suite = suite_create("engine");
	TCase *tcase = guest_tcase("engine");

	tcase_add_unchecked_fixture(tcase, load_module, NULL);
	tcase_add_loop_test(tcase,
			    engine_copies_scattered_buffers_of_any_caching, 0,
			    ENGINES * CACHINGS);
	tcase_add_loop_test(
		tcase,
		engine_copies_a_range_across_segments_and_nothing_beside_it, 0,
		ENGINES);
	tcase_add_loop_test(
		tcase,
		maintenance_is_of_the_range_and_for_the_engine_that_needs_it, 0,
		ENGINES);
	tcase_add_loop_test(tcase, write_combined_buffers_need_no_maintenance,
			    0, ENGINES);
	tcase_add_loop_test(tcase,
			    attachment_tells_what_the_engine_must_be_given, 0,
			    ENGINES);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
