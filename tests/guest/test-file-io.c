// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The library between buffers and files: on the blocks of a disk, on ext4 and
 * on tmpfs, with buffers that can be pinned and with others. Where the file
 * system has direct I/O, nothing of a file is left in the page cache. It takes
 * a disk to write to.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <portalmem.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"
#include "trace.h"

#define FILE_ON_DISK GUEST_EXT4 "/file"
#define FILE_IN_MEMORY "/dev/shm/portalmem-file-io"

#define SIZE MIB(9)
/* Of the file: its last block is not whole. */
#define LENGTH (SIZE - 1000)

static const struct kind {
	const char *node;
	enum portalmem_backend backend;
	enum portalmem_caching caching;
	bool is_optional; /* not in every kernel */
	bool is_pinnable;
} kinds[] = {
	{GUEST_NODE, PORTALMEM_BACKEND_PORTALMEM, PORTALMEM_CACHING_CACHED,
	 false, true},
	{GUEST_NODE, PORTALMEM_BACKEND_PORTALMEM, PORTALMEM_CACHING_WC, false,
	 false},
	{GUEST_NODE, PORTALMEM_BACKEND_PORTALMEM, PORTALMEM_CACHING_UC, false,
	 false},
	{NULL, PORTALMEM_BACKEND_MEMFD, PORTALMEM_CACHING_CACHED, false, true},
	{GUEST_STOCK_NODE, PORTALMEM_BACKEND_DMA_HEAP,
	 PORTALMEM_CACHING_DEFAULT, true, false},
};

static struct portalmem_buffer *make_buffer(const struct kind *kind)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device;
	struct portalmem_buffer *buffer;

	ck_assert_int_eq(
		portalmem_device_open(kind->node, kind->backend, &device), 0);
	options.caching = kind->caching;
	ck_assert_int_eq(
		portalmem_buffer_alloc(device, SIZE, &options, &buffer), 0);
	portalmem_device_unref(device);
	return buffer;
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	return fd;
}

/* Pages of the file that are in the page cache, at the moment. */
static size_t count_cached_pages(int fd, size_t size)
{
	static unsigned char pages[SIZE / 4096 + 1];
	size_t count = 0;
	void *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(mincore(map, size, pages), 0);
	for (size_t i = 0; i < (size + 4095) / 4096; i++)
		count += pages[i] & 1;
	munmap(map, size);
	return count;
}

static void drop_cached_pages(int fd)
{
	ck_assert_int_eq(fsync(fd), 0);
	ck_assert_int_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	ck_assert_uint_eq(count_cached_pages(fd, LENGTH), 0);
}

static void put_file(int fd, const char *bytes)
{
	ck_assert_int_eq(pwrite(fd, bytes, LENGTH, 0), LENGTH);
}

static void assert_file(int fd, const char *bytes)
{
	char *got = malloc(LENGTH + 1);

	ck_assert_int_eq(pread(fd, got, LENGTH + 1, 0), LENGTH);
	ck_assert_msg(!memcmp(got, bytes, LENGTH), "the file differs");
	free(got);
}

static void assert_bytes(struct portalmem_buffer *buffer, uint64_t offset,
			 const char *bytes, size_t length)
{
	char *got = malloc(length);

	ck_assert_int_eq(portalmem_buffer_read(buffer, offset, got, length), 0);
	ck_assert_msg(!memcmp(got, bytes, length), "the buffer differs");
	free(got);
}

static char *make_bytes(uint32_t seed)
{
	char *bytes = malloc(SIZE);

	ck_assert_ptr_nonnull(bytes);
	guest_fill(bytes, SIZE, seed);
	return bytes;
}

/* Where in the buffer and in the file, and how much of it. */
static const struct part {
	uint64_t offset;
	uint64_t position;
	uint64_t length;
} parts[] = {
	{0, 0, LENGTH},
	{4096, 8192, MIB(5)},
	{4096, 512, MIB(1) + 512},
	/* At no block, but both at the same place in one. */
	{100, 4096 + 100, MIB(2)},
	{4095, 8191, 3},
	/* What is at a block in the file is none in memory. */
	{1, 4096, MIB(5)},
	{4096, 1, MIB(5) + 77},
	{5, 700, 100},
	/* The end, and beyond. */
	{0, LENGTH - 10000, 10000},
	{4096, LENGTH - 4096, 4096},
};
#define PARTS ((int)(sizeof(parts) / sizeof(parts[0])))

