// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Direct I/O between cached mappings and storage: the blocks of a disk, and a
 * file on ext4. It takes a disk to write to.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"
#include "uring.h"

#define FILE_ON_EXT4 GUEST_EXT4 "/file"

#define SIZE MIB(4)
#define PART MIB(1)
/* In the buffer, neither its start nor that of a huge page. */
#define OFFSET (MIB(1) + KIB(12))
/* In the file. */
#define PLACE MIB(2)

/* Where the tests write: the disk, and then a file on it. */
static const char *path;

static int open_place(int flags)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600);

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	return fd;
}

/* The mapping alone holds it. */
static char *make_buffer(uint32_t caching)
{
	int fd = guest_alloc(SIZE, caching);
	char *map = guest_map(fd, SIZE);

	close(fd);
	return map;
}

static void assert_stored(const char *expected)
{
	char *got = malloc(PART);
	int file = open_place(0);

	ck_assert_int_eq(pread(file, got, PART, PLACE), PART);
	ck_assert_mem_eq(got, expected, PART);
	close(file);
	free(got);
}

static void assert_only_part_differs_from_zero(const char *map, size_t offset)
{
	guest_assert_zero(map, offset);
	guest_assert_zero(map + offset + PART, SIZE - offset - PART);
}

START_TEST(direct_io_from_and_to_cached_mappings)
{
	int file = open_place(O_DIRECT);
	char *from = make_buffer(PORTALMEM_CACHED);
	char *to = make_buffer(PORTALMEM_CACHED);

	guest_fill(from, SIZE, 71);
	ck_assert_int_eq(pwrite(file, from + OFFSET, PART, PLACE), PART);
	assert_stored(from + OFFSET);
	ck_assert_int_eq(pread(file, to + KIB(4), PART, PLACE), PART);
	ck_assert_mem_eq(to + KIB(4), from + OFFSET, PART);
	assert_only_part_differs_from_zero(to, KIB(4));
	guest_assert_filled(from, SIZE, 71);
}
END_TEST

static int run_fixed(uint8_t opcode, int file, char *map, size_t offset)
{
	struct uring ring = uring_open();
	struct io_uring_sqe request = {
		.opcode = opcode,
		.fd = file,
		.off = PLACE,
		.addr = (uintptr_t)(map + offset),
		.len = PART,
	};
	int ret;

	ck_assert_msg(!uring_register(&ring, map, SIZE), "register: %s",
		      strerror(errno));
	ret = uring_run(&ring, &request);
	uring_close(&ring);
	return ret;
}

START_TEST(direct_io_from_and_to_registered_buffers)
{
	int file = open_place(O_DIRECT);
	char *from = make_buffer(PORTALMEM_CACHED);
	char *to = make_buffer(PORTALMEM_CACHED);

	guest_fill(from, SIZE, 73);
	ck_assert_int_eq(run_fixed(IORING_OP_WRITE_FIXED, file, from, OFFSET),
			 PART);
	assert_stored(from + OFFSET);
	ck_assert_int_eq(run_fixed(IORING_OP_READ_FIXED, file, to, KIB(4)),
			 PART);
	ck_assert_mem_eq(to + KIB(4), from + OFFSET, PART);
	assert_only_part_differs_from_zero(to, KIB(4));
}
END_TEST

/* Nothing is stored, and what was there stays. */
START_TEST(direct_io_with_an_unpinnable_mapping_is_efault)
{
	static const uint32_t modes[] = {PORTALMEM_WC, PORTALMEM_UC};
	int file = open_place(O_DIRECT);
	char *good = make_buffer(PORTALMEM_CACHED);
	char *map = make_buffer(modes[_i]);

	guest_fill(good, SIZE, 75);
	ck_assert_int_eq(pwrite(file, good, PART, PLACE), PART);
	errno = 0;
	ck_assert_int_eq(pwrite(file, map, PART, PLACE), -1);
	ck_assert_int_eq(errno, EFAULT);
	errno = 0;
	ck_assert_int_eq(pread(file, map, PART, PLACE), -1);
	ck_assert_int_eq(errno, EFAULT);
	assert_stored(good);
	guest_assert_zero(map, SIZE);
}
END_TEST

/* What the kernel's own heap says, for comparison. */
static void tell_stock(void)
{
	int fd = guest_alloc_stock(SIZE);
	int file = open_place(O_DIRECT);
	char *good = make_buffer(PORTALMEM_CACHED);
	char *map;

	/* Reading a hole in a file would need no pin. */
	ck_assert_int_eq(pwrite(file, good, PART, PLACE), PART);
	if (fd >= 0) {
		map = guest_map(fd, SIZE);
		guest_tell_stock("O_DIRECT write",
				 pwrite(file, map, PART, PLACE));
		guest_tell_stock("O_DIRECT read",
				 pread(file, map, PART, PLACE));
		munmap(map, SIZE);
		close(fd);
	}
	munmap(good, SIZE);
	close(file);
}

static void set_up_disk(void)
{
	path = guest_scratch_disk();
	tell_stock();
}

static void set_up_ext4(void)
{
	guest_mount_ext4();
	path = FILE_ON_EXT4;
	tell_stock();
}

static TCase *make_tcase(const char *name, void (*set_up)(void),
			 void (*tear_down)(void))
{
	TCase *tcase = guest_tcase(name);

	tcase_add_unchecked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, direct_io_from_and_to_cached_mappings);
	/* Older kernels register anonymous memory only. */
	if (uring_registers_files())
		tcase_add_test(tcase, direct_io_from_and_to_registered_buffers);
	tcase_add_loop_test(
		tcase, direct_io_with_an_unpinnable_mapping_is_efault, 0, 2);
	return tcase;
}

static Suite *suite(void)
{
	Suite *suite = suite_create("block I/O");

	suite_add_tcase(suite, make_tcase("disk", set_up_disk, NULL));
	suite_add_tcase(suite,
			make_tcase("ext4", set_up_ext4, guest_unmount_ext4));
	return suite;
}

PMTEST_MAIN(suite)
