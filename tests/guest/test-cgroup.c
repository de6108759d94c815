// SPDX-License-Identifier: GPL-2.0-or-later
/* Buffers are charged to the memory cgroup of who allocates them. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

#define ROOT "/sys/fs/cgroup"
#define GROUP ROOT "/portalmem-test"

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	ck_assert_msg(write(fd, text, strlen(text)) == (ssize_t)strlen(text),
		      "%s: %s", path, strerror(errno));
	close(fd);
}

static long get(const char *path, const char *field)
{
	FILE *file = fopen(path, "r");
	char line[128];
	long value = -1;

	ck_assert_msg(file != NULL, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, field, strlen(field)))
			value = strtol(line + strlen(field), NULL, 10);
	fclose(file);
	ck_assert_int_ge(value, 0);
	return value;
}

static void make_group(const char *limit)
{
	put(ROOT "/cgroup.subtree_control", "+memory");
	ck_assert_int_eq(mkdir(GROUP, 0755), 0);
	put(GROUP "/memory.max", limit);
}

static void remove_group(void)
{
	ck_assert_msg(!rmdir(GROUP), "%s", strerror(errno));
}

/* In a child, so that the group is empty again afterwards. */
static void run_in_group(void (*body)(void))
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		put(GROUP "/cgroup.procs", "0");
		body();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
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
	/* The refusal cost nothing: what fits is still there. */
	close(guest_alloc(MIB(4), PORTALMEM_CACHED));
}

START_TEST(more_than_the_groups_limit_is_enomem_without_a_kill)
{
	make_group("8M");
	run_in_group(exceed);
	ck_assert_int_eq(get(GROUP "/memory.events", "oom_kill "), 0);
	remove_group();
}
END_TEST

static void charge(void)
{
	long before = get(GROUP "/memory.current", "");
	int fd = guest_alloc(MIB(32), PORTALMEM_CACHED);
	long with = get(GROUP "/memory.current", "");
	long without;

	close(fd);
	without = get(GROUP "/memory.current", "");
	ck_assert_int_ge(with - before, MIB(32));
	ck_assert_int_le(with - before, MIB(33));
	ck_assert_int_lt(without - before, MIB(1));
}

START_TEST(charge_is_the_buffers_size_and_ends_with_it)
{
	make_group("128M");
	run_in_group(charge);
	remove_group();
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("cgroup");
	TCase *tcase = guest_tcase("cgroup");

	tcase_add_test(tcase,
		       more_than_the_groups_limit_is_enomem_without_a_kill);
	tcase_add_test(tcase, charge_is_the_buffers_size_and_ends_with_it);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
