// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Freed memory that is kept for the next allocation: clean, bounded, on loan.
 * quick: 6.12 6.1
 * races: the pool is filled, cleaned, taken from and shrunk
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "guest.h"

#define SIZE MIB(32)
#define MOST_SEGMENTS 8192

static const uint32_t pooled_modes[] = {PORTALMEM_CACHED, PORTALMEM_WC};

static uint64_t pooled(void)
{
	return guest_heap(GUEST_NODE).pooled;
}

/* Wait until the pool holds at most MOST bytes, or so many seconds. */
static uint64_t wait_for_pool(uint64_t most, double seconds)
{
	double end = guest_now() + seconds;

	while (pooled() > most && guest_now() < end)
		usleep(20000);
	return pooled();
}

/* The page frames of a buffer, a byte for each that is its. */
static void mark_frames(int fd, unsigned char *frames, size_t count)
{
	static struct portalmem_ioc_segment segments[MOST_SEGMENTS];
	unsigned int n = guest_segments(fd, segments, MOST_SEGMENTS);

	ck_assert_uint_le(n, MOST_SEGMENTS);
	memset(frames, 0, count);
	for (unsigned int i = 0; i < n; i++) {
		size_t first = segments[i].physical >> 12;
		size_t pages = segments[i].length >> 12;

		ck_assert_uint_le(first + pages, count);
		memset(frames + first, 1, pages);
	}
}

/* 8 GiB of page frames: the guest's memory and the holes in it. */
#define FRAMES (2 << 20)

static unsigned int count_common(const unsigned char *a, const unsigned char *b)
{
	unsigned int common = 0;

	for (size_t i = 0; i < FRAMES; i++)
		common += a[i] && b[i];
	return common;
}

static unsigned char first_frames[FRAMES], next_frames[FRAMES];

static void fill_and_close(int fd, size_t size)
{
	char *map = guest_map(fd, size);

	guest_fill(map, size, 7);
	munmap(map, size);
	close(fd);
}

static void assert_fresh(int fd, size_t size)
{
	char *map = guest_map(fd, size);

	guest_assert_zero(map, size);
	munmap(map, size);
}

static void reuse(uint32_t caching, unsigned int wait_us)
{
	int fd;

	guest_trim();
	fd = guest_alloc(SIZE, caching);
	mark_frames(fd, first_frames, FRAMES);
	fill_and_close(fd, SIZE);
	ck_assert_uint_eq(pooled(), SIZE);
	usleep(wait_us);

	fd = guest_alloc(SIZE, caching);
	mark_frames(fd, next_frames, FRAMES);
	/* All but the chunk that is being cleaned at that moment. */
	ck_assert_uint_ge(count_common(first_frames, next_frames),
			  (SIZE - MIB(2)) >> 12);
	assert_fresh(fd, SIZE);
	close(fd);
}

START_TEST(freed_memory_is_handed_out_again_clean)
{
	reuse(pooled_modes[_i], 500000);
}
END_TEST

START_TEST(memory_that_is_wanted_before_it_is_clean_comes_clean)
{
	for (int i = 0; i < 8; i++)
		reuse(pooled_modes[_i], 0);
}
END_TEST

START_TEST(a_mode_gets_no_memory_of_another)
{
	int fd;

	guest_trim();
	close(guest_alloc(SIZE, pooled_modes[_i]));
	fd = guest_alloc(SIZE, pooled_modes[!_i]);
	ck_assert_uint_eq(pooled(), SIZE);
	close(fd);
	ck_assert_uint_eq(pooled(), 2 * SIZE);
}
END_TEST

START_TEST(uncached_memory_is_not_pooled)
{
	guest_trim();
	close(guest_alloc(MIB(2), PORTALMEM_UC));
	ck_assert_uint_eq(pooled(), 0);
}
END_TEST

START_TEST(trim_gives_all_of_it_back)
{
	long before;

	guest_trim();
	before = guest_free_kib();
	close(guest_alloc(SIZE, PORTALMEM_CACHED));
	close(guest_alloc(SIZE, PORTALMEM_WC));
	ck_assert_uint_eq(pooled(), 2 * SIZE);
	ck_assert_uint_eq(guest_trim(), 2 * SIZE);
	ck_assert_uint_eq(pooled(), 0);
	ck_assert_int_gt(guest_free_kib(), before - 2048);
	ck_assert_uint_eq(guest_trim(), 0);
}
END_TEST

