// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The contiguous heap, on a machine of 1 GiB: what it gets in one piece fresh,
 * beside page cache and anonymous memory, what comes from CMA where the kernel
 * has that, and what the heap says when there is no such piece.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define NODE GUEST_CONTIGUOUS_NODE

/* A large disk, to fill the page cache from. */
#define DISK "/dev/vdb"

#ifdef __x86_64__
/* Half of the memory lies above this. */
#define ADDRESS_BITS 29
#define UNCACHED PORTALMEM_UC
#else
/* All of it lies below this, and above half of this. */
#define ADDRESS_BITS 31
#define UNCACHED PORTALMEM_WC
#endif

static void set_limits(const char *all, const char *user)
{
	guest_set_param("contiguous_limit_mb", all);
	guest_set_param("contiguous_user_limit_mb", user);
}

static int alloc_contiguous(uint64_t size)
{
	return guest_alloc_from(NODE, guest_request(size, PORTALMEM_CACHED));
}

/* The buffer is one piece, and all of it is there and zero. */
static struct portalmem_ioc_segment assert_one_piece(int fd, uint64_t size)
{
	struct portalmem_ioc_segment segment;
	char *map = guest_map(fd, size);

	ck_assert_uint_eq(guest_segments(fd, &segment, 1), 1);
	ck_assert_uint_eq(segment.length, size);
	guest_assert_zero(map, size);
	guest_fill(map, size, 5);
	guest_assert_filled(map, size, 5);
	munmap(map, size);
	return segment;
}

START_TEST(a_fresh_machine_has_256_mib_in_one_piece)
{
	double begin = guest_now();
	int fd = alloc_contiguous(MIB(256));

	printf("# 256 MiB in %.2f s on a fresh machine\n", guest_now() - begin);
	assert_one_piece(fd, MIB(256));
	ck_assert_str_eq(guest_info(fd).heap, "contiguous");
	close(fd);
}
END_TEST

/* A disk's pages stay cached while somebody has it open. */
static int cache_disk(size_t size)
{
	int disk = guest_open_read(DISK);
	char *text = malloc(MIB(1));

	for (size_t done = 0; done < size; done += MIB(1))
		ck_assert_int_eq(read(disk, text, MIB(1)), MIB(1));
	free(text);
	return disk;
}

START_TEST(page_cache_makes_room)
{
	int disk = cache_disk(MIB(600));
	double begin;
	int fd;

	ck_assert_int_ge(guest_meminfo("Buffers") + guest_meminfo("Cached"),
			 600 << 10);
	begin = guest_now();
	fd = alloc_contiguous(MIB(256));
	printf("# 256 MiB in %.2f s under 600 MiB of page cache\n",
	       guest_now() - begin);
	assert_one_piece(fd, MIB(256));
	close(fd);
	close(disk);
}
END_TEST

