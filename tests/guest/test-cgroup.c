// SPDX-License-Identifier: GPL-2.0-or-later
/* Buffers are charged to the memory cgroup of who allocates them. */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

#define GROUP "portalmem-test"

static uint64_t charged(void)
{
	return guest_group_get(GROUP, "memory.current", "");
}

/* For comparison: what the kernel's own heap hands out is nobody's. */
static void print_system_heap(void)
{
	int fd;

	if (!guest_has_stock())
		return;
	fd = guest_alloc_stock(MIB(64));
	printf("# 64 MiB in a cgroup of 8 MiB: ENOMEM; the stock system heap "
	       "gives %lld MiB, and the group is charged %llu KiB\n",
	       (long long)lseek(fd, 0, SEEK_END) >> 20,
	       (unsigned long long)charged() / 1024);
	fflush(stdout);
	close(fd);
}

static void exceed(void)
{
	static const uint32_t modes[] = {PORTALMEM_CACHED, PORTALMEM_WC};
	int node = guest_open(GUEST_NODE);

	for (int i = 0; i < 2; i++) {
		struct portalmem_ioc_alloc request =
			guest_request(MIB(64), modes[i]);

		errno = 0;
		ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request),
				 -1);
		ck_assert_int_eq(errno, ENOMEM);
	}
	print_system_heap();
	/* The refusal cost nothing: what fits is still there. */
	close(guest_alloc(MIB(4), PORTALMEM_CACHED));
}

START_TEST(more_than_the_groups_limit_is_enomem_without_a_kill)
{
	guest_make_group(GROUP, "8M");
	guest_run_in_group(GROUP, exceed);
	ck_assert_uint_eq(guest_group_get(GROUP, "memory.events", "oom_kill "),
			  0);
	guest_remove_group(GROUP);
}
END_TEST

static void charge(void)
{
	uint64_t before = charged();
	int fd = guest_alloc(MIB(32), PORTALMEM_CACHED);
	uint64_t with = charged();

	ck_assert_uint_ge(with, before + MIB(32));
	ck_assert_uint_le(with, before + MIB(33));
	/* What is pooled has been paid for, and is still. */
	close(fd);
	ck_assert_uint_ge(charged(), before + MIB(32));
	guest_trim();
	ck_assert_uint_lt(charged(), before + MIB(2));
}

START_TEST(charge_is_the_buffers_size_until_its_memory_goes_back)
{
	guest_trim();
	guest_make_group(GROUP, "128M");
	guest_run_in_group(GROUP, charge);
	guest_remove_group(GROUP);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("cgroup");
	TCase *tcase = guest_tcase("cgroup");

	tcase_add_test(tcase,
		       more_than_the_groups_limit_is_enomem_without_a_kill);
	tcase_add_test(tcase,
		       charge_is_the_buffers_size_until_its_memory_goes_back);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