static void check_loads(const struct kind *kind, const char *path,
			bool is_direct)
{
	struct portalmem_buffer *buffer = make_buffer(kind);
	char *bytes = make_bytes(81), *background = make_bytes(82);
	int fd = open_file(path);

	put_file(fd, bytes);
	for (int i = 0; i < PARTS; i++) {
		const struct part *part = &parts[i];
		uint64_t end = part->offset + part->length, done = 0;

		if (is_direct)
			drop_cached_pages(fd);
		ck_assert_int_eq(
			portalmem_buffer_write(buffer, 0, background, SIZE), 0);
		ck_assert_int_eq(portalmem_buffer_load(buffer, part->offset, fd,
						       (int64_t)part->position,
						       part->length, NULL,
						       &done),
				 0);
		if (is_direct)
			ck_assert_uint_eq(count_cached_pages(fd, LENGTH), 0);
		ck_assert_uint_eq(done, part->length);
		assert_bytes(buffer, part->offset, bytes + part->position,
			     part->length);
		assert_bytes(buffer, 0, background, part->offset);
		assert_bytes(buffer, end, background + end, SIZE - end);
	}
	close(fd);
	portalmem_buffer_unref(buffer);
	free(bytes);
	free(background);
}

static void check_saves(const struct kind *kind, const char *path,
			bool is_direct)
{
	struct portalmem_buffer *buffer = make_buffer(kind);
	char *bytes = make_bytes(83), *expected = make_bytes(84);
	int fd = open_file(path);

	put_file(fd, expected);
	ck_assert_int_eq(portalmem_buffer_write(buffer, 0, bytes, SIZE), 0);
	for (int i = 0; i < PARTS; i++) {
		const struct part *part = &parts[i];
		uint64_t done = 0;

		if (is_direct)
			drop_cached_pages(fd);
		ck_assert_int_eq(portalmem_buffer_save(buffer, part->offset, fd,
						       (int64_t)part->position,
						       part->length, NULL,
						       &done),
				 0);
		/* The first and the last block at most. */
		if (is_direct)
			ck_assert_uint_le(count_cached_pages(fd, LENGTH), 2);
		ck_assert_uint_eq(done, part->length);
		memcpy(expected + part->position, bytes + part->offset,
		       part->length);
		assert_file(fd, expected);
	}
	assert_bytes(buffer, 0, bytes, SIZE);
	close(fd);
	portalmem_buffer_unref(buffer);
	free(bytes);
	free(expected);
}

START_TEST(ext4_is_read_past_the_page_cache)
{
	check_loads(&kinds[_i], FILE_ON_DISK, true);
}
END_TEST

START_TEST(ext4_is_written_past_the_page_cache)
{
	check_saves(&kinds[_i], FILE_ON_DISK, true);
}
END_TEST

/* It has no other place than the page cache. */
START_TEST(tmpfs_is_read_and_written)
{
	check_loads(&kinds[_i], FILE_IN_MEMORY, false);
	check_saves(&kinds[_i], FILE_IN_MEMORY, false);
	ck_assert_int_eq(unlink(FILE_IN_MEMORY), 0);
}
END_TEST

/* Whole blocks leave nothing in the page cache at all. */
START_TEST(file_of_whole_blocks_is_never_in_the_page_cache)
{
	struct portalmem_buffer *buffer = make_buffer(&kinds[_i]);
	struct portalmem_buffer *copy = make_buffer(&kinds[_i]);
	char *bytes = make_bytes(85);
	int fd = open_file(FILE_ON_DISK);
	uint64_t done;

	ck_assert_int_eq(portalmem_buffer_write(buffer, 0, bytes, SIZE), 0);
	ck_assert_int_eq(
		portalmem_buffer_save(buffer, 0, fd, 0, 0, NULL, &done), 0);
	ck_assert_uint_eq(done, SIZE);
	ck_assert_uint_eq(count_cached_pages(fd, SIZE), 0);
	ck_assert_int_eq(portalmem_buffer_load(copy, 0, fd, 0, 0, NULL, &done),
			 0);
	ck_assert_uint_eq(done, SIZE);
	ck_assert_uint_eq(count_cached_pages(fd, SIZE), 0);
	assert_bytes(copy, 0, bytes, SIZE);

	/* There it would be, had anybody put it there. */
	ck_assert_int_eq(pread(fd, bytes, SIZE, 0), SIZE);
	ck_assert_uint_eq(count_cached_pages(fd, SIZE), SIZE / 4096);
	close(fd);
	portalmem_buffer_unref(buffer);
	portalmem_buffer_unref(copy);
	free(bytes);
}
END_TEST