START_TEST(anonymous_memory_moves_and_stays_intact)
{
	char *memory = mmap(NULL, MIB(500), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	double begin;
	int fd;

	ck_assert(memory != MAP_FAILED);
	guest_fill(memory, MIB(500), 11);
	begin = guest_now();
	fd = alloc_contiguous(MIB(256));
	printf("# 256 MiB in %.2f s beside 500 MiB of anonymous memory\n",
	       guest_now() - begin);
	assert_one_piece(fd, MIB(256));
	guest_assert_filled(memory, MIB(500), 11);
	close(fd);
	munmap(memory, MIB(500));
}
END_TEST

START_TEST(alignment_is_as_asked)
{
	static const uint64_t alignments[] = {4096,    KIB(64), MIB(1),
					      MIB(16), MIB(64), MIB(256)};
	static const uint64_t sizes[] = {4096, KIB(20), MIB(3), MIB(20)};

	for (size_t i = 0; i < sizeof(alignments) / sizeof(*alignments); i++) {
		for (size_t j = 0; j < sizeof(sizes) / sizeof(*sizes); j++) {
			struct portalmem_ioc_alloc request =
				guest_request(sizes[j], PORTALMEM_CACHED);
			struct portalmem_ioc_segment segment;
			int fd;

			request.alignment = alignments[i];
			fd = guest_alloc_from(NODE, request);
			ck_assert_uint_eq(guest_segments(fd, &segment, 1), 1);
			ck_assert_uint_eq(segment.physical % alignments[i], 0);
			close(fd);
		}
	}
}
END_TEST

START_TEST(address_limit_is_kept)
{
	struct portalmem_ioc_alloc request =
		guest_request(MIB(32), PORTALMEM_CACHED);
	struct portalmem_ioc_segment segment;
	int fd;

	request.address_bits = ADDRESS_BITS;
	fd = guest_alloc_from(NODE, request);
	ck_assert_uint_eq(guest_segments(fd, &segment, 1), 1);
	ck_assert_uint_le(segment.physical + segment.length,
			  UINT64_C(1) << ADDRESS_BITS);
	close(fd);
	/* On no machine is so much memory so low. */
	request.address_bits = 24;
	ck_assert_int_eq(guest_try(NODE, &request), ENOMEM);
}
END_TEST

START_TEST(every_caching_mode_can_be_had)
{
	static const struct {
		uint32_t asked;
		uint32_t effective;
	} modes[] = {
		{PORTALMEM_CACHED, PORTALMEM_CACHED},
		{PORTALMEM_WC, PORTALMEM_WC},
		{PORTALMEM_UC, UNCACHED},
	};

	for (int i = 0; i < 3; i++) {
		int fd = guest_alloc_from(
			NODE, guest_request(MIB(6), modes[i].asked));
		char *map = guest_map(fd, MIB(6));

		ck_assert_uint_eq(guest_info(fd).effective, modes[i].effective);
		guest_assert_zero(map, 4096);
		guest_fill(map, MIB(6), 1);
		guest_assert_filled(map, MIB(6), 1);
		munmap(map, MIB(6));
		close(fd);
	}
}
END_TEST

/* Direct I/O with the buffer works, or fails where it cannot be pinned. */
static void assert_pinnable(int fd, size_t size, bool pinnable)
{
	int disk = open("/dev/vda", O_RDONLY | O_DIRECT | O_CLOEXEC);
	int plain = guest_open_read("/dev/vda");
	char *map = guest_map(fd, size);
	char *expected = malloc(MIB(1));

	/* With page tables that are filled, too. */
	map[MIB(3)] = 1;
	errno = 0;
	if (pinnable) {
		ck_assert_int_eq(pread(disk, map + MIB(3), MIB(1), 0), MIB(1));
		ck_assert_int_eq(pread(plain, expected, MIB(1), 0), MIB(1));
		ck_assert_mem_eq(map + MIB(3), expected, MIB(1));
	} else {
		ck_assert_int_eq(pread(disk, map + MIB(3), MIB(1), 0), -1);
		ck_assert_int_eq(errno, EFAULT);
	}
	free(expected);
	munmap(map, size);
	close(plain);
	close(disk);
}

/* Longer than all CMA memory, where there is any. */
START_TEST(direct_io_reaches_the_memory)
{
	int fd = alloc_contiguous(MIB(96));

	assert_pinnable(fd, MIB(96), true);
	close(fd);
}
END_TEST

static bool has_cma(void)
{
	return !system("grep -q ^CmaTotal: /proc/meminfo");
}

START_TEST(the_heap_says_whether_all_of_it_can_be_pinned)
{
	uint32_t features = guest_heap(NODE).features;

	ck_assert_uint_eq(features,
			  PORTALMEM_HEAP_CONTIGUOUS |
				  (has_cma() ? 0 : PORTALMEM_HEAP_PINNABLE));
}
END_TEST

/* How often CMA has given memory to anybody. */
static long count_cma_allocations(void)
{
	FILE *file = fopen("/proc/vmstat", "r");
	char line[256];
	long count = -1;

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "cma_alloc_success %ld", &count);
	fclose(file);
	ck_assert_int_ge(count, 0);
	return count;
}

/* Its pages cannot be moved: CMA does not lend it any. */
START_TEST(the_system_heap_does_not_count_on_cma)
{
	long kib;

	guest_trim();
	kib = guest_meminfo("MemAvailable") - guest_meminfo("CmaFree");
	ck_assert_uint_le(guest_heap(GUEST_NODE).available,
			  ((uint64_t)kib << 10) + MIB(16));
}
END_TEST

