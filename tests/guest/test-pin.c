// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pins: pages that somebody holds after their buffer is gone are nobody
 * else's until they are let go of; and the parameter that forbids pins.
 * quick: 6.12 6.1
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "guest.h"
#include "uring.h"

#define DISK "/dev/vda"
#define SIZE MIB(4)
#define HALF_PIPE KIB(32)

/* Free memory is never quite still; less than half of a lost buffer, though. */
#define SLACK_KIB 1536

/* Half of the guest's memory, in buffers of others. */
#define ROUNDS 64
#define ROUND_SIZE MIB(8)

struct others {
	int fds[ROUNDS];
	char *maps[ROUNDS];
};

static void allocate_and_fill(struct others *others)
{
	for (int i = 0; i < ROUNDS; i++) {
		others->fds[i] = guest_alloc(ROUND_SIZE, PORTALMEM_CACHED);
		others->maps[i] = guest_map(others->fds[i], ROUND_SIZE);
		memset(others->maps[i], 0xff, ROUND_SIZE);
	}
}

static void assert_untouched(const struct others *others)
{
	char *expected = malloc(ROUND_SIZE);

	memset(expected, 0xff, ROUND_SIZE);
	for (int i = 0; i < ROUNDS; i++)
		ck_assert_mem_eq(others->maps[i], expected, ROUND_SIZE);
	free(expected);
}

static void release(const struct others *others)
{
	for (int i = 0; i < ROUNDS; i++) {
		munmap(others->maps[i], ROUND_SIZE);
		close(others->fds[i]);
	}
}

/* The process keeps nothing of the buffer. */
static void let_go(int fd, char *map, unsigned int buffers)
{
	munmap(map, SIZE);
	close(fd);
	ck_assert_uint_eq(guest_count_buffers(), buffers);
}

static void assert_memory_is_back(long before)
{
	long after = guest_free_kib();

	ck_assert_msg(labs(after - before) <= SLACK_KIB,
		      "%ld KiB were free before, %ld KiB now", before, after);
}

/* What vmsplice put into a pipe is a reference to the page itself. */
START_TEST(pages_in_a_pipe_outlive_the_buffer)
{
	long free_before = guest_free_kib();
	unsigned int buffers = guest_count_buffers();
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	char *map = guest_map(fd, SIZE);
	/* Some pages of each half, so that a part of the buffer is held. */
	struct iovec vecs[] = {{map + MIB(1), HALF_PIPE},
			       {map + MIB(3), HALF_PIPE}};
	static char got[2 * HALF_PIPE], expected[2 * HALF_PIPE];
	static struct others others;
	int pipes[2];

	guest_fill(map, SIZE, 77);
	memcpy(expected, map + MIB(1), HALF_PIPE);
	memcpy(expected + HALF_PIPE, map + MIB(3), HALF_PIPE);
	ck_assert_int_eq(pipe(pipes), 0);
	ck_assert_int_eq(vmsplice(pipes[1], vecs, 2, 0), sizeof(got));
	let_go(fd, map, buffers);

	allocate_and_fill(&others);
	ck_assert_int_eq(read(pipes[0], got, sizeof(got)), sizeof(got));
	ck_assert_mem_eq(got, expected, sizeof(got));

	release(&others);
	close(pipes[0]);
	close(pipes[1]);
	assert_memory_is_back(free_before);
}
END_TEST

/* Read what a ring's registered buffer holds, and compare. */
static void assert_ring_holds(struct uring *ring, const char *address,
			      uint32_t seed)
{
	int file = memfd_create("registered", MFD_CLOEXEC);
	struct io_uring_sqe request = {
		.opcode = IORING_OP_WRITE_FIXED,
		.fd = file,
		.addr = (uintptr_t)address,
		.len = SIZE,
	};
	char *bytes;

	ck_assert_int_eq(uring_run(ring, &request), SIZE);
	bytes = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, file, 0);
	ck_assert_ptr_ne(bytes, MAP_FAILED);
	guest_assert_filled(bytes, SIZE, seed);
	munmap(bytes, SIZE);
	close(file);
}

/* A device writes where nobody has a mapping any more. */
static void read_disk_into(struct uring *ring, const char *address)
{
	struct io_uring_sqe request = {
		.opcode = IORING_OP_READ_FIXED,
		.fd = open(DISK, O_RDONLY | O_DIRECT | O_CLOEXEC),
		.addr = (uintptr_t)address,
		.len = MIB(1),
	};

	ck_assert_int_ge(request.fd, 0);
	ck_assert_int_eq(uring_run(ring, &request), MIB(1));
	close(request.fd);
}

