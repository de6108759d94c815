// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bytes between buffers, memory and files: what arrives, what is left alone,
 * and what is said of it. Which way they go past the page cache is for a guest
 * with a disk; here they go the ways that the machine's files have.
 */
#include "config.h"

#include <fcntl.h>
#include <linux/portalmem.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

#define SIZE (16 * PAGE)
#define FILE_SIZE (SIZE + 1234)

static unsigned char byte_of(uint64_t seed, uint64_t at)
{
	return (unsigned char)((seed + at * 2654435761u) >> 7);
}

static void fill(unsigned char *bytes, uint64_t length, uint64_t seed)
{
	for (uint64_t i = 0; i < length; i++)
		bytes[i] = byte_of(seed, i);
}

/* Deterministic, so that a failure comes again. */
static uint64_t next_random(uint64_t *state, uint64_t below)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (*state >> 33) % below;
}

/* One assertion: each takes a system call. */
static void assert_all(const unsigned char *bytes, uint64_t length,
		       unsigned char value)
{
	uint64_t i = 0;

	while (i < length && bytes[i] == value)
		i++;
	ck_assert_uint_eq(i, length);
}

static unsigned char *map_all(struct portalmem_buffer *buffer)
{
	void *address;

	ck_assert_int_eq(portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR,
					      &address),
			 0);
	return address;
}

/* 0: where temporary files are, 1: in memory. */
static int open_file(int which)
{
	char path[] = "/tmp/portalmem-test-XXXXXX";
	int fd;

	if (which) {
		fd = memfd_create("file", MFD_CLOEXEC);
	} else {
		fd = mkostemp(path, O_CLOEXEC);
		unlink(path);
	}
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void put_file(int fd, const unsigned char *bytes, uint64_t length)
{
	ck_assert_int_eq(ftruncate(fd, 0), 0);
	ck_assert_int_eq(pwrite(fd, bytes, length, 0), (ssize_t)length);
}

static void assert_file(int fd, const unsigned char *bytes, uint64_t length)
{
	unsigned char *got = malloc(length + 1);

	ck_assert_int_eq(pread(fd, got, length + 1, 0), (ssize_t)length);
	ck_assert_mem_eq(got, bytes, length);
	free(got);
}

/* A buffer that a module maps so, or calls so; its syncs are to be expected. */
static struct portalmem_buffer *import_as(uint32_t effective)
{
	static const struct portalmem_ioc_info in = {0};
	struct portalmem_ioc_info out = {.size = SIZE, .effective = effective};
	const struct mock_call calls[] = {
		{.request = PORTALMEM_IOC_INFO,
		 .on = MOCK_NODE,
		 .in = &in,
		 .in_size = sizeof(in),
		 .in_fd_at = MOCK_AT(struct portalmem_ioc_info, fd),
		 .in_fd_is = MOCK_BUFFER,
		 .out = &out},
	};
	struct portalmem_device *device = unit_open_portalmem();
	int fd = mock_new_dmabuf(SIZE);
	struct portalmem_buffer *buffer;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_import(device, fd, &buffer), 0);
	mock_expect(NULL, 0);
	portalmem_device_unref(device);
	close(fd);
	return buffer;
}

/* The beginning and the end of CPU access to one part, and nothing else. */
static void expect_bracket(uint32_t direction, uint64_t offset, uint64_t length)
{
	static struct portalmem_ioc_range range;
	static struct portalmem_ioc_sync start, end;
	static struct mock_call calls[2];

	range.offset = offset;
	range.length = length;
	start.flags = direction;
	start.count = 1;
	end = start;
	end.flags |= 4;
	for (int i = 0; i < 2; i++) {
		const struct mock_call call = {
			.request = PORTALMEM_IOC_SYNC,
			.on = MOCK_NODE,
			.in = i ? &end : &start,
			.in_size = sizeof(start),
			.in_fd_at = MOCK_AT(struct portalmem_ioc_sync, fd),
			.in_fd_is = MOCK_BUFFER,
			.in_pointer_at =
				MOCK_AT(struct portalmem_ioc_sync, ranges),
			.pointee = &range,
			.pointee_size = sizeof(range),
		};

		calls[i] = call;
	}
	MOCK_EXPECT(calls);
}

