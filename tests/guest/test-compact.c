// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Translation tables are short: on a guest that has just booted, and beside the
 * kernel's own system heap where memory is in pieces. A length is what a device
 * without limits of its own gets as scatterlist.
 *
 * The system heap makes an entry of each chunk that it takes, of 1 MiB, 64 KiB
 * or a page; neighbours are not merged.
 */
#include <config.h>

#include <stdio.h>
#include <unistd.h>

#include "fragment.h"
#include "guest.h"
#include "soft-device.h"

#define SIZE MIB(64)

/* The scatterlist that a device gets. */
static struct pm_device_attach import(int dmabuf)
{
	int device = soft_device_open("pm_device.0");
	struct pm_device_attach table = soft_device_attach(
		device, dmabuf, PM_DEVICE_READS | PM_DEVICE_WRITES);

	close(device);
	return table;
}

static unsigned int measure_ours(const char *where)
{
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	struct pm_device_attach table = import(fd);

	printf("# 64 MiB %s: %u segments\n", where, table.entries);
	ck_assert_uint_eq(table.entries, guest_info(fd).segments);
	ck_assert_uint_eq(table.entries, table.runs);
	close(fd);
	return table.entries;
}

/* Where there is no such heap: what its second largest chunks would make. */
static unsigned int measure_system_heap(void)
{
	struct pm_device_attach table;
	int fd;

	if (!guest_has_stock())
		return SIZE / KIB(64);
	fd = guest_alloc_stock(SIZE);
	table = import(fd);
	printf("# the same of the stock system heap: %u entries (%u runs)\n",
	       table.entries, table.runs);
	close(fd);
	return table.entries;
}

START_TEST(segments_of_64_mib_on_a_fresh_machine_are_few)
{
	unsigned int segments = measure_ours("on a fresh machine");

	measure_system_heap();
	ck_assert_uint_ge(segments, 1);
	ck_assert_uint_le(segments, 16);
}
END_TEST

/*
 * By its place, whether a page is in one of the pieces that are given back: in
 * turn 32, 64, 128 and 256 KiB, with as much after each that stays taken.
 */
static int is_in_a_piece(uint64_t pfn)
{
	uint64_t at = pfn % 256;

	if (at < 16)
		return at < 8;
	if (at < 64)
		return at >= 32 && at < 48;
	if (at < 128)
		return at >= 64 && at < 96;
	return at < 192;
}

/* Take what is free in one piece of SIZE bytes. */
static void take_pieces(size_t size)
{
	for (;;) {
		int fd = guest_alloc(size, PORTALMEM_CACHED);

		if (guest_info(fd).segments == 1)
			continue;
		close(fd);
		return;
	}
}

/* Leave nothing larger than the pieces, until the calling process ends. */
static void break_memory(void)
{
	fragment_break(is_in_a_piece);
	take_pieces(MIB(1));
	take_pieces(KIB(512));
}

START_TEST(table_in_broken_memory_is_half_of_the_system_heaps)
{
	break_memory();
	for (int round = 0; round < 3; round++) {
		unsigned int ours = measure_ours("in broken memory");

		/* Or memory is not broken. */
		ck_assert_uint_ge(ours, SIZE / KIB(512));
		ck_assert_uint_le(ours * 2, measure_system_heap());
	}
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("compact tables");
	TCase *tcase = guest_tcase("compact tables");

	tcase_add_unchecked_fixture(tcase, soft_device_load, NULL);
	tcase_add_test(tcase, segments_of_64_mib_on_a_fresh_machine_are_few);
	tcase_add_test(tcase,
		       table_in_broken_memory_is_half_of_the_system_heaps);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
