// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pools of buffers: on memory files, and on nodes that the mock plays, where
 * the answers to "who holds it" are written down.
 */
#include "config.h"

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/portalmem.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "trace.h"
#include "unit.h"

static struct portalmem_pool *make_pool(struct portalmem_device *device,
					unsigned int minimum,
					unsigned int maximum)
{
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;
	struct portalmem_pool *pool;

	options.minimum = minimum;
	options.maximum = maximum;
	ck_assert_int_eq(portalmem_pool_create(device, PAGE, &options, &pool),
			 0);
	return pool;
}

static struct portalmem_pool *memfd_pool(unsigned int minimum,
					 unsigned int maximum)
{
	struct portalmem_device *device = unit_open_memfd();
	struct portalmem_pool *pool = make_pool(device, minimum, maximum);

	portalmem_device_unref(device);
	return pool;
}

static struct portalmem_buffer *acquire(struct portalmem_pool *pool)
{
	struct portalmem_buffer *buffer;

	ck_assert_int_eq(portalmem_pool_acquire(pool, 0, &buffer), 0);
	return buffer;
}

static struct portalmem_pool_info describe(struct portalmem_pool *pool)
{
	struct portalmem_pool_info info = PORTALMEM_POOL_INFO_INIT;

	ck_assert_int_eq(portalmem_pool_get_info(pool, &info), 0);
	/* What a pool has is somewhere. */
	ck_assert_uint_eq(info.buffers,
			  info.acquired + info.idle + info.shared);
	ck_assert_uint_eq(info.buffers,
			  info.allocated - info.dropped - info.trimmed);
	return info;
}

static char *address_of(struct portalmem_buffer *buffer)
{
	void *address;

	ck_assert_int_eq(portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR,
					      &address),
			 0);
	return address;
}

