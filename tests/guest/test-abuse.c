// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Buffers in circumstances that nobody wishes for: held by sockets that hold
 * each other or by very many processes, charged to a cgroup that is gone, used
 * while the memory runs low, the module goes or the machine sleeps. Everything
 * is as before, afterwards. What goes on with devices that are unplugged is
 * test-attach's and test-edu's.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "stats.h"

#define PAGE ((size_t)4096)

/* Files of the killed, and those in sockets, are freed a moment later. */
static void wait_for_buffers(unsigned int expected)
{
	for (int i = 0; i < 1000 && guest_count_buffers() != expected; i++)
		usleep(10000);
	ck_assert_uint_eq(guest_count_buffers(), expected);
}

static void assert_nothing_is_live(void)
{
	ck_assert_uint_eq(stats_read(STATS_SYSTEM, "live_bytes"), 0);
	ck_assert_uint_eq(stats_read(STATS_SYSTEM, "live_buffers"), 0);
	ck_assert_uint_eq(guest_heap(GUEST_NODE).user_used, 0);
}

static long free_without_pool(void)
{
	guest_trim();
	return guest_free_kib();
}

static void assert_memory_is_back(long before)
{
	long after = free_without_pool();

	printf("# free: %ld KiB before, %ld KiB after\n", before, after);
	ck_assert_int_le(before - after, 2048 * guest_time_factor());
}

static void send_fds(int socket, const int *fds, size_t count)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(2 * sizeof(int))];
	} control = {0};
	char byte = 0;
	struct iovec part = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(count * sizeof(int)),
	};

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
	memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
	ck_assert_int_eq(sendmsg(socket, &message, 0), 1);
}

/* A buffer in one of so many sockets, each of which is in the next one. */
static void lose_in_a_ring(unsigned int length)
{
	int sockets[8][2];

	ck_assert_uint_le(length, 8);
	for (unsigned int i = 0; i < length; i++)
		ck_assert_int_eq(
			socketpair(AF_UNIX, SOCK_STREAM, 0, sockets[i]), 0);
	for (unsigned int i = 0; i < length; i++) {
		int fds[2] = {sockets[(i + 1) % length][0],
			      guest_alloc(KIB(256), PORTALMEM_CACHED)};

		send_fds(sockets[i][1], fds, 2);
		close(fds[1]);
	}
	for (unsigned int i = 0; i < length; i++) {
		close(sockets[i][0]);
		close(sockets[i][1]);
	}
}

START_TEST(buffers_in_rings_of_sockets_are_freed)
{
	unsigned int before = guest_count_buffers();
	long memory = free_without_pool();

	for (unsigned int i = 0; i < 50; i++)
		lose_in_a_ring(1 + i % 8);
	/* The kernel looks for them when another socket is closed. */
	for (int i = 0; i < 500 && guest_count_buffers() != before; i++) {
		int socket = guest_alloc(PAGE, PORTALMEM_CACHED), pair[2];

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		send_fds(pair[0], &socket, 1);
		close(socket);
		close(pair[0]);
		close(pair[1]);
		usleep(10000);
	}
	wait_for_buffers(before);
	assert_nothing_is_live();
	assert_memory_is_back(memory);
}
END_TEST

#define BOMB_MOST 400

struct bomb {
	atomic_int processes;
	atomic_int ready;
	atomic_int wrong;
};

/* Each process has what its parent has, adds to it, and has two children. */
static void explode(struct bomb *bomb, int node, int inherited)
{
	while (atomic_fetch_add(&bomb->processes, 1) < BOMB_MOST) {
		struct portalmem_ioc_alloc request =
			guest_request(KIB(32), PORTALMEM_CACHED);
		pid_t child = fork();
		char *map;

		if (child < 0)
			atomic_store(&bomb->wrong, errno);
		if (child)
			continue;
		if (ioctl(node, PORTALMEM_IOC_ALLOC, &request)) {
			atomic_store(&bomb->wrong, errno);
			_exit(1);
		}
		map = mmap(NULL, KIB(32), PROT_READ | PROT_WRITE, MAP_SHARED,
			   inherited, 0);
		if (map == MAP_FAILED)
			atomic_store(&bomb->wrong, errno);
		else
			memset(map, 1, KIB(32));
		inherited = request.fd;
	}
	atomic_fetch_add(&bomb->ready, 1);
	for (;;)
		pause();
}

