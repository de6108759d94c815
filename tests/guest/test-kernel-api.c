// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What other modules of the kernel can do with buffers, by the example module.
 * quick: 6.12 6.1
 * races: a worker of another module allocates
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <xf86drm.h>

#include "devices.h"
#include "example.h"
#include "guest.h"

#define GROUP "portalmem-test"
#define SOMEBODY 1000
#define PAGE ((size_t)4096)

static const struct {
	const char *heap;
	uint32_t caching;
} kinds[] = {
	{"system", PORTALMEM_DEFAULT},	  {"system", PORTALMEM_CACHED},
	{"system", PORTALMEM_WC},	  {"system", PORTALMEM_UC},
	{"contiguous", PORTALMEM_CACHED},
};

#define KINDS (int)(sizeof(kinds) / sizeof(kinds[0]))

START_TEST(a_process_reads_what_a_module_wrote)
{
	make request = example_request(kinds[_i].heap, KIB(300) + 1);
	struct portalmem_ioc_info info;
	int fd;

	request.caching = kinds[_i].caching;
	request.seed = 77;
	strcpy(request.name, "from a module");
	fd = example_make(request);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);

	info = guest_info(fd);
	ck_assert_uint_eq(info.size, KIB(304));
	ck_assert_uint_eq(info.caching, request.caching ?: PORTALMEM_CACHED);
	ck_assert_int_eq(info.pid, getpid());
	ck_assert_str_eq(info.heap, request.heap);
	ck_assert_str_eq(info.name, "from a module");
	guest_assert_filled(guest_map(fd, info.size), info.size, 77);
	close(fd);
}
END_TEST

START_TEST(a_module_reads_what_a_process_wrote)
{
	struct portalmem_ioc_alloc request =
		guest_request(KIB(300), kinds[_i].caching);
	const char *node = strcmp(kinds[_i].heap, "system")
				   ? GUEST_CONTIGUOUS_NODE
				   : GUEST_NODE;
	int fd = guest_alloc_from(node, request);
	char *map = guest_map(fd, KIB(300));
	look all = {.fd = fd, .length = KIB(300)};
	look part = {.fd = fd, .offset = KIB(97) + 4, .length = KIB(2) + 12};

	guest_fill(map, KIB(300), 5);
	ck_assert_uint_eq(example_look(all).sum, example_sum(map, KIB(300)));
	ck_assert_uint_eq(example_look(part).sum,
			  example_sum(map + part.offset, part.length));
	close(fd);
}
END_TEST

START_TEST(a_module_learns_what_a_buffer_is_and_where)
{
	static struct portalmem_ioc_segment segments[1024];
	make request = example_request(kinds[_i].heap, MIB(3));
	struct portalmem_ioc_info info;
	uint64_t longest = 0;
	unsigned int count;
	look seen;

	request.caching = kinds[_i].caching;
	seen.fd = example_make(request);
	info = guest_info(seen.fd);
	count = guest_segments(seen.fd, segments, 1024);
	for (unsigned int i = 0; i < count && i < 1024; i++)
		if (segments[i].length > longest)
			longest = segments[i].length;

	seen = example_look((look){.fd = seen.fd});
	ck_assert_uint_eq(seen.own, 1);
	ck_assert_uint_eq(seen.read_only, 0);
	ck_assert_uint_eq(seen.size, MIB(3));
	ck_assert_uint_eq(seen.caching, info.caching);
	ck_assert_uint_eq(seen.effective, info.effective);
	ck_assert_uint_eq(seen.runs, count);
	ck_assert_uint_eq(seen.longest, longest);
	ck_assert_str_eq(seen.heap, request.heap);
	if (!strcmp(request.heap, "system"))
		ck_assert_uint_eq(seen.refcounted, count);
	close(seen.fd);
}
END_TEST