static uint64_t inode_of(int fd)
{
	struct stat status;

	ck_assert_int_eq(fstat(fd, &status), 0);
	return status.st_ino;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

START_TEST(released_buffer_is_the_next_one_mapped_and_as_it_was_left)
{
	struct portalmem_pool *pool = memfd_pool(0, 4);
	struct portalmem_buffer *one = acquire(pool), *two = acquire(pool);
	char *first = address_of(one), *second = address_of(two);

	ck_assert_uint_eq(portalmem_buffer_get_size(one), PAGE);
	ck_assert_int_eq(first[0], 0);
	ck_assert_ptr_ne(first, second);
	first[0] = 'x';
	portalmem_buffer_unref(two);
	portalmem_buffer_unref(one);
	ck_assert_uint_eq(describe(pool).idle, 2);

	/* The one that is still in the caches. */
	two = acquire(pool);
	ck_assert_ptr_eq(two, one);
	ck_assert_ptr_eq(address_of(two), first);
	ck_assert_int_eq(first[0], 'x');
	ck_assert_uint_eq(describe(pool).allocated, 2);
	ck_assert_uint_eq(describe(pool).reused, 1);
	portalmem_buffer_unref(two);
	portalmem_pool_unref(pool);
	ck_assert(!unit_is_mapped(first));
	ck_assert(!unit_is_mapped(second));
}
END_TEST

/* Check's assertions make system calls of their own. */
static void acquire_and_release_between_marks(void)
{
	struct portalmem_pool *pool = memfd_pool(2, 2);
	struct portalmem_buffer *one, *two;
	int failed = 0;
	void *address;

	trace_mark();
	for (int i = 0; i < 100; i++) {
		failed |= portalmem_pool_acquire(pool, 0, &one);
		failed |= portalmem_pool_acquire(pool, -1, &two);
		failed |= portalmem_buffer_map(two, 0, 0, PORTALMEM_MAP_RDWR,
					       &address);
		*(char *)address = 1;
		failed |= portalmem_buffer_unmap(two, address);
		portalmem_buffer_unref(one);
		portalmem_buffer_unref(two);
	}
	trace_mark();
	ck_assert_int_eq(failed, 0);
	portalmem_pool_unref(pool);
}

START_TEST(buffer_that_stays_costs_no_system_call)
{
	struct trace trace = trace_run(acquire_and_release_between_marks);

	ck_assert_msg(!trace.count, "%zu system calls, the first is %ld",
		      trace.count, trace.numbers[0]);
}
END_TEST

START_TEST(reference_keeps_a_buffer_from_its_next_user)
{
	struct portalmem_pool *pool = memfd_pool(0, 1);
	struct portalmem_buffer *buffer = acquire(pool), *other;

	portalmem_buffer_ref(buffer);
	portalmem_buffer_unref(buffer);
	unit_assert_fails(portalmem_pool_acquire(pool, 0, &other), EAGAIN);
	portalmem_buffer_unref(buffer);
	ck_assert_ptr_eq(acquire(pool), buffer);
	portalmem_buffer_unref(buffer);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(more_than_the_maximum_is_not_to_be_had)
{
	struct portalmem_pool *pool = memfd_pool(0, 3);
	struct portalmem_buffer *buffers[3], *none = NULL;
	uint64_t start;

	for (int i = 0; i < 3; i++)
		buffers[i] = acquire(pool);
	start = now_ms();
	unit_assert_fails(portalmem_pool_acquire(pool, 0, &none), EAGAIN);
	ck_assert_uint_lt(now_ms() - start, 1000);
	unit_assert_message_has("all 3");
	ck_assert_ptr_null(none);
	for (int i = 0; i < 3; i++)
		portalmem_buffer_unref(buffers[i]);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(timed_acquire_waits_as_long_as_asked)
{
	static const int times[] = {1, 30, 250};
	struct portalmem_pool *pool = memfd_pool(0, 1);
	struct portalmem_buffer *buffer = acquire(pool), *none = NULL;
	uint64_t start = now_ms(), took;

	unit_assert_fails(portalmem_pool_acquire(pool, times[_i], &none),
			  ETIMEDOUT);
	took = now_ms() - start;
	ck_assert_uint_ge(took + 1, (uint64_t)times[_i]);
	ck_assert_uint_lt(took, (uint64_t)times[_i] + 5000);
	ck_assert_ptr_null(none);
	portalmem_buffer_unref(buffer);
	portalmem_pool_unref(pool);
}
END_TEST

static void *release_later(void *buffer)
{
	const struct timespec while_ = {.tv_nsec = 100000000};

	nanosleep(&while_, NULL);
	portalmem_buffer_unref(buffer);
	return NULL;
}

START_TEST(release_wakes_who_waits)
{
	static const int times[] = {-1, 30000};
	struct portalmem_pool *pool = memfd_pool(0, 1);
	struct portalmem_buffer *buffer = acquire(pool), *next;
	uint64_t start = now_ms();
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, release_later, buffer),
			 0);
	ck_assert_int_eq(portalmem_pool_acquire(pool, times[_i], &next), 0);
	ck_assert_uint_ge(now_ms() - start + 1, 100);
	ck_assert_uint_lt(now_ms() - start, 20000);
	ck_assert_ptr_eq(next, buffer);
	pthread_join(thread, NULL);
	portalmem_buffer_unref(next);
	portalmem_pool_unref(pool);
}
END_TEST

/* Whatever way its file takes: the pool must not rely on having it alone. */
START_TEST(buffer_that_goes_to_another_process_is_not_used_again)
{
	char entry[sizeof("BUFFER") + PORTALMEM_ENV_MAX];
	struct portalmem_pool *pool = memfd_pool(0, 1);
	struct portalmem_parcel parcel = {acquire(pool), -1};
	int sockets[2], fd;

	if (_i == 0) {
		ck_assert_int_eq(
			socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), 0);
		ck_assert_int_eq(portalmem_send(sockets[0], &parcel, 1), 0);
		close(sockets[0]);
		close(sockets[1]);
	} else {
		fd = portalmem_buffer_export_env(parcel.buffer, "BUFFER", entry,
						 sizeof(entry));
		ck_assert_int_ge(fd, 0);
		close(fd);
	}
	portalmem_buffer_unref(parcel.buffer);
	ck_assert_uint_eq(describe(pool).dropped, 1);
	portalmem_pool_unref(pool);
}
END_TEST

