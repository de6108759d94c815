// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A cached mapping under everything that a process can do to its memory: each
 * advice, locks, splits and moves. The bytes stay, and so do the pins.
 */
#include <config.h>

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

/* Newer than the C library of Debian 12. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

/* Two huge pages and some small ones. */
#define SIZE (MIB(4) + KIB(64))
#define HUGE MIB(2)
#define PAGE 4096

/*
 * MADV_HWPOISON is not among them: it does to a page what broken memory does,
 * and would take it from the machine for good and kill who touches it. There is
 * nothing in that which a mapping could live through. MADV_SOFT_OFFLINE moves a
 * page's bytes elsewhere first, and so does nothing to pages that cannot move.
 */
static const struct {
	const char *name;
	int advice;
	int error;
} advices[] = {
	{"NORMAL", MADV_NORMAL, 0},
	{"RANDOM", MADV_RANDOM, 0},
	{"SEQUENTIAL", MADV_SEQUENTIAL, 0},
	{"WILLNEED", MADV_WILLNEED, 0},
	{"DONTNEED", MADV_DONTNEED, 0},
	{"FREE", MADV_FREE, EINVAL},
	{"REMOVE", MADV_REMOVE, ENODEV},
	{"DONTFORK", MADV_DONTFORK, 0},
	{"DOFORK", MADV_DOFORK, 0},
	{"MERGEABLE", MADV_MERGEABLE, 0},
	{"UNMERGEABLE", MADV_UNMERGEABLE, 0},
	{"HUGEPAGE", MADV_HUGEPAGE, 0},
	{"NOHUGEPAGE", MADV_NOHUGEPAGE, 0},
	{"DONTDUMP", MADV_DONTDUMP, 0},
	{"DODUMP", MADV_DODUMP, 0},
	{"WIPEONFORK", MADV_WIPEONFORK, EINVAL},
	{"KEEPONFORK", MADV_KEEPONFORK, 0},
	{"COLD", MADV_COLD, 0},
	{"PAGEOUT", MADV_PAGEOUT, 0},
	{"POPULATE_READ", MADV_POPULATE_READ, 0},
	{"POPULATE_WRITE", MADV_POPULATE_WRITE, 0},
	{"DONTNEED_LOCKED", MADV_DONTNEED_LOCKED, 0},
	{"COLLAPSE", MADV_COLLAPSE, EINVAL},
	{"SOFT_OFFLINE", MADV_SOFT_OFFLINE, EIO},
};

#define ADVICES ((int)(sizeof(advices) / sizeof(advices[0])))

/* Map at an address where the kernel can use huge pages. */
static char *map_aligned(int fd)
{
	char *room = mmap(NULL, SIZE + HUGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *map;

	ck_assert_ptr_ne(room, MAP_FAILED);
	room = (char *)(((uintptr_t)room + HUGE - 1) & ~(HUGE - 1));
	map = mmap(room, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		   fd, 0);
	ck_assert_ptr_eq(map, room);
	return map;
}

/* Read through a pin of the pages, not through the process's page tables. */
static void assert_pinnable(char *map, size_t size, uint32_t seed)
{
	static char copy[SIZE];
	struct iovec to = {copy, size}, from = {map, size};

	ck_assert_int_eq(process_vm_readv(getpid(), &to, 1, &from, 1, 0), size);
	guest_assert_filled(copy, size, seed);
}

static int advise(char *from, size_t size, int advice)
{
	return madvise(from, size, advice) ? errno : 0;
}

START_TEST(bytes_stay_whatever_the_advice)
{
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	char *other = guest_map(fd, SIZE);
	char *map = map_aligned(fd);
	int whole, part;

	guest_fill(map, SIZE, 21);
	whole = advise(map, SIZE, advices[_i].advice);
	guest_assert_filled(other, SIZE, 21);
	guest_assert_filled(map, SIZE, 21);
	/* One page, in the midst of a huge one. */
	part = advise(map + MIB(1), PAGE, advices[_i].advice);
	guest_assert_filled(other, SIZE, 21);
	assert_pinnable(map, SIZE, 21);
	guest_fill(map, SIZE, 22);
	guest_assert_filled(other, SIZE, 22);

	printf("# MADV_%s: %s\n", advices[_i].name,
	       whole ? strerrorname_np(whole) : "0");
	ck_assert_int_eq(whole, advices[_i].error);
	ck_assert_int_eq(part, advices[_i].error);
}
END_TEST

/* What a child of this process finds at an address: 1 for the bytes. */
static int child_reads(const char *map, uint32_t seed)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child)
		_exit(*(const uint32_t *)map == seed);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) && WEXITSTATUS(status);
}

