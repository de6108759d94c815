// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A driver that dies in the middle of an import takes the buffer along, and
 * nothing else: what the module counts still adds up, other buffers work, and
 * all the rest of the memory comes back. The kernel's complaint is expected
 * here, and the buffer is left behind: tests/vm/selftest.sh runs it, in a guest
 * of its own.
 */
#include <config.h>

#include <errno.h>
#include <linux/dma-buf.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kmod/pm_importer.h"
#include "stats.h"

#define SIZE MIB(4)

static const uint32_t places[] = {PM_IMPORTER_ATTACHED, PM_IMPORTER_MAPPED};

/* The process that calls such a driver dies with it. */
static void have_importer_die(int fd, uint32_t where)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		struct pm_importer request = {.fd = fd};
		struct pm_importer_die last = {.where = where};
		int importer = guest_open("/dev/pm_importer");

		ck_assert_int_eq(ioctl(importer, PM_IMPORTER_IOC, &request), 0);
		ioctl(importer, PM_IMPORTER_DIE_IOC, &last);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSIGNALED(status));
}

static uint64_t live(const char *file)
{
	return stats_read(STATS_SYSTEM, file);
}

static void import_and_read(int fd)
{
	struct pm_importer request = {.fd = fd};
	struct pm_importer_entry entry = {0};
	int importer = guest_open("/dev/pm_importer");

	ck_assert_int_eq(ioctl(importer, PM_IMPORTER_IOC, &request), 0);
	ck_assert_int_eq(ioctl(importer, PM_IMPORTER_ENTRY_IOC, &entry), 0);
	ck_assert_uint_gt(entry.length, 0);
	close(importer);
}

/* Everything, with a buffer that has nothing to do with it. */
static void use_another(uint32_t caching)
{
	int fd = guest_alloc(SIZE, caching);
	struct dma_buf_sync sync = {DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW};
	char *map = guest_map(fd, SIZE);

	guest_assert_zero(map, SIZE);
	guest_fill(map, SIZE, 3);
	ck_assert_int_eq(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync), 0);
	import_and_read(fd);
	guest_assert_filled(map, SIZE, 3);
	munmap(map, SIZE);
	close(fd);
}

START_TEST(an_importer_that_dies_takes_its_buffer_along_and_nothing_else)
{
	uint64_t bytes = live("live_bytes"), buffers = live("live_buffers");
	uint64_t used = guest_heap(GUEST_NODE).user_used;
	struct dma_buf_sync sync = {DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW};
	int fd, other = guest_alloc(SIZE, PORTALMEM_WC);
	long before, after;
	char *map;

	guest_trim();
	before = guest_free_kib();
	fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	map = guest_map(fd, SIZE);
	guest_fill(map, SIZE, 4);
	have_importer_die(fd, places[_i]);

	/* Its users have it still. */
	guest_assert_filled(map, SIZE, 4);
	guest_fill(map, SIZE, 5);
	ck_assert_int_eq(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync), 0);
	ck_assert_uint_eq(guest_info(fd).attachments, 1);
	munmap(map, SIZE);
	close(fd);

	ck_assert_uint_eq(live("live_bytes"), bytes + 2 * SIZE);
	ck_assert_uint_eq(live("live_buffers"), buffers + 2);
	ck_assert_uint_eq(guest_heap(GUEST_NODE).user_used, used + 2 * SIZE);
	for (uint32_t caching = PORTALMEM_CACHED; caching <= PORTALMEM_UC;
	     caching++)
		use_another(caching);
	close(other);

	/* What the dead one holds is accounted for, to the byte. */
	ck_assert_uint_eq(live("live_bytes"), bytes + SIZE);
	ck_assert_uint_eq(live("live_buffers"), buffers + 1);
	ck_assert_uint_eq(live("allocations") - live("frees"), buffers + 1);
	ck_assert_uint_eq(guest_heap(GUEST_NODE).user_used, used + SIZE);
	guest_trim();
	ck_assert_uint_eq(guest_heap(GUEST_NODE).pooled, 0);
	after = guest_free_kib();
	printf("# free: %ld KiB before, %ld KiB after\n", before, after);
	/* Less the one buffer, more the other one. */
	ck_assert_int_le(before - after, 1024);
}
END_TEST

static void forgive(void)
{
	/* The harness has the kernel panic. */
	guest_put("/proc/sys/kernel/panic_on_oops", "0");
	guest_load_test_module("pm_importer");
}

static Suite *suite(void)
{
	Suite *suite = suite_create("oops");
	TCase *tcase = guest_tcase("oops");

	tcase_add_unchecked_fixture(tcase, forgive, NULL);
	tcase_add_loop_test(
		tcase,
		an_importer_that_dies_takes_its_buffer_along_and_nothing_else,
		0, sizeof(places) / sizeof(places[0]));
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
