// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fragment.h"
#include "guest.h"

#define PAGE 4096

/* How much is taken at a time. */
#define STEP MIB(8)

/* What is left free at first, in large pieces. */
#define LEFT_KIB (40 << 10)

static char *memory;
static size_t memory_size;

/* The buffers that hold the larger pieces. */
#define LARGER MIB(16)
#define LARGER_MOST 32

static int larger[LARGER_MOST];
static unsigned int larger_count;

/* The page frames behind SIZE bytes of memory; 0 where there is none. */
static uint64_t *read_pfns(const void *map, size_t size)
{
	size_t bytes = size / PAGE * sizeof(uint64_t);
	uint64_t *pfns = malloc(bytes);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	ck_assert_ptr_nonnull(pfns);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(pread(fd, pfns, bytes,
			       (off_t)((uintptr_t)map / PAGE * sizeof(*pfns))),
			 bytes);
	close(fd);
	for (size_t i = 0; i < size / PAGE; i++)
		pfns[i] = pfns[i] >> 63 ? pfns[i] & (((uint64_t)1 << 55) - 1)
					: 0;
	return pfns;
}

/* Take memory, page by page, until only so much is free. */
static void take_memory(void)
{
	size_t taken;

	memory_size = (size_t)guest_meminfo("MemTotal") * 1024 / STEP * STEP;
	memory = mmap(NULL, memory_size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert_ptr_ne(memory, MAP_FAILED);
	ck_assert_int_eq(madvise(memory, memory_size, MADV_NOHUGEPAGE), 0);
	ck_assert_int_eq(mlock2(memory, memory_size, MLOCK_ONFAULT), 0);
	for (taken = 0; taken < memory_size; taken += STEP) {
		if (guest_meminfo("MemFree") <= LEFT_KIB)
			break;
		ck_assert_int_eq(
			madvise(memory + taken, STEP, MADV_POPULATE_WRITE), 0);
	}
}

void fragment_break(int (*is_free)(uint64_t pfn))
{
	uint64_t *pfns;

	/* What is locked stays where it is, and memory is not mended. */
	guest_put("/proc/sys/vm/compact_unevictable_allowed", "0");
	/* The kernel keeps no pieces of its own, which may be up to 64 MiB. */
	guest_put("/proc/sys/vm/min_free_kbytes", "4096");
	guest_put("/proc/sys/vm/drop_caches", "3");
	take_memory();
	pfns = read_pfns(memory, memory_size);
	for (size_t i = 0; i < memory_size / PAGE; i++)
		if (pfns[i] && is_free(pfns[i]))
			ck_assert_int_eq(madvise(memory + i * PAGE, PAGE,
						 MADV_DONTNEED_LOCKED),
					 0);
	free(pfns);
}

static int is_even(uint64_t pfn)
{
	return !(pfn & 1);
}

void fragment_into_pages(void)
{
	unsigned int segments;

	fragment_break(is_even);
	/* Each of these takes the largest pieces that are left. */
	do {
		ck_assert_uint_lt(larger_count, LARGER_MOST);
		larger[larger_count] = guest_alloc(LARGER, PORTALMEM_CACHED);
		segments = guest_info(larger[larger_count]).segments;
		larger_count++;
	} while (segments < LARGER / PAGE * 15 / 16);
}

int fragment_alloc(size_t size, unsigned int segments)
{
	for (;;) {
		int fd = guest_alloc(size, PORTALMEM_CACHED);

		if (guest_info(fd).segments >= segments)
			return fd;
		/* Larger pieces came up meanwhile, and stay taken. */
		ck_assert_uint_lt(larger_count, LARGER_MOST);
		larger[larger_count++] = fd;
	}
}

void fragment_mend(void)
{
	while (larger_count)
		close(larger[--larger_count]);
	ck_assert_int_eq(munmap(memory, memory_size), 0);
}

char *fragment_scatter(size_t size)
{
	char *area = mmap(NULL, size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert_ptr_ne(area, MAP_FAILED);
	ck_assert_int_eq(madvise(area, size, MADV_NOHUGEPAGE), 0);
	/* Pages come in a row: neighbours get theirs a long time apart. */
	for (size_t start = 0; start < 2 * PAGE; start += PAGE)
		for (size_t i = start; i < size; i += 2 * PAGE)
			area[i] = 1;
	return area;
}
