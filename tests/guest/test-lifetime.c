// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When memory goes back, and when the module can.
 *
 * timeout: 400
 * quick: 6.12
 * races: processes are killed while they allocate
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

/* How many kills; beyond the least, only while there is time. */
#define KILLS_MOST 1000
#define KILLS_LEAST 300
#define KILLS_SECONDS 60

static void assert_unload_is_refused(void)
{
	errno = 0;
	ck_assert_int_eq(guest_unload(), -1);
	ck_assert_int_eq(errno, EAGAIN);
}

START_TEST(unload_is_refused_while_anything_lives_and_clean_after)
{
	int node = guest_open(GUEST_NODE);
	int fd;
	char *map;

	assert_unload_is_refused();
	fd = guest_alloc(MIB(1), PORTALMEM_CACHED);
	close(node);
	assert_unload_is_refused();
	map = guest_map(fd, MIB(1));
	close(fd);
	/* The mapping alone holds the buffer, and it the module. */
	assert_unload_is_refused();
	map[0] = 1;
	munmap(map, MIB(1));

	ck_assert_msg(!guest_unload(), "%s", strerror(errno));
	for (const char *const *path = guest_nodes; *path; path++)
		ck_assert_int_ne(access(*path, F_OK), 0);
	guest_load();
	close(guest_alloc(MIB(1), PORTALMEM_WC));
}
END_TEST

START_TEST(closing_gives_all_memory_back)
{
	static const uint32_t modes[] = {PORTALMEM_CACHED, PORTALMEM_WC,
					 PORTALMEM_UC};
	long before, after;

	close(guest_alloc(MIB(256), modes[_i]));
	before = guest_free_kib();
	for (int round = 0; round < 8; round++) {
		int fd = guest_alloc(MIB(256), modes[_i]);
		char *map = guest_map(fd, MIB(256));

		memset(map, 1, MIB(256));
		munmap(map, MIB(256));
		close(fd);
	}
	after = guest_free_kib();
	printf("# free: %ld KiB before, %ld KiB after 2 GiB in turn\n", before,
	       after);
	ck_assert_int_le(before - after, 2048);
}
END_TEST

/*
 * A child that is busy with buffers until it is killed. Check's assertions
 * write to the parent, and a message that the signal cuts short would end the
 * whole program; so there are none here, and a failure ends the child before
 * the signal does.
 */
static void churn(int node, unsigned int seed)
{
	for (;;) {
		size_t size = KIB(4) << (seed % 11);
		struct portalmem_ioc_alloc request =
			guest_request(size, 1 + seed % 3);
		char *map;

		if (ioctl(node, PORTALMEM_IOC_ALLOC, &request))
			_exit(1);
		map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   request.fd, 0);
		if (map == MAP_FAILED)
			_exit(2);
		memset(map, (int)seed, size);
		if (seed % 5)
			munmap(map, size);
		if (seed % 3)
			close(request.fd);
		seed = seed * 1103515245u + 12345u;
	}
}

/* Give the number of kills: at least LEAST, at most MOST. */
static unsigned int kill_some(unsigned int least, unsigned int most,
			      unsigned int seed)
{
	double end = guest_now() + KILLS_SECONDS;
	int node = guest_open(GUEST_NODE);
	unsigned int i;

	for (i = 0; i < most && (i < least || guest_now() < end); i++) {
		pid_t child = fork();
		int status;

		if (!child)
			churn(node, seed + i);
		ck_assert_int_gt(child, 0);
		usleep((useconds_t)(i % 16) * 1000);
		ck_assert_int_eq(kill(child, SIGKILL), 0);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		/* It died of the signal and of nothing before it. */
		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	close(node);
	return i;
}

START_TEST(memory_is_at_its_baseline_after_many_kills)
{
	unsigned int buffers = guest_count_buffers();
	unsigned int kills;
	long before, after;

	/* The kernel's own tables grow to their working size first. */
	kill_some(100, 100, 1);
	before = guest_free_kib();
	kills = kill_some(KILLS_LEAST, KILLS_MOST, 1000);
	after = guest_free_kib();
	printf("# free: %ld KiB before, %ld KiB after %u kills\n", before,
	       after, kills);
	ck_assert_int_le(before - after, 2048);
	ck_assert_uint_eq(guest_count_buffers(), buffers);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("lifetime");
	TCase *tcase = guest_tcase("lifetime");

	tcase_add_test(tcase,
		       unload_is_refused_while_anything_lives_and_clean_after);
	tcase_add_loop_test(tcase, closing_gives_all_memory_back, 0, 3);
	tcase_add_test(tcase, memory_is_at_its_baseline_after_many_kills);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