START_TEST(the_pool_keeps_to_its_limit)
{
	guest_trim();
	guest_set_param("pool_limit_mb", "8");
	close(guest_alloc(SIZE, PORTALMEM_CACHED));
	ck_assert_uint_le(pooled(), MIB(8));
	ck_assert_uint_gt(pooled(), MIB(4));
	guest_trim();
	guest_set_param("pool_limit_mb", "0");
	close(guest_alloc(SIZE, PORTALMEM_CACHED));
	ck_assert_uint_eq(pooled(), 0);
	guest_set_param("pool_limit_mb", "128");
}
END_TEST

START_TEST(memory_that_nobody_takes_goes_back_to_the_system)
{
	guest_trim();
	guest_set_param("pool_idle_s", "1");
	close(guest_alloc(SIZE, PORTALMEM_CACHED));
	close(guest_alloc(SIZE, PORTALMEM_WC));
	ck_assert_uint_eq(pooled(), 2 * SIZE);
	ck_assert_uint_eq(wait_for_pool(0, 10), 0);
	guest_set_param("pool_idle_s", "30");
}
END_TEST

/* Who still holds a page may write to it: it must not become another's. */
START_TEST(pages_that_somebody_pins_are_not_pooled)
{
	int fd = guest_alloc(MIB(4), PORTALMEM_CACHED);
	char *map = guest_map(fd, MIB(4));
	struct iovec part = {map, 4096};
	char text[4096];
	int ends[2];

	guest_trim();
	ck_assert_int_eq(pipe(ends), 0);
	memset(map, 'p', 4096);
	ck_assert_int_eq(vmsplice(ends[1], &part, 1, 0), 4096);
	munmap(map, MIB(4));
	close(fd);
	/* The chunk with the pinned page went its own way. */
	ck_assert_uint_eq(pooled(), MIB(2));
	for (int i = 0; i < 16; i++)
		fill_and_close(guest_alloc(MIB(4), PORTALMEM_CACHED), MIB(4));
	ck_assert_int_eq(read(ends[0], text, 4096), 4096);
	for (int i = 0; i < 4096; i++)
		ck_assert_int_eq(text[i], 'p');
	close(ends[0]);
	close(ends[1]);
}
END_TEST

START_TEST(memory_pressure_gets_the_pool_back)
{
	size_t available;

	guest_trim();
	available = (size_t)guest_meminfo("MemAvailable") << 10;
	close(guest_alloc(MIB(64), PORTALMEM_CACHED));
	close(guest_alloc(MIB(48), PORTALMEM_WC));
	ck_assert_uint_eq(pooled(), MIB(112));
	/* It does not fit unless most of the pool goes. */
	guest_press(available - MIB(40));
	ck_assert_uint_lt(pooled(), MIB(56));
}
END_TEST

START_TEST(an_allocation_that_needs_the_pools_memory_gets_it)
{
	size_t available;
	int fd;

	guest_trim();
	/* MemAvailable counts the free pages of CMA, which are not for us. */
	available = guest_heap(GUEST_NODE).available;
	close(guest_alloc(MIB(100), PORTALMEM_WC));
	ck_assert_uint_eq(pooled(), MIB(100));
	fd = guest_alloc(available - MIB(64), PORTALMEM_CACHED);
	ck_assert_uint_eq(pooled(), 0);
	close(fd);
	guest_trim();
}
END_TEST

/*
 * What a CPU keeps for itself: buffers of up to 64 KiB, of one chunk each. They
 * are pooled memory like any other.
 */
static const size_t small_sizes[] = {KIB(4), KIB(8), KIB(64)};

#define SMALL_SIZES ((int)(sizeof(small_sizes) / sizeof(small_sizes[0])))
#define SMALL_BUFFERS 16

static void run_on(int cpu)
{
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
}

static uint64_t first_frame(int fd)
{
	struct portalmem_ioc_segment segment;

	ck_assert_uint_eq(guest_segments(fd, &segment, 1), 1);
	return segment.physical >> 12;
}

static int compare_frames(const void *a, const void *b)
{
	const uint64_t *one = a, *two = b;

	return (*one > *two) - (*one < *two);
}

static void alloc_small(int *fds, uint64_t *frames, size_t size,
			uint32_t caching)
{
	for (int i = 0; i < SMALL_BUFFERS; i++) {
		fds[i] = guest_alloc(size, caching);
		frames[i] = first_frame(fds[i]);
	}
	qsort(frames, SMALL_BUFFERS, sizeof(*frames), compare_frames);
}