/* Nobody can say who holds a memfd: it is never used again. */
START_TEST(memfd_that_was_given_away_is_replaced)
{
	struct portalmem_pool *pool = memfd_pool(0, 1);
	struct portalmem_buffer *buffer = acquire(pool);
	char *address = address_of(buffer);
	int sockets[2];
	int held;

	address[0] = 'a';
	if (_i == 0) {
		held = dup(portalmem_buffer_get_fd(buffer));
	} else {
		struct portalmem_buffer *received;

		ck_assert_int_eq(
			socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), 0);
		ck_assert_int_eq(portalmem_buffer_send(buffer, sockets[0]), 0);
		ck_assert_int_eq(
			portalmem_buffer_receive(NULL, sockets[1], &received),
			0);
		held = dup(portalmem_buffer_get_fd(received));
		portalmem_buffer_unref(received);
		close(sockets[0]);
		close(sockets[1]);
	}
	portalmem_buffer_unref(buffer);
	ck_assert_uint_eq(describe(pool).buffers, 0);
	ck_assert_uint_eq(describe(pool).dropped, 1);

	buffer = acquire(pool);
	address = address_of(buffer);
	ck_assert_int_eq(address[0], 0);
	address[0] = 'b';
	ck_assert_uint_ne(inode_of(portalmem_buffer_get_fd(buffer)),
			  inode_of(held));
	address = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, held, 0);
	ck_assert_ptr_ne(address, MAP_FAILED);
	ck_assert_int_eq(address[0], 'a');
	munmap(address, PAGE);
	close(held);
	portalmem_buffer_unref(buffer);
	portalmem_pool_unref(pool);
}
END_TEST

static void fork_child_that_ends(void)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	/* It has all that its parent has, and nobody is to look for leaks. */
	if (!child)
		raise(SIGKILL);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
}

