// SPDX-License-Identifier: GPL-2.0-or-later
/* Fences, with pipes that become readable and a kernel that is played. */
#include "config.h"

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

static int64_t now_ms(void)
{
	struct timespec now;

	ck_assert_int_eq(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void make_pipe(int fds[2], bool signalled)
{
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	if (signalled)
		ck_assert_int_eq(write(fds[1], "x", 1), 1);
}

static void close_pipe(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

static const int times[] = {0, 1, 60000, -1};

START_TEST(signalled_fence_ends_any_wait_at_once)
{
	int64_t begin = now_ms();
	int fds[2];

	make_pipe(fds, true);
	ck_assert_int_eq(portalmem_fence_wait(fds[0], times[_i]), 0);
	ck_assert_int_lt(now_ms() - begin, 30000);
	close_pipe(fds);
}
END_TEST

START_TEST(wait_ends_after_its_time)
{
	int64_t begin;
	int fds[2];

	make_pipe(fds, false);
	unit_assert_fails(portalmem_fence_wait(fds[0], 0), ETIMEDOUT);
	begin = now_ms();
	unit_assert_fails(portalmem_fence_wait(fds[0], 200), ETIMEDOUT);
	ck_assert_int_ge(now_ms() - begin, 199);
	close_pipe(fds);
}
END_TEST

static unsigned int alarms;
static int alarm_fd = -1;

/* The 20th one signals the fence. */
static void on_alarm(int signal)
{
	(void)signal;
	if (++alarms == 20 && alarm_fd >= 0 && write(alarm_fd, "x", 1) != 1)
		abort();
}

static void ring(unsigned int milliseconds)
{
	const struct sigaction action = {.sa_handler = on_alarm};
	const struct itimerval timer = {
		.it_interval = {.tv_usec = milliseconds * 1000},
		.it_value = {.tv_usec = milliseconds * 1000},
	};

	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

START_TEST(signals_neither_end_nor_lengthen_a_wait)
{
	int64_t begin, took;
	int fds[2];

	make_pipe(fds, false);
	begin = now_ms();
	ring(10);
	unit_assert_fails(portalmem_fence_wait(fds[0], 500), ETIMEDOUT);
	took = now_ms() - begin;
	ring(0);
	ck_assert_uint_gt(alarms, 1);
	ck_assert_int_ge(took, 499);
	/* With the full time after each, it would never end. */
	ck_assert_int_lt(took, 20000);
	close_pipe(fds);
}
END_TEST

static const int long_times[] = {60000, -1};

START_TEST(wait_ends_with_the_fence)
{
	int fds[2];

	make_pipe(fds, false);
	alarm_fd = fds[1];
	ring(5);
	ck_assert_int_eq(portalmem_fence_wait(fds[0], long_times[_i]), 0);
	ring(0);
	ck_assert_uint_ge(alarms, 20);
	close_pipe(fds);
}
END_TEST

START_TEST(bad_arguments_of_a_fence_wait_are_refused)
{
	int fds[2];

	make_pipe(fds, false);
	unit_assert_fails(portalmem_fence_wait(-1, -1), EBADF);
	unit_assert_fails(portalmem_fence_wait(INT32_MAX, -1), EBADF);
	unit_assert_fails(portalmem_fence_wait(fds[0], -2), EINVAL);
	unit_assert_fails(portalmem_fence_wait(fds[0], INT32_MIN), EINVAL);
	/* Nothing will ever signal it. */
	close(fds[1]);
	unit_assert_fails(portalmem_fence_wait(fds[0], -1), EINVAL);
	close(fds[0]);
}
END_TEST

static const struct {
	unsigned int flags;
	short event;
	uint32_t uapi;
} accesses[] = {
	{PORTALMEM_SYNC_READ, POLLIN, DMA_BUF_SYNC_READ},
	{PORTALMEM_SYNC_WRITE, POLLOUT, DMA_BUF_SYNC_WRITE},
	{PORTALMEM_SYNC_RDWR, POLLOUT, DMA_BUF_SYNC_RW},
};

START_TEST(buffer_is_polled_once_for_its_access)
{
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);
	unsigned int before = mock_count_polls();

	mock_set_ready(accesses[_i].event);
	for (int i = 0; i < COUNT(times); i++)
		ck_assert_int_eq(portalmem_buffer_wait(
					 buffer, accesses[_i].flags, times[i]),
				 0);
	ck_assert_uint_eq(mock_count_polls() - before, COUNT(times));
	/* The other event does not count. */
	mock_set_ready((POLLIN | POLLOUT) & ~accesses[_i].event);
	unit_assert_fails(portalmem_buffer_wait(buffer, accesses[_i].flags, 0),
			  ETIMEDOUT);
	unit_assert_fails(portalmem_buffer_wait(buffer, accesses[_i].flags, 20),
			  ETIMEDOUT);
	portalmem_buffer_unref(buffer);
}
END_TEST

static struct dma_buf_export_sync_file export_in = {.fd = -1};

START_TEST(fences_are_exported_for_an_access)
{
	static struct dma_buf_export_sync_file out;
	static const struct mock_call calls[] = {{
		.request = DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
		.on = MOCK_BUFFER,
		.in = &export_in,
		.in_size = sizeof(export_in),
		.out = &out,
		.new_fence = true,
		.new_fd_at = MOCK_AT(struct dma_buf_export_sync_file, fd),
	}};
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);
	int fence = -1;

	export_in.flags = accesses[_i].uapi;
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_export_fence(
				 buffer, accesses[_i].flags, &fence),
			 0);
	ck_assert_int_eq(portalmem_fence_wait(fence, 0), 0);
	close(fence);
	portalmem_buffer_unref(buffer);
}
END_TEST

static struct dma_buf_import_sync_file import_in;

#define IMPORT(errnum)                                                        \
	{                                                                     \
		.request = DMA_BUF_IOCTL_IMPORT_SYNC_FILE, .on = MOCK_BUFFER, \
		.in = &import_in, .in_size = sizeof(import_in),               \
		.in_fd_at = MOCK_AT(struct dma_buf_import_sync_file, fd),     \
		.in_fd_is = MOCK_FENCE, .error = (errnum),                    \
	}

START_TEST(fence_is_imported_for_an_access)
{
	static const struct mock_call calls[] = {UNIT_FENCE_INFO(0), IMPORT(0)};
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);
	int fence = mock_new_fence();

	import_in.flags = accesses[_i].uapi;
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_import_fence(
				 buffer, accesses[_i].flags, fence),
			 0);
	close(fence);
	portalmem_buffer_unref(buffer);
}
END_TEST

