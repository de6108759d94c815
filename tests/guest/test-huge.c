// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Huge mappings, by the page faults that it takes to touch all of a buffer: one
 * for each 2 MiB, and none where all of it is smaller.
 */
#include <config.h>

#include <fcntl.h>
#include <portalmem.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guest.h"

#define SIZE MIB(64)
#define HUGE MIB(2)

/* 32 huge pages, and a few for what else the process touches. */
#define MOST_FAULTS 40

static long count_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt;
}

/* Write to every page, and give the number of faults. */
static long touch(volatile char *map)
{
	long before = count_faults();

	for (size_t i = 0; i < SIZE; i += 4096)
		map[i] = 1;
	return count_faults() - before;
}

/*
 * Read of every page. A processor that leaves it to the kernel to note that a
 * page was written to, like many of arm64, faults once more for that, however
 * the page was mapped.
 */
static long touch_size(const volatile char *map, size_t size)
{
	long before = count_faults();

	for (size_t i = 0; i < size; i += 4096)
		(void)map[i];
	return count_faults() - before;
}

static int is_aligned(const void *address)
{
	return (uintptr_t)address % HUGE == 0;
}

/*
 * For comparison. The kernel's own heap fills in its 16384 page table entries
 * in mmap(), and so there are no faults left.
 */
static void print_system_heap(void)
{
	int fd;

	if (!guest_has_stock())
		return;
	fd = guest_alloc_stock(SIZE);
	printf("# 64 MiB of the stock system heap: %ld faults, by 4 KiB "
	       "entries made in mmap()\n",
	       touch(guest_map(fd, SIZE)));
	close(fd);
}

START_TEST(mapping_at_an_aligned_address_takes_a_fault_per_2_mib)
{
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	char *room = mmap(NULL, SIZE + HUGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *map;
	long faults;

	ck_assert_ptr_ne(room, MAP_FAILED);
	room = (char *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));
	map = mmap(room, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   fd, 0);
	ck_assert_ptr_eq(map, room);
	faults = touch(map);
	printf("# 64 MiB at an aligned address: %ld faults\n", faults);
	ck_assert_int_le(faults, MOST_FAULTS);
}
END_TEST

START_TEST(librarys_mapping_takes_a_fault_per_2_mib)
{
	struct portalmem_device *device;
	struct portalmem_buffer *buffer;
	void *spoiler, *map;
	long faults;

	/* Without help the next mapping would lie right below this one. */
	spoiler =
		mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(spoiler, MAP_FAILED);
	ck_assert_int_eq(portalmem_device_open(
				 NULL, PORTALMEM_BACKEND_PORTALMEM, &device),
			 0);
	ck_assert_int_eq(portalmem_buffer_alloc(device, SIZE, NULL, &buffer),
			 0);
	ck_assert_int_eq(
		portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR, &map),
		0);
	ck_assert(is_aligned(map));
	faults = touch(map);
	printf("# 64 MiB mapped by the library: %ld faults\n", faults);
	print_system_heap();
	ck_assert_int_le(faults, MOST_FAULTS);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

/* 6.12 does this for whole multiples of 2 MiB, 6.1 does not. */
START_TEST(mapping_that_the_kernel_aligns_takes_a_fault_per_2_mib)
{
	char *map = guest_map(guest_alloc(SIZE, PORTALMEM_CACHED), SIZE);
	long faults;

	ck_assert(is_aligned(map));
	faults = touch(map);
	printf("# 64 MiB mapped by the kernel's choice: %ld faults\n", faults);
	ck_assert_int_le(faults, MOST_FAULTS);
}
END_TEST

/* Would a plain mmap() of a buffer be aligned? Twice, so that it is no luck. */
static int kernel_aligns(void)
{
	struct portalmem_ioc_alloc request =
		guest_request(SIZE, PORTALMEM_CACHED);
	int node = open(GUEST_NODE, O_RDWR | O_CLOEXEC);
	void *one, *two;
	int aligns;

	if (ioctl(node, PORTALMEM_IOC_ALLOC, &request)) {
		close(node);
		return 0;
	}
	one = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, request.fd, 0);
	mmap(NULL, 4096, PROT_READ, MAP_SHARED, request.fd, 0);
	two = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, request.fd, 0);
	aligns = is_aligned(one) && is_aligned(two);
	munmap(one, SIZE);
	munmap(two, SIZE);
	close(request.fd);
	close(node);
	return aligns;
}

