// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mappings through an importer that forwards its mmap to the exporter, as
 * graphics drivers do, whatever they have made of the area before.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kmod/pm_importer.h"
#include "kmod/pm_memtype.h"

#define DISK "/dev/vda"

/* A huge page and some small ones, of which the importer maps the end. */
#define SIZE (MIB(2) + KIB(64))
#define SKIPPED KIB(32)

static const uint32_t areas[] = {
	PM_IMPORTER_PFNMAP,
	PM_IMPORTER_MIXEDMAP,
	PM_IMPORTER_IO,
	PM_IMPORTER_IO | PM_IMPORTER_PFNMAP,
	PM_IMPORTER_IO | PM_IMPORTER_MIXEDMAP,
};

static const struct {
	uint32_t caching;
	uint32_t type;
} modes[] = {
	{PORTALMEM_CACHED, PM_MEMTYPE_WB},
	{PORTALMEM_WC, PM_MEMTYPE_WC},
};

#define AREAS ((int)(sizeof(areas) / sizeof(areas[0])))
#define MODES ((int)(sizeof(modes) / sizeof(modes[0])))

static char *map_imported(int fd, uint32_t flags)
{
	struct pm_importer request = {.fd = fd, .flags = flags};
	int importer = guest_open("/dev/pm_importer");
	char *map;

	ck_assert_int_eq(ioctl(importer, PM_IMPORTER_IOC, &request), 0);
	map = mmap(NULL, SIZE - SKIPPED, PROT_READ | PROT_WRITE, MAP_SHARED,
		   importer, SKIPPED);
	ck_assert_msg(map != MAP_FAILED, "mmap: %s", strerror(errno));
	/* The mapping lives by itself. */
	close(importer);
	return map;
}

static uint32_t memtype_of(const void *address)
{
	struct pm_memtype query = {.address = (uintptr_t)address};
	int fd = guest_open("/dev/pm_memtype");

	ck_assert_int_eq(ioctl(fd, PM_MEMTYPE_IOC, &query), 0);
	close(fd);
	return query.user_type;
}

static void write_in_child(char *map, size_t size, uint32_t seed)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		guest_fill(map, size, seed);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

/* Direct I/O, asked twice: the second time the page tables are filled. */
static void assert_not_pinnable(char *map)
{
	int disk = open(DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);

	ck_assert_int_ge(disk, 0);
	for (int i = 0; i < 2; i++) {
		errno = 0;
		ck_assert_int_eq(pread(disk, map, 4096, 0), -1);
		ck_assert_int_eq(errno, EFAULT);
		*(volatile char *)map += 0;
	}
	close(disk);
}

START_TEST(area_marked_for_page_frames_maps_the_buffer)
{
	size_t size = SIZE - SKIPPED;
	int fd = guest_alloc(SIZE, modes[_i % MODES].caching);
	char *whole = guest_map(fd, SIZE);
	char *map = map_imported(fd, areas[_i / MODES]);

	assert_not_pinnable(map);
	guest_fill(map, size, 61);
	guest_assert_filled(whole + SKIPPED, size, 61);
	guest_assert_zero(whole, SKIPPED);
	write_in_child(map, size, 62);
	guest_assert_filled(map, size, 62);
	guest_assert_filled(whole + SKIPPED, size, 62);
	ck_assert_uint_eq(memtype_of(map), modes[_i % MODES].type);

	/* A hole, and the rest when the process ends. */
	ck_assert_int_eq(munmap(map + KIB(64), KIB(64)), 0);
	ck_assert_mem_eq(map, whole + SKIPPED, KIB(64));
}
END_TEST

/* A memory type of the importer's own choice would not be the buffer's. */
START_TEST(other_area_maps_pages_that_can_be_pinned)
{
	static const uint32_t others[] = {0, PM_IMPORTER_UNCACHED};
	int disk = open(DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	char *whole = guest_map(fd, SIZE);
	char *map = map_imported(fd, others[_i]);

	ck_assert_int_eq(pread(disk, map, KIB(64), 0), KIB(64));
	ck_assert_mem_eq(whole + SKIPPED, map, KIB(64));
	guest_assert_zero(whole, SKIPPED);
	ck_assert_uint_eq(memtype_of(map), PM_MEMTYPE_WB);
}
END_TEST

static void load_modules(void)
{
	guest_load_test_module("pm_importer");
	guest_load_test_module("pm_memtype");
}

static Suite *suite(void)
{
	Suite *suite = suite_create("importer");
	TCase *tcase = guest_tcase("importer");

	tcase_add_unchecked_fixture(tcase, load_modules, NULL);
	tcase_add_loop_test(tcase, area_marked_for_page_frames_maps_the_buffer,
			    0, AREAS * MODES);
	tcase_add_loop_test(tcase, other_area_maps_pages_that_can_be_pinned, 0,
			    2);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
