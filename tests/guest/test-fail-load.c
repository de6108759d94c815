// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every point at which loading the module can run out of memory: it is loaded
 * or wholly gone, and loads the next time. fail-load.sh says what guest this is
 * for.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fail-nth.h"
#include "guest.h"

#define NAME "portalmem"
#define POINTS_MAX 20000

/* The kernel counts what it frees late, and keeps some of its own. */
#define SLACK_KIB (24 * 1024)

static const char *const remains[] = {
	"/sys/module/" NAME,
	"/sys/bus/platform/devices/" NAME,
	"/sys/bus/platform/drivers/" NAME,
	"/sys/class/misc/" NAME,
	"/sys/kernel/debug/" NAME,
	"/sys/kernel/tracing/events/" NAME,
	GUEST_NODE,
	GUEST_HEAP_NODE,
	GUEST_HEAP_WC_NODE,
	GUEST_CONTIGUOUS_NODE,
	"/dev/dma_heap/fpga",
};
#define REMAINS (sizeof(remains) / sizeof(remains[0]))

/* Is it there when the module is loaded, on this kernel? */
static bool expected[REMAINS];

static const char *const nodes[] = {
	GUEST_NODE,	      GUEST_HEAP_NODE,
	GUEST_HEAP_WC_NODE,   GUEST_CONTIGUOUS_NODE,
	"/dev/dma_heap/fpga",
};
static atomic_uint opened;
static atomic_bool stop;

static int file = -1;
static const char *params;

static int load(void)
{
	return syscall(SYS_finit_module, file, params, 0) ? errno : 0;
}

/* Somebody may have a node open for a moment. */
static void unload(void)
{
	double end = guest_now() + 10 * guest_time_factor();

	while (syscall(SYS_delete_module, NAME, O_NONBLOCK)) {
		ck_assert_msg(errno == EWOULDBLOCK && guest_now() < end,
			      "unloading: %s", strerror(errno));
		usleep(1000);
	}
}

/* The module in memory: no other file system takes part in the failures. */
static void open_module(void)
{
	guest_shell("cp \"$PORTALMEM_MODULE\" /tmp/fail-load.ko");
	file = guest_open_read("/tmp/fail-load.ko");
}

static void assert_gone(unsigned int n)
{
	for (size_t i = 0; i < REMAINS; i++)
		ck_assert_msg(access(remains[i], F_OK),
			      "point %u: %s is still there", n, remains[i]);
}

/*
 * Without memory, the kernel says EINVAL of a device that finds none for its
 * name, and does not tell whether it was that or somebody else who kept it from
 * giving out a region.
 */
static bool is_expected(int error)
{
	return error == ENOMEM || error == EFAULT || error == EINVAL ||
	       error == EBUSY;
}

/* Load with point N failing: does it still load, and was there such a point? */
static bool load_failing(unsigned int n, bool *failed)
{
	int error;

	fail_nth_begin(n);
	error = load();
	*failed = fail_nth_end();
	ck_assert_msg(!error || (*failed && is_expected(error)), "point %u: %s",
		      n, strerror(error));
	if (!error)
		unload();
	assert_gone(n);
	return !error;
}

static void set_up(void)
{
	params = getenv("FAIL_LOAD_PARAMS");
	params = params ? params : "";
	open_module();
	for (size_t i = 0; i < REMAINS; i++)
		expected[i] = !access(remains[i], F_OK);
	ck_assert(expected[0]);
	unload();
	assert_gone(0);
}

static void sweep(const char *what)
{
	unsigned int fds = pmtest_count_fds(), failures = 0, n = 1;
	long freed = guest_free_kib();
	bool failed = true;

	for (; failed; n++) {
		failures += !load_failing(n, &failed);
		ck_assert_uint_lt(n, POINTS_MAX);
	}
	pmtest_assert_no_leaked_fds(fds);
	freed -= guest_free_kib();
	printf("# %s: %u points, of which %u fail the load\n", what, n - 2,
	       failures);
	ck_assert_msg(freed < SLACK_KIB, "%ld KiB less are free", freed);
	ck_assert_int_eq(load(), 0);
	for (size_t i = 0; i < REMAINS; i++)
		ck_assert_msg(!access(remains[i], F_OK) || !expected[i],
			      "there is no %s", remains[i]);
	close(guest_alloc(KIB(64), PORTALMEM_CACHED));
	unload();
}

/* Hold each node for a moment as soon as it can be opened, and use it. */
static void *open_nodes(void *unused)
{
	(void)unused;
	while (!atomic_load(&stop)) {
		for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
			struct portalmem_ioc_version version = {0};
			int fd = open(nodes[i], O_RDWR | O_CLOEXEC);

			if (fd < 0)
				continue;
			atomic_fetch_add(&opened, 1);
			usleep(2000);
			ioctl(fd, PORTALMEM_IOC_VERSION, &version);
			close(fd);
		}
	}
	return NULL;
}

/*
 * What the module does itself when it is loaded. Somebody opens its nodes as
 * soon as they are there, as udev may: that does not keep what a failed load
 * leaves.
 */
START_TEST(a_failure_of_the_module_leaves_nothing)
{
	pthread_t thread;

	fail_nth_set_up();
	fail_nth_only_within("do_one_initcall");
	ck_assert_int_eq(pthread_create(&thread, NULL, open_nodes, NULL), 0);
	sweep("the module's own steps");
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
	printf("# nodes were opened %u times meanwhile\n", opened);
	ck_assert_uint_gt(opened, 0);
}
END_TEST

/* What the kernel does for it. */
START_TEST(a_failure_of_the_kernel_leaves_nothing)
{
	fail_nth_set_up();
	fail_nth_only_outside("do_one_initcall");
	sweep("the kernel's steps");
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("fail-load");
	TCase *tcase = guest_tcase("fail-load");

	tcase_set_timeout(tcase, 600);
	tcase_add_unchecked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, a_failure_of_the_module_leaves_nothing);
	tcase_add_test(tcase, a_failure_of_the_kernel_leaves_nothing);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
