// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long a hostile process keeps others waiting: for the processor, for
 * locks, for its own end. Times are those of a machine whose clock counts
 * instructions, and are compared with what the kernel itself takes for the like
 * on it. Every device needs to be synced there, by copies.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/dma-buf.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "attachment.h"
#include "guest.h"
#include "soft-device.h"

#define PAGE ((size_t)4096)
#define USER 1009
#define BIG MIB(64)
#define BOUNCED MIB(8)
#define DEVICE "pm_device.0"

/* What the hostile process has, opened for it. */
static int node, scattered, stock = -1;
static char *own;

struct board {
	atomic_uint rounds;
	atomic_int wrong;
};

static int allocate(uint32_t caching)
{
	struct portalmem_ioc_alloc request = guest_request(BIG, caching);

	return ioctl(node, PORTALMEM_IOC_ALLOC, &request) ? -1 : request.fd;
}

static int map_and_touch(int fd)
{
	char *map = mmap(NULL, BIG, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_POPULATE, fd, 0);

	return map == MAP_FAILED ? -1 : munmap(map, BIG);
}

static int use(int fd)
{
	return fd < 0 || map_and_touch(fd) || close(fd) ? -1 : 0;
}

static int trim(void)
{
	struct portalmem_ioc_trim request = {0};

	return ioctl(node, PORTALMEM_IOC_TRIM, &request);
}