static const uint32_t cachings[] = {PORTALMEM_CACHED, PORTALMEM_WC,
				    PORTALMEM_UC, PORTALMEM_UC + 1};

/* Every start and length around the lines that go at once. */
START_TEST(copies_are_whole_and_leave_the_rest_alone)
{
	struct portalmem_buffer *buffer = import_as(cachings[_i]);
	unsigned char *map = map_all(buffer), got[600], expected[600];

	for (uint64_t offset = 0; offset < 130; offset += 1 + offset % 3)
		for (uint64_t length = 1; length < 300; length += 7) {
			memset(map, 0xee, 600);
			fill(expected, length, offset + length);
			expect_bracket(2, offset, length);
			ck_assert_int_eq(portalmem_buffer_write(buffer, offset,
								expected,
								length),
					 0);
			ck_assert_mem_eq(map + offset, expected, length);
			assert_all(map, offset, 0xee);
			assert_all(map + offset + length, 600 - offset - length,
				   0xee);

			memset(got, 0xdd, sizeof(got));
			expect_bracket(1, offset, length);
			ck_assert_int_eq(portalmem_buffer_read(buffer, offset,
							       got + offset % 5,
							       length),
					 0);
			ck_assert_mem_eq(got + offset % 5, expected, length);
			ck_assert_uint_eq(got[offset % 5 + length], 0xdd);
		}
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(copies_at_the_ends_of_a_buffer)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	static unsigned char bytes[SIZE], got[SIZE];

	fill(bytes, SIZE, 3);
	ck_assert_int_eq(portalmem_buffer_write(buffer, 0, bytes, SIZE), 0);
	ck_assert_int_eq(portalmem_buffer_read(buffer, 0, got, SIZE), 0);
	ck_assert_mem_eq(got, bytes, SIZE);
	ck_assert_int_eq(portalmem_buffer_write(buffer, SIZE - 1, "x", 1), 0);
	ck_assert_int_eq(portalmem_buffer_read(buffer, SIZE - 2, got, 2), 0);
	ck_assert_uint_eq(got[0], bytes[SIZE - 2]);
	ck_assert_uint_eq(got[1], 'x');
	ck_assert_int_eq(portalmem_buffer_read(buffer, SIZE, NULL, 0), 0);
	ck_assert_int_eq(portalmem_buffer_write(buffer, SIZE, NULL, 0), 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(mapping_that_is_there_is_used)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	static unsigned char bytes[SIZE], got[PAGE];
	unsigned char *map = map_all(buffer);

	fill(bytes, SIZE, 3);
	memcpy(map, bytes, SIZE);
	mock_fail_mmap_at(1, ENOMEM);
	ck_assert_int_eq(portalmem_buffer_read(buffer, 5 * PAGE + 1, got, PAGE),
			 0);
	ck_assert_mem_eq(got, bytes + 5 * PAGE + 1, PAGE);
	mock_fail_mmap_at(0, 0);
	/* It is still there afterwards. */
	ck_assert_uint_eq(map[0], bytes[0]);
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, map), 0);
	ck_assert(!unit_is_mapped(map));
	mock_fail_mmap_at(1, ENOMEM);
	unit_assert_fails(portalmem_buffer_read(buffer, 0, got, 1), ENOMEM);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(bad_copies_are_refused)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	char byte = 7;

	unit_assert_fails(portalmem_buffer_read(NULL, 0, &byte, 1), EINVAL);
	unit_assert_fails(portalmem_buffer_read(buffer, 0, NULL, 1), EINVAL);
	unit_assert_fails(portalmem_buffer_read(buffer, SIZE, &byte, 1),
			  EINVAL);
	unit_assert_fails(portalmem_buffer_read(buffer, 1, &byte, SIZE_MAX),
			  EINVAL);
	unit_assert_fails(portalmem_buffer_read(buffer, UINT64_MAX, &byte, 1),
			  EINVAL);
	unit_assert_fails(portalmem_buffer_write(NULL, 0, &byte, 1), EINVAL);
	unit_assert_fails(portalmem_buffer_write(buffer, 0, NULL, 1), EINVAL);
	unit_assert_fails(portalmem_buffer_write(buffer, SIZE - 1, &byte, 2),
			  EINVAL);
	ck_assert_int_eq(byte, 7);
	portalmem_buffer_unref(buffer);
}
END_TEST