/* Under an emulator the stack or the like may fault meanwhile. */
#define FEW_FAULTS 2

START_TEST(small_buffer_is_mapped_before_it_is_touched)
{
	int fd = guest_alloc(MIB(1), PORTALMEM_CACHED);
	char *map = guest_map(fd, MIB(1));

	ck_assert_int_le(touch_size(map, MIB(1)), FEW_FAULTS);
	guest_fill(map, MIB(1), 5);
	munmap(map, MIB(1));
	map = guest_map(fd, MIB(1));
	guest_assert_filled(map, MIB(1), 5);
	close(fd);
}
END_TEST

START_TEST(entries_that_are_gone_come_back_together)
{
	int fd = guest_alloc(MIB(1), PORTALMEM_CACHED);
	char *map = guest_map(fd, MIB(1));

	guest_fill(map, MIB(1), 6);
	/* Some of them, so that others are still there. */
	ck_assert_int_eq(madvise(map + 8192, MIB(1) - 16384, MADV_DONTNEED), 0);
	ck_assert_int_le(touch_size(map + MIB(1) / 2, 4096), FEW_FAULTS);
	ck_assert_int_le(touch_size(map, MIB(1)), FEW_FAULTS);
	map[4096 * 100] = map[4096 * 200] = 0;
	ck_assert_int_eq(madvise(map + 4096 * 100, 4096, MADV_DONTNEED), 0);
	ck_assert_int_eq(madvise(map + 4096 * 200, 4096, MADV_DONTNEED), 0);
	ck_assert_int_eq(map[4096 * 200], 0);
	ck_assert_int_eq(map[4096 * 100], 0);
	munmap(map, MIB(1));
	close(fd);
}
END_TEST

/* What is left of a buffer behind its last 2 MiB. */
START_TEST(tail_of_a_buffer_is_mapped_before_it_is_touched)
{
	int fd = guest_alloc(MIB(3), PORTALMEM_CACHED);
	char *map = mmap(NULL, MIB(1), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 MIB(2));

	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_le(touch_size(map, MIB(1)), FEW_FAULTS);
	munmap(map, MIB(1));
	close(fd);
}
END_TEST

/* Its pages are single ones to the kernel. */
START_TEST(contiguous_buffer_takes_a_fault_per_2_mib)
{
	struct portalmem_ioc_alloc request =
		guest_request(MIB(8), PORTALMEM_CACHED);
	int node = open("/dev/dma_heap/portalmem-contiguous", O_RDWR);
	long faults;
	char *map;

	ck_assert_int_ge(node, 0);
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
	close(node);
	map = guest_map(request.fd, MIB(8));
	faults = touch_size(map, MIB(8));
	printf("# 8 MiB in one piece: %ld faults\n", faults);
	ck_assert_int_le(faults, 5 + FEW_FAULTS);
	guest_fill(map, MIB(8), 9);
	munmap(map, MIB(8));
	map = guest_map(request.fd, MIB(8));
	guest_assert_filled(map, MIB(8), 9);
	munmap(map, MIB(8));
	close(request.fd);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("huge mappings");
	TCase *tcase = guest_tcase("huge mappings");

	tcase_add_test(tcase,
		       mapping_at_an_aligned_address_takes_a_fault_per_2_mib);
	tcase_add_test(tcase, librarys_mapping_takes_a_fault_per_2_mib);
	tcase_add_test(tcase, small_buffer_is_mapped_before_it_is_touched);
	tcase_add_test(tcase, entries_that_are_gone_come_back_together);
	tcase_add_test(tcase, tail_of_a_buffer_is_mapped_before_it_is_touched);
	tcase_add_test(tcase, contiguous_buffer_takes_a_fault_per_2_mib);
	if (kernel_aligns())
		tcase_add_test(
			tcase,
			mapping_that_the_kernel_aligns_takes_a_fault_per_2_mib);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
