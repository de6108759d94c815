// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many threads on the same objects. Most of what can go wrong here shows under
 * the thread sanitizer; what shows without it is asserted. The threads count
 * their failures, since Check's assertions belong to the main thread.
 */
#include "config.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit.h"

#define THREADS 8
#define ROUNDS 500

static struct portalmem_device *device;
static struct portalmem_buffer *buffer;
static int pair[2];
static int signalled; /* a fence */
static atomic_uint failures;
static atomic_uint next_number;

static void expect(bool condition)
{
	if (!condition)
		atomic_fetch_add(&failures, 1);
}

static void run_threads(void *(*body)(void *))
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, body, NULL),
				 0);
	for (int i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	ck_assert_uint_eq(atomic_load(&failures), 0);
}

static void *allocate(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		struct portalmem_buffer *own;

		expect(!portalmem_buffer_alloc(device, PAGE, NULL, &own));
		portalmem_buffer_unref(own);
	}
	portalmem_device_unref(device);
	return NULL;
}

START_TEST(device_is_shared_and_the_last_thread_closes_it)
{
	device = unit_open_device();
	for (int i = 1; i < THREADS; i++)
		portalmem_device_ref(device);
	run_threads(allocate);
}
END_TEST

static void *take_and_give(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++)
		portalmem_buffer_unref(portalmem_buffer_ref(buffer));
	portalmem_buffer_unref(buffer);
	return NULL;
}

START_TEST(last_thread_frees_the_buffer)
{
	buffer = unit_alloc(PAGE);
	for (int i = 1; i < THREADS; i++)
		portalmem_buffer_ref(buffer);
	run_threads(take_and_give);
}
END_TEST

static void *map_and_unmap(void *unused)
{
	unsigned int number = atomic_fetch_add(&next_number, 1);

	(void)unused;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t page = (number + i) % 4;
		void *address;

		/* Each thread has a byte of its own in every page. */
		if (portalmem_buffer_map(buffer, page * PAGE, PAGE,
					 PORTALMEM_MAP_RDWR, &address)) {
			expect(false);
			continue;
		}
		((char *)address)[number] = (char)i;
		expect(((char *)address)[number] == (char)i);
		expect(!portalmem_buffer_unmap(buffer, address));
	}
	return NULL;
}

START_TEST(mappings_are_counted_across_threads)
{
	void *address;

	buffer = unit_alloc(4 * PAGE);
	run_threads(map_and_unmap);
	/* Nothing is left: this one is the only one. */
	ck_assert_int_eq(portalmem_buffer_map(buffer, 0, PAGE,
					      PORTALMEM_MAP_RDWR, &address),
			 0);
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, address), 0);
	ck_assert_int_eq(unit_is_mapped(address), 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

static void *map_large(void *unused)
{
	unsigned int number = atomic_fetch_add(&next_number, 1);

	(void)unused;
	for (unsigned int i = 0; i < ROUNDS / 10; i++) {
		struct portalmem_buffer *own;
		void *address;

		if (portalmem_buffer_import(
			    NULL, portalmem_buffer_get_fd(buffer), &own)) {
			expect(false);
			continue;
		}
		expect(!portalmem_buffer_map(own, 0, 0, PORTALMEM_MAP_RDWR,
					     &address));
		((volatile char *)address)[number] = 1;
		portalmem_buffer_unref(own);
	}
	return NULL;
}

START_TEST(large_mappings_do_not_take_each_other_s_place)
{
	buffer = unit_alloc(4 * HUGE);
	run_threads(map_large);
	portalmem_buffer_unref(buffer);
}
END_TEST

static void *describe_and_sync(void *unused)
{
	static const struct portalmem_range range = {.length = 5};

	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		struct portalmem_info info = PORTALMEM_INFO_INIT;

		expect(!portalmem_buffer_get_info(buffer, &info));
		expect(info.size == PAGE);
		expect(!portalmem_buffer_sync(
			buffer, PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ,
			&range, 1));
		expect(portalmem_buffer_sync(buffer, 0, &range, 1) == -EINVAL);
		expect(strstr(portalmem_error_message(), "flags") != NULL);
	}
	return NULL;
}

START_TEST(one_buffer_is_described_and_synced_by_many)
{
	buffer = unit_alloc(PAGE);
	run_threads(describe_and_sync);
	portalmem_buffer_unref(buffer);
}
END_TEST

/* Its first page counts what was written with an access, its second is read. */
static atomic_uint begun;

