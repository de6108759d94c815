// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory pressure with swap on: what a process writes beyond the machine's
 * memory goes to the disk, and buffers stay where they are. It takes a disk to
 * swap to, and a guest with little memory.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define SIZE MIB(16)
#define PAGE ((size_t)4096)
#define PAGES (SIZE / PAGE)

/* Pages of this program that may have been dropped, and are read again. */
#define CODE_FAULTS 64

/* Of an entry of /proc/self/pagemap. */
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_SWAPPED (1ull << 62)
#define PAGEMAP_PFN ((1ull << 55) - 1)

static const char *swap_disk;

static void swap_on(void)
{
	char command[128];

	swap_disk = getenv("PORTALMEM_SCRATCH_DISK");
	ck_assert_msg(swap_disk != NULL, "PORTALMEM_SCRATCH_DISK is not set");
	snprintf(command, sizeof(command), "mkswap %s >/dev/null", swap_disk);
	guest_shell(command);
	ck_assert_msg(!swapon(swap_disk, 0), "swapon: %s", strerror(errno));
}

static void swap_off(void)
{
	ck_assert_msg(!swapoff(swap_disk), "swapoff: %s", strerror(errno));
}

static long vmstat(const char *field)
{
	FILE *file = fopen("/proc/vmstat", "r");
	char name[64];
	long value, found = -1;

	ck_assert_ptr_nonnull(file);
	while (fscanf(file, "%63s %ld", name, &value) == 2)
		if (!strcmp(name, field))
			found = value;
	fclose(file);
	ck_assert_msg(found >= 0, "no %s in vmstat", field);
	return found;
}

static void dirty(char *map, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		*(size_t *)(map + i) = i + 1;
}

/*
 * Dirty more anonymous memory than there is, in a child, which says nothing:
 * should it be killed, its message could be half a one.
 */
static void dirty_all_memory(void)
{
	size_t size = (size_t)guest_meminfo("MemTotal") * 1024 + MIB(32);
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		char *map = mmap(NULL, size, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (map == MAP_FAILED)
			_exit(1);
		dirty(map, size);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_msg(!status, "the child ended with status %#x", status);
}

/* Where the page tables have each page of a mapping. */
static void read_pagemap(const char *map, uint64_t *entries)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
		pread(fd, entries, PAGES * sizeof(*entries),
		      (off_t)((uintptr_t)map / PAGE * sizeof(*entries))),
		PAGES * sizeof(*entries));
	close(fd);
}

static void assert_in_place(const uint64_t *before, const uint64_t *after)
{
	for (size_t i = 0; i < PAGES; i++) {
		ck_assert(after[i] & PAGEMAP_PRESENT);
		ck_assert(!(after[i] & PAGEMAP_SWAPPED));
		ck_assert_uint_ne(after[i] & PAGEMAP_PFN, 0);
		ck_assert_uint_eq(after[i] & PAGEMAP_PFN,
				  before[i] & PAGEMAP_PFN);
	}
}

static long major_faults(void)
{
	struct rusage usage;

	ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_majflt;
}

START_TEST(buffers_stay_in_memory_under_pressure)
{
	static uint64_t before[PAGES], after[PAGES];
	char *cached = guest_map(guest_alloc(SIZE, PORTALMEM_CACHED), SIZE);
	char *wc = guest_map(guest_alloc(SIZE, PORTALMEM_WC), SIZE);
	long swapped = vmstat("pswpout");
	long kills = vmstat("oom_kill");
	long faults;

	guest_fill(cached, SIZE, 81);
	guest_fill(wc, SIZE, 82);
	read_pagemap(cached, before);
	dirty_all_memory();
	read_pagemap(cached, after);
	swapped = vmstat("pswpout") - swapped;
	printf("# %ld MiB were swapped out\n", swapped * (long)PAGE >> 20);

	assert_in_place(before, after);
	faults = major_faults();
	guest_assert_filled(cached, SIZE, 81);
	guest_assert_filled(wc, SIZE, 82);
	ck_assert_int_le(major_faults() - faults, CODE_FAULTS);
	ck_assert_int_ge((size_t)swapped * PAGE, MIB(32));
	ck_assert_int_eq(vmstat("oom_kill"), kills);
}
END_TEST

/* It would be the first to go: nobody has used it for the longest time. */
START_TEST(memory_of_a_process_stays_while_it_is_a_buffer)
{
	static uint64_t before[PAGES], after[PAGES];
	char *own = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long swapped = vmstat("pswpout");
	int buffer;

	ck_assert_ptr_ne(own, MAP_FAILED);
	guest_fill(own, SIZE, 84);
	buffer = guest_import(own, SIZE, O_RDWR);
	read_pagemap(own, before);
	dirty_all_memory();
	read_pagemap(own, after);
	ck_assert_int_ge((size_t)(vmstat("pswpout") - swapped) * PAGE, MIB(32));
	assert_in_place(before, after);
	guest_assert_filled(guest_map(buffer, SIZE), SIZE, 84);
	close(buffer);
}
END_TEST

START_TEST(swap_makes_room_for_a_buffer)
{
	size_t size = MIB(64);
	long kills = vmstat("oom_kill");
	long available = guest_meminfo("MemAvailable");
	char *held = mmap(NULL, (size_t)available * 1024,
			  PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	char *map;

	ck_assert_ptr_ne(held, MAP_FAILED);
	dirty(held, (size_t)available * 1024);
	available = guest_meminfo("MemAvailable");
	printf("# %ld KiB are available for 64 MiB\n", available);
	ck_assert_int_lt(available, size / 1024);
	map = guest_map(guest_alloc(size, PORTALMEM_CACHED), size);
	guest_fill(map, size, 83);
	guest_assert_filled(map, size, 83);
	ck_assert_int_eq(vmstat("oom_kill"), kills);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("pressure");
	TCase *tcase = guest_tcase("pressure");

	tcase_add_unchecked_fixture(tcase, swap_on, swap_off);
	tcase_add_test(tcase, buffers_stay_in_memory_under_pressure);
	tcase_add_test(tcase, memory_of_a_process_stays_while_it_is_a_buffer);
	tcase_add_test(tcase, swap_makes_room_for_a_buffer);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
