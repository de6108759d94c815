// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a sync costs, on a machine whose clock counts instructions. The script
 * sync-cost-bounced.sh says when it is one where all devices work on copies.
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
#include <time.h>
#include <unistd.h>

#include "fragment.h"
#include "guest.h"
#include "soft-device.h"

#define PAGE 4096

#define READS PM_DEVICE_READS
#define WRITES PM_DEVICE_WRITES

#define PART KIB(64)
#define LARGE MIB(1024)

/* Of all that is done in a call that syncs nothing. */
#define SAME 1.1

/* Any part of a buffer is found, and its pieces are gone through, in this. */
#define MOST 1.3

static const uint32_t accesses[] = {
	DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE,
	DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ,
};

#define ACCESSES 2

/*
 * 64 KiB in one segment and in 16, and 1 GiB in single pages; they live as long
 * as the tests run.
 */
static int whole, pieces, large;

static int node;

/* A buffer of single pages, but for a few that are neighbours by chance. */
static int make_large(void)
{
	char *memory = fragment_scatter(LARGE);
	int fd = guest_import(memory, LARGE, O_RDWR);

	ck_assert_uint_ge(guest_info(fd).segments, LARGE / PAGE - 256);
	ck_assert_int_eq(munmap(memory, LARGE), 0);
	return fd;
}

/* A small one without any such. */
static int make_pieces(void)
{
	char *memory = fragment_scatter(MIB(1));
	int fd = -1;

	for (size_t i = 0; i < MIB(1); i += PART) {
		fd = guest_import(memory + i, PART, O_RDWR);
		if (guest_info(fd).segments == PART / PAGE)
			break;
		close(fd);
		fd = -1;
	}
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(munmap(memory, MIB(1)), 0);
	return fd;
}

static void make_buffers(void)
{
	soft_device_load();
	node = guest_open(GUEST_NODE);
	whole = guest_alloc(PART, PORTALMEM_CACHED);
	ck_assert_uint_eq(guest_info(whole).segments, 1);
	pieces = make_pieces();
	large = make_large();
}

static void close_buffers(void)
{
	close(whole);
	close(pieces);
	close(large);
	close(node);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* The instructions of a sync, without what interrupts it now and then. */
static uint64_t count(int buffer, uint32_t flags, uint64_t offset,
		      uint64_t length)
{
	struct portalmem_ioc_range range = {offset, length};
	struct portalmem_ioc_sync sync = {
		.flags = flags,
		.fd = buffer,
		.ranges = (uintptr_t)&range,
		.count = 1,
	};
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 20; i++) {
		uint64_t time = now();

		ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SYNC, &sync), 0);
		time = now() - time;
		if (time < least)
			least = time;
	}
	return least;
}

static void assert_at_most(const char *what, uint64_t cost, uint64_t base,
			   double most)
{
	double ratio = (double)cost / (double)base;

	printf("# %s: %llu to %llu: %.3f\n", what, (unsigned long long)cost,
	       (unsigned long long)base, ratio);
	fflush(stdout);
	ck_assert_double_le(ratio, most);
}

/* 64 KiB inside of 1 GiB against 64 KiB that are all of a buffer. */
static void compare_costs(uint32_t flags)
{
	static const uint64_t places[] = {0, LARGE / 2 + PAGE, LARGE - PART};
	uint64_t in_pieces = count(pieces, flags, 0, PART);
	uint64_t in_one = count(whole, flags, 0, PART);

	for (int i = 0; i < 3; i++) {
		uint64_t part = count(large, flags, places[i], PART);

		assert_at_most("part to 16 segments", part, in_pieces, MOST);
		assert_at_most("part to 1 segment", part, in_one, MOST);
	}
}

START_TEST(part_of_a_large_buffer_costs_what_a_small_buffer_does)
{
	compare_costs(accesses[_i]);
}
END_TEST

START_TEST(part_of_a_large_mapped_buffer_costs_what_a_small_buffer_does)
{
	soft_device_open_with("pm_device.0", whole, READS | WRITES);
	soft_device_open_with("pm_device.0", pieces, READS | WRITES);
	soft_device_open_with("pm_device.0", large, READS | WRITES);
	compare_costs(accesses[_i]);
}
END_TEST

/* A device that sees the CPU's caches. */
#ifdef __x86_64__
#define COHERENT "pm_device.0"
#else
#define COHERENT "0000:00:01.0" /* what it has the host's files from */
#endif

static void assert_costs_nothing(int buffer, size_t size)
{
	for (int i = 0; i < ACCESSES; i++)
		assert_at_most("whole to nothing",
			       count(buffer, accesses[i], 0, size),
			       count(buffer, accesses[i], 0, 0), SAME);
}

START_TEST(large_buffer_is_not_gone_through_for_a_coherent_device)
{
	soft_device_open_with(COHERENT, large, READS | WRITES);
	assert_costs_nothing(large, LARGE);
}
END_TEST

START_TEST(write_combined_buffer_is_not_gone_through)
{
	int buffer = guest_alloc(MIB(64), PORTALMEM_WC);
	int device;

	assert_costs_nothing(buffer, MIB(64));
	device = soft_device_open_with("pm_device.0", buffer, READS | WRITES);
	assert_costs_nothing(buffer, MIB(64));
	close(device);
	close(buffer);
}
END_TEST

static void add_free_syncs(TCase *tcase)
{
	tcase_add_test(tcase,
		       large_buffer_is_not_gone_through_for_a_coherent_device);
	tcase_add_test(tcase, write_combined_buffer_is_not_gone_through);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("sync cost");
	TCase *tcase = guest_tcase("sync cost");

	tcase_add_unchecked_fixture(tcase, make_buffers, close_buffers);
	tcase_add_loop_test(
		tcase, part_of_a_large_buffer_costs_what_a_small_buffer_does, 0,
		ACCESSES);
	tcase_add_loop_test(
		tcase,
		part_of_a_large_mapped_buffer_costs_what_a_small_buffer_does, 0,
		ACCESSES);
	if (!getenv("PORTALMEM_TEST_BOUNCES"))
		add_free_syncs(tcase);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