START_TEST(registered_pages_outlive_the_buffer)
{
	long free_before = guest_free_kib();
	unsigned int buffers = guest_count_buffers();
	struct uring ring = uring_open();
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	char *map = guest_map(fd, SIZE);
	static struct others others;

	guest_fill(map, SIZE, 78);
	ck_assert_int_eq(uring_register(&ring, map, SIZE), 0);
	let_go(fd, map, buffers);

	allocate_and_fill(&others);
	assert_ring_holds(&ring, map, 78);
	read_disk_into(&ring, map);
	assert_untouched(&others);

	release(&others);
	uring_close(&ring);
	assert_memory_is_back(free_before);
}
END_TEST

static void set_pinnable(const char *value)
{
	guest_put("/sys/module/portalmem/parameters/pinnable", value);
}

static uint64_t features(void)
{
	struct portalmem_ioc_version version = {0};
	int node = guest_open(GUEST_NODE);

	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_VERSION, &version), 0);
	close(node);
	return version.features;
}

/* Ask for pins of a mapping in each way; give how many were had. */
static int count_pins(char *map)
{
	int disk = open(DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);
	char copy[4096];
	struct iovec from = {map, sizeof(copy)}, to = {copy, sizeof(copy)};
	int pipes[2];
	int pins = 0;

	ck_assert_int_ge(disk, 0);
	ck_assert_int_eq(pipe(pipes), 0);
	errno = 0;
	pins += pread(disk, map, 4096, 0) == 4096;
	pins += vmsplice(pipes[1], &from, 1, 0) == 4096;
	pins += process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 4096;
	if (pins < 3)
		ck_assert_int_eq(errno, EFAULT);
	close(pipes[0]);
	close(pipes[1]);
	close(disk);
	return pins;
}

static void tell_stock(void)
{
	int fd = guest_alloc_stock(8192);

	if (fd >= 0)
		guest_tell_stock("O_DIRECT, vmsplice, process_vm_readv",
				 count_pins(guest_map(fd, 8192)) ? 0 : -1);
}

START_TEST(parameter_forbids_pins_of_new_mappings)
{
	int fd = guest_alloc(8192, PORTALMEM_CACHED);
	char *old = guest_map(fd, 8192);
	char *new;

	ck_assert(features() & PORTALMEM_FEATURE_PINNABLE);
	set_pinnable("0");
	new = guest_map(fd, 8192);
	ck_assert(!(features() & PORTALMEM_FEATURE_PINNABLE));
	ck_assert_int_eq(count_pins(new), 0);
	ck_assert_int_eq(count_pins(old), 3);
	set_pinnable("1");
	ck_assert_int_eq(count_pins(new), 0);
	ck_assert_int_eq(count_pins(guest_map(fd, 8192)), 3);
	tell_stock();
}
END_TEST

START_TEST(mapping_without_pins_works_otherwise)
{
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	int disk = open(DISK, O_RDONLY | O_CLOEXEC);
	static char expected[MIB(1)];
	char *map;

	set_pinnable("0");
	map = guest_map(fd, SIZE);
	guest_fill(map, SIZE, 5);
	guest_assert_filled(guest_map(fd, SIZE), SIZE, 5);
	/* Through the page cache the kernel copies, which needs no pin. */
	ck_assert_int_eq(pread(disk, map, MIB(1), 0), MIB(1));
	ck_assert_int_eq(pread(disk, expected, MIB(1), 0), MIB(1));
	ck_assert_mem_eq(map, expected, MIB(1));
	ck_assert_int_eq(munmap(map + MIB(1), MIB(1)), 0);
	ck_assert_mem_eq(map, expected, MIB(1));
}
END_TEST

/* Whatever a test left it at. */
static void restore_pinnable(void)
{
	set_pinnable("1");
}

static Suite *suite(void)
{
	Suite *suite = suite_create("pins");
	TCase *lifetime = guest_tcase("lifetime");
	TCase *parameter = guest_tcase("parameter");

	tcase_add_test(lifetime, pages_in_a_pipe_outlive_the_buffer);
	if (uring_registers_files())
		tcase_add_test(lifetime, registered_pages_outlive_the_buffer);
	suite_add_tcase(suite, lifetime);

	tcase_add_unchecked_fixture(parameter, NULL, restore_pinnable);
	tcase_add_test(parameter, parameter_forbids_pins_of_new_mappings);
	tcase_add_test(parameter, mapping_without_pins_works_otherwise);
	suite_add_tcase(suite, parameter);
	return suite;
}

PMTEST_MAIN(suite)
