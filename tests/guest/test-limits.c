// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Asking for more than there is: it ends, soon, with ENOMEM, and nobody is
 * killed for it. Who is killed himself meanwhile is gone at once.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

/* An emulated machine with busy neighbours clears 1 GiB in a few seconds. */
#define MOST_SECONDS 30

static const uint32_t modes[] = {PORTALMEM_CACHED, PORTALMEM_WC};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Ask; 0 or a negative errno. What it got is freed. */
static int try_size(uint64_t size, uint32_t mode)
{
	struct portalmem_ioc_alloc request = guest_request(size, mode);
	int node = open(GUEST_NODE, O_RDWR | O_CLOEXEC);
	int ret = ioctl(node, PORTALMEM_IOC_ALLOC, &request) ? -errno : 0;

	if (!ret)
		close(request.fd);
	close(node);
	return ret;
}

/* Sizes that cannot be, in units of 1/16 of the machine's memory. */
static const unsigned int sixteenths[] = {16, 17, 32, 1024};

START_TEST(more_than_the_machine_has_is_enomem_in_bounded_time)
{
	uint64_t unit = (uint64_t)guest_meminfo("MemTotal") * 1024 / 16;
	long kills = guest_count_oom_kills();
	double begin = now(), took;

	ck_assert_int_eq(try_size(unit * sixteenths[_i / 2], modes[_i % 2]),
			 -ENOMEM);
	took = now() - begin;
	printf("# %u/16 of the memory refused after %.3f s\n",
	       sixteenths[_i / 2], took);
	ck_assert(took < MOST_SECONDS);
	ck_assert_int_eq(guest_count_oom_kills(), kills);
}
END_TEST

/*
 * Three processes at once, each of which could have its 7/16 alone. Each gets
 * them or ENOMEM, as often as it asks.
 */
START_TEST(more_than_is_left_by_others_is_enomem_in_bounded_time)
{
	enum {
		ASKERS = 3,
		TIMES = 4
	};
	uint64_t size = (uint64_t)guest_meminfo("MemTotal") * 1024 / 16 * 7;
	long kills = guest_count_oom_kills();
	double begin = now(), took;
	int status;

	for (int i = 0; i < ASKERS; i++) {
		pid_t child = fork();

		ck_assert_int_ge(child, 0);
		if (child)
			continue;
		for (int j = 0; j < TIMES; j++) {
			int ret = try_size(size, modes[i % 2]);

			if (ret && ret != -ENOMEM)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < ASKERS; i++) {
		ck_assert_int_gt(wait(&status), 0);
		ck_assert_int_eq(status, 0);
	}
	took = now() - begin;
	printf("# %d times 7/16 of the memory for each of %d processes: %.3f "
	       "s\n",
	       TIMES, ASKERS, took);
	ck_assert(took < MOST_SECONDS);
	ck_assert_int_eq(guest_count_oom_kills(), kills);
	/* And all of it is back. */
	ck_assert_int_eq(try_size(size, PORTALMEM_CACHED), 0);
}
END_TEST

START_TEST(sigkill_ends_a_long_allocation_within_a_second)
{
	double longest = 0;

	for (int round = 1; round <= 5; round++) {
		pid_t child = fork();
		double begin;
		int status;

		ck_assert_int_ge(child, 0);
		while (!child)
			try_size(MIB(700), modes[_i]);
		usleep(20000 * (unsigned int)round);
		begin = now();
		ck_assert_int_eq(kill(child, SIGKILL), 0);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		if (now() - begin > longest)
			longest = now() - begin;
		ck_assert(WIFSIGNALED(status));
		ck_assert_int_eq(WTERMSIG(status), SIGKILL);
	}
	printf("# gone %.3f s after SIGKILL at the latest\n", longest);
	ck_assert(longest < 1);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("limits");
	TCase *tcase = guest_tcase("limits");

	tcase_add_loop_test(tcase,
			    more_than_the_machine_has_is_enomem_in_bounded_time,
			    0, 2 * sizeof(sixteenths) / sizeof(sixteenths[0]));
	tcase_add_test(tcase,
		       more_than_is_left_by_others_is_enomem_in_bounded_time);
	tcase_add_loop_test(
		tcase, sigkill_ends_a_long_allocation_within_a_second, 0, 2);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