/* Each time again: what was freed is there for the next. */
START_TEST(a_run_that_cma_has_comes_from_there)
{
	static const size_t sizes[] = {MIB(16), MIB(48)};
	size_t size = sizes[_i];

	for (int round = 0; round < 4; round++) {
		long before = count_cma_allocations();
		int fd = alloc_contiguous(size);

		ck_assert_int_eq(count_cma_allocations(), before + 1);
		ck_assert_int_le(guest_meminfo("CmaFree"),
				 guest_meminfo("CmaTotal") -
					 (long)(size >> 10));
		assert_one_piece(fd, size);
		assert_pinnable(fd, size, false);
		close(fd);
	}
}
END_TEST

START_TEST(a_run_that_cma_lacks_comes_from_elsewhere)
{
	int first = alloc_contiguous(MIB(48));
	long before = count_cma_allocations();
	int second = alloc_contiguous(MIB(48));

	ck_assert_int_eq(count_cma_allocations(), before);
	assert_one_piece(first, MIB(48));
	assert_one_piece(second, MIB(48));
	assert_pinnable(first, MIB(48), false);
	assert_pinnable(second, MIB(48), true);
	close(first);
	close(second);
}
END_TEST

/* Movable memory of others may lie there meanwhile. */
START_TEST(cma_memory_that_is_lent_out_comes_back)
{
	long total = guest_meminfo("CmaTotal");
	size_t size = MIB(800);
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd;

	ck_assert(memory != MAP_FAILED);
	guest_fill(memory, size, 7);
	printf("# %ld of %ld KiB of CMA memory are free\n",
	       guest_meminfo("CmaFree"), total);
	ck_assert_int_lt(guest_meminfo("CmaFree"), total / 2);
	fd = alloc_contiguous(MIB(32));
	assert_one_piece(fd, MIB(32));
	assert_pinnable(fd, MIB(32), false);
	guest_assert_filled(memory, size, 7);
	close(fd);
	munmap(memory, size);
}
END_TEST

START_TEST(all_memory_is_back_afterwards)
{
	long before, after;

	close(alloc_contiguous(MIB(256)));
	before = guest_free_kib();
	for (int i = 0; i < 8; i++)
		close(alloc_contiguous(MIB(256)));
	after = guest_free_kib();
	printf("# free: %ld KiB before, %ld KiB after 2 GiB in turn\n", before,
	       after);
	ck_assert_int_ge(after, before - 2048);
}
END_TEST

/*
 * One buffer of the system heap, which nobody can move, in each 64 MiB of
 * physical memory; all the others are given back.
 */
static void fragment(void)
{
	unsigned char seen[256] = {0};
	int fds[512];
	int count = 0;

	for (; count < 512; count++) {
		struct portalmem_ioc_alloc request =
			guest_request(MIB(2), PORTALMEM_CACHED);

		if (guest_try(GUEST_NODE, &request))
			break;
		fds[count] = request.fd;
	}
	for (int i = 0; i < count; i++) {
		struct portalmem_ioc_segment segment;
		size_t window;

		guest_segments(fds[i], &segment, 1);
		window = segment.physical / MIB(64);
		ck_assert_uint_lt(window, sizeof(seen));
		if (seen[window]++)
			close(fds[i]);
	}
	guest_trim();
}

/*
 * Allocate what the heap says is the longest run. A page in it may be held for
 * a moment by somebody who does not know that it is to be moved: the heap then
 * says how long the longest one is now.
 */
static int alloc_longest(uint64_t *size)
{
	struct portalmem_ioc_alloc request;
	int error;

	for (int i = 0; i < 5; i++) {
		*size = guest_heap(NODE).largest;
		request = guest_request(*size, PORTALMEM_CACHED);
		error = guest_try(NODE, &request);
		if (!error)
			return request.fd;
		printf("# %llu MiB: %s\n", (unsigned long long)*size >> 20,
		       strerror(error));
		usleep(100000);
	}
	ck_abort_msg("the longest run cannot be had: %s", strerror(error));
}

START_TEST(without_a_long_run_it_fails_fast_and_tells_the_longest)
{
	struct portalmem_ioc_alloc request =
		guest_request(MIB(256), PORTALMEM_CACHED);
	struct portalmem_ioc_heap heap;
	double begin, took;
	uint64_t size;
	int error, fd;

	fragment();
	begin = guest_now();
	error = guest_try(NODE, &request);
	took = guest_now() - begin;
	heap = guest_heap(NODE);
	printf("# refused after %.2f s; the longest run is %llu MiB\n", took,
	       (unsigned long long)heap.largest >> 20);
	ck_assert_int_eq(error, ENOMEM);
	ck_assert(took < 1);
	ck_assert_uint_lt(heap.largest, MIB(256));
	ck_assert_uint_ge(heap.largest, MIB(32));
	ck_assert_uint_ge(heap.available, MIB(256));

	/* And it is the truth. */
	fd = alloc_longest(&size);
	ck_assert_uint_ge(size, MIB(32));
	assert_one_piece(fd, size);
	close(fd);
}
END_TEST