START_TEST(buffers_that_a_fork_bomb_holds_go_with_it)
{
	struct bomb *bomb = mmap(NULL, sizeof(*bomb), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	unsigned int before = guest_count_buffers(), held;
	int node = guest_open(GUEST_NODE), fd;
	long memory = free_without_pool();
	pid_t child;

	ck_assert_ptr_ne(bomb, MAP_FAILED);
	fd = guest_alloc(KIB(32), PORTALMEM_CACHED);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		setpgid(0, 0);
		explode(bomb, node, fd);
	}
	setpgid(child, child);
	for (int i = 0; i < 6000 && !bomb->wrong && bomb->ready <= BOMB_MOST;
	     i++)
		usleep(10000);
	held = guest_count_buffers() - before;
	ck_assert_int_eq(kill(-child, SIGKILL), 0);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	printf("# %d processes hold %u buffers\n", bomb->ready, held);
	ck_assert_msg(!bomb->wrong, "%s", strerror(bomb->wrong));
	ck_assert_int_gt(bomb->ready, BOMB_MOST);
	ck_assert_uint_gt(held, BOMB_MOST);
	close(fd);
	close(node);
	wait_for_buffers(before);
	assert_nothing_is_live();
	assert_memory_is_back(memory);
}
END_TEST

#define GROUP "portalmem-abuse"

static int dying_groups(void)
{
	FILE *file = fopen(GUEST_CGROUPS "/cgroup.stat", "r");
	int count = -1;
	char line[128];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		sscanf(line, "nr_dying_descendants %d", &count);
	fclose(file);
	return count;
}

static int from_group[2];

static void allocate_and_send(void)
{
	static const uint32_t modes[] = {PORTALMEM_CACHED, PORTALMEM_WC};

	for (int i = 0; i < 2; i++) {
		int fd = guest_alloc(MIB(16), modes[i]);
		char *map = guest_map(fd, MIB(16));

		guest_fill(map, MIB(16), (uint32_t)i);
		send_fds(from_group[1], &fd, 1);
	}
}

static int receive_fd(int socket)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte;
	struct iovec part = {&byte, 1};
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd;

	ck_assert_int_eq(recvmsg(socket, &message, 0), 1);
	memcpy(&fd, CMSG_DATA(&control.header), sizeof(fd));
	return fd;
}

START_TEST(a_group_is_removed_while_live_buffers_are_charged_to_it)
{
	int dying, fds[2];

	guest_trim();
	dying = dying_groups();
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, from_group), 0);
	guest_make_group(GROUP, "64M");
	guest_run_in_group(GROUP, allocate_and_send);
	for (int i = 0; i < 2; i++)
		fds[i] = receive_fd(from_group[0]);
	guest_remove_group(GROUP);
	ck_assert_int_gt(dying_groups(), dying);
	for (int i = 0; i < 2; i++) {
		char *map = guest_map(fds[i], MIB(16));

		guest_assert_filled(map, MIB(16), (uint32_t)i);
		munmap(map, MIB(16));
		close(fds[i]);
	}
	ck_assert_uint_eq(guest_trim(), MIB(32));
	close(from_group[0]);
	close(from_group[1]);
	/* Nothing keeps the group that is gone. */
	for (int i = 0; i < 100 && dying_groups() > dying; i++) {
		guest_put("/proc/sys/vm/drop_caches", "3");
		usleep(100000);
	}
	ck_assert_int_le(dying_groups(), dying);
}
END_TEST

/* How many times each of them did it; counted without assertions. */
struct race {
	atomic_bool over;
	atomic_uint done;
	atomic_uint missed;
	atomic_int wrong;
};

static struct race *make_race(void)
{
	struct race *race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(race, MAP_FAILED);
	return race;
}

static void note(struct race *race, int error)
{
	int none = 0;

	atomic_compare_exchange_strong(&race->wrong, &none,
				       error ? error : EIO);
}

/* A buffer from beginning to end, on a node that may not be there. */
static void use_node(struct race *race, const char *node)
{
	struct portalmem_ioc_alloc request =
		guest_request(KIB(256), PORTALMEM_DEFAULT);
	int opened = open(node, O_RDWR | O_CLOEXEC);
	char *map;

	if (opened < 0) {
		if (errno != ENOENT && errno != ENODEV && errno != ENXIO)
			note(race, errno);
		atomic_fetch_add(&race->missed, 1);
		return;
	}
	if (ioctl(opened, PORTALMEM_IOC_ALLOC, &request)) {
		note(race, errno);
		return;
	}
	map = mmap(NULL, KIB(256), PROT_READ | PROT_WRITE, MAP_SHARED,
		   request.fd, 0);
	/* The buffer holds the module, and then the mapping the buffer. */
	close(opened);
	close(request.fd);
	if (map == MAP_FAILED) {
		note(race, errno);
		return;
	}
	for (size_t at = 0; at < KIB(256); at += PAGE)
		if (map[at]++)
			note(race, EUCLEAN);
	munmap(map, KIB(256));
	atomic_fetch_add(&race->done, 1);
}