/* The access fails, and there is nothing to take back. */
START_TEST(failed_sync_is_told)
{
	static const struct portalmem_ioc_range range = {.length = 1};
	static const struct portalmem_ioc_sync in = {.flags = 1, .count = 1};
	static const struct mock_call calls[] = {
		{.request = PORTALMEM_IOC_SYNC,
		 .on = MOCK_NODE,
		 .in = &in,
		 .in_size = sizeof(in),
		 .in_fd_at = MOCK_AT(struct portalmem_ioc_sync, fd),
		 .in_fd_is = MOCK_BUFFER,
		 .in_pointer_at = MOCK_AT(struct portalmem_ioc_sync, ranges),
		 .pointee = &range,
		 .pointee_size = sizeof(range),
		 .error = EIO}};
	struct portalmem_buffer *buffer = import_as(PORTALMEM_WC);
	char byte = 7;

	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_buffer_read(buffer, 0, &byte, 1), EIO);
	ck_assert_int_eq(byte, 7);
	portalmem_buffer_unref(buffer);
}
END_TEST

static int count_calls(void *data, uint64_t done, uint64_t total)
{
	uint64_t *last = data;

	ck_assert_uint_gt(done, *last);
	ck_assert_uint_le(done, total);
	*last = done;
	return 0;
}

