// SPDX-License-Identifier: GPL-2.0-or-later
/* The module's own limits: how much one user may hold, and all together. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define SOMEBODY 1000

static void set_limits(const char *all, const char *user)
{
	guest_set_param("limit_mb", all);
	guest_set_param("user_limit_mb", user);
}

/* Allocate on an open node; 0 or an errno. The buffer stays. */
static int take(int node, uint64_t size)
{
	struct portalmem_ioc_alloc request =
		guest_request(size, PORTALMEM_CACHED);

	return ioctl(node, PORTALMEM_IOC_ALLOC, &request) ? errno : 0;
}

/* Run BODY as an ordinary user who was handed a node. */
static void run_as_user(uid_t user, void (*body)(int node))
{
	int node = guest_open(GUEST_NODE);
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		ck_assert_int_eq(setgid(user), 0);
		ck_assert_int_eq(setuid(user), 0);
		body(node);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	close(node);
}

static void reach_own_limit(int node)
{
	struct portalmem_ioc_heap heap = {0};
	struct portalmem_ioc_alloc request =
		guest_request(MIB(10), PORTALMEM_CACHED);

	ck_assert_int_eq(take(node, MIB(17)), EDQUOT);
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
	ck_assert_int_eq(take(node, MIB(7)), EDQUOT);
	ck_assert_int_eq(take(node, MIB(6)), 0);
	ck_assert_int_eq(take(node, 1), EDQUOT);

	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_HEAP, &heap), 0);
	ck_assert_uint_eq(heap.user_limit, MIB(16));
	ck_assert_uint_eq(heap.user_used, MIB(16));

	/* What is given back can be had again. */
	close(request.fd);
	ck_assert_int_eq(take(node, MIB(10)), 0);
}

static void take_sixteen(int node)
{
	ck_assert_int_eq(take(node, MIB(16)), 0);
}

START_TEST(a_user_gets_no_more_than_the_user_limit)
{
	set_limits("0", "16");
	run_as_user(SOMEBODY, reach_own_limit);
	/* The limit is each user's own. */
	run_as_user(SOMEBODY + 1, take_sixteen);
	set_limits("0", "0");
}
END_TEST

START_TEST(the_privileged_are_held_to_the_common_limit_only)
{
	struct portalmem_ioc_alloc request =
		guest_request(MIB(33), PORTALMEM_CACHED);

	set_limits("32", "16");
	close(guest_alloc(MIB(32), PORTALMEM_CACHED));
	ck_assert_int_eq(guest_try(GUEST_NODE, &request), EDQUOT);
	set_limits("0", "0");
}
END_TEST

static void find_sixteen_left(int node)
{
	ck_assert_int_eq(take(node, MIB(17)), EDQUOT);
	ck_assert_int_eq(take(node, MIB(16)), 0);
}

START_TEST(all_users_together_get_no_more_than_the_limit)
{
	int fd;

	set_limits("32", "0");
	fd = guest_alloc(MIB(16), PORTALMEM_CACHED);
	run_as_user(SOMEBODY, find_sixteen_left);
	close(fd);
	ck_assert_uint_eq(guest_heap(GUEST_NODE).limit, MIB(32));
	set_limits("0", "0");
}
END_TEST

START_TEST(a_limit_that_is_lowered_spares_what_is_there)
{
	struct portalmem_ioc_alloc request =
		guest_request(4096, PORTALMEM_CACHED);
	int fd = guest_alloc(MIB(32), PORTALMEM_CACHED);
	char *map = guest_map(fd, MIB(32));

	set_limits("16", "0");
	guest_fill(map, MIB(32), 1);
	guest_assert_filled(map, MIB(32), 1);
	ck_assert_int_eq(guest_try(GUEST_NODE, &request), EDQUOT);
	set_limits("0", "0");
	ck_assert_int_eq(guest_try(GUEST_NODE, &request), 0);
}
END_TEST

START_TEST(a_failed_allocation_is_not_counted)
{
	struct portalmem_ioc_alloc request =
		guest_request(MIB(1) * 1024 * 1024, PORTALMEM_CACHED);

	set_limits("2097152", "0");
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(guest_try(GUEST_NODE, &request), ENOMEM);
	ck_assert_uint_eq(guest_heap(GUEST_NODE).user_used, 0);
	set_limits("0", "0");
}
END_TEST

static void find_nothing_left(int node)
{
	ck_assert_int_eq(take(node, 1), EDQUOT);
}

/* Allocate as a user and stay until WAIT ends; tell the descriptor to TELL. */
static void allocate_and_wait(int tell, int wait)
{
	struct portalmem_ioc_alloc request =
		guest_request(MIB(16), PORTALMEM_CACHED);
	int node = guest_open(GUEST_NODE);
	char byte;

	ck_assert_int_eq(setuid(SOMEBODY), 0);
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
	ck_assert_int_eq(write(tell, &request.fd, sizeof(request.fd)),
			 sizeof(request.fd));
	ck_assert_int_eq(read(wait, &byte, 1), 1);
	_exit(0);
}

START_TEST(a_buffer_that_outlives_its_allocator_still_counts)
{
	int number[2], done[2], theirs, ours, process;
	pid_t child;

	set_limits("0", "16");
	ck_assert_int_eq(pipe(number), 0);
	ck_assert_int_eq(pipe(done), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child)
		allocate_and_wait(number[1], done[0]);
	ck_assert_int_eq(read(number[0], &theirs, sizeof(theirs)),
			 sizeof(theirs));
	process = (int)syscall(SYS_pidfd_open, child, 0);
	ours = (int)syscall(SYS_pidfd_getfd, process, theirs, 0);
	ck_assert_msg(ours >= 0, "%s", strerror(errno));
	ck_assert_int_eq(write(done[1], "", 1), 1);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);

	run_as_user(SOMEBODY, find_nothing_left);
	close(ours);
	run_as_user(SOMEBODY, take_sixteen);
	set_limits("0", "0");
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("quota");
	TCase *tcase = guest_tcase("quota");

	tcase_add_test(tcase, a_user_gets_no_more_than_the_user_limit);
	tcase_add_test(tcase, the_privileged_are_held_to_the_common_limit_only);
	tcase_add_test(tcase, all_users_together_get_no_more_than_the_limit);
	tcase_add_test(tcase, a_limit_that_is_lowered_spares_what_is_there);
	tcase_add_test(tcase, a_failed_allocation_is_not_counted);
	tcase_add_test(tcase,
		       a_buffer_that_outlives_its_allocator_still_counts);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
