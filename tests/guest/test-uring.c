// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * io_uring registered buffers: the kernel pins the mapping for as long as it
 * is registered, as RDMA does. test-blockio writes from one, and test-pin has
 * one outlive its mapping.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"
#include "uring.h"

#define DISK "/dev/vda"
#define SIZE MIB(4)

START_TEST(fixed_read_fills_a_registered_cached_buffer)
{
	static char expected[1 << 20];
	struct uring ring = uring_open();
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
	ck_assert_msg(!uring_register(&ring, map, SIZE), "register: %s",
		      strerror(errno));
	ck_assert_int_eq(uring_run(&ring, &request), MIB(1));
	ck_assert_int_eq(pread(buffered, expected, MIB(1), 0), MIB(1));
	ck_assert_mem_eq(map + MIB(1), expected, MIB(1));
	guest_assert_zero(map, MIB(1));
	guest_assert_zero(map + MIB(2), SIZE - MIB(2));
}
END_TEST

START_TEST(old_kernel_refuses_to_register_any_file_mapping)
{
	struct uring ring = uring_open();
	int fd = guest_alloc(SIZE, PORTALMEM_CACHED);

	errno = 0;
	ck_assert_int_eq(uring_register(&ring, guest_map(fd, SIZE), SIZE), -1);
	ck_assert_int_eq(errno, EOPNOTSUPP);
}
END_TEST

START_TEST(unpinnable_mapping_cannot_be_registered)
{
	static const uint32_t modes[] = {PORTALMEM_WC, PORTALMEM_UC};
	struct uring ring = uring_open();
	int fd = guest_alloc(SIZE, modes[_i]);

	errno = 0;
	ck_assert_int_eq(uring_register(&ring, guest_map(fd, SIZE), SIZE), -1);
	ck_assert_int_eq(errno, EFAULT);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("io_uring");
	TCase *tcase = guest_tcase("io_uring");

	if (uring_registers_files())
		tcase_add_test(tcase,
			       fixed_read_fills_a_registered_cached_buffer);
	else
		tcase_add_test(tcase,
			       old_kernel_refuses_to_register_any_file_mapping);
	tcase_add_loop_test(tcase, unpinnable_mapping_cannot_be_registered, 0,
			    2);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