START_TEST(advice_for_forks_is_followed)
{
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	char *map = map_aligned(fd);

	guest_fill(map, SIZE, 23);
	ck_assert_int_eq(child_reads(map, 23), 1);
	ck_assert_int_eq(madvise(map, SIZE, MADV_DONTFORK), 0);
	ck_assert_int_eq(child_reads(map, 23), 0);
	ck_assert_int_eq(madvise(map, SIZE, MADV_DOFORK), 0);
	ck_assert_int_eq(child_reads(map, 23), 1);
}
END_TEST

static long count_faults(void)
{
	struct rusage usage;

	ck_assert_int_eq(getrusage(RUSAGE_SELF, &usage), 0);
	return usage.ru_minflt + usage.ru_majflt;
}

static unsigned int sum_pages(const char *map)
{
	unsigned int sum = 0;

	for (size_t i = 0; i < SIZE; i += PAGE)
		sum += *(const volatile unsigned char *)(map + i);
	return sum;
}

/* Locking what is mapped now and later brings all of it in, at once. */
START_TEST(locking_all_memory_takes_mappings_in)
{
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	char *early = map_aligned(fd);
	char *wc = guest_map(guest_alloc(SIZE, PORTALMEM_WC), SIZE);
	long faults;
	char *late;

	ck_assert_int_eq(mlockall(MCL_CURRENT | MCL_FUTURE), 0);
	late = map_aligned(fd);
	faults = count_faults();
	ck_assert_uint_eq(sum_pages(early) + sum_pages(late), 0);
	ck_assert_int_le(count_faults() - faults, 2);

	guest_fill(early, SIZE, 31);
	guest_fill(wc, SIZE, 32);
	guest_assert_filled(late, SIZE, 31);
	assert_pinnable(late, SIZE, 31);
	/* Locked memory is not to be dropped, except by those who insist. */
	ck_assert_int_eq(advise(late, SIZE, MADV_DONTNEED), EINVAL);
	ck_assert_int_eq(advise(late, SIZE, MADV_DONTNEED_LOCKED), 0);
	guest_assert_filled(late, SIZE, 31);
	ck_assert_int_eq(munlockall(), 0);
	guest_assert_filled(late, SIZE, 31);
	guest_assert_filled(wc, SIZE, 32);
}
END_TEST

/*
 * Whether a byte can be read, and written as it is, without a signal: system
 * calls answer with EFAULT instead.
 */
static int can_read(const char *byte)
{
	int pipes[2];
	ssize_t n;

	ck_assert_int_eq(pipe(pipes), 0);
	n = write(pipes[1], byte, 1);
	close(pipes[0]);
	close(pipes[1]);
	return n == 1;
}

static int can_write(char *byte)
{
	int pipes[2];
	ssize_t n;

	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(write(pipes[1], byte, 1), 1);
	n = read(pipes[0], byte, 1);
	close(pipes[0]);
	close(pipes[1]);
	return n == 1;
}