static const struct {
	int from;
	int to;
} errors[] = {{ENOTTY, EOPNOTSUPP}, {ENOMEM, ENOMEM}, {EMFILE, EMFILE}};

START_TEST(errors_of_the_kernel_are_passed_on)
{
	struct mock_call export_calls[] = {{
		.request = DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
		.on = MOCK_BUFFER,
		.in = &export_in,
		.in_size = sizeof(export_in),
		.error = errors[_i].from,
	}};
	struct mock_call import_calls[] = {UNIT_FENCE_INFO(0),
					   IMPORT(errors[_i].from)};
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);
	int fence = mock_new_fence(), untouched = -7;

	export_in.flags = import_in.flags = DMA_BUF_SYNC_READ;
	MOCK_EXPECT(export_calls);
	unit_assert_fails(portalmem_buffer_export_fence(
				  buffer, PORTALMEM_SYNC_READ, &untouched),
			  errors[_i].to);
	ck_assert_int_eq(untouched, -7);
	MOCK_EXPECT(import_calls);
	unit_assert_fails(portalmem_buffer_import_fence(
				  buffer, PORTALMEM_SYNC_READ, fence),
			  errors[_i].to);
	if (errors[_i].to == EOPNOTSUPP)
		unit_assert_message_has("Linux 6.0");
	close(fence);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(file_that_is_no_fence_is_not_imported)
{
	static const struct mock_call calls[] = {UNIT_FENCE_INFO(ENOTTY)};
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);
	int other = mock_new_fence();
	int fds[2];

	make_pipe(fds, true);
	unit_assert_fails(portalmem_buffer_import_fence(
				  buffer, PORTALMEM_SYNC_READ, fds[0]),
			  EINVAL);
	unit_assert_fails(
		portalmem_buffer_import_fence(buffer, PORTALMEM_SYNC_READ, -1),
		EBADF);
	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_buffer_import_fence(
				  buffer, PORTALMEM_SYNC_READ, other),
			  EINVAL);
	unit_assert_message_has("sync_file");
	close(other);
	close_pipe(fds);
	portalmem_buffer_unref(buffer);
}
END_TEST

