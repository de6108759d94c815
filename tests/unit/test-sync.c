// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/portalmem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#define SIZE (4 * PAGE)
#define START_READ (PORTALMEM_SYNC_START | PORTALMEM_SYNC_READ)

static const struct portalmem_range two_ranges[] = {
	{.offset = 4096, .length = 100},
	{.offset = 0, .length = 1},
};
static const struct portalmem_range edge_ranges[] = {
	{.offset = 0, .length = 4 * 4096},
	{.offset = 4 * 4096, .length = 0},
	{.offset = 4 * 4096 - 1, .length = 1},
};
static const struct portalmem_range whole = {.length = 4 * 4096};

static struct mock_call dmabuf_sync(const struct dma_buf_sync *in, int error)
{
	return (struct mock_call){
		.request = DMA_BUF_IOCTL_SYNC,
		.on = MOCK_BUFFER,
		.in = in,
		.in_size = sizeof(*in),
		.error = error,
	};
}

START_TEST(node_syncs_the_ranges_with_one_call)
{
	const struct portalmem_ioc_sync in = {.flags = unit_sync_flags[_i].uapi,
					      .count = 2};
	const struct mock_call calls[] = {unit_node_sync(&in, two_ranges, 0)};
	struct portalmem_buffer *buffer = unit_import_known();

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_sync(buffer,
					       unit_sync_flags[_i].flags,
					       two_ranges, 2),
			 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(node_syncs_the_whole_buffer_as_one_range)
{
	const struct portalmem_ioc_sync in = {.flags = unit_sync_flags[_i].uapi,
					      .count = 1};
	const struct mock_call calls[] = {unit_node_sync(&in, &whole, 0)};
	struct portalmem_buffer *buffer = unit_import_known();

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_sync(
				 buffer, unit_sync_flags[_i].flags, NULL, 0),
			 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(ranges_may_touch_the_end_and_be_empty)
{
	const struct portalmem_ioc_sync in = {.flags = DMA_BUF_SYNC_READ,
					      .count = 3};
	const struct mock_call calls[] = {unit_node_sync(&in, edge_ranges, 0)};
	struct portalmem_buffer *buffer = unit_import_known();

	MOCK_EXPECT(calls);
	ck_assert_int_eq(
		portalmem_buffer_sync(buffer, START_READ, edge_ranges, 3), 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(most_ranges_go_in_one_call_and_one_more_is_einval)
{
	struct portalmem_range *ranges =
		calloc(PORTALMEM_SYNC_RANGES_MAX + 1, sizeof(*ranges));
	const struct portalmem_ioc_sync in = {
		.flags = DMA_BUF_SYNC_READ, .count = PORTALMEM_SYNC_RANGES_MAX};
	const struct mock_call calls[] = {unit_node_sync(&in, ranges, 0)};
	struct portalmem_buffer *buffer = unit_import_known();

	ck_assert_ptr_nonnull(ranges);
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_sync(buffer, START_READ, ranges,
					       PORTALMEM_SYNC_RANGES_MAX),
			 0);
	unit_assert_fails(portalmem_buffer_sync(buffer, START_READ, ranges,
						PORTALMEM_SYNC_RANGES_MAX + 1),
			  EINVAL);
	unit_assert_message_has("65536");
	unit_assert_fails(
		portalmem_buffer_sync(buffer, START_READ, ranges, SIZE_MAX),
		EINVAL);
	portalmem_buffer_unref(buffer);
	free(ranges);
}
END_TEST

START_TEST(empty_list_syncs_nothing)
{
	struct portalmem_buffer *buffer = unit_import_known();

	ck_assert_int_eq(
		portalmem_buffer_sync(buffer, START_READ, two_ranges, 0), 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(foreign_dmabuf_is_synced_whole)
{
	const struct dma_buf_sync in = {.flags = unit_sync_flags[_i].uapi};
	const struct mock_call calls[] = {
		dmabuf_sync(&in, 0),
		dmabuf_sync(&in, 0),
	};
	struct portalmem_buffer *buffer = unit_import_dmabuf(SIZE);

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_sync(
				 buffer, unit_sync_flags[_i].flags, NULL, 0),
			 0);
	ck_assert_int_eq(portalmem_buffer_sync(buffer,
					       unit_sync_flags[_i].flags,
					       two_ranges, 2),
			 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(signals_do_not_disturb)
{
	const struct dma_buf_sync in = {.flags = DMA_BUF_SYNC_READ};
	const struct mock_call calls[] = {
		dmabuf_sync(&in, EINTR),
		dmabuf_sync(&in, EINTR),
		dmabuf_sync(&in, 0),
	};
	struct portalmem_buffer *buffer = unit_import_dmabuf(SIZE);

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_sync(buffer, START_READ, NULL, 0), 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(kernel_syncs_what_it_allocated)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	unsigned int flags = unit_sync_flags[_i].flags & PORTALMEM_SYNC_RDWR;

	ck_assert_int_eq(portalmem_buffer_sync(buffer,
					       flags | PORTALMEM_SYNC_START,
					       two_ranges, 2),
			 0);
	ck_assert_int_eq(portalmem_buffer_sync(
				 buffer, flags | PORTALMEM_SYNC_END, NULL, 0),
			 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(memfd_needs_no_call)
{
	struct portalmem_buffer *buffer = unit_alloc_memfd(SIZE);

	ck_assert_int_eq(portalmem_buffer_sync(
				 buffer, unit_sync_flags[_i].flags, NULL, 0),
			 0);
	ck_assert_int_eq(portalmem_buffer_sync(buffer,
					       unit_sync_flags[_i].flags,
					       two_ranges, 2),
			 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

static const int kernel_errors[] = {ENOMEM, EIO, EACCES};

START_TEST(error_of_the_kernel_is_passed_on)
{
	const struct portalmem_ioc_sync node_in = {.flags = DMA_BUF_SYNC_READ,
						   .count = 1};
	const struct dma_buf_sync dmabuf_in = {.flags = DMA_BUF_SYNC_READ};
	const struct mock_call node_calls[] = {
		unit_node_sync(&node_in, &whole, kernel_errors[_i])};
	const struct mock_call dmabuf_calls[] = {
		dmabuf_sync(&dmabuf_in, kernel_errors[_i])};
	struct portalmem_buffer *known = unit_import_known();
	struct portalmem_buffer *foreign = unit_import_dmabuf(SIZE);

	MOCK_EXPECT(node_calls);
	unit_assert_fails(portalmem_buffer_sync(known, START_READ, NULL, 0),
			  kernel_errors[_i]);
	MOCK_EXPECT(dmabuf_calls);
	unit_assert_fails(portalmem_buffer_sync(foreign, START_READ, NULL, 0),
			  kernel_errors[_i]);
	unit_assert_message_has(strerror(kernel_errors[_i]));
	portalmem_buffer_unref(known);
	portalmem_buffer_unref(foreign);
}
END_TEST

/* The three kinds of buffers, for which bad arguments are equally bad. */
static struct portalmem_buffer *buffer_of_kind(int kind)
{
	if (!kind)
		return unit_import_known();
	return kind == 1 ? unit_import_dmabuf(SIZE) : unit_alloc(SIZE);
}

START_TEST(bad_flags_are_einval)
{
	static const unsigned int bad[] = {
		0,
		PORTALMEM_SYNC_READ,
		PORTALMEM_SYNC_RDWR,
		PORTALMEM_SYNC_START,
		PORTALMEM_SYNC_END,
		PORTALMEM_SYNC_START | PORTALMEM_SYNC_END,
		PORTALMEM_SYNC_START | PORTALMEM_SYNC_END | PORTALMEM_SYNC_READ,
		START_READ | 16,
		START_READ | 0x80000000,
		~0U,
	};
	struct portalmem_buffer *buffer = buffer_of_kind(_i);

	for (int i = 0; i < COUNT(bad); i++) {
		unit_assert_fails(
			portalmem_buffer_sync(buffer, bad[i], NULL, 0), EINVAL);
		unit_assert_message_has("flags");
	}
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(range_outside_the_buffer_is_erange)
{
	static const struct portalmem_range bad[] = {
		{.offset = 4 * 4096 + 1, .length = 0},
		{.offset = 4 * 4096, .length = 1},
		{.offset = 0, .length = 4 * 4096 + 1},
		{.offset = 1, .length = 4 * 4096},
		{.offset = 1, .length = UINT64_MAX},
		{.offset = UINT64_MAX, .length = 1},
		{.offset = UINT64_MAX, .length = UINT64_MAX},
	};
	struct portalmem_buffer *buffer = buffer_of_kind(_i);

	for (int i = 0; i < COUNT(bad); i++) {
		/* The last of several: none of them may be synced. */
		const struct portalmem_range ranges[] = {
			{.offset = 0, .length = 1},
			bad[i],
		};

		unit_assert_fails(
			portalmem_buffer_sync(buffer, START_READ, ranges, 2),
			ERANGE);
		unit_assert_message_has("range 1");
	}
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(count_without_ranges_is_einval)
{
	struct portalmem_buffer *buffer = buffer_of_kind(_i);

	unit_assert_fails(portalmem_buffer_sync(buffer, START_READ, NULL, 1),
			  EINVAL);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(null_buffer_is_einval)
{
	unit_assert_fails(portalmem_buffer_sync(NULL, START_READ, NULL, 0),
			  EINVAL);
}
END_TEST

static Suite *sync_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("sync", &tc);

	tcase_add_loop_test(tc, node_syncs_the_ranges_with_one_call, 0,
			    UNIT_SYNC_FLAGS);
	tcase_add_loop_test(tc, node_syncs_the_whole_buffer_as_one_range, 0,
			    UNIT_SYNC_FLAGS);
	tcase_add_test(tc, ranges_may_touch_the_end_and_be_empty);
	tcase_add_test(tc, most_ranges_go_in_one_call_and_one_more_is_einval);
	tcase_add_test(tc, empty_list_syncs_nothing);
	tcase_add_loop_test(tc, foreign_dmabuf_is_synced_whole, 0,
			    UNIT_SYNC_FLAGS);
	tcase_add_test(tc, signals_do_not_disturb);
	tcase_add_loop_test(tc, kernel_syncs_what_it_allocated, 0,
			    UNIT_SYNC_FLAGS);
	tcase_add_loop_test(tc, memfd_needs_no_call, 0, UNIT_SYNC_FLAGS);
	tcase_add_loop_test(tc, error_of_the_kernel_is_passed_on, 0,
			    COUNT(kernel_errors));
	tcase_add_loop_test(tc, bad_flags_are_einval, 0, 3);
	tcase_add_loop_test(tc, range_outside_the_buffer_is_erange, 0, 3);
	tcase_add_loop_test(tc, count_without_ranges_is_einval, 0, 3);
	tcase_add_test(tc, null_buffer_is_einval);
	return suite;
}

PMTEST_MAIN(sync_suite)