START_TEST(a_module_learns_that_a_process_only_lent_its_memory)
{
	char *memory = mmap(NULL, KIB(64), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int buffer;
	look seen;

	guest_fill(memory, KIB(64), 4);
	buffer = guest_import(memory, KIB(64), O_RDONLY);
	seen = example_look((look){.fd = buffer, .length = KIB(64)});
	ck_assert_uint_eq(seen.own, 1);
	ck_assert_uint_eq(seen.read_only, 1);
	ck_assert_uint_eq(seen.refcounted, 0);
	ck_assert_uint_eq(seen.sum, example_sum(memory, KIB(64)));
	ck_assert_str_eq(seen.heap, "user");
	close(buffer);
	munmap(memory, KIB(64));
}
END_TEST

START_TEST(an_alignment_is_kept)
{
	struct portalmem_ioc_segment segment;
	make request = example_request("contiguous", PAGE);
	int fd;

	request.alignment = MIB(4);
	fd = example_make(request);
	ck_assert_uint_eq(guest_segments(fd, &segment, 1), 1);
	ck_assert_uint_ne(segment.physical, 0);
	ck_assert_uint_eq(segment.physical % MIB(4), 0);
	close(fd);
}
END_TEST

START_TEST(a_node_is_taken_from)
{
	make request = example_request("system", PAGE);

	request.flags = PORTALMEM_EXAMPLE_NODE;
	close(example_make(request));
	request.node = 63;
	ck_assert_int_eq(example_try_make(&request), EINVAL);
}
END_TEST

/* What a request is changed to, and the error. */
struct mistake {
	int error;
	make change;
};

static const struct mistake mistakes[] = {
	{ENODEV, {.heap = "no such heap", .size = 4096}},
	{ENODEV, {.heap = "", .size = 4096}},
	{ENODEV, {.heap = "portalmem", .size = 4096}},
	{EINVAL, {.heap = "system", .size = 0}},
	{EINVAL, {.heap = "system", .size = 4096, .caching = 4}},
	{EINVAL, {.heap = "system", .size = 4096, .node = 1}},
	{EINVAL, {.heap = "system", .size = 4096, .address_bits = 65}},
	{EINVAL, {.heap = "system", .size = 4096, .name = "two\nlines"}},
	{EINVAL,
	 {.heap = "system",
	  .size = 4096,
	  .name = "12345678901234567890123456789012"}},
	{EINVAL, {.heap = "contiguous", .size = 4096, .alignment = 12288}},
	{EOPNOTSUPP, {.heap = "system", .size = 4096, .alignment = 8192}},
	/* All memory begins beyond that, or the kernel itself is there. */
	{ENOMEM, {.heap = "system", .size = 65536, .address_bits = 13}},
	{ENOMEM, {.heap = "system", .size = 1ULL << 62}},
	{ENOMEM, {.heap = "system", .size = UINT64_MAX}},
};

#define MISTAKES (int)(sizeof(mistakes) / sizeof(mistakes[0]))

START_TEST(a_wrong_request_gets_its_error_and_leaves_nothing)
{
	make request = mistakes[_i].change;
	unsigned int fds = pmtest_count_fds();
	unsigned int buffers = guest_count_buffers();

	ck_assert_int_eq(example_try_make(&request), mistakes[_i].error);
	ck_assert_uint_eq(guest_count_buffers(), buffers);
	pmtest_assert_no_leaked_fds(fds);
}
END_TEST

START_TEST(the_longest_name_is_taken)
{
	make request = example_request("system", PAGE);
	int fd;

	strcpy(request.name, "1234567890123456789012345678901");
	fd = example_make(request);
	ck_assert_str_eq(guest_info(fd).name, request.name);
	close(fd);
}
END_TEST

START_TEST(what_is_no_buffer_is_refused)
{
	int null = guest_open("/dev/null");

	ck_assert_int_eq(example_look_error((look){.fd = -1}), EBADF);
	ck_assert_int_eq(example_look_error((look){.fd = null}), EINVAL);
	close(null);
}
END_TEST

START_TEST(ranges_and_directions_are_checked)
{
	look request = {.fd = guest_alloc(PAGE, PORTALMEM_CACHED)};

	request.length = PAGE;
	ck_assert_int_eq(example_look_error(request), 0);
	request.offset = 4;
	ck_assert_int_eq(example_look_error(request), ERANGE);
	request.offset = -(uint64_t)PAGE;
	ck_assert_int_eq(example_look_error(request), ERANGE);
	request.offset = PAGE;
	request.length = 0;
	ck_assert_int_eq(example_look_error(request), 0);
	request.direction = EXAMPLE_NO_DIRECTION;
	ck_assert_int_eq(example_look_error(request), EINVAL);
	close(request.fd);
}
END_TEST

/* A dma-buf of vgem's with some bytes in it. */
static int make_foreign(char **map, uint64_t *size)
{
	int vgem = devices_open_vgem();
	uint32_t handle = devices_create_vgem_buffer(vgem, size);
	int fd;

	ck_assert_int_eq(
		drmPrimeHandleToFD(vgem, handle, DRM_CLOEXEC | DRM_RDWR, &fd),
		0);
	close(vgem);
	*map = guest_map(fd, *size);
	guest_fill(*map, *size, 9);
	return fd;
}

START_TEST(others_buffers_are_told_apart)
{
	uint64_t size = KIB(64);
	char *map;
	look request = {.fd = make_foreign(&map, &size)};
	look seen;

	request.length = PAGE;
	ck_assert_int_eq(example_look_error(request), EXDEV);
	request.flags = PORTALMEM_EXAMPLE_FOREIGN;
	seen = example_look(request);
	ck_assert_uint_eq(seen.own, 0);
	ck_assert_uint_eq(seen.size, size);
	ck_assert_uint_eq(seen.sum, example_sum(map, PAGE));
	munmap(map, size);
	close(request.fd);

	request.fd = guest_alloc(PAGE, PORTALMEM_CACHED);
	ck_assert_uint_eq(example_look(request).own, 1);
	close(request.fd);
}
END_TEST

static int make_with(uint32_t flags, uint64_t size)
{
	make request = example_request("system", size);

	request.flags = flags;
	return example_try_make(&request);
}

static void exceed_group(void)
{
	ck_assert_int_eq(make_with(0, MIB(16)), ENOMEM);
	ck_assert_int_eq(make_with(PORTALMEM_EXAMPLE_ON_BEHALF, MIB(16)),
			 ENOMEM);
	ck_assert_int_eq(make_with(PORTALMEM_EXAMPLE_WORKER, MIB(16)), 0);
}

START_TEST(a_group_is_held_to_its_limit_whoever_allocates_for_it)
{
	guest_make_group(GROUP, "8M");
	guest_run_in_group(GROUP, exceed_group);
	guest_remove_group(GROUP);
}
END_TEST

static uint64_t charged(void)
{
	return guest_group_get(GROUP, "memory.current", "");
}

static void charge_group(void)
{
	static const struct {
		uint32_t flags;
		uint64_t least, most;
	} ways[] = {
		{PORTALMEM_EXAMPLE_WORKER, 0, MIB(1)},
		{0, MIB(8), MIB(9)},
		{PORTALMEM_EXAMPLE_ON_BEHALF, MIB(8), MIB(9)},
	};

	for (int i = 0; i < 3; i++) {
		uint64_t before = charged();

		ck_assert_int_eq(make_with(ways[i].flags, MIB(8)), 0);
		ck_assert_uint_ge(charged() - before, ways[i].least);
		ck_assert_uint_le(charged() - before, ways[i].most);
	}
}

START_TEST(who_asks_pays_unless_a_kernel_thread_does)
{
	guest_make_group(GROUP, "64M");
	guest_run_in_group(GROUP, charge_group);
	guest_trim();
	guest_remove_group(GROUP);
}
END_TEST

static void exceed_as_user(int node)
{
	static const struct {
		uint32_t flags;
		int error;
	} ways[] = {
		{0, EDQUOT},
		{PORTALMEM_EXAMPLE_ON_BEHALF, EDQUOT},
		{PORTALMEM_EXAMPLE_WORKER, 0},
	};

	ck_assert_int_eq(setuid(SOMEBODY), 0);
	for (int i = 0; i < 3; i++) {
		make request = example_request("system", MIB(2));
		int error;

		request.flags = ways[i].flags;
		error = ioctl(node, PORTALMEM_EXAMPLE_IOC_MAKE, &request)
				? errno
				: 0;
		ck_assert_int_eq(error, ways[i].error);
	}
}

START_TEST(a_user_is_held_to_his_limit_whoever_allocates_for_him)
{
	int node = guest_open(EXAMPLE_NODE);
	pid_t child;
	int status;

	guest_set_param("user_limit_mb", "1");
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		exceed_as_user(node);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	guest_set_param("user_limit_mb", "0");
	close(node);
}
END_TEST

START_TEST(a_kernel_thread_is_held_to_the_common_limit)
{
	guest_set_param("limit_mb", "1");
	ck_assert_int_eq(make_with(PORTALMEM_EXAMPLE_WORKER, MIB(2)), EDQUOT);
	guest_set_param("limit_mb", "0");
}
END_TEST

/* 0 or an errno. */
static int unload(const char *name)
{
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? errno : 0;
}

START_TEST(a_buffer_keeps_portalmem_when_the_module_that_made_it_is_gone)
{
	int fd = example_make(example_request("system", KIB(64)));
	char *map;

	/* It has users, a module and a buffer of its. */
	ck_assert_int_eq(unload("portalmem"), EAGAIN);
	ck_assert_int_eq(unload(EXAMPLE_MODULE), 0);
	ck_assert_int_ne(access(EXAMPLE_NODE, F_OK), 0);
	ck_assert_int_eq(unload("portalmem"), EAGAIN);

	map = guest_map(fd, KIB(64));
	close(fd);
	ck_assert_int_eq(unload("portalmem"), EAGAIN);
	guest_assert_filled(map, KIB(64), 1);
	munmap(map, KIB(64));
	ck_assert_int_eq(unload("portalmem"), 0);

	guest_load_built_module("kmod", "portalmem");
	example_load();
	close(example_make(example_request("system", PAGE)));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("kernel API");
	TCase *tcase = guest_tcase("kernel API");

	tcase_add_unchecked_fixture(tcase, example_load, example_unload);
	tcase_add_loop_test(tcase, a_process_reads_what_a_module_wrote, 0,
			    KINDS);
	tcase_add_loop_test(tcase, a_module_reads_what_a_process_wrote, 1,
			    KINDS);
	tcase_add_loop_test(tcase, a_module_learns_what_a_buffer_is_and_where,
			    0, KINDS);
	tcase_add_test(tcase,
		       a_module_learns_that_a_process_only_lent_its_memory);
	tcase_add_test(tcase, an_alignment_is_kept);
	tcase_add_test(tcase, a_node_is_taken_from);
	tcase_add_loop_test(tcase,
			    a_wrong_request_gets_its_error_and_leaves_nothing,
			    0, MISTAKES);
	tcase_add_test(tcase, the_longest_name_is_taken);
	tcase_add_test(tcase, what_is_no_buffer_is_refused);
	tcase_add_test(tcase, ranges_and_directions_are_checked);
	tcase_add_test(tcase, others_buffers_are_told_apart);
	tcase_add_test(tcase,
		       a_group_is_held_to_its_limit_whoever_allocates_for_it);
	tcase_add_test(tcase, who_asks_pays_unless_a_kernel_thread_does);
	tcase_add_test(tcase,
		       a_user_is_held_to_his_limit_whoever_allocates_for_him);
	tcase_add_test(tcase, a_kernel_thread_is_held_to_the_common_limit);
	tcase_add_test(
		tcase,
		a_buffer_keeps_portalmem_when_the_module_that_made_it_is_gone);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