START_TEST(protection_splits_a_mapping)
{
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	char *map = map_aligned(fd);
	char *middle = map + MIB(1);

	guest_fill(map, SIZE, 41);
	ck_assert_int_eq(mprotect(middle, PAGE, PROT_READ), 0);
	ck_assert(can_read(middle) && !can_write(middle));
	ck_assert(can_write(middle - 1) && can_write(middle + PAGE));
	ck_assert_int_eq(mprotect(middle, PAGE, PROT_NONE), 0);
	ck_assert(!can_read(middle));
	ck_assert(can_write(middle - 1) && can_write(middle + PAGE));
	ck_assert_int_eq(mprotect(middle, PAGE, PROT_READ | PROT_WRITE), 0);
	ck_assert(can_write(middle));
	guest_assert_filled(map, SIZE, 41);
	assert_pinnable(map, SIZE, 41);
}
END_TEST

START_TEST(hole_in_a_mapping_leaves_the_rest)
{
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	char *other = guest_map(fd, SIZE);
	char *map = map_aligned(fd);
	char *middle = map + MIB(1);

	guest_fill(map, SIZE, 42);
	ck_assert_int_eq(munmap(middle, PAGE), 0);
	ck_assert(!can_read(middle));
	ck_assert(can_write(middle - 1) && can_write(middle + PAGE));
	ck_assert_mem_eq(map, other, MIB(1));
	ck_assert_mem_eq(middle + PAGE, other + MIB(1) + PAGE,
			 SIZE - MIB(1) - PAGE);
	assert_pinnable(map, MIB(1), 42);

	ck_assert_ptr_eq(mmap(middle, PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_FIXED, fd, MIB(1)),
			 middle);
	guest_assert_filled(map, SIZE, 42);
	assert_pinnable(map, SIZE, 42);
}
END_TEST

static void *remap(char *from, size_t old_size, size_t size, int flags)
{
	void *map = mremap(from, old_size, size, MREMAP_MAYMOVE | flags);

	ck_assert_msg(map != MAP_FAILED, "mremap: %s", strerror(errno));
	return map;
}

START_TEST(moved_parts_keep_their_bytes)
{
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	char *other = guest_map(fd, SIZE);
	char *map = map_aligned(fd);
	char *part, *twin, *moved;

	guest_fill(map, SIZE, 43);
	/* Out of the midst of a huge page, to where the kernel likes. */
	part = mremap(map + MIB(1), PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		      map_aligned(fd) + KIB(12));
	ck_assert_ptr_ne(part, MAP_FAILED);
	ck_assert_mem_eq(part, other + MIB(1), PAGE);
	ck_assert(!can_read(map + MIB(1)));

	/* An old size of 0 asks for a second mapping of a shared one. */
	twin = remap(map + HUGE, 0, HUGE, 0);
	ck_assert_mem_eq(twin, other + HUGE, HUGE);
	guest_fill(twin, HUGE, 44);
	guest_assert_filled(other + HUGE, HUGE, 44);

	/* The source stays mapped and comes back by faults. */
	moved = remap(map + HUGE, HUGE, HUGE, MREMAP_DONTUNMAP);
	guest_assert_filled(moved, HUGE, 44);
	guest_assert_filled(map + HUGE, HUGE, 44);

	moved = remap(moved, HUGE, MIB(1), 0);
	guest_assert_filled(moved, MIB(1), 44);
	ck_assert(!can_read(moved + MIB(1)));
	assert_pinnable(moved, MIB(1), 44);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("vma");
	TCase *tcase = guest_tcase("vma");

	tcase_add_loop_test(tcase, bytes_stay_whatever_the_advice, 0, ADVICES);
	tcase_add_test(tcase, advice_for_forks_is_followed);
	tcase_add_test(tcase, locking_all_memory_takes_mappings_in);
	tcase_add_test(tcase, protection_splits_a_mapping);
	tcase_add_test(tcase, hole_in_a_mapping_leaves_the_rest);
	tcase_add_test(tcase, moved_parts_keep_their_bytes);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
