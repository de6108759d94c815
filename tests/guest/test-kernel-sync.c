// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vm: --append swiotlb=force
 * quick: 6.12 6.12-arm64
 *
 * What another module syncs, by the example module. On this machine a device
 * works on a copy of the buffer, and so it shows which bytes were synced.
 */
#include <config.h>

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "example.h"
#include "guest.h"
#include "soft-device.h"

#define PAGE ((size_t)4096)

START_TEST(a_sync_for_the_cpu_brings_just_its_range)
{
	int fd = example_make(example_request("system", KIB(64)));
	int device = soft_device_open_with("pm_device.0", fd,
					   PM_DEVICE_READS | PM_DEVICE_WRITES);
	char *map = guest_map(fd, KIB(64));
	char written[3 * PAGE], before[KIB(64)];
	look request = {
		.fd = fd,
		.direction = EXAMPLE_FROM_DEVICE,
		.offset = 3 * PAGE,
		.length = PAGE,
	};

	memcpy(before, map, sizeof(before));
	guest_fill(written, sizeof(written), 1000);
	soft_device_write(device, 2 * PAGE, written, sizeof(written));
	ck_assert_uint_eq(example_look(request).sum,
			  example_sum(written + PAGE, PAGE));

	memcpy(before + 3 * PAGE, written + PAGE, PAGE);
	ck_assert_int_eq(memcmp(map, before, sizeof(before)), 0);
	munmap(map, KIB(64));
	close(device);
	close(fd);
}
END_TEST

START_TEST(a_sync_for_the_device_takes_just_its_range)
{
	int fd = example_make(example_request("system", KIB(64)));
	int device = soft_device_open_with("pm_device.0", fd,
					   PM_DEVICE_READS | PM_DEVICE_WRITES);
	char *map = guest_map(fd, KIB(64));
	char expected[KIB(64)], seen[KIB(64)];
	look request = {
		.fd = fd,
		.direction = EXAMPLE_TO_DEVICE,
		.offset = 3 * PAGE,
		.length = PAGE,
	};

	memcpy(expected, map, sizeof(expected));
	guest_fill(map, KIB(64), 1000);
	example_look(request);
	memcpy(expected + 3 * PAGE, map + 3 * PAGE, PAGE);
	soft_device_read(device, 0, seen, sizeof(seen));
	ck_assert_int_eq(memcmp(seen, expected, sizeof(seen)), 0);
	munmap(map, KIB(64));
	close(device);
	close(fd);
}
END_TEST

static void load(void)
{
	soft_device_load();
	example_load();
}

static Suite *suite(void)
{
	Suite *suite = suite_create("kernel sync");
	TCase *tcase = guest_tcase("kernel sync");

	tcase_add_unchecked_fixture(tcase, load, example_unload);
	tcase_add_test(tcase, a_sync_for_the_cpu_brings_just_its_range);
	tcase_add_test(tcase, a_sync_for_the_device_takes_just_its_range);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