/* Parts of every kind, held against copies in memory. */
START_TEST(files_and_buffers_get_what_they_should)
{
	const int which = _i % 2, page_cache = _i / 2 % 2;
	const uint32_t caching = _i / 4 ? PORTALMEM_WC : PORTALMEM_CACHED;
	static unsigned char in_file[2 * FILE_SIZE], in_buffer[SIZE];
	struct portalmem_io_options options = PORTALMEM_IO_OPTIONS_INIT;
	struct portalmem_buffer *buffer = import_as(caching);
	unsigned char *map = map_all(buffer);
	uint64_t file_size = FILE_SIZE, random = 1, last;
	int fd = open_file(which);

	fill(in_file, file_size, 11);
	fill(in_buffer, SIZE, 12);
	put_file(fd, in_file, file_size);
	memcpy(map, in_buffer, SIZE);
	options.page_cache = page_cache;
	options.progress = count_calls;
	options.data = &last;
	for (int i = 0; i < 80; i++) {
		/* One in two at blocks. */
		uint64_t unit = i % 4 ? i % 4 == 1 ? 512 : 1 : PAGE;
		uint64_t offset = next_random(&random, SIZE / unit) * unit;
		uint64_t length =
			(1 + next_random(&random, (SIZE - offset) / unit)) *
			unit;
		uint64_t position =
			next_random(&random, FILE_SIZE / unit) * unit;
		uint64_t expected = length, done = 99;

		last = 0;
		if (i % 2) {
			if (position + length > file_size)
				file_size = position + length;
			expect_bracket(1, offset, length);
			ck_assert_int_eq(
				portalmem_buffer_save(buffer, offset, fd,
						      (int64_t)position, length,
						      &options, &done),
				0);
			memcpy(in_file + position, in_buffer + offset, length);
		} else {
			if (position + length > file_size)
				expected = position < file_size
						   ? file_size - position
						   : 0;
			expect_bracket(2, offset, length);
			ck_assert_int_eq(
				portalmem_buffer_load(buffer, offset, fd,
						      (int64_t)position, length,
						      &options, &done),
				0);
			memcpy(in_buffer + offset, in_file + position,
			       expected);
		}
		ck_assert_uint_eq(done, expected);
		ck_assert_uint_eq(last, expected);
		ck_assert_mem_eq(map, in_buffer, SIZE);
		assert_file(fd, in_file, file_size);
		fill(in_buffer + offset, length, (uint64_t)i);
		memcpy(map + offset, in_buffer + offset, length);
	}
	close(fd);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(load_ends_where_the_file_ends)
{
	static const uint64_t sizes[] = {0,    1,    511,  512,
					 4095, 4096, 4097, 3 * 4096 + 7};
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	static unsigned char bytes[SIZE];
	unsigned char *map = map_all(buffer);
	uint64_t size = sizes[_i], done;
	int fd = open_file(0);

	fill(bytes, SIZE, 4);
	put_file(fd, bytes, size);
	memset(map, 0xaa, SIZE);
	done = 77;
	ck_assert_int_eq(
		portalmem_buffer_load(buffer, 0, fd, 0, 0, NULL, &done), 0);
	ck_assert_uint_eq(done, size);
	ck_assert_mem_eq(map, bytes, size);
	assert_all(map + size, SIZE - size, 0xaa);
	/* Beyond the end there is nothing. */
	done = 77;
	ck_assert_int_eq(portalmem_buffer_load(buffer, 0, fd, 5 * (int64_t)PAGE,
					       PAGE, NULL, &done),
			 0);
	ck_assert_uint_eq(done, 0);
	ck_assert_int_eq(portalmem_buffer_load(buffer, 0, fd, 0, 1, NULL, NULL),
			 0);
	close(fd);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(caller_s_own_direct_descriptor_is_used)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	static unsigned char bytes[SIZE];
	unsigned char *map = map_all(buffer);
	int fd = open_file(0);
	uint64_t done;

	fill(bytes, SIZE, 5);
	put_file(fd, bytes, SIZE);
	if (fcntl(fd, F_SETFL, O_DIRECT)) {
		/* Then nobody has one, and there is no way to use it. */
		ck_assert_int_eq(errno, EINVAL);
	}
	ck_assert_int_eq(
		portalmem_buffer_load(buffer, 3, fd, 5, 9001, NULL, &done), 0);
	ck_assert_uint_eq(done, 9001);
	ck_assert_mem_eq(map + 3, bytes + 5, 9001);
	ck_assert_int_eq(
		portalmem_buffer_save(buffer, 4, fd, 4, 9000, NULL, &done), 0);
	memmove(bytes + 4, map + 4, 9000);
	ck_assert_int_eq(fcntl(fd, F_SETFL, 0), 0);
	assert_file(fd, bytes, SIZE);
	close(fd);
	portalmem_buffer_unref(buffer);
}
END_TEST

static void *write_slowly(void *fd)
{
	for (unsigned char i = 0; i < 10; i++) {
		const struct timespec while_ = {.tv_nsec = 5000000};
		unsigned char piece[100];

		memset(piece, i, sizeof(piece));
		if (write(*(int *)fd, piece, sizeof(piece)) != sizeof(piece))
			break;
		nanosleep(&while_, NULL);
	}
	close(*(int *)fd);
	return NULL;
}

/* Short reads are not the end. */
START_TEST(pipes_and_sockets_are_read_to_their_end)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	unsigned char *map = map_all(buffer);
	uint64_t done = 0;
	pthread_t thread;
	int ends[2];

	if (_i)
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	else
		ck_assert_int_eq(pipe(ends), 0);
	unit_assert_fails(
		portalmem_buffer_load(buffer, 0, ends[0], 0, 1, NULL, &done),
		ESPIPE);
	unit_assert_message_has("-1");
	ck_assert_int_eq(pthread_create(&thread, NULL, write_slowly, &ends[1]),
			 0);
	ck_assert_int_eq(
		portalmem_buffer_load(buffer, 3, ends[0], -1, 0, NULL, &done),
		0);
	ck_assert_uint_eq(done, 1000);
	for (unsigned char i = 0; i < 10; i++)
		assert_all(map + 3 + 100 * i, 100, i);
	pthread_join(thread, NULL);
	close(ends[0]);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(file_s_own_position_moves)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	unsigned char *map = map_all(buffer);
	int fd = open_file(_i);
	uint64_t done;

	memcpy(map, "abcdef", 6);
	ck_assert_int_eq(
		portalmem_buffer_save(buffer, 0, fd, -1, 4, NULL, &done), 0);
	ck_assert_int_eq(
		portalmem_buffer_save(buffer, 4, fd, -1, 2, NULL, &done), 0);
	assert_file(fd, (const unsigned char *)"abcdef", 6);
	ck_assert_int_eq(lseek(fd, 2, SEEK_SET), 2);
	ck_assert_int_eq(
		portalmem_buffer_load(buffer, 10, fd, -1, 3, NULL, &done), 0);
	ck_assert_mem_eq(map + 10, "cde", 3);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 5);
	/* A position that is given leaves it where it is. */
	ck_assert_int_eq(
		portalmem_buffer_load(buffer, 10, fd, 0, 3, NULL, &done), 0);
	ck_assert_mem_eq(map + 10, "abc", 3);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 5);
	close(fd);
	portalmem_buffer_unref(buffer);
}
END_TEST