static const unsigned int bad_flags[] = {
	0, 4, 8, PORTALMEM_SYNC_READ | PORTALMEM_SYNC_START, UINT32_MAX};

START_TEST(bad_arguments_of_a_buffer_s_fences_are_einval)
{
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);
	const unsigned int good = PORTALMEM_SYNC_READ;
	int fence = -7;

	unit_assert_fails(portalmem_buffer_wait(NULL, good, 0), EINVAL);
	unit_assert_fails(portalmem_buffer_wait(buffer, good, -2), EINVAL);
	unit_assert_fails(portalmem_buffer_export_fence(NULL, good, &fence),
			  EINVAL);
	unit_assert_fails(portalmem_buffer_export_fence(buffer, good, NULL),
			  EINVAL);
	unit_assert_fails(portalmem_buffer_import_fence(NULL, good, 0), EINVAL);
	for (int i = 0; i < COUNT(bad_flags); i++) {
		const unsigned int bad = bad_flags[i];

		unit_assert_fails(portalmem_buffer_wait(buffer, bad, 0),
				  EINVAL);
		unit_assert_fails(
			portalmem_buffer_export_fence(buffer, bad, &fence),
			EINVAL);
		unit_assert_fails(portalmem_buffer_import_fence(buffer, bad, 0),
				  EINVAL);
	}
	ck_assert_int_eq(fence, -7);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(memfd_has_no_fences)
{
	struct portalmem_buffer *buffer = unit_alloc(PAGE);
	const unsigned int flags = PORTALMEM_SYNC_RDWR;
	int fence = -7;

	unit_assert_fails(portalmem_buffer_wait(buffer, flags, 0), EOPNOTSUPP);
	unit_assert_message_has("memfd");
	unit_assert_fails(portalmem_buffer_export_fence(buffer, flags, &fence),
			  EOPNOTSUPP);
	unit_assert_fails(portalmem_buffer_import_fence(buffer, flags, 0),
			  EOPNOTSUPP);
	ck_assert_int_eq(fence, -7);
	portalmem_buffer_unref(buffer);
}
END_TEST

static Suite *fence_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("fence", &tc);
	const int count = COUNT(accesses);

	tcase_add_loop_test(tc, signalled_fence_ends_any_wait_at_once, 0,
			    COUNT(times));
	tcase_add_test(tc, wait_ends_after_its_time);
	tcase_add_test(tc, signals_neither_end_nor_lengthen_a_wait);
	tcase_add_loop_test(tc, wait_ends_with_the_fence, 0, COUNT(long_times));
	tcase_add_test(tc, bad_arguments_of_a_fence_wait_are_refused);
	tcase_add_loop_test(tc, buffer_is_polled_once_for_its_access, 0, count);
	tcase_add_loop_test(tc, fences_are_exported_for_an_access, 0, count);
	tcase_add_loop_test(tc, fence_is_imported_for_an_access, 0, count);
	tcase_add_loop_test(tc, errors_of_the_kernel_are_passed_on, 0,
			    COUNT(errors));
	tcase_add_test(tc, file_that_is_no_fence_is_not_imported);
	tcase_add_test(tc, bad_arguments_of_a_buffer_s_fences_are_einval);
	tcase_add_test(tc, memfd_has_no_fences);
	return suite;
}

PMTEST_MAIN(fence_suite)
