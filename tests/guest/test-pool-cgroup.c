// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * races: cgroups' pools are shrunk, and go with their cgroup
 *
 * Pools and memory cgroups: a charge lives with its pages, pooled or not.
 */
#include <config.h>

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"

#define FIRST "portalmem-first"
#define SECOND "portalmem-second"

static uint64_t charged(const char *group)
{
	return guest_group_get(group, "memory.current", "");
}

static uint64_t pooled(void)
{
	return guest_heap(GUEST_NODE).pooled;
}

static void pool_40(void)
{
	close(guest_alloc(MIB(40), PORTALMEM_CACHED));
}

static void pool_40_wc(void)
{
	close(guest_alloc(MIB(40), PORTALMEM_WC));
}

START_TEST(pooled_memory_stays_charged_to_who_paid_for_it)
{
	guest_trim();
	guest_make_group(FIRST, "128M");
	guest_run_in_group(FIRST, pool_40);
	ck_assert_uint_eq(pooled(), MIB(40));
	ck_assert_uint_ge(charged(FIRST), MIB(40));
	guest_trim();
	ck_assert_uint_lt(charged(FIRST), MIB(2));
	guest_remove_group(FIRST);
}
END_TEST

static void hold_40_new(void)
{
	uint64_t before = pooled();
	int fd = guest_alloc(MIB(40), PORTALMEM_CACHED);

	/* None of it was pooled before. */
	ck_assert_uint_eq(pooled(), before);
	close(fd);
}

START_TEST(a_group_gets_no_pooled_memory_of_another)
{
	guest_trim();
	guest_make_group(FIRST, "128M");
	guest_make_group(SECOND, "128M");
	guest_run_in_group(FIRST, pool_40);
	guest_run_in_group(SECOND, hold_40_new);
	ck_assert_uint_ge(charged(FIRST), MIB(40));
	ck_assert_uint_ge(charged(SECOND), MIB(40));
	guest_trim();
	guest_remove_group(FIRST);
	guest_remove_group(SECOND);
}
END_TEST

static void hold_40_pooled(void)
{
	uint64_t before = pooled();
	int fd = guest_alloc(MIB(40), PORTALMEM_CACHED);

	/* All but the chunk that is being cleaned at that moment. */
	ck_assert_uint_le(pooled(), before - MIB(38));
	close(fd);
}

START_TEST(a_group_gets_its_own_pooled_memory_again)
{
	guest_trim();
	guest_make_group(FIRST, "64M");
	guest_run_in_group(FIRST, pool_40);
	/* Twice the 40 MiB would not fit. */
	guest_run_in_group(FIRST, hold_40_pooled);
	guest_trim();
	guest_remove_group(FIRST);
}
END_TEST

static void fail_32(void)
{
	struct portalmem_ioc_alloc request =
		guest_request(MIB(32), PORTALMEM_CACHED);

	ck_assert_int_eq(guest_try(GUEST_NODE, &request), ENOMEM);
}

START_TEST(what_nobody_paid_for_is_not_for_a_group)
{
	guest_trim();
	pool_40();
	guest_make_group(FIRST, "8M");
	guest_run_in_group(FIRST, fail_32);
	ck_assert_uint_eq(guest_group_get(FIRST, "memory.events", "oom_kill "),
			  0);
	guest_remove_group(FIRST);
	/* And it serves those outside as before. */
	hold_40_pooled();
	guest_trim();
}
END_TEST

START_TEST(a_group_at_its_limit_gets_its_pool_back_before_enomem)
{
	guest_trim();
	guest_make_group(FIRST, "64M");
	guest_make_group(SECOND, "64M");
	guest_run_in_group(SECOND, pool_40);
	guest_run_in_group(FIRST, pool_40_wc);
	guest_run_in_group(FIRST, pool_40);
	ck_assert_uint_eq(guest_group_get(FIRST, "memory.events", "oom_kill "),
			  0);
	ck_assert_uint_le(charged(FIRST), MIB(64));
	/* The other group's was left alone. */
	ck_assert_uint_ge(charged(SECOND), MIB(40));
	ck_assert_uint_ge(pooled(), MIB(40));
	guest_trim();
	guest_remove_group(FIRST);
	guest_remove_group(SECOND);
}
END_TEST