START_TEST(page_cache_is_used_when_it_is_asked_for)
{
	struct portalmem_io_options options = PORTALMEM_IO_OPTIONS_INIT;
	struct portalmem_buffer *buffer = make_buffer(&kinds[_i]);
	int fd = open_file(FILE_ON_DISK);

	options.page_cache = 1;
	ck_assert_int_eq(
		portalmem_buffer_save(buffer, 0, fd, 0, 0, &options, NULL), 0);
	ck_assert_uint_eq(count_cached_pages(fd, SIZE), SIZE / 4096);
	close(fd);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(blocks_of_a_disk_are_read_and_written)
{
	struct portalmem_buffer *buffer = make_buffer(&kinds[_i]);
	struct portalmem_buffer *copy = make_buffer(&kinds[_i]);
	int fd = guest_open(guest_scratch_disk());
	char *bytes = make_bytes(86);
	uint64_t done, size;

	ck_assert_int_eq(ioctl(fd, BLKGETSIZE64, &size), 0);
	ck_assert_int_eq(portalmem_buffer_write(buffer, 0, bytes, SIZE), 0);
	ck_assert_int_eq(portalmem_buffer_save(buffer, 100, fd, MIB(1) + 4,
					       MIB(5), NULL, &done),
			 0);
	ck_assert_uint_eq(done, MIB(5));
	ck_assert_int_eq(portalmem_buffer_load(copy, 3, fd, MIB(1) + 4, MIB(5),
					       NULL, &done),
			 0);
	ck_assert_uint_eq(done, MIB(5));
	assert_bytes(copy, 3, bytes + 100, MIB(5));

	/* The end of the disk is the end. */
	ck_assert_int_eq(portalmem_buffer_load(copy, 0, fd,
					       (int64_t)(size - 5000), 0, NULL,
					       &done),
			 0);
	ck_assert_uint_eq(done, 5000);
	ck_assert_int_eq(portalmem_buffer_save(buffer, 0, fd,
					       (int64_t)(size - 8192), 0, NULL,
					       &done),
			 -ENOSPC);
	ck_assert_uint_eq(done, 8192);
	close(fd);
	portalmem_buffer_unref(buffer);
	portalmem_buffer_unref(copy);
	free(bytes);
}
END_TEST

START_TEST(full_file_system_tells_how_much_it_took)
{
	struct portalmem_buffer *buffer = make_buffer(&kinds[_i]);
	int fd = open_file(FILE_ON_DISK);
	uint64_t done = 0, written = 0;
	int ret;

	do {
		ret = portalmem_buffer_save(buffer, 0, fd, (int64_t)written, 0,
					    NULL, &done);
		written += done;
	} while (!ret && written < MIB(64));
	ck_assert_int_eq(ret, -ENOSPC);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), (off_t)written);
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	close(fd);
	portalmem_buffer_unref(buffer);
}
END_TEST

static const struct kind *traced;

static void load_between_marks(void)
{
	struct portalmem_buffer *buffer = make_buffer(traced);
	int fd = open_file(FILE_ON_DISK), ret;

	ck_assert_int_eq(portalmem_buffer_save(buffer, 0, fd, 0, 0, NULL, NULL),
			 0);
	trace_mark();
	ret = portalmem_buffer_load(buffer, 0, fd, 0, MIB(8), NULL, NULL);
	trace_mark();
	ck_assert_int_eq(ret, 0);
	portalmem_buffer_unref(buffer);
}

/* The disk reaches a buffer that can be pinned itself, in large requests. */
START_TEST(requests_are_as_large_as_they_can_be)
{
	unsigned int reads = 0;
	struct trace trace;

	traced = &kinds[_i];
	trace = trace_run(load_between_marks);
	ck_assert_uint_lt(trace.count, TRACE_MAX);
	for (size_t i = 0; i < trace.count; i++)
		reads += trace.numbers[i] == SYS_pread64;
	/* Otherwise one is refused, and then it goes by a stage of 1 MiB. */
	ck_assert_uint_eq(reads, traced->is_pinnable ? 2 : 1 + 8);
}
END_TEST

static void add(TCase *tcase, const TTest *test)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!kinds[i].is_optional || !access(kinds[i].node, F_OK))
			tcase_add_loop_test(tcase, test, (int)i, (int)i + 1);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("file I/O");
	TCase *ext4 = guest_tcase("ext4"), *disk = guest_tcase("disk");

	tcase_add_unchecked_fixture(ext4, guest_mount_ext4, guest_unmount_ext4);
	add(ext4, ext4_is_read_past_the_page_cache);
	add(ext4, ext4_is_written_past_the_page_cache);
	add(ext4, tmpfs_is_read_and_written);
	add(ext4, file_of_whole_blocks_is_never_in_the_page_cache);
	add(ext4, page_cache_is_used_when_it_is_asked_for);
	add(ext4, full_file_system_tells_how_much_it_took);
	add(ext4, requests_are_as_large_as_they_can_be);
	add(disk, blocks_of_a_disk_are_read_and_written);
	suite_add_tcase(suite, ext4);
	suite_add_tcase(suite, disk);
	return suite;
}

PMTEST_MAIN(suite)