static void *begin_and_end(void *unused)
{
	static const struct portalmem_range parts[] = {{0, 4096}, {4096, 4096}};
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;
	void *map;

	(void)unused;
	expect(!portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR, &map));
	for (int i = 0; i < ROUNDS; i++) {
		int is_writer = i % 2;
		int ret = portalmem_access_begin(
			buffer,
			is_writer ? PORTALMEM_SYNC_RDWR : PORTALMEM_SYNC_READ,
			&parts[!is_writer], 1, &access);

		if (ret == -EBUSY) {
			sched_yield();
			continue;
		}
		expect(!ret);
		/* No two threads are here at once: no update gets lost. */
		if (is_writer) {
			++*(unsigned int *)map;
			atomic_fetch_add(&begun, 1);
		}
		expect(!portalmem_access_end(&access));
	}
	expect(!portalmem_buffer_unmap(buffer, map));
	return NULL;
}

START_TEST(accesses_that_write_exclude_each_other)
{
	void *map;

	buffer = unit_alloc(2 * PAGE);
	run_threads(begin_and_end);
	ck_assert_uint_ge(atomic_load(&begun), 1);
	ck_assert_int_eq(
		portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_READ, &map),
		0);
	ck_assert_uint_eq(*(unsigned int *)map, atomic_load(&begun));
	portalmem_buffer_unref(buffer);
}
END_TEST

static struct portalmem_access shared_access;
static pthread_barrier_t barrier;
static atomic_uint ended;

static void *end_once(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS / 10; i++) {
		int ret;

		pthread_barrier_wait(&barrier);
		ret = portalmem_access_end(&shared_access);
		expect(!ret || ret == -EINVAL);
		if (!ret)
			atomic_fetch_add(&ended, 1);
		/* Who comes last begins the next one for all. */
		if (pthread_barrier_wait(&barrier) ==
		    PTHREAD_BARRIER_SERIAL_THREAD)
			expect(!portalmem_access_begin(
				buffer, PORTALMEM_SYNC_WRITE, NULL, 0,
				&shared_access));
	}
	return NULL;
}

START_TEST(of_many_threads_that_end_an_access_one_does)
{
	buffer = unit_alloc(PAGE);
	ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	ck_assert_int_eq(portalmem_access_begin(buffer, PORTALMEM_SYNC_WRITE,
						NULL, 0, &shared_access),
			 0);
	run_threads(end_once);
	ck_assert_uint_eq(atomic_load(&ended), ROUNDS / 10);
	ck_assert_int_eq(portalmem_access_end(&shared_access), 0);
	portalmem_buffer_unref(buffer);
	pthread_barrier_destroy(&barrier);
}
END_TEST

static void *end_copy(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS / 10; i++) {
		struct portalmem_access copy;
		int ret;

		if (pthread_barrier_wait(&barrier) ==
		    PTHREAD_BARRIER_SERIAL_THREAD) {
			shared_access =
				(struct portalmem_access)PORTALMEM_ACCESS_INIT;
			expect(!portalmem_access_begin(
				buffer, PORTALMEM_SYNC_WRITE, NULL, 0,
				&shared_access));
		}
		pthread_barrier_wait(&barrier);
		copy = shared_access;
		ret = portalmem_access_end(&copy);
		expect(!ret || ret == -EINVAL);
		if (!ret)
			atomic_fetch_add(&ended, 1);
	}
	return NULL;
}

START_TEST(of_many_copies_of_an_access_one_ends_it)
{
	buffer = unit_alloc(PAGE);
	ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	run_threads(end_copy);
	ck_assert_uint_eq(atomic_load(&ended), ROUNDS / 10);
	/* None of them is open any more. */
	shared_access = (struct portalmem_access)PORTALMEM_ACCESS_INIT;
	ck_assert_int_eq(portalmem_access_begin(buffer, PORTALMEM_SYNC_WRITE,
						NULL, 0, &shared_access),
			 0);
	ck_assert_int_eq(portalmem_access_end(&shared_access), 0);
	portalmem_buffer_unref(buffer);
	pthread_barrier_destroy(&barrier);
}
END_TEST

static struct portalmem_pool *pool;

/* Who has a buffer has it alone: its users' writes come after each other. */
static void *use_pool(void *unused)
{
	(void)unused;
	for (int i = 0; i < ROUNDS; i++) {
		struct portalmem_pool_info info = PORTALMEM_POOL_INFO_INIT;
		struct portalmem_buffer *taken;
		void *map;

		if (portalmem_pool_acquire(pool, -1, &taken)) {
			expect(false);
			continue;
		}
		expect(!portalmem_buffer_map(taken, 0, 0, PORTALMEM_MAP_RDWR,
					     &map));
		memset(map, i, PAGE);
		expect(!portalmem_pool_get_info(pool, &info));
		expect(info.acquired >= 1);
		portalmem_buffer_unref(taken);
	}
	return NULL;
}

