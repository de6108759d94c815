// SPDX-License-Identifier: GPL-2.0-or-later
/* User mappings: who can pin them, and what they live through. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static const uint32_t unpinnable[] = {PORTALMEM_WC, PORTALMEM_UC};

/* A disk of the guest; reading it with O_DIRECT needs a pin. */
#define DISK "/dev/vda"

static int open_disk(void)
{
	int fd = open(DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "%s: %s", DISK, strerror(errno));
	return fd;
}

START_TEST(direct_io_reads_into_a_cached_mapping)
{
	static char expected[1 << 20];
	int disk = open_disk();
	int buffered = guest_open("/dev/null");
	int fd = guest_alloc(MIB(4), PORTALMEM_CACHED);
	char *map = guest_map(fd, MIB(4));

	ck_assert_int_eq(dup2(open(DISK, O_RDONLY), buffered), buffered);
	ck_assert_int_eq(pread(disk, map + 4096, MIB(1), 0), MIB(1));
	ck_assert_int_eq(pread(buffered, expected, MIB(1), 0), MIB(1));
	ck_assert_mem_eq(map + 4096, expected, MIB(1));
	guest_assert_zero(map, 4096);
	guest_assert_zero(map + 4096 + MIB(1), 4096);
}
END_TEST

START_TEST(direct_io_into_an_unpinnable_mapping_is_efault)
{
	int disk = open_disk();
	int fd = guest_alloc(MIB(1), unpinnable[_i]);
	char *map = guest_map(fd, MIB(1));

	errno = 0;
	ck_assert_int_eq(pread(disk, map, 4096, 0), -1);
	ck_assert_int_eq(errno, EFAULT);
	/* The page cache has no such need: a plain read copies. */
	disk = open(DISK, O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(pread(disk, map, 4096, 0), 4096);
}
END_TEST

START_TEST(other_processes_can_read_a_cached_mapping)
{
	int fd = guest_alloc(MIB(3), PORTALMEM_CACHED);
	char *map = guest_map(fd, MIB(3));
	static char copy[3 << 20];
	struct iovec to = {copy, sizeof(copy)};
	struct iovec from = {map, sizeof(copy)};

	guest_fill(map, MIB(3), 3);
	ck_assert_int_eq(process_vm_readv(getpid(), &to, 1, &from, 1, 0),
			 MIB(3));
	guest_assert_filled(copy, MIB(3), 3);
}
END_TEST

static void peek_and_poke(uint32_t caching)
{
	int fd = guest_alloc(8192, caching);
	long *map = guest_map(fd, 8192);
	pid_t child;
	int status;

	map[512] = 0x1122334455667788;
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSTOPPED(status));
	errno = 0;
	ck_assert_int_eq(ptrace(PTRACE_PEEKDATA, child, map + 512, NULL),
			 0x1122334455667788);
	ck_assert_int_eq(errno, 0);
	/* Across a page border, too. */
	ck_assert_int_eq(ptrace(PTRACE_POKEDATA, child, (char *)map + 4092,
				(void *)0x0102030405060708),
			 0);
	ck_assert_int_eq(ptrace(PTRACE_CONT, child, NULL, NULL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(*(int *)((char *)map + 4092), 0x05060708);
	ck_assert_int_eq(*(int *)((char *)map + 4096), 0x01020304);
}

START_TEST(debugger_reads_and_writes_every_mapping)
{
	static const uint32_t modes[] = {PORTALMEM_CACHED, PORTALMEM_WC,
					 PORTALMEM_UC};

	peek_and_poke(modes[_i]);
}
END_TEST

/* Not even by the way that debuggers take. */
START_TEST(mapping_of_a_read_only_descriptor_stays_read_only)
{
	static const uint32_t modes[] = {PORTALMEM_CACHED, PORTALMEM_WC};
	struct portalmem_ioc_alloc request = guest_request(4096, modes[_i]);
	int memory = guest_open("/proc/self/mem");
	char *map, byte = 1;
	int fd;

	request.fd_flags = O_RDONLY | O_CLOEXEC;
	fd = guest_alloc_from(GUEST_NODE, request);
	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	errno = 0;
	ck_assert_int_eq(mprotect(map, 4096, PROT_READ | PROT_WRITE), -1);
	ck_assert_int_eq(errno, EACCES);
	ck_assert_int_eq(pread(memory, &byte, 1, (off_t)(uintptr_t)map), 1);
	ck_assert_int_eq(byte, 0);
	byte = 1;
	ck_assert_int_eq(pwrite(memory, &byte, 1, (off_t)(uintptr_t)map), -1);
	ck_assert_int_eq(map[0], 0);
}
END_TEST

START_TEST(private_mapping_is_refused)
{
	int fd = guest_alloc(4096, PORTALMEM_CACHED);
	int wc = guest_alloc(4096, PORTALMEM_WC);

	errno = 0;
	ck_assert_ptr_eq(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0),
		MAP_FAILED);
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_eq(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, wc, 0),
			 MAP_FAILED);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(mapping_past_the_end_is_refused)
{
	int fd = guest_alloc(8192, PORTALMEM_CACHED);

	errno = 0;
	ck_assert_ptr_eq(mmap(NULL, 12288, PROT_READ, MAP_SHARED, fd, 0),
			 MAP_FAILED);
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_ptr_eq(mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 4096),
			 MAP_FAILED);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

START_TEST(part_of_a_buffer_maps_the_right_bytes)
{
	static const uint32_t modes[] = {PORTALMEM_CACHED, PORTALMEM_WC};
	int fd = guest_alloc(MIB(9), modes[_i]);
	char *whole = guest_map(fd, MIB(9));

	guest_fill(whole, MIB(9), 1);
	for (size_t offset = 0; offset < MIB(9); offset += MIB(1) + 4096) {
		size_t size = MIB(9) - offset;
		char *part = mmap(NULL, size, PROT_READ, MAP_SHARED, fd,
				  (off_t)offset);

		ck_assert_ptr_ne(part, MAP_FAILED);
		ck_assert_mem_eq(part, whole + offset, size);
		munmap(part, size);
	}
}
END_TEST

START_TEST(cached_mapping_survives_what_processes_do_to_memory)
{
	size_t size = MIB(8);
	int fd = guest_alloc(size, PORTALMEM_CACHED);
	char *map = guest_map(fd, size);
	char *moved;
	pid_t child;
	int status;

	guest_fill(map, size, 9);

	/* Dropped page table entries come back by faults, with the bytes. */
	ck_assert_int_eq(madvise(map, size, MADV_DONTNEED), 0);
	guest_assert_filled(map, size, 9);

	/* A hole splits a huge mapping. */
	ck_assert_int_eq(mprotect(map + MIB(3), 4096, PROT_NONE), 0);
	ck_assert_int_eq(mprotect(map + MIB(3), 4096, PROT_READ | PROT_WRITE),
			 0);
	guest_assert_filled(map, size, 9);

	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		guest_assert_filled(map, size, 9);
		guest_fill(map, size, 10);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	/* Shared means shared, also with a child. */
	guest_assert_filled(map, size, 10);

	moved = mremap(map, size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
		       map + MIB(64));
	ck_assert_ptr_ne(moved, MAP_FAILED);
	guest_assert_filled(moved, size, 10);

	ck_assert_int_eq(mlock(moved, size), 0);
	ck_assert_int_eq(munlock(moved, size), 0);
	ck_assert_int_eq(munmap(moved + MIB(2), MIB(1)), 0);
	ck_assert_int_eq(munmap(moved, MIB(2)), 0);
	ck_assert_int_eq(munmap(moved + MIB(3), size - MIB(3)), 0);
}
END_TEST

static sigjmp_buf past_the_end;

static void on_sigbus(int number)
{
	(void)number;
	siglongjmp(past_the_end, 1);
}

START_TEST(grown_mapping_is_sigbus_past_the_end)
{
	int fd = guest_alloc(MIB(2), PORTALMEM_CACHED);
	char *map =
		mremap(guest_map(fd, MIB(2)), MIB(2), MIB(4), MREMAP_MAYMOVE);

	ck_assert_ptr_ne(map, MAP_FAILED);
	map[MIB(2) - 1] = 1;
	signal(SIGBUS, on_sigbus);
	if (!sigsetjmp(past_the_end, 1)) {
		map[MIB(2)] = 1;
		ck_abort_msg("there is memory past the end");
	}
	ck_assert_int_eq(map[MIB(2) - 1], 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("mmap");
	TCase *tcase = guest_tcase("mmap");

	tcase_add_test(tcase, direct_io_reads_into_a_cached_mapping);
	tcase_add_loop_test(
		tcase, direct_io_into_an_unpinnable_mapping_is_efault, 0, 2);
	tcase_add_test(tcase, other_processes_can_read_a_cached_mapping);
	tcase_add_loop_test(tcase, debugger_reads_and_writes_every_mapping, 0,
			    3);
	tcase_add_loop_test(
		tcase, mapping_of_a_read_only_descriptor_stays_read_only, 0, 2);
	tcase_add_test(tcase, private_mapping_is_refused);
	tcase_add_test(tcase, mapping_past_the_end_is_refused);
	tcase_add_loop_test(tcase, part_of_a_buffer_maps_the_right_bytes, 0, 2);
	tcase_add_test(tcase,
		       cached_mapping_survives_what_processes_do_to_memory);
	tcase_add_test(tcase, grown_mapping_is_sigbus_past_the_end);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