/* What only looks on: sysfs and debugfs. */
static void read_statistics(struct race *race)
{
	static const char *const files[] = {
		STATS_SYSTEM "/live_bytes",
		STATS_SYSTEM "/allocations",
		"/sys/kernel/debug/portalmem/buffers",
	};

	for (int i = 0; i < 3; i++) {
		int fd = open(files[i], O_RDONLY | O_CLOEXEC);
		char text[256];

		if (fd < 0)
			continue;
		if (read(fd, text, sizeof(text)) < 0 && errno != ENODEV &&
		    errno != EIO)
			note(race, errno);
		close(fd);
	}
}

START_TEST(the_module_goes_and_comes_while_others_use_it)
{
	static const char *const used[] = {GUEST_NODE, GUEST_HEAP_WC_NODE,
					   GUEST_HEAP_NODE};
	struct race *race = make_race();
	unsigned int unloaded = 0, refused = 0;
	double end = guest_now() + 3;
	pid_t children[4];

	for (int i = 0; i < 4; i++) {
		children[i] = fork();
		ck_assert_int_ge(children[i], 0);
		while (!children[i] && !atomic_load(&race->over)) {
			if (i < 3)
				use_node(race, used[i]);
			else
				read_statistics(race);
			usleep(3000 + 2000 * (useconds_t)i);
		}
		if (!children[i])
			_exit(0);
	}
	while (guest_now() < end || unloaded < 10) {
		if (guest_unload()) {
			ck_assert(errno == EAGAIN || errno == EBUSY);
			refused++;
			usleep(200);
			continue;
		}
		unloaded++;
		usleep(1000);
		guest_load();
		usleep(unloaded % 8 * 1000);
		ck_assert_int_eq(atomic_load(&race->wrong), 0);
		ck_assert_msg(guest_now() < end + 60 * guest_time_factor(),
			      "%u unloads", unloaded);
	}
	atomic_store(&race->over, true);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(waitpid(children[i], NULL, 0), children[i]);
	printf("# %u unloads, %u refused; %u buffers, %u times no node\n",
	       unloaded, refused, race->done, race->missed);
	ck_assert_msg(!race->wrong, "%s", strerror(race->wrong));
	ck_assert_uint_gt(race->done, 10);
	ck_assert_uint_gt(refused, 0);
	ck_assert_int_eq(guest_unload(), 0);
	guest_load();
	assert_nothing_is_live();
}
END_TEST

#define SHARED_FDS 8

struct closing {
	int node;
	atomic_bool over;
	atomic_int fds[SHARED_FDS];
	atomic_uint closed;
	atomic_uint used;
};

/* Opens and closes what the others use. */
static void *open_and_close(void *argument)
{
	struct closing *closing = argument;

	for (unsigned int i = 0; !atomic_load(&closing->over); i++) {
		struct portalmem_ioc_alloc request =
			guest_request(KIB(64), 1 + i % 3);

		if (ioctl(closing->node, PORTALMEM_IOC_ALLOC, &request))
			break;
		close(atomic_exchange(&closing->fds[i % SHARED_FDS],
				      request.fd));
		atomic_fetch_add(&closing->closed, 1);
	}
	return NULL;
}

/* The descriptor may be closed, or another buffer's, at any moment. */
static void *use_what_is_closed(void *argument)
{
	struct closing *closing = argument;

	for (unsigned int i = 0; !atomic_load(&closing->over); i++) {
		int fd = atomic_load(&closing->fds[i % SHARED_FDS]);
		struct dma_buf_sync sync = {DMA_BUF_SYNC_START |
					    DMA_BUF_SYNC_RW};
		char *map = mmap(NULL, KIB(64), PROT_READ | PROT_WRITE,
				 MAP_SHARED, fd, 0);

		if (map == MAP_FAILED)
			continue;
		ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
		for (size_t at = 0; at < KIB(64); at += PAGE)
			map[at]++;
		sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
		ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
		munmap(map, KIB(64));
		atomic_fetch_add(&closing->used, 1);
	}
	return NULL;
}

START_TEST(descriptors_are_closed_while_others_map_and_sync_them)
{
	unsigned int before = guest_count_buffers();
	struct closing closing = {.node = guest_open(GUEST_NODE)};
	long memory = free_without_pool();
	pthread_t threads[4];

	for (int i = 0; i < SHARED_FDS; i++)
		atomic_store(&closing.fds[i], -1);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL,
				       i ? use_what_is_closed : open_and_close,
				       &closing),
			0);
	for (int i = 0; i < 600 && (closing.closed < 500 || closing.used < 500);
	     i++)
		usleep(100000);
	atomic_store(&closing.over, true);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	printf("# %u closed, %u times mapped and synced\n", closing.closed,
	       closing.used);
	ck_assert_uint_ge(closing.closed, 500);
	ck_assert_uint_ge(closing.used, 500);
	for (int i = 0; i < SHARED_FDS; i++)
		close(closing.fds[i]);
	close(closing.node);
	wait_for_buffers(before);
	assert_nothing_is_live();
	assert_memory_is_back(memory);
}
END_TEST