/* Of the kernel itself, for comparison. */
static int take_memory(void)
{
	char *map = mmap(NULL, BIG, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return map == MAP_FAILED ? -1 : munmap(map, BIG);
}

static int use_stock(void)
{
	return stock < 0 ? take_memory() : map_and_touch(stock);
}

static int use_cached(void)
{
	return use(allocate(PORTALMEM_CACHED));
}

static int use_wc(void)
{
	return use(allocate(PORTALMEM_WC));
}

static int use_fresh_wc(void)
{
	return use(allocate(PORTALMEM_WC)) || trim();
}

static int map_scattered(void)
{
	return map_and_touch(scattered);
}

static int import(void)
{
	struct portalmem_ioc_import_user request = {
		.fd_flags = O_RDWR,
		.address = (uintptr_t)own,
		.size = BIG,
	};

	return ioctl(node, PORTALMEM_IOC_IMPORT_USER, &request)
		       ? -1
		       : close(request.fd);
}

static int ask(void)
{
	static struct portalmem_ioc_segment segments[BIG / PAGE];
	struct portalmem_ioc_segments table = {
		.fd = scattered,
		.segments = (uintptr_t)segments,
		.count = BIG / PAGE,
	};
	struct portalmem_ioc_holders holders = {.fd = scattered};

	return ioctl(node, PORTALMEM_IOC_SEGMENTS, &table) ||
	       ioctl(node, PORTALMEM_IOC_HOLDERS, &holders);
}

static int ask_too_much(void)
{
	struct portalmem_ioc_alloc request =
		guest_request((uint64_t)1 << 40, PORTALMEM_CACHED);

	return !ioctl(node, PORTALMEM_IOC_ALLOC, &request);
}

static void become_user(void)
{
	struct rlimit enough = {BIG, BIG};

	ck_assert_int_eq(setrlimit(RLIMIT_MEMLOCK, &enough), 0);
	ck_assert_int_eq(setgroups(0, NULL), 0);
	ck_assert_int_eq(setgid(USER), 0);
	ck_assert_int_eq(setuid(USER), 0);
}

static void become_urgent(void)
{
	struct sched_param param = {.sched_priority = 50};

	ck_assert_int_eq(sched_setscheduler(0, SCHED_FIFO, &param), 0);
}

/* How long others wait, at the most: for the processor, and for a small buffer.
 */
struct waits {
	double processor;
	double buffer;
};

static void wait_a_moment(struct waits *waits)
{
	struct timespec moment = {.tv_nsec = 300000};
	double begin = guest_now(), late;
	struct portalmem_ioc_alloc request =
		guest_request(PAGE, PORTALMEM_CACHED);

	nanosleep(&moment, NULL);
	late = guest_now() - begin - (double)moment.tv_nsec / 1e9;
	if (late > waits->processor)
		waits->processor = late;
	begin = guest_now();
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
	close(request.fd);
	late = guest_now() - begin;
	if (late > waits->buffer)
		waits->buffer = late;
}

/* How often the hostile do it, and others wait, at least. */
#define ROUNDS 5
#define MOMENTS 200

static struct waits measure(int (*hostile)(void), const char *what)
{
	struct board *board = mmap(NULL, sizeof(*board), PROT_READ | PROT_WRITE,
				   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct waits waits = {0};
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child) {
		struct sched_param param = {0};

		ck_assert_int_eq(sched_setscheduler(0, SCHED_OTHER, &param), 0);
		become_user();
		for (;;) {
			if (hostile())
				atomic_store(&board->wrong, errno);
			atomic_fetch_add(&board->rounds, 1);
		}
	}
	/* The first time is different: tables grow. */
	while (atomic_load(&board->rounds) < 1)
		usleep(1000);
	for (int i = 0; i < MOMENTS || atomic_load(&board->rounds) < 1 + ROUNDS;
	     i++)
		wait_a_moment(&waits);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	ck_assert_msg(!board->wrong, "%s: %s", what, strerror(board->wrong));
	munmap(board, sizeof(*board));
	printf("# %s: others wait %.0f us for the processor, %.0f us for a "
	       "buffer\n",
	       what, waits.processor * 1e6, waits.buffer * 1e6);
	fflush(stdout);
	return waits;
}

static const struct {
	int (*hostile)(void);
	const char *what;
} uses[] = {
	{use_cached, "allocates, maps and frees 64 MiB"},
	{use_wc, "the same, write-combined"},
	{use_fresh_wc, "the same, not from the pool"},
	{map_scattered, "maps 64 MiB in pieces, write-combined"},
	{import, "imports 64 MiB of its own"},
	{ask, "asks for 64 MiB in pieces"},
	{ask_too_much, "asks for too much"},
};

static double most(double a, double b)
{
	return a > b ? a : b;
}

/* How many times as long as for the like of the kernel itself. */
#define MOST_TIMES 3

START_TEST(others_wait_no_longer_than_for_the_kernel_itself)
{
	struct waits memory, other;
	const char *slow = NULL;
	double allowed;

	node = guest_open(GUEST_NODE);
	scattered = guest_alloc_scattered(BIG, PORTALMEM_WC, 256);
	if (guest_has_stock())
		stock = guest_alloc_stock(BIG);
	own = mmap(NULL, BIG, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	ck_assert_ptr_ne(own, MAP_FAILED);
	become_urgent();
	memory = measure(take_memory, "the kernel gives and takes 64 MiB");
	other = measure(use_stock, "it maps 64 MiB of its own heap");
	allowed = most(most(memory.processor, other.processor),
		       most(memory.buffer, other.buffer)) *
		  MOST_TIMES;
	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
		struct waits waits = measure(uses[i].hostile, uses[i].what);

		if (most(waits.processor, waits.buffer) > allowed)
			slow = uses[i].what;
	}
	printf("# allowed are %.0f us\n", allowed * 1e6);
	fflush(stdout);
	ck_assert_msg(!slow, "too long: %s", slow);
	close(scattered);
	if (stock >= 0)
		close(stock);
	close(node);
	guest_trim();
}
END_TEST

#define USERS 12000

/* Who has no buffer yet is looked for among all. */
#define NEW_USER 99999

static double time_of_one_buffer(void)
{
	double least = 1;

	for (int i = 0; i < 20; i++) {
		double begin = guest_now();
		struct portalmem_ioc_alloc request =
			guest_request(PAGE, PORTALMEM_CACHED);

		ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
		close(request.fd);
		if (guest_now() - begin < least)
			least = guest_now() - begin;
	}
	return least;
}

/* In a user namespace, everybody can be as many users. */
START_TEST(very_many_users_with_a_buffer_make_nobody_slower)
{
	struct rlimit files = {2 * USERS, 2 * USERS};
	static int fds[USERS];
	double alone, among;

	node = guest_open(GUEST_NODE);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
	ck_assert_int_eq(setreuid(NEW_USER, (uid_t)-1), 0);
	alone = time_of_one_buffer();
	for (int i = 0; i < USERS; i++) {
		struct portalmem_ioc_alloc request =
			guest_request(PAGE, PORTALMEM_CACHED);

		ck_assert_int_eq(setreuid((uid_t)(100000 + i), (uid_t)-1), 0);
		ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
		fds[i] = request.fd;
	}
	ck_assert_int_eq(setreuid(NEW_USER, (uid_t)-1), 0);
	among = time_of_one_buffer();
	printf("# a buffer takes %.1f us, and %.1f us beside those of %d "
	       "users\n",
	       alone * 1e6, among * 1e6, USERS);
	fflush(stdout);
	/* Chunks come from the pool or not: that makes a half more. */
	ck_assert_double_le(among, alone * 2.5);
	ck_assert_int_eq(setreuid(0, 0), 0);
	for (int i = 0; i < USERS; i++)
		close(fds[i]);
	close(node);
}
END_TEST

static int buffer, attachment;

static int sync_all(int where, int fd, unsigned int count)
{
	static struct portalmem_ioc_range ranges[PORTALMEM_SYNC_RANGES_MAX];
	struct portalmem_ioc_sync sync = {
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW,
		.fd = fd,
		.ranges = (uintptr_t)ranges,
		.count = count,
	};

	for (unsigned int i = 0; i < count; i++)
		ranges[i].length = BOUNCED;
	return ioctl(where, PORTALMEM_IOC_SYNC, &sync) ? -errno : 0;
}

/* Have a user sync 512 GiB in one call: through the node, or the attachment. */
static pid_t start_endless_sync(bool by_attachment)
{
	pid_t child = fork();

	ck_assert_int_ge(child, 0);
	if (!child) {
		become_user();
		if (by_attachment)
			_exit(-sync_all(attachment, -1,
					PORTALMEM_SYNC_RANGES_MAX));
		_exit(-sync_all(node, buffer, PORTALMEM_SYNC_RANGES_MAX));
	}
	/* It is under way by then. */
	usleep(20000);
	return child;
}

static double time_of_one_sync(void)
{
	double begin = guest_now();

	ck_assert_int_eq(sync_all(node, buffer, 1), 0);
	return guest_now() - begin;
}

static double begin_bounced(void)
{
	double one;

	soft_device_load();
	node = guest_open(GUEST_NODE);
	buffer = guest_alloc(BOUNCED, PORTALMEM_CACHED);
	attachment = attachment_open(buffer, "platform", DEVICE);
	one = time_of_one_sync();
	/* Copies are made. */
	ck_assert_uint_ne(attachment_info(attachment).features &
				  PORTALMEM_ATTACHMENT_BOUNCED,
			  0);
	ck_assert_double_gt(one, 1e-4);
	return one;
}

static void end_bounced(void)
{
	close(attachment);
	close(buffer);
	close(node);
}

/* As many whole syncs may it take until something else is done. */
#define MOST_SYNCS 4

static void judge(const char *what, double took, double one)
{
	printf("# %s: %.1f ms; one of 65536 syncs takes %.1f ms\n", what,
	       took * 1e3, one * 1e3);
	fflush(stdout);
	ck_assert_double_le(took, MOST_SYNCS * one);
}

START_TEST(a_sync_of_very_much_can_be_killed)
{
	double one = begin_bounced(), begin;
	pid_t child = start_endless_sync(_i);
	int status;

	become_urgent();
	begin = guest_now();
	ck_assert_int_eq(kill(child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	judge("killed", guest_now() - begin, one);
	ck_assert(WIFSIGNALED(status));
	end_bounced();
}
END_TEST

START_TEST(a_sync_of_very_much_lets_others_have_the_buffer)
{
	double one = begin_bounced(), begin;
	struct dma_buf_sync sync = {DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ};
	pid_t child = start_endless_sync(_i);
	int other;

	become_urgent();
	begin = guest_now();
	ck_assert_int_eq(ioctl(buffer, DMA_BUF_IOCTL_SYNC, &sync), 0);
	/* It is a whole sync itself. */
	judge("synced by another", guest_now() - begin - one, one);
	begin = guest_now();
	other = attachment_open(buffer, "platform", "pm_device.1");
	close(other);
	judge("attached by another", guest_now() - begin - 2 * one, one);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	end_bounced();
}
END_TEST

START_TEST(a_sync_of_very_much_lets_the_device_go)
{
	double one = begin_bounced(), begin;
	pid_t child = start_endless_sync(_i);
	int status;

	become_urgent();
	begin = guest_now();
	soft_device_set_present(2);
	/* The last sync is that of the end of the mapping. */
	judge("unplugged", guest_now() - begin - one, one);
	attachment_assert_gone(attachment);
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	soft_device_set_present(3);
	end_bounced();
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("blocking");
	TCase *tcase = guest_tcase("blocking");

	tcase_add_test(tcase, others_wait_no_longer_than_for_the_kernel_itself);
	tcase_add_test(tcase, very_many_users_with_a_buffer_make_nobody_slower);
	tcase_add_loop_test(tcase, a_sync_of_very_much_can_be_killed, 0, 2);
	tcase_add_loop_test(
		tcase, a_sync_of_very_much_lets_others_have_the_buffer, 0, 2);
	tcase_add_loop_test(tcase, a_sync_of_very_much_lets_the_device_go, 0,
			    2);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