/* A child has all that its parent had. */
START_TEST(memfd_from_before_a_fork_is_replaced)
{
	struct portalmem_pool *pool = memfd_pool(0, 2);
	struct portalmem_buffer *buffer = acquire(pool), *idle = acquire(pool);

	portalmem_buffer_unref(idle);
	fork_child_that_ends();
	portalmem_buffer_unref(buffer);
	ck_assert_uint_eq(describe(pool).dropped, 1);
	buffer = acquire(pool);
	ck_assert_uint_eq(describe(pool).dropped, 2);
	ck_assert_uint_eq(describe(pool).allocated, 3);

	/* One from after it is the process's own again. */
	portalmem_buffer_unref(buffer);
	ck_assert_ptr_eq(acquire(pool), buffer);
	portalmem_buffer_unref(buffer);
	ck_assert_uint_eq(describe(pool).allocated, 3);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(other_mappings_end_with_the_release)
{
	struct portalmem_pool *pool = memfd_pool(0, 1);
	struct portalmem_buffer *buffer = acquire(pool);
	char *address = address_of(buffer);
	void *read_only;

	address_of(buffer);
	ck_assert_int_eq(portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_READ,
					      &read_only),
			 0);
	ck_assert_ptr_ne(read_only, address);
	portalmem_buffer_unref(buffer);
	ck_assert(!unit_is_mapped(read_only));
	ck_assert(unit_is_mapped(address));

	/* The pool's mapping is counted once, whatever was left. */
	ck_assert_ptr_eq(acquire(pool), buffer);
	ck_assert_int_eq(portalmem_buffer_unmap(buffer, address), 0);
	unit_assert_fails(portalmem_buffer_unmap(buffer, address), EINVAL);
	/* Who takes that away, too, gets another buffer next time. */
	portalmem_buffer_unref(buffer);
	ck_assert_uint_eq(describe(pool).dropped, 1);
	buffer = acquire(pool);
	address_of(buffer)[0] = 1;
	portalmem_buffer_unref(buffer);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(minimum_is_there_from_the_start)
{
	struct portalmem_pool *pool = memfd_pool(3, 5);
	struct portalmem_pool_info info = describe(pool);

	ck_assert_uint_eq(info.size, PAGE);
	ck_assert_uint_eq(info.buffers, 3);
	ck_assert_uint_eq(info.idle, 3);
	ck_assert_uint_eq(info.allocated, 3);
	portalmem_buffer_unref(acquire(pool));
	ck_assert_uint_eq(describe(pool).allocated, 3);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(trim_keeps_as_many_as_asked_and_those_in_use)
{
	struct portalmem_pool *pool = memfd_pool(2, 5);
	struct portalmem_buffer *buffers[5];
	unsigned int fds;

	for (int i = 0; i < 5; i++)
		buffers[i] = acquire(pool);
	for (int i = 0; i < 4; i++)
		portalmem_buffer_unref(buffers[i]);
	fds = pmtest_count_fds();
	ck_assert_int_eq(portalmem_pool_trim(pool, 5), 0);
	ck_assert_int_eq(portalmem_pool_trim(pool, 4), 1);
	ck_assert_uint_eq(pmtest_count_fds(), fds - 1);
	ck_assert_uint_eq(describe(pool).idle, 3);
	/* The oldest went. */
	ck_assert_ptr_eq(acquire(pool), buffers[3]);
	portalmem_buffer_unref(buffers[3]);
	ck_assert_int_eq(portalmem_pool_trim(pool, 0), 3);
	ck_assert_uint_eq(describe(pool).buffers, 1);
	ck_assert_uint_eq(describe(pool).acquired, 1);
	ck_assert_uint_eq(describe(pool).trimmed, 4);
	portalmem_buffer_unref(buffers[4]);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(buffer_that_is_idle_too_long_is_freed)
{
	const struct timespec idle = {.tv_nsec = 120000000};
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_memfd();
	struct portalmem_buffer *buffers[4];
	struct portalmem_pool *pool;

	options.minimum = 1;
	options.idle_ms = _i ? -1 : 100;
	ck_assert_int_eq(portalmem_pool_create(device, PAGE, &options, &pool),
			 0);
	for (int i = 0; i < 4; i++)
		buffers[i] = acquire(pool);
	for (int i = 0; i < 4; i++)
		portalmem_buffer_unref(buffers[i]);
	nanosleep(&idle, NULL);
	ck_assert_uint_eq(describe(pool).buffers, 4);
	/* The others' time is over, that of the one in use is not. */
	ck_assert_ptr_eq(acquire(pool), buffers[3]);
	ck_assert_uint_eq(describe(pool).buffers, _i ? 4 : 1);
	ck_assert_uint_eq(describe(pool).trimmed, _i ? 0 : 3);
	portalmem_buffer_unref(buffers[3]);
	nanosleep(&idle, NULL);
	/* The minimum stays. */
	ck_assert_ptr_eq(acquire(pool), buffers[3]);
	portalmem_buffer_unref(buffers[3]);
	portalmem_pool_unref(pool);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(buffer_outlives_its_pool)
{
	struct portalmem_pool *pool = memfd_pool(2, 2);
	struct portalmem_buffer *buffer = acquire(pool);
	char *address = address_of(buffer);

	ck_assert_ptr_eq(portalmem_pool_ref(pool), pool);
	portalmem_pool_unref(pool);
	ck_assert_uint_eq(describe(pool).buffers, 2);
	portalmem_pool_unref(pool);
	address[PAGE - 1] = 1;
	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), PAGE);
	portalmem_buffer_unref(buffer);
	ck_assert(!unit_is_mapped(address));
}
END_TEST

START_TEST(options_are_copied)
{
	struct portalmem_alloc_options alloc = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_device *device = unit_open_memfd();
	struct portalmem_buffer *buffer;
	struct portalmem_pool *pool;
	char name[] = "frame";

	alloc.name = name;
	options.alloc = &alloc;
	ck_assert_int_eq(portalmem_pool_create(device, 1, &options, &pool), 0);
	portalmem_device_unref(device);
	memset(name, '#', sizeof(name) - 1);
	memset(&alloc, 0xff, sizeof(alloc));
	buffer = acquire(pool);
	ck_assert_int_eq(portalmem_buffer_get_info(buffer, &info), 0);
	ck_assert_str_eq(info.name, "frame");
	ck_assert_uint_eq(describe(pool).size, PAGE);
	portalmem_buffer_unref(buffer);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(bad_arguments_are_refused)
{
	const struct portalmem_pool_options good = PORTALMEM_POOL_OPTIONS_INIT;
	struct portalmem_pool_info info = PORTALMEM_POOL_INFO_INIT;
	struct portalmem_alloc_options alloc = {0};
	struct portalmem_device *device = unit_open_memfd();
	struct portalmem_pool_options options = good;
	struct portalmem_pool *pool = NULL;
	struct portalmem_buffer *buffer = NULL;

	unit_assert_fails(portalmem_pool_create(NULL, 1, NULL, &pool), EINVAL);
	unit_assert_fails(portalmem_pool_create(device, 1, NULL, NULL), EINVAL);
	unit_assert_fails(portalmem_pool_create(device, 0, NULL, &pool),
			  EINVAL);
	options.struct_size--;
	unit_assert_fails(portalmem_pool_create(device, 1, &options, &pool),
			  EINVAL);
	unit_assert_message_has("PORTALMEM_POOL_OPTIONS_INIT");
	options = good;
	options.alloc = &alloc;
	unit_assert_fails(portalmem_pool_create(device, 1, &options, &pool),
			  EINVAL);
	options = good;
	options.maximum = 0;
	unit_assert_fails(portalmem_pool_create(device, 1, &options, &pool),
			  EINVAL);
	options.maximum = 2;
	options.minimum = 3;
	unit_assert_fails(portalmem_pool_create(device, 1, &options, &pool),
			  EINVAL);
	options = good;
	options.idle_ms = -2;
	unit_assert_fails(portalmem_pool_create(device, 1, &options, &pool),
			  EINVAL);
	ck_assert_ptr_null(pool);

	ck_assert_int_eq(portalmem_pool_create(device, 1, NULL, &pool), 0);
	unit_assert_fails(portalmem_pool_acquire(NULL, 0, &buffer), EINVAL);
	unit_assert_fails(portalmem_pool_acquire(pool, 0, NULL), EINVAL);
	unit_assert_fails(portalmem_pool_acquire(pool, -2, &buffer), EINVAL);
	ck_assert_ptr_null(buffer);
	unit_assert_fails(portalmem_pool_trim(NULL, 0), EINVAL);
	unit_assert_fails(portalmem_pool_get_info(NULL, &info), EINVAL);
	unit_assert_fails(portalmem_pool_get_info(pool, NULL), EINVAL);
	info.struct_size = 0;
	unit_assert_fails(portalmem_pool_get_info(pool, &info), EINVAL);
	portalmem_pool_unref(NULL);
	ck_assert_ptr_null(portalmem_pool_ref(NULL));
	portalmem_pool_unref(pool);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(failed_allocation_leaves_the_place_free)
{
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_memfd();
	struct portalmem_pool *pool = NULL;
	struct portalmem_buffer *buffer = NULL;

	options.maximum = 2;
	mock_fail_memfd_create(ENOMEM);
	options.minimum = 1;
	unit_assert_fails(portalmem_pool_create(device, PAGE, &options, &pool),
			  ENOMEM);
	ck_assert_ptr_null(pool);
	mock_fail_memfd_create(0);
	/* The second buffer of the minimum; the first takes what is left above.
	 */
	options.minimum = 2;
	mock_fail_calloc(2);
	unit_assert_fails(portalmem_pool_create(device, PAGE, &options, &pool),
			  ENOMEM);
	ck_assert_ptr_null(pool);

	options.minimum = 0;
	ck_assert_int_eq(portalmem_pool_create(device, PAGE, &options, &pool),
			 0);
	mock_fail_memfd_create(ENOMEM);
	for (int i = 0; i < 5; i++)
		unit_assert_fails(portalmem_pool_acquire(pool, -1, &buffer),
				  ENOMEM);
	mock_fail_memfd_create(0);
	mock_fail_mmap_at(1, ENOMEM);
	unit_assert_fails(portalmem_pool_acquire(pool, -1, &buffer), ENOMEM);
	ck_assert_uint_eq(describe(pool).buffers, 0);
	buffer = acquire(pool);
	portalmem_buffer_unref(buffer);
	portalmem_pool_unref(pool);
	portalmem_device_unref(device);
}
END_TEST

static const struct portalmem_ioc_alloc alloc_in = {
	.size = 4096,
	.fd_flags = O_RDWR | O_CLOEXEC,
};

static const struct portalmem_ioc_alloc alloc_out = {
	.size = 4096,
	.effective = PORTALMEM_CACHED,
};

static const struct portalmem_ioc_holders holders_in = {0};

#define ALLOC                                                        \
	{                                                            \
		.request = PORTALMEM_IOC_ALLOC, .on = MOCK_NODE,     \
		.in = &alloc_in, .in_size = sizeof(alloc_in),        \
		.out = &alloc_out, .new_buffer = 4096,               \
		.new_fd_at = MOCK_AT(struct portalmem_ioc_alloc, fd) \
	}

#define HOLDERS(answer, errnum)                                             \
	{                                                                   \
		.request = PORTALMEM_IOC_HOLDERS, .on = MOCK_NODE,          \
		.in = &holders_in, .in_size = sizeof(holders_in),           \
		.in_fd_at = MOCK_AT(struct portalmem_ioc_holders, fd),      \
		.in_fd_is = MOCK_BUFFER, .out = (answer), .error = (errnum) \
	}

static const struct portalmem_ioc_holders nobody = {.references = 2,
						    .holders = 1};
static const struct portalmem_ioc_holders holders[] = {
	{.references = 3, .holders = PORTALMEM_HOLDER_REFERENCE},
	{.references = 2, .holders = 1 | PORTALMEM_HOLDER_DEVICE},
	{.references = 2, .holders = 1 | PORTALMEM_HOLDER_FENCE},
	{.references = 2, .holders = 1 | PORTALMEM_HOLDER_PIN},
	/* Of a module that knows more. */
	{.references = 2, .holders = 1 | 0x80000000},
};

/* The descriptor was given away, and what became of it only the module knows. */
static struct portalmem_pool *pool_with_a_shared_buffer(void)
{
	static const struct mock_call alloc[] = {ALLOC};
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_pool *pool = make_pool(device, 0, 2);
	struct portalmem_buffer *buffer;

	portalmem_device_unref(device);
	MOCK_EXPECT(alloc);
	buffer = acquire(pool);
	ck_assert_int_ge(portalmem_buffer_get_fd(buffer), 0);
	portalmem_buffer_unref(buffer);
	ck_assert_uint_eq(describe(pool).shared, 1);
	return pool;
}

/* What the fence is of is not done with the buffer when its user is. */
START_TEST(buffer_with_a_fence_is_asked_about)
{
	static const struct dma_buf_import_sync_file in = {
		.flags = DMA_BUF_SYNC_WRITE};
	static const struct mock_call alloc[] = {ALLOC};
	static const struct mock_call import[] = {
		UNIT_FENCE_INFO(0),
		{.request = DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
		 .on = MOCK_BUFFER,
		 .in = &in,
		 .in_size = sizeof(in),
		 .in_fd_at = MOCK_AT(struct dma_buf_import_sync_file, fd),
		 .in_fd_is = MOCK_FENCE},
	};
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_pool *pool = make_pool(device, 0, 2);
	struct portalmem_buffer *buffer;
	int fence = mock_new_fence();

	portalmem_device_unref(device);
	MOCK_EXPECT(alloc);
	buffer = acquire(pool);
	MOCK_EXPECT(import);
	ck_assert_int_eq(portalmem_buffer_import_fence(
				 buffer, PORTALMEM_SYNC_WRITE, fence),
			 0);
	portalmem_buffer_unref(buffer);
	ck_assert_uint_eq(describe(pool).shared, 1);
	close(fence);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(held_buffer_is_passed_over_and_asked_about_again)
{
	struct portalmem_pool *pool = pool_with_a_shared_buffer();
	const struct mock_call held[] = {HOLDERS(&holders[_i], 0), ALLOC};
	const struct mock_call held_again[] = {HOLDERS(&holders[_i], 0)};
	const struct mock_call free_now[] = {HOLDERS(&nobody, 0)};
	struct portalmem_buffer *other, *none = NULL, *buffer;

	MOCK_EXPECT(held);
	other = acquire(pool);
	ck_assert_uint_eq(describe(pool).shared, 1);
	MOCK_EXPECT(held_again);
	unit_assert_fails(portalmem_pool_acquire(pool, 0, &none), EAGAIN);
	MOCK_EXPECT(free_now);
	buffer = acquire(pool);
	ck_assert_ptr_ne(buffer, other);
	ck_assert_uint_eq(describe(pool).asked, 3);
	ck_assert_uint_eq(describe(pool).allocated, 2);
	portalmem_buffer_unref(buffer);
	portalmem_buffer_unref(other);

	/* Both are back: one is the pool's own, and nobody is asked. */
	mock_expect(NULL, 0);
	ck_assert_ptr_eq(acquire(pool), other);
	portalmem_buffer_unref(other);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(shared_buffer_costs_one_question_each_time)
{
	struct portalmem_pool *pool = pool_with_a_shared_buffer();
	static const struct mock_call once[] = {HOLDERS(&nobody, 0)};

	for (int i = 0; i < 3; i++) {
		MOCK_EXPECT(once);
		portalmem_buffer_unref(acquire(pool));
		mock_assert_done();
	}
	ck_assert_uint_eq(describe(pool).allocated, 1);
	portalmem_pool_unref(pool);
}
END_TEST

/* Nobody is asked about the others once one is found. */
START_TEST(buffer_that_waits_longest_is_asked_about_first)
{
	static const struct mock_call both[] = {ALLOC, ALLOC};
	static const struct mock_call first[] = {HOLDERS(&nobody, 0)};
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_pool *pool = make_pool(device, 0, 2);
	struct portalmem_buffer *one, *two;

	portalmem_device_unref(device);
	MOCK_EXPECT(both);
	one = acquire(pool);
	two = acquire(pool);
	portalmem_buffer_get_fd(one);
	portalmem_buffer_get_fd(two);
	portalmem_buffer_unref(two);
	portalmem_buffer_unref(one);
	MOCK_EXPECT(first);
	ck_assert_ptr_eq(acquire(pool), two);
	portalmem_buffer_unref(two);
	ck_assert_int_eq(portalmem_pool_trim(pool, 1), 1);
	MOCK_EXPECT(first);
	ck_assert_ptr_eq(acquire(pool), two);
	portalmem_buffer_unref(two);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(who_waits_asks_again_by_itself)
{
	struct portalmem_pool *pool = pool_with_a_shared_buffer();
	static const struct mock_call calls[] = {
		HOLDERS(&holders[0], 0), ALLOC,
		/* From here on somebody waits. */
		HOLDERS(&holders[0], 0), HOLDERS(&holders[2], 0),
		HOLDERS(&holders[0], 0), HOLDERS(&nobody, 0)};
	struct portalmem_buffer *other, *buffer;

	MOCK_EXPECT(calls);
	other = acquire(pool);
	ck_assert_int_eq(portalmem_pool_acquire(pool, _i ? -1 : 30000, &buffer),
			 0);
	mock_assert_done();
	portalmem_buffer_unref(buffer);
	portalmem_buffer_unref(other);
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(buffer_that_the_kernel_does_not_tell_about_is_replaced)
{
	struct portalmem_pool *pool = pool_with_a_shared_buffer();
	static const struct mock_call calls[] = {HOLDERS(NULL, EIO), ALLOC};
	struct portalmem_buffer *buffer;

	MOCK_EXPECT(calls);
	buffer = acquire(pool);
	ck_assert_uint_eq(describe(pool).dropped, 1);
	ck_assert_uint_eq(describe(pool).shared, 0);
	portalmem_buffer_unref(buffer);
	portalmem_pool_unref(pool);
}
END_TEST

#define FDINFO(count)                                              \
	"pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t7\nsize:\t4096\n" \
	"count:\t" count "\nexp_name:\tsystem\nname:\tx\n"

static const struct dma_heap_allocation_data heap_in = {
	.len = 4096,
	.fd_flags = O_RDWR | O_CLOEXEC,
};

#define HEAP_ALLOC                                                        \
	{                                                                 \
		.request = DMA_HEAP_IOCTL_ALLOC, .on = MOCK_NODE,         \
		.in = &heap_in, .in_size = sizeof(heap_in),               \
		.new_buffer = 4096,                                       \
		.new_fd_at = MOCK_AT(struct dma_heap_allocation_data, fd) \
	}

/* 0: a DMA heap; 1: a module that is older than the question. */
static struct portalmem_buffer *make_unknown(int which,
					     struct portalmem_pool **pool)
{
	static const struct mock_call heap[] = {HEAP_ALLOC};
	static const struct mock_call module[] = {ALLOC};
	struct portalmem_device *device =
		which ? unit_open_portalmem()
		      : unit_open_heap("/dev/dma_heap/system");
	struct portalmem_buffer *buffer;

	*pool = make_pool(device, 0, 1);
	portalmem_device_unref(device);
	if (which)
		MOCK_EXPECT(module);
	else
		MOCK_EXPECT(heap);
	buffer = acquire(*pool);
	ck_assert_int_ge(portalmem_buffer_get_fd(buffer), 0);
	return buffer;
}

START_TEST(without_the_module_proc_counts)
{
	static const struct mock_call old[] = {HOLDERS(NULL, ENOTTY)};
	struct portalmem_buffer *buffer, *none = NULL;
	struct portalmem_pool *pool;

	mock_set_fdinfo(FDINFO("3"));
	buffer = make_unknown(_i, &pool);
	portalmem_buffer_unref(buffer);
	if (_i)
		MOCK_EXPECT(old);
	unit_assert_fails(portalmem_pool_acquire(pool, 0, &none), EAGAIN);
	portalmem_pool_unref(pool);

	mock_set_fdinfo(FDINFO("2"));
	buffer = make_unknown(_i, &pool);
	portalmem_buffer_unref(buffer);
	for (int i = 0; i < 3; i++) {
		if (_i)
			MOCK_EXPECT(old);
		ck_assert_ptr_eq(acquire(pool), buffer);
		portalmem_buffer_unref(buffer);
	}
	portalmem_pool_unref(pool);
}
END_TEST

START_TEST(without_a_count_a_buffer_is_replaced)
{
	static const char *const texts[] = {
		NULL, "", "pos:\t0\nino:\t3\n",
		/* A name is none of the kernel's words. */
		"exp_name:\tsystem\nname:\tcount:\t2\n"};
	static const struct mock_call again[] = {HEAP_ALLOC};
	struct portalmem_buffer *buffer;
	struct portalmem_pool *pool;

	mock_set_fdinfo(texts[_i]);
	buffer = make_unknown(0, &pool);
	portalmem_buffer_unref(buffer);
	MOCK_EXPECT(again);
	buffer = acquire(pool);
	ck_assert_uint_eq(describe(pool).dropped, 1);
	ck_assert_uint_eq(describe(pool).allocated, 2);
	portalmem_buffer_unref(buffer);
	portalmem_pool_unref(pool);
}
END_TEST

#define THREADS 8
#define ROUNDS 2000

static struct portalmem_pool *common;
static atomic_uint failures;

/* A buffer has one user at a time, and every so often one is given away. */
static void *use_buffers(void *argument)
{
	unsigned int self = (unsigned int)(uintptr_t)argument;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		struct portalmem_buffer *buffer;
		volatile unsigned int *word;
		void *address;

		if (portalmem_pool_acquire(common, -1, &buffer)) {
			atomic_fetch_add(&failures, 1);
			continue;
		}
		portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR,
				     &address);
		word = address;
		*word = self;
		if (i % 64 == self)
			portalmem_buffer_get_fd(buffer);
		if (i % 128 == self)
			portalmem_pool_trim(common, 1);
		if (*word != self)
			atomic_fetch_add(&failures, 1);
		portalmem_buffer_unref(buffer);
	}
	portalmem_pool_unref(common);
	return NULL;
}

START_TEST(buffer_has_one_user_at_a_time)
{
	pthread_t threads[THREADS];

	common = memfd_pool(1, 3);
	for (uintptr_t i = 0; i < THREADS; i++) {
		portalmem_pool_ref(common);
		ck_assert_int_eq(pthread_create(&threads[i], NULL, use_buffers,
						(void *)i),
				 0);
	}
	portalmem_pool_unref(common);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(atomic_load(&failures), 0);
}
END_TEST

static Suite *suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("pool", &tc);

	tcase_add_test(
		tc, released_buffer_is_the_next_one_mapped_and_as_it_was_left);
	/* Tools make system calls of their own, too. */
	unit_add_shortage_test(tc, buffer_that_stays_costs_no_system_call);
	tcase_add_test(tc, reference_keeps_a_buffer_from_its_next_user);
	tcase_add_test(tc, more_than_the_maximum_is_not_to_be_had);
	tcase_add_loop_test(tc, timed_acquire_waits_as_long_as_asked, 0, 3);
	tcase_add_loop_test(tc, release_wakes_who_waits, 0, 2);
	tcase_add_loop_test(tc, memfd_that_was_given_away_is_replaced, 0, 2);
	tcase_add_test(tc, memfd_from_before_a_fork_is_replaced);
	tcase_add_test(tc, other_mappings_end_with_the_release);
	tcase_add_test(tc, minimum_is_there_from_the_start);
	tcase_add_test(tc, trim_keeps_as_many_as_asked_and_those_in_use);
	tcase_add_loop_test(tc, buffer_that_is_idle_too_long_is_freed, 0, 2);
	tcase_add_test(tc, buffer_outlives_its_pool);
	tcase_add_test(tc, options_are_copied);
	tcase_add_test(tc, bad_arguments_are_refused);
	unit_add_shortage_test(tc, failed_allocation_leaves_the_place_free);
	tcase_add_loop_test(tc,
			    held_buffer_is_passed_over_and_asked_about_again, 0,
			    COUNT(holders));
	tcase_add_test(tc, shared_buffer_costs_one_question_each_time);
	tcase_add_loop_test(
		tc, buffer_that_goes_to_another_process_is_not_used_again, 0,
		2);
	tcase_add_test(tc, buffer_with_a_fence_is_asked_about);
	tcase_add_test(tc, buffer_that_waits_longest_is_asked_about_first);
	tcase_add_loop_test(tc, who_waits_asks_again_by_itself, 0, 2);
	tcase_add_test(tc,
		       buffer_that_the_kernel_does_not_tell_about_is_replaced);
	tcase_add_loop_test(tc, without_the_module_proc_counts, 0, 2);
	tcase_add_loop_test(tc, without_a_count_a_buffer_is_replaced, 0, 4);
	tcase_add_test(tc, buffer_has_one_user_at_a_time);
	return suite;
}

PMTEST_MAIN(suite)