/* Allocate and free, so that much is pooled; what it gets is zero. */
static void churn(struct race *race, unsigned int seed)
{
	int node = open(GUEST_NODE, O_RDWR | O_CLOEXEC);

	while (!atomic_load(&race->over)) {
		size_t size = KIB(4) << (seed >> 8) % 12;
		struct portalmem_ioc_alloc request =
			guest_request(size, 1 + (seed >> 4) % 2);
		char *map;

		seed = seed * 1103515245u + 12345u;
		if (ioctl(node, PORTALMEM_IOC_ALLOC, &request)) {
			if (errno != ENOMEM)
				note(race, errno);
			atomic_fetch_add(&race->missed, 1);
			continue;
		}
		map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			   request.fd, 0);
		for (size_t at = 0; map != MAP_FAILED && at < size; at += PAGE)
			if (map[at]++ || map[at + PAGE - 1]++)
				note(race, EUCLEAN);
		if (map != MAP_FAILED)
			munmap(map, size);
		close(request.fd);
		atomic_fetch_add(&race->done, 1);
	}
	_exit(0);
}

static void start_churning(struct race *race, pid_t *children, int count)
{
	for (int i = 0; i < count; i++) {
		children[i] = fork();
		ck_assert_int_ge(children[i], 0);
		if (!children[i])
			churn(race, (unsigned int)i + 7);
	}
}

static void end_churning(struct race *race, pid_t *children, int count)
{
	atomic_store(&race->over, true);
	for (int i = 0; i < count; i++)
		ck_assert_int_eq(waitpid(children[i], NULL, 0), children[i]);
	ck_assert_msg(!race->wrong, "%s", strerror(race->wrong));
}

START_TEST(pools_are_shrunk_while_others_allocate)
{
	struct race *race = make_race();
	double end = guest_now() + 3;
	long memory = free_without_pool(), kills = guest_count_oom_kills();
	unsigned int rounds = 0;
	pid_t children[4];

	start_churning(race, children, 4);
	while (guest_now() < end || rounds < 3) {
		guest_put("/proc/sys/vm/drop_caches", "2");
		guest_put("/proc/sys/vm/compact_memory", "1");
		/* Half of what is available. */
		guest_press((size_t)guest_meminfo("MemAvailable") << 9);
		rounds++;
	}
	end_churning(race, children, 4);
	printf("# %u rounds of pressure, %u buffers, %u refused\n", rounds,
	       race->done, race->missed);
	ck_assert_uint_gt(race->done, 100);
	ck_assert_int_eq(guest_count_oom_kills(), kills);
	assert_nothing_is_live();
	assert_memory_is_back(memory);
}
END_TEST

/*
 * The guest's files come by a device that forgets all when it sleeps, so the
 * processes and what the module's worker has to do are frozen, and not the
 * devices.
 */
START_TEST(buffers_outlive_a_machine_that_sleeps)
{
	int fd = guest_alloc(MIB(8), PORTALMEM_WC);
	char *map = guest_map(fd, MIB(8));
	struct race *race = make_race();
	pid_t children[3];

	guest_fill(map, MIB(8), 5);
	guest_put("/sys/module/suspend/parameters/pm_test_delay", "1");
	guest_put("/sys/power/pm_test", "freezer");
	start_churning(race, children, 3);
	for (int i = 0; i < 3; i++) {
		unsigned int before;

		usleep(200000);
		guest_put("/sys/power/state", "freeze");
		before = atomic_load(&race->done);
		for (int j = 0; j < 1000 && race->done == before; j++)
			usleep(10000);
		/* They go on. */
		ck_assert_uint_gt(race->done, before);
	}
	end_churning(race, children, 3);
	guest_put("/sys/power/pm_test", "none");
	guest_assert_filled(map, MIB(8), 5);
	munmap(map, MIB(8));
	close(fd);
	assert_nothing_is_live();
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("abuse");
	TCase *tcase = guest_tcase("abuse");

	tcase_add_test(tcase, buffers_in_rings_of_sockets_are_freed);
	tcase_add_test(tcase, buffers_that_a_fork_bomb_holds_go_with_it);
	tcase_add_test(tcase,
		       a_group_is_removed_while_live_buffers_are_charged_to_it);
	tcase_add_test(tcase, the_module_goes_and_comes_while_others_use_it);
	tcase_add_test(tcase,
		       descriptors_are_closed_while_others_map_and_sync_them);
	tcase_add_test(tcase, pools_are_shrunk_while_others_allocate);
	/* The kernel that looks for faults has none of that. */
	if (!access("/sys/power/pm_test", F_OK))
		tcase_add_test(tcase, buffers_outlive_a_machine_that_sleeps);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