static void touch_50(void)
{
	char *memory = mmap(NULL, MIB(50), PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	ck_assert(memory != MAP_FAILED);
	memset(memory, 1, MIB(50));
}

START_TEST(a_groups_own_pressure_empties_its_pool)
{
	guest_trim();
	guest_make_group(FIRST, "64M");
	guest_make_group(SECOND, "64M");
	guest_run_in_group(SECOND, pool_40);
	guest_run_in_group(FIRST, pool_40);
	guest_run_in_group(FIRST, touch_50);
	ck_assert_uint_eq(guest_group_get(FIRST, "memory.events", "oom_kill "),
			  0);
	ck_assert_uint_lt(pooled(), MIB(40 + 16));
	ck_assert_uint_ge(charged(SECOND), MIB(40));
	guest_trim();
	guest_remove_group(FIRST);
	guest_remove_group(SECOND);
}
END_TEST

START_TEST(a_lowered_limit_empties_the_pool)
{
	guest_trim();
	guest_make_group(FIRST, "64M");
	guest_run_in_group(FIRST, pool_40);
	guest_group_put(FIRST, "memory.max", "4M");
	ck_assert_uint_le(charged(FIRST), MIB(4));
	ck_assert_uint_lt(pooled(), MIB(4));
	guest_trim();
	guest_remove_group(FIRST);
}
END_TEST

START_TEST(a_group_can_be_removed_while_its_memory_is_pooled)
{
	guest_trim();
	guest_make_group(FIRST, "64M");
	guest_run_in_group(FIRST, pool_40);
	guest_remove_group(FIRST);
	ck_assert_uint_eq(pooled(), MIB(40));
	ck_assert_uint_eq(guest_trim(), MIB(40));
}
END_TEST

/* The last reference can be dropped anywhere. */
START_TEST(a_buffer_freed_elsewhere_goes_to_the_pool_of_who_paid)
{
	int fd;

	guest_trim();
	guest_make_group(FIRST, "64M");
	guest_make_group(SECOND, "64M");
	guest_group_put(FIRST, "cgroup.procs", "0");
	fd = guest_alloc(MIB(40), PORTALMEM_CACHED);
	guest_group_put(SECOND, "cgroup.procs", "0");
	close(fd);
	ck_assert_uint_eq(pooled(), MIB(40));
	ck_assert_uint_ge(charged(FIRST), MIB(40));
	ck_assert_uint_lt(charged(SECOND), MIB(4));
	guest_run_in_group(FIRST, hold_40_pooled);
	guest_trim();
	guest_put(GUEST_CGROUPS "/cgroup.procs", "0");
	guest_remove_group(FIRST);
	guest_remove_group(SECOND);
}
END_TEST

#define SMALL_BUFFERS 64

static void pool_small(void)
{
	int fds[SMALL_BUFFERS];

	for (int i = 0; i < SMALL_BUFFERS; i++)
		fds[i] = guest_alloc(KIB(16), PORTALMEM_CACHED);
	for (int i = 0; i < SMALL_BUFFERS; i++)
		close(fds[i]);
}

/*
 * The kernel asks for a group's pool only when it knows that there is one.
 * Several times, as it forgets that when the pool was empty.
 */
START_TEST(small_buffers_of_a_group_are_in_reach_of_its_pressure)
{
	guest_trim();
	guest_make_group(FIRST, "64M");
	for (int i = 0; i < 6; i++) {
		guest_run_in_group(FIRST, pool_small);
		/* At once, and when no CPU keeps them any more. */
		if (i % 2)
			usleep(500000);
		ck_assert_uint_ge(pooled(), MIB(1) / 2);
		guest_group_put(FIRST, "memory.max", "128K");
		ck_assert_uint_eq(pooled(), 0);
		guest_group_put(FIRST, "memory.max", "64M");
	}
	guest_remove_group(FIRST);
}
END_TEST

/* One after the other on the same CPU, with what the first has left there. */
START_TEST(small_buffers_of_a_group_are_for_no_other)
{
	cpu_set_t first;

	CPU_ZERO(&first);
	CPU_SET(0, &first);
	ck_assert_int_eq(sched_setaffinity(0, sizeof(first), &first), 0);
	guest_trim();
	guest_make_group(FIRST, "64M");
	guest_make_group(SECOND, "64M");
	for (int i = 0; i < 4; i++) {
		guest_run_in_group(FIRST, pool_small);
		guest_run_in_group(SECOND, pool_small);
		pool_small();
	}
	ck_assert_uint_eq(pooled(), 3 * SMALL_BUFFERS * KIB(16));
	ck_assert_uint_ge(charged(FIRST), SMALL_BUFFERS * KIB(16));
	ck_assert_uint_ge(charged(SECOND), SMALL_BUFFERS * KIB(16));
	ck_assert_uint_eq(guest_trim(), 3 * SMALL_BUFFERS * KIB(16));
	ck_assert_uint_lt(charged(FIRST), SMALL_BUFFERS * KIB(16));
	ck_assert_uint_lt(charged(SECOND), SMALL_BUFFERS * KIB(16));
	guest_remove_group(FIRST);
	guest_remove_group(SECOND);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("pool and cgroups");
	TCase *tcase = guest_tcase("pool and cgroups");

	tcase_add_test(tcase, pooled_memory_stays_charged_to_who_paid_for_it);
	tcase_add_test(tcase, a_group_gets_no_pooled_memory_of_another);
	tcase_add_test(tcase, a_group_gets_its_own_pooled_memory_again);
	tcase_add_test(tcase, what_nobody_paid_for_is_not_for_a_group);
	tcase_add_test(tcase,
		       a_group_at_its_limit_gets_its_pool_back_before_enomem);
	tcase_add_test(tcase, a_groups_own_pressure_empties_its_pool);
	tcase_add_test(tcase, a_lowered_limit_empties_the_pool);
	tcase_add_test(tcase,
		       a_group_can_be_removed_while_its_memory_is_pooled);
	tcase_add_test(tcase,
		       a_buffer_freed_elsewhere_goes_to_the_pool_of_who_paid);
	tcase_add_test(tcase,
		       small_buffers_of_a_group_are_in_reach_of_its_pressure);
	tcase_add_test(tcase, small_buffers_of_a_group_are_for_no_other);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
