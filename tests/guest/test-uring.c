// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * io_uring registered buffers: the kernel pins the mapping for as long as it
 * is registered, as RDMA does. Three system calls are all that is needed, and
 * so no library is.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "guest.h"

#define DISK "/dev/vda"
#define SIZE MIB(4)

struct ring {
	int fd;
	struct io_uring_params params;
	struct io_uring_sqe *sqes;
	char *rings;
};

static struct ring open_ring(void)
{
	struct ring ring = {0};

	ring.fd = (int)syscall(SYS_io_uring_setup, 1, &ring.params);
	ck_assert_msg(ring.fd >= 0, "io_uring_setup: %s", strerror(errno));
	ck_assert(ring.params.features & IORING_FEAT_SINGLE_MMAP);
	ring.sqes = mmap(NULL, sizeof(*ring.sqes), PROT_READ | PROT_WRITE,
			 MAP_SHARED, ring.fd, IORING_OFF_SQES);
	ck_assert_ptr_ne(ring.sqes, MAP_FAILED);
	ring.rings = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
			  ring.fd, IORING_OFF_SQ_RING);
	ck_assert_ptr_ne(ring.rings, MAP_FAILED);
	return ring;
}

/* Submit one request, wait for it and give its result. */
static int run_one(struct ring *ring, const struct io_uring_sqe *request)
{
	struct io_uring_params *params = &ring->params;
	unsigned int *tail = (void *)(ring->rings + params->sq_off.tail);
	unsigned int *array = (void *)(ring->rings + params->sq_off.array);
	unsigned int *head = (void *)(ring->rings + params->cq_off.head);
	struct io_uring_cqe *cqes = (void *)(ring->rings + params->cq_off.cqes);

	ring->sqes[0] = *request;
	array[*tail % params->sq_entries] = 0;
	atomic_store((_Atomic unsigned int *)tail, *tail + 1);
	ck_assert_int_eq(syscall(SYS_io_uring_enter, ring->fd, 1, 1,
				 IORING_ENTER_GETEVENTS, NULL, 0),
			 1);
	return cqes[(*head)++ % params->cq_entries].res;
}

static int register_buffer(const struct ring *ring, void *address, size_t size)
{
	struct iovec vec = {address, size};

	return (int)syscall(SYS_io_uring_register, ring->fd,
			    IORING_REGISTER_BUFFERS, &vec, 1);
}

/* Until 6.2 io_uring registers anonymous memory only, whatever the exporter. */
static int kernel_registers_files(void)
{
	struct utsname system;

	return !uname(&system) && strncmp(system.release, "6.1.", 4) != 0;
}

START_TEST(fixed_read_fills_a_registered_cached_buffer)
{
	static char expected[1 << 20];
	struct ring ring = open_ring();
	int disk = open(DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);
	int buffered = open(DISK, O_RDONLY | O_CLOEXEC);
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	char *map = guest_map(fd, SIZE);
	struct io_uring_sqe request = {
		.opcode = IORING_OP_READ_FIXED,
		.fd = disk,
		.addr = (uintptr_t)(map + MIB(1)),
		.len = MIB(1),
	};

	ck_assert_int_ge(disk, 0);
	ck_assert_msg(!register_buffer(&ring, map, SIZE), "register: %s",
		      strerror(errno));
	ck_assert_int_eq(run_one(&ring, &request), MIB(1));
	ck_assert_int_eq(pread(buffered, expected, MIB(1), 0), MIB(1));
	ck_assert_mem_eq(map + MIB(1), expected, MIB(1));
	guest_assert_zero(map, MIB(1));
	guest_assert_zero(map + MIB(2), SIZE - MIB(2));
}
END_TEST

START_TEST(old_kernel_refuses_to_register_any_file_mapping)
{
	struct ring ring = open_ring();
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);

	errno = 0;
	ck_assert_int_eq(register_buffer(&ring, guest_map(fd, SIZE), SIZE), -1);
	ck_assert_int_eq(errno, EOPNOTSUPP);
}
END_TEST

/* The ring holds the pages when the process holds nothing else of them. */
START_TEST(registration_outlives_mapping_and_descriptor)
{
	unsigned int buffers = guest_count_buffers();
	struct ring ring = open_ring();
	int disk = open(DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);
	char *map = guest_map(fd, SIZE);
	struct io_uring_sqe request = {
		.opcode = IORING_OP_READ_FIXED,
		.fd = disk,
		.addr = (uintptr_t)map,
		.len = MIB(1),
	};

	ck_assert_int_eq(register_buffer(&ring, map, SIZE), 0);
	munmap(map, SIZE);
	close(fd);
	ck_assert_uint_eq(guest_count_buffers(), buffers);
	/* A device writes to the pages; nobody else may have them by now. */
	for (int i = 0; i < 4; i++) {
		int other = guest_alloc(MIB(64), PORTALMEM_CACHED);
		char *bytes = guest_map(other, MIB(64));

		ck_assert_int_eq(run_one(&ring, &request), MIB(1));
		guest_assert_zero(bytes, MIB(64));
		munmap(bytes, MIB(64));
		close(other);
	}
}
END_TEST

START_TEST(unpinnable_mapping_cannot_be_registered)
{
	static const uint32_t modes[] = {PORTALMEM_WC, PORTALMEM_UC};
	struct ring ring = open_ring();
	int fd = guest_alloc(SIZE, modes[_i]);

	errno = 0;
	ck_assert_int_eq(register_buffer(&ring, guest_map(fd, SIZE), SIZE), -1);
	ck_assert_int_eq(errno, EFAULT);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("io_uring");
	TCase *tcase = guest_tcase("io_uring");

	if (kernel_registers_files()) {
		tcase_add_test(tcase,
			       fixed_read_fills_a_registered_cached_buffer);
		tcase_add_test(tcase,
			       registration_outlives_mapping_and_descriptor);
	} else {
		tcase_add_test(tcase,
			       old_kernel_refuses_to_register_any_file_mapping);
	}
	tcase_add_loop_test(tcase, unpinnable_mapping_cannot_be_registered, 0,
			    2);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