START_TEST(buffers_of_a_pool_go_from_thread_to_thread)
{
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;

	device = unit_open_device();
	options.maximum = 3;
	ck_assert_int_eq(portalmem_pool_create(device, PAGE, &options, &pool),
			 0);
	portalmem_device_unref(device);
	run_threads(use_pool);
	portalmem_pool_unref(pool);
}
END_TEST

static void *open_and_check(void *unused)
{
	struct portalmem_constraints wanted = PORTALMEM_CONSTRAINTS_INIT;
	unsigned int unmet;

	(void)unused;
	wanted.needs = PORTALMEM_NEED_PINNABLE;
	for (int i = 0; i < ROUNDS / 10; i++) {
		struct portalmem_device *own;

		expect(!portalmem_device_open_for(&wanted, &own, &unmet));
		expect(!portalmem_device_check(own, &wanted, &unmet));
		portalmem_device_unref(own);
		expect(!portalmem_device_check(device, &wanted, &unmet));
	}
	return NULL;
}

START_TEST(many_open_devices_and_check_one)
{
	/* Of the others it takes a mock, which knows one thread. */
	setenv("PORTALMEM_BACKEND", "memfd", 1);
	device = unit_open_memfd();
	run_threads(open_and_check);
	portalmem_device_unref(device);
}
END_TEST

/* Half of the threads send, half receive, through one socket. */
static void *send_or_receive(void *unused)
{
	bool sends = atomic_fetch_add(&next_number, 1) % 2;

	(void)unused;
	for (int i = 0; i < ROUNDS / 10; i++) {
		struct portalmem_buffer *got;

		if (sends) {
			expect(!portalmem_buffer_send(buffer, pair[0]));
		} else if (portalmem_buffer_receive(NULL, pair[1], &got)) {
			expect(false);
		} else {
			expect(portalmem_buffer_get_size(got) == PAGE);
			portalmem_buffer_unref(got);
		}
	}
	return NULL;
}

START_TEST(many_send_and_receive_through_one_socket)
{
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	buffer = unit_alloc(PAGE);
	run_threads(send_or_receive);
	portalmem_buffer_unref(buffer);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

/* The same with three buffers in each message, and a fence that all wait for. */
static void *send_or_receive_batches(void *unused)
{
	bool sends = atomic_fetch_add(&next_number, 1) % 2;
	struct portalmem_parcel parcels[] = {
		{buffer, -1}, {buffer, -1}, {buffer, -1}};

	(void)unused;
	for (int i = 0; i < ROUNDS / 10; i++) {
		struct portalmem_parcel got[3];

		expect(!portalmem_fence_wait(signalled, -1));
		if (sends) {
			expect(!portalmem_send(pair[0], parcels, 3));
			continue;
		}
		if (portalmem_receive(NULL, pair[1], NULL, got, 3) != 3) {
			expect(false);
			continue;
		}
		for (int j = 0; j < 3; j++)
			portalmem_buffer_unref(got[j].buffer);
	}
	return NULL;
}

START_TEST(many_send_and_receive_batches_through_one_socket)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_int_eq(write(fds[1], "x", 1), 1);
	signalled = fds[0];
	ck_assert_int_eq(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	buffer = unit_alloc(PAGE);
	run_threads(send_or_receive_batches);
	portalmem_buffer_unref(buffer);
	close(pair[0]);
	close(pair[1]);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

static Suite *threads_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("threads", &tc);

	tcase_add_test(tc, device_is_shared_and_the_last_thread_closes_it);
	tcase_add_test(tc, last_thread_frees_the_buffer);
	tcase_add_test(tc, mappings_are_counted_across_threads);
	tcase_add_test(tc, large_mappings_do_not_take_each_other_s_place);
	tcase_add_test(tc, one_buffer_is_described_and_synced_by_many);
	tcase_add_test(tc, accesses_that_write_exclude_each_other);
	tcase_add_test(tc, of_many_threads_that_end_an_access_one_does);
	tcase_add_test(tc, of_many_copies_of_an_access_one_ends_it);
	tcase_add_test(tc, buffers_of_a_pool_go_from_thread_to_thread);
	tcase_add_test(tc, many_open_devices_and_check_one);
	tcase_add_test(tc, many_send_and_receive_through_one_socket);
	tcase_add_test(tc, many_send_and_receive_batches_through_one_socket);
	return suite;
}

PMTEST_MAIN(threads_suite)
