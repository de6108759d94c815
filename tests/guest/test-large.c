// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A buffer of 5 GiB, in a guest of 7 GiB: nothing counts its bytes or its pages
 * in 32 bits.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <portalmem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define GIB(n) ((uint64_t)(n) << 30)
#define SIZE GIB(5)
#define WINDOW MIB(2)

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Where the parts begin that are looked at. The third lies across 4 GiB. */
static const uint64_t offsets[] = {
	0, GIB(2), GIB(4) - WINDOW / 2, GIB(4) + WINDOW, SIZE - WINDOW,
};

#define OFFSETS (sizeof(offsets) / sizeof(offsets[0]))

static void *map_window(int fd, uint64_t offset)
{
	void *map = mmap(NULL, WINDOW, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 (off_t)offset);

	ck_assert_msg(map != MAP_FAILED, "%s", strerror(errno));
	return map;
}

static void check_contents(int fd)
{
	/* All are written before the first is read: none is another's. */
	for (unsigned int i = 0; i < OFFSETS; i++) {
		void *map = map_window(fd, offsets[i]);

		guest_assert_zero(map, WINDOW);
		guest_fill(map, WINDOW, i + 1);
		munmap(map, WINDOW);
	}
	for (unsigned int i = 0; i < OFFSETS; i++) {
		void *map = map_window(fd, offsets[i]);

		guest_assert_filled(map, WINDOW, i + 1);
		munmap(map, WINDOW);
	}
}

static void check_one_mapping(int fd)
{
	char *map = guest_map(fd, SIZE);

	for (unsigned int i = 0; i < OFFSETS; i++)
		guest_assert_filled(map + offsets[i], WINDOW, i + 1);
	munmap(map, SIZE);
}

static void check_library(int fd)
{
	struct portalmem_buffer *buffer;
	void *map;

	ck_assert_int_eq(portalmem_buffer_import(NULL, fd, &buffer), 0);
	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), SIZE);
	ck_assert_int_eq(portalmem_buffer_map(buffer, offsets[2], WINDOW,
					      PORTALMEM_MAP_READ, &map),
			 0);
	guest_assert_filled(map, WINDOW, 3);
	portalmem_buffer_unref(buffer);
}

static void check_segments(int fd)
{
	struct portalmem_ioc_segments segments = {.fd = fd};
	struct portalmem_ioc_segment *table;
	int node = guest_open(GUEST_NODE);
	uint64_t end = 0;

	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SEGMENTS, &segments), 0);
	table = calloc(segments.total, sizeof(*table));
	ck_assert_ptr_nonnull(table);
	segments.segments = (uintptr_t)table;
	segments.count = segments.total;
	segments.total = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SEGMENTS, &segments), 0);
	for (uint32_t i = 0; i < segments.total; i++) {
		ck_assert_uint_eq(table[i].offset, end);
		end += table[i].length;
	}
	printf("# 5 GiB in %u segments\n", segments.total);
	ck_assert_uint_eq(end, SIZE);
	free(table);
	close(node);
}

static int sync_range(int node, int fd, uint64_t offset, uint64_t length)
{
	struct portalmem_ioc_range range = {offset, length};
	struct portalmem_ioc_sync sync = {
		.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW,
		.fd = fd,
		.ranges = (uintptr_t)&range,
		.count = 1,
	};

	return ioctl(node, PORTALMEM_IOC_SYNC, &sync) ? -errno : 0;
}

static void check_sync(int fd)
{
	int node = guest_open(GUEST_NODE);

	ck_assert_int_eq(sync_range(node, fd, GIB(4) + 12, 4096), 0);
	ck_assert_int_eq(sync_range(node, fd, SIZE - 1, 1), 0);
	ck_assert_int_eq(sync_range(node, fd, 0, SIZE), 0);
	ck_assert_int_eq(sync_range(node, fd, SIZE - 1, 2), -ERANGE);
	ck_assert_int_eq(sync_range(node, fd, GIB(4), GIB(4)), -ERANGE);
	close(node);
}

START_TEST(five_gib_are_five_gib_everywhere)
{
	long before = guest_free_kib(), after;
	double begin = now();
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);

	printf("# 5 GiB allocated in %.1f s\n", now() - begin);
	ck_assert_uint_eq(guest_info(fd).size, SIZE);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), SIZE);
	ck_assert_int_ge(before - guest_free_kib(), (long)(SIZE / 1024));
	check_contents(fd);
	check_one_mapping(fd);
	check_library(fd);
	check_segments(fd);
	check_sync(fd);
	close(fd);
	after = guest_free_kib();
	printf("# of 5 GiB %ld KiB are not back\n", before - after);
	ck_assert_int_lt(before - after, 16 << 10);
}
END_TEST

/* Until it is killed. */
static void allocate(void)
{
	struct portalmem_ioc_alloc request =
		guest_request(SIZE, PORTALMEM_CACHED);
	int node = open(GUEST_NODE, O_RDWR | O_CLOEXEC);

	_exit(ioctl(node, PORTALMEM_IOC_ALLOC, &request) ? 1 : 0);
}

/* One that would take several seconds more. */
START_TEST(sigkill_ends_an_allocation_of_5_gib_within_a_second)
{
	pid_t child = fork();
	double begin;
	int status;

	ck_assert_int_ge(child, 0);
	if (!child)
		allocate();
	usleep(300000);
	begin = now();
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	printf("# gone %.3f s after SIGKILL\n", now() - begin);
	ck_assert(now() - begin < 1);
	ck_assert(WIFSIGNALED(status));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("large");
	TCase *tcase = guest_tcase("large");

	tcase_set_timeout(tcase, 240);
	tcase_add_test(tcase, five_gib_are_five_gib_everywhere);
	tcase_add_test(tcase,
		       sigkill_ends_an_allocation_of_5_gib_within_a_second);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