static void small_again(size_t size, uint32_t caching, unsigned int wait_us)
{
	uint64_t before[SMALL_BUFFERS], after[SMALL_BUFFERS];
	int fds[SMALL_BUFFERS];

	guest_trim();
	alloc_small(fds, before, size, caching);
	for (int i = 0; i < SMALL_BUFFERS; i++)
		fill_and_close(fds[i], size);
	ck_assert_uint_eq(pooled(), SMALL_BUFFERS * size);
	usleep(wait_us);
	alloc_small(fds, after, size, caching);
	ck_assert_mem_eq(before, after, sizeof(before));
	ck_assert_uint_eq(pooled(), 0);
	for (int i = 0; i < SMALL_BUFFERS; i++) {
		assert_fresh(fds[i], size);
		close(fds[i]);
	}
	ck_assert_uint_eq(guest_trim(), SMALL_BUFFERS * size);
	ck_assert_uint_eq(pooled(), 0);
}

START_TEST(small_buffers_are_handed_out_again_clean)
{
	size_t size = small_sizes[_i];

	run_on(0);
	for (int i = 0; i < 2; i++) {
		small_again(size, pooled_modes[i], 0);
		small_again(size, pooled_modes[i], 20000);
		small_again(size, pooled_modes[i], 500000);
	}
}
END_TEST

START_TEST(what_a_cpu_has_no_use_for_is_for_all)
{
	uint64_t frame;
	int fd;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return;
	guest_trim();
	run_on(0);
	fd = guest_alloc(KIB(64), PORTALMEM_CACHED);
	frame = first_frame(fd);
	fill_and_close(fd, KIB(64));
	usleep(1000000);
	run_on(1);
	fd = guest_alloc(KIB(64), PORTALMEM_CACHED);
	ck_assert_uint_eq(first_frame(fd), frame);
	assert_fresh(fd, KIB(64));
	close(fd);
	guest_trim();
}
END_TEST

static void free_small_everywhere(void)
{
	int fds[SMALL_BUFFERS];

	for (int cpu = 0; cpu < sysconf(_SC_NPROCESSORS_ONLN); cpu++) {
		run_on(cpu);
		for (int i = 0; i < SMALL_BUFFERS; i++)
			fds[i] = guest_alloc(KIB(16), PORTALMEM_CACHED);
		for (int i = 0; i < SMALL_BUFFERS; i++)
			close(fds[i]);
	}
}

START_TEST(trim_reaches_what_cpus_keep)
{
	guest_trim();
	free_small_everywhere();
	ck_assert_uint_ge(pooled(), SMALL_BUFFERS * KIB(16));
	ck_assert_uint_eq(guest_trim(), sysconf(_SC_NPROCESSORS_ONLN) *
						SMALL_BUFFERS * KIB(16));
	ck_assert_uint_eq(pooled(), 0);
}
END_TEST

START_TEST(shrinker_reaches_what_cpus_keep)
{
	for (int i = 0; i < 8; i++) {
		free_small_everywhere();
		ck_assert_uint_ge(pooled(), SMALL_BUFFERS * KIB(16));
		guest_put("/proc/sys/vm/drop_caches", "2");
		ck_assert_uint_eq(pooled(), 0);
	}
}
END_TEST

START_TEST(without_a_pool_no_cpu_keeps_any)
{
	guest_trim();
	guest_set_param("pool_limit_mb", "0");
	free_small_everywhere();
	ck_assert_uint_eq(pooled(), 0);
	guest_set_param("pool_limit_mb", "128");
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("pool");
	TCase *tcase = guest_tcase("pool");

	tcase_add_loop_test(tcase, freed_memory_is_handed_out_again_clean, 0,
			    2);
	tcase_add_loop_test(
		tcase, memory_that_is_wanted_before_it_is_clean_comes_clean, 0,
		2);
	tcase_add_loop_test(tcase, a_mode_gets_no_memory_of_another, 0, 2);
	tcase_add_test(tcase, uncached_memory_is_not_pooled);
	tcase_add_test(tcase, trim_gives_all_of_it_back);
	tcase_add_test(tcase, the_pool_keeps_to_its_limit);
	tcase_add_test(tcase, memory_that_nobody_takes_goes_back_to_the_system);
	tcase_add_test(tcase, pages_that_somebody_pins_are_not_pooled);
	tcase_add_test(tcase, memory_pressure_gets_the_pool_back);
	tcase_add_test(tcase,
		       an_allocation_that_needs_the_pools_memory_gets_it);
	tcase_add_loop_test(tcase, small_buffers_are_handed_out_again_clean, 0,
			    SMALL_SIZES);
	tcase_add_test(tcase, what_a_cpu_has_no_use_for_is_for_all);
	tcase_add_test(tcase, trim_reaches_what_cpus_keep);
	tcase_add_test(tcase, shrinker_reaches_what_cpus_keep);
	tcase_add_test(tcase, without_a_pool_no_cpu_keeps_any);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