static int stop_at(void *data, uint64_t done, uint64_t total)
{
	(void)total;
	return done >= *(uint64_t *)data;
}

#define LARGE ((uint64_t)10 << 20)

START_TEST(progress_stops_it)
{
	struct portalmem_io_options options = PORTALMEM_IO_OPTIONS_INIT;
	struct portalmem_buffer *buffer = unit_alloc(LARGE);
	uint64_t done = 0, stop = 1;
	int fd = open_file(_i);

	options.progress = stop_at;
	options.data = &stop;
	ck_assert_int_eq(
		portalmem_buffer_save(buffer, 0, fd, 0, 0, &options, &done),
		-ECANCELED);
	unit_assert_message_has("caller");
	ck_assert_uint_gt(done, 0);
	ck_assert_uint_le(done, (uint64_t)4 << 20);
	ck_assert_int_eq(lseek(fd, 0, SEEK_END), (off_t)done);
	/* At the end there is nothing to stop. */
	stop = LARGE;
	ck_assert_int_eq(
		portalmem_buffer_save(buffer, 0, fd, 0, 0, &options, &done), 0);
	ck_assert_uint_eq(done, LARGE);
	stop = LARGE / 2;
	ck_assert_int_eq(
		portalmem_buffer_load(buffer, 0, fd, 0, 0, &options, &done),
		-ECANCELED);
	ck_assert_uint_ge(done, LARGE / 2);
	ck_assert_uint_lt(done, LARGE);
	close(fd);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(failure_in_between_tells_how_far_it_came)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	uint64_t done = 99;
	int ends[2], fd;

	/* The mock answers for open(2) of nodes. */
	fd = openat(AT_FDCWD, "/dev/full", O_WRONLY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	unit_assert_fails(
		portalmem_buffer_save(buffer, 0, fd, -1, 100, NULL, &done),
		ENOSPC);
	ck_assert_uint_eq(done, 0);
	close(fd);

	ck_assert_int_eq(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	ck_assert_int_eq(write(ends[1], "xyz", 3), 3);
	unit_assert_fails(
		portalmem_buffer_load(buffer, 0, ends[0], -1, 9, NULL, &done),
		EAGAIN);
	ck_assert_uint_eq(done, 3);
	close(ends[0]);
	close(ends[1]);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(bad_transfers_are_refused)
{
	struct portalmem_io_options options = PORTALMEM_IO_OPTIONS_INIT;
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	int fd = open_file(0), one_way;
	uint64_t done = 99;

	unit_assert_fails(portalmem_buffer_load(NULL, 0, fd, 0, 1, NULL, &done),
			  EINVAL);
	unit_assert_fails(portalmem_buffer_save(NULL, 0, fd, 0, 1, NULL, &done),
			  EINVAL);
	unit_assert_fails(
		portalmem_buffer_load(buffer, SIZE, fd, 0, 1, NULL, &done),
		EINVAL);
	unit_assert_fails(portalmem_buffer_load(buffer, 1, fd, 0, UINT64_MAX,
						NULL, &done),
			  EINVAL);
	unit_assert_fails(
		portalmem_buffer_save(buffer, 0, fd, -2, 1, NULL, &done),
		EINVAL);
	unit_assert_fails(
		portalmem_buffer_save(buffer, 0, fd, INT64_MAX, 1, NULL, &done),
		EINVAL);
	unit_assert_fails(
		portalmem_buffer_save(buffer, 0, -1, 0, 1, NULL, &done), EBADF);
	options.struct_size = 1;
	unit_assert_fails(
		portalmem_buffer_load(buffer, 0, fd, 0, 1, &options, &done),
		EINVAL);
	unit_assert_message_has("PORTALMEM_IO_OPTIONS_INIT");

	one_way = open("/dev/null", O_RDONLY | O_CLOEXEC);
	unit_assert_fails(
		portalmem_buffer_save(buffer, 0, one_way, 0, 1, NULL, &done),
		EBADF);
	close(one_way);
	one_way = open("/dev/null", O_WRONLY | O_CLOEXEC);
	unit_assert_fails(
		portalmem_buffer_load(buffer, 0, one_way, 0, 1, NULL, &done),
		EBADF);
	close(one_way);
	one_way = open("/", O_RDONLY | O_CLOEXEC);
	unit_assert_fails(
		portalmem_buffer_load(buffer, 0, one_way, 0, 1, NULL, &done),
		EISDIR);
	close(one_way);

	ck_assert_int_eq(fcntl(fd, F_SETFL, O_APPEND), 0);
	unit_assert_fails(
		portalmem_buffer_save(buffer, 0, fd, 0, 1, NULL, &done),
		EINVAL);
	unit_assert_message_has("O_APPEND");
	ck_assert_int_eq(
		portalmem_buffer_save(buffer, 0, fd, -1, 1, NULL, &done), 0);
	ck_assert_uint_eq(done, 1);

	/* All of nothing. */
	ck_assert_int_eq(
		portalmem_buffer_load(buffer, SIZE, fd, 0, 0, NULL, &done), 0);
	ck_assert_uint_eq(done, 0);
	close(fd);
	portalmem_buffer_unref(buffer);
}
END_TEST

static Suite *suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("io", &tc);

	tcase_add_loop_test(tc, copies_are_whole_and_leave_the_rest_alone, 0,
			    COUNT(cachings));
	tcase_add_test(tc, copies_at_the_ends_of_a_buffer);
	unit_add_shortage_test(tc, mapping_that_is_there_is_used);
	tcase_add_test(tc, bad_copies_are_refused);
	tcase_add_test(tc, failed_sync_is_told);
	tcase_add_loop_test(tc, files_and_buffers_get_what_they_should, 0, 8);
	tcase_add_loop_test(tc, load_ends_where_the_file_ends, 0, 8);
	tcase_add_test(tc, caller_s_own_direct_descriptor_is_used);
	tcase_add_loop_test(tc, pipes_and_sockets_are_read_to_their_end, 0, 2);
	tcase_add_loop_test(tc, file_s_own_position_moves, 0, 2);
	tcase_add_loop_test(tc, progress_stops_it, 0, 2);
	tcase_add_test(tc, failure_in_between_tells_how_far_it_came);
	tcase_add_test(tc, bad_transfers_are_refused);
	return suite;
}

PMTEST_MAIN(suite)