START_TEST(limits_are_on_by_default)
{
	struct portalmem_ioc_heap heap = guest_heap(NODE);
	uint64_t total = (uint64_t)guest_meminfo("MemTotal") << 10;

	ck_assert_uint_gt(heap.limit, total / 2 - MIB(2));
	ck_assert_uint_le(heap.limit, total / 2);
	ck_assert_uint_gt(heap.user_limit, total / 4 - MIB(2));
	ck_assert_uint_le(heap.user_limit, total / 4);
}
END_TEST

static void reach_user_limit(int node)
{
	struct portalmem_ioc_alloc request =
		guest_request(MIB(33), PORTALMEM_CACHED);

	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), -1);
	ck_assert_int_eq(errno, EDQUOT);
	request.size = MIB(32);
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
}

START_TEST(a_user_who_was_handed_the_node_is_held_to_a_limit)
{
	struct portalmem_ioc_alloc request =
		guest_request(MIB(65), PORTALMEM_CACHED);
	int node = guest_open(NODE);
	pid_t child;
	int status;

	set_limits("64", "32");
	ck_assert_int_eq(guest_try(NODE, &request), EDQUOT);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		ck_assert_int_eq(setuid(1000), 0);
		reach_user_limit(node);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	set_limits("0", "0");
}
END_TEST

START_TEST(the_node_is_for_root_alone)
{
	struct stat status;
	pid_t child;
	int code;

	ck_assert_int_eq(stat(NODE, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0600);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		ck_assert_int_eq(setuid(1000), 0);
		errno = 0;
		_exit(open(NODE, O_RDWR) != -1 || errno != EACCES);
	}
	ck_assert_int_eq(waitpid(child, &code, 0), child);
	ck_assert_int_eq(code, 0);
}
END_TEST

START_TEST(sigkill_ends_a_series_of_searches_at_once)
{
	pid_t child = fork();
	double begin;

	ck_assert_int_ge(child, 0);
	if (!child) {
		int node = open(NODE, O_RDWR);

		for (;;) {
			struct portalmem_ioc_alloc request =
				guest_request(MIB(256), PORTALMEM_CACHED);

			if (!ioctl(node, PORTALMEM_IOC_ALLOC, &request))
				close(request.fd);
		}
	}
	usleep(300000);
	begin = guest_now();
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	ck_assert(guest_now() - begin < 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("contiguous heap");
	TCase *tcase = guest_tcase("contiguous heap");

	/* The machine is fresh once only. */
	tcase_add_test(tcase, a_fresh_machine_has_256_mib_in_one_piece);
	tcase_add_test(tcase, page_cache_makes_room);
	tcase_add_test(tcase, anonymous_memory_moves_and_stays_intact);
	tcase_add_test(tcase, alignment_is_as_asked);
	tcase_add_test(tcase, address_limit_is_kept);
	tcase_add_test(tcase, every_caching_mode_can_be_had);
	tcase_add_test(tcase, direct_io_reaches_the_memory);
	tcase_add_test(tcase, the_heap_says_whether_all_of_it_can_be_pinned);
	if (has_cma()) {
		tcase_add_test(tcase, the_system_heap_does_not_count_on_cma);
		tcase_add_loop_test(tcase, a_run_that_cma_has_comes_from_there,
				    0, 2);
		tcase_add_test(tcase,
			       a_run_that_cma_lacks_comes_from_elsewhere);
		tcase_add_test(tcase, cma_memory_that_is_lent_out_comes_back);
	}
	tcase_add_test(tcase, all_memory_is_back_afterwards);
	tcase_add_test(tcase, sigkill_ends_a_series_of_searches_at_once);
	tcase_add_test(tcase,
		       without_a_long_run_it_fails_fast_and_tells_the_longest);
	tcase_add_test(tcase, the_node_is_for_root_alone);
	tcase_add_test(tcase, limits_are_on_by_default);
	tcase_add_test(tcase,
		       a_user_who_was_handed_the_node_is_held_to_a_limit);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
