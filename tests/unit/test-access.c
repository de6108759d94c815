// SPDX-License-Identifier: GPL-2.0-or-later
/* Accesses: what is begun is ended, as it was begun, and once. */
#include "config.h"

#include <linux/dma-buf.h>
#include <linux/portalmem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"

#define SIZE (4 * PAGE)
#define READ PORTALMEM_SYNC_READ
#define WRITE PORTALMEM_SYNC_WRITE
#define RDWR PORTALMEM_SYNC_RDWR

static const struct portalmem_range whole = {.length = 4 * 4096};
static const struct portalmem_range first_page = {.length = 4096};
static const struct portalmem_range second_page = {.offset = 4096,
						   .length = 4096};

static struct mock_call dmabuf_sync(const struct dma_buf_sync *in)
{
	return (struct mock_call){
		.request = DMA_BUF_IOCTL_SYNC,
		.on = MOCK_BUFFER,
		.in = in,
		.in_size = sizeof(*in),
	};
}

static struct portalmem_access begin(struct portalmem_buffer *buffer,
				     unsigned int flags,
				     const struct portalmem_range *ranges,
				     size_t count)
{
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;

	ck_assert_int_eq(
		portalmem_access_begin(buffer, flags, ranges, count, &access),
		0);
	ck_assert_ptr_eq(access.buffer, buffer);
	return access;
}

static void end(struct portalmem_access *access)
{
	ck_assert_int_eq(portalmem_access_end(access), 0);
	ck_assert_ptr_null(access->buffer);
}

/* Nothing is open after the call that failed. */
static void assert_refused(struct portalmem_buffer *buffer, unsigned int flags,
			   const struct portalmem_range *ranges, size_t count,
			   int error)
{
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;

	unit_assert_fails(
		portalmem_access_begin(buffer, flags, ranges, count, &access),
		error);
	ck_assert_ptr_null(access.buffer);
	unit_assert_fails(portalmem_access_end(&access), EINVAL);
}

START_TEST(end_repeats_the_flags_and_ranges_of_the_beginning)
{
	/* In the order of their offsets, whatever order they came in. */
	static const struct portalmem_range sorted[] = {
		{.offset = 0, .length = 1},
		{.offset = 100, .length = 50},
		{.offset = 4096, .length = 4096},
	};
	static const unsigned int flags[] = {READ, WRITE, RDWR};
	struct portalmem_range ranges[] = {
		sorted[2], {.offset = 77}, sorted[0], sorted[1]};
	const struct portalmem_ioc_sync begun = {.flags = flags[_i],
						 .count = 3};
	const struct portalmem_ioc_sync ended = {
		.flags = flags[_i] | DMA_BUF_SYNC_END, .count = 3};
	const struct mock_call calls[] = {unit_node_sync(&begun, sorted, 0),
					  unit_node_sync(&ended, sorted, 0)};
	struct portalmem_buffer *buffer = unit_import_known();
	struct portalmem_access access;

	MOCK_EXPECT(calls);
	access = begin(buffer, flags[_i], ranges, 4);
	/* The caller's array is the caller's again. */
	memset(ranges, 0xff, sizeof(ranges));
	end(&access);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(no_ranges_are_the_whole_buffer)
{
	static const struct portalmem_ioc_sync begun = {.flags = 2, .count = 1};
	static const struct portalmem_ioc_sync ended = {.flags = 6, .count = 1};
	const struct mock_call calls[] = {unit_node_sync(&begun, &whole, 0),
					  unit_node_sync(&ended, &whole, 0)};
	struct portalmem_buffer *buffer = unit_import_known();
	struct portalmem_access access;

	MOCK_EXPECT(calls);
	access = begin(buffer, WRITE, NULL, 0);
	end(&access);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(access_to_no_bytes_syncs_nothing_and_disturbs_nobody)
{
	static const struct portalmem_range empty[] = {{0, 0}, {4096, 0}};
	struct portalmem_buffer *buffer = unit_import_known();
	struct portalmem_access none = begin(buffer, WRITE, &whole, 0);
	struct portalmem_access nothing = begin(buffer, WRITE, empty, 2);

	end(&none);
	end(&nothing);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(foreign_dmabuf_is_synced_whole)
{
	static const struct dma_buf_sync begun = {.flags = 3};
	static const struct dma_buf_sync ended = {.flags = 7};
	const struct mock_call calls[] = {dmabuf_sync(&begun),
					  dmabuf_sync(&ended)};
	struct portalmem_buffer *buffer = unit_import_dmabuf(SIZE);
	struct portalmem_access access;

	MOCK_EXPECT(calls);
	access = begin(buffer, RDWR, &first_page, 1);
	/* And so another part of it is in the way of another's writes. */
	assert_refused(buffer, READ, &second_page, 1, EBUSY);
	end(&access);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(access_that_was_ended_is_einval)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	struct portalmem_access access = begin(buffer, WRITE, NULL, 0);

	end(&access);
	unit_assert_fails(portalmem_access_end(&access), EINVAL);
	unit_assert_message_has("not open");
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(access_that_was_ended_through_a_copy_is_einval)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	struct portalmem_access access = begin(buffer, WRITE, NULL, 0);
	struct portalmem_access copy = access;
	struct portalmem_access next;

	end(&copy);
	/* What was begun since is not ended in its place. */
	next = begin(buffer, WRITE, NULL, 0);
	unit_assert_fails(portalmem_access_end(&access), EINVAL);
	assert_refused(buffer, READ, NULL, 0, EBUSY);
	end(&next);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(access_that_never_began_is_einval)
{
	struct portalmem_access access = PORTALMEM_ACCESS_INIT;

	unit_assert_fails(portalmem_access_end(&access), EINVAL);
	unit_assert_fails(portalmem_access_end(NULL), EINVAL);
}
END_TEST

START_TEST(access_that_is_open_is_not_begun_again)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	struct portalmem_access access = begin(buffer, READ, NULL, 0);
	struct portalmem_access copy = access;

	unit_assert_fails(
		portalmem_access_begin(buffer, READ, NULL, 0, &access), EBUSY);
	unit_assert_message_has("is open");
	ck_assert_mem_eq(&access, &copy, sizeof(access));
	end(&access);
	/* Once ended it serves again. */
	ck_assert_int_eq(portalmem_access_begin(buffer, READ, NULL, 0, &access),
			 0);
	end(&access);
	portalmem_buffer_unref(buffer);
}
END_TEST

/* Two accesses at once, of the pages A and B of four. */
static const struct {
	unsigned int flags[2];
	struct portalmem_range ranges[2];
	int is_conflict;
} pairs[] = {
	{{READ, READ}, {{0, 4096}, {0, 4096}}, 0},
	{{READ, WRITE}, {{0, 4096}, {0, 4096}}, 1},
	{{WRITE, READ}, {{0, 4096}, {0, 4096}}, 1},
	{{WRITE, WRITE}, {{0, 4096}, {0, 4096}}, 1},
	{{RDWR, RDWR}, {{0, 4096}, {4096, 4096}}, 0},
	{{RDWR, RDWR}, {{4096, 4096}, {0, 4096}}, 0},
	{{WRITE, READ}, {{0, 4097}, {4096, 1}}, 1},
	{{WRITE, READ}, {{4096, 1}, {0, 4097}}, 1},
	{{WRITE, READ}, {{0, 4 * 4096}, {8192, 1}}, 1},
	{{WRITE, READ}, {{8192, 1}, {0, 4 * 4096}}, 1},
	{{WRITE, READ}, {{100, 1}, {100, 0}}, 0},
	{{WRITE, READ}, {{0, 200}, {100, 0}}, 0},
};

/* On the backend under test, where a foreign buffer counts as whole. */
static int is_conflict(int pair)
{
	const struct portalmem_range *ranges = pairs[pair].ranges;
	unsigned int flags = pairs[pair].flags[0] | pairs[pair].flags[1];

	if (unit_backend() == PORTALMEM_BACKEND_PORTALMEM ||
	    unit_backend() == PORTALMEM_BACKEND_MEMFD)
		return pairs[pair].is_conflict;
	return flags & WRITE && ranges[0].length && ranges[1].length;
}

START_TEST(conflicting_accesses_are_ebusy)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	struct portalmem_access one =
		begin(buffer, pairs[_i].flags[0], &pairs[_i].ranges[0], 1);
	struct portalmem_access two;

	if (is_conflict(_i)) {
		assert_refused(buffer, pairs[_i].flags[1], &pairs[_i].ranges[1],
			       1, EBUSY);
		end(&one);
	}
	/* It was the other one that was in the way, and nothing else. */
	two = begin(buffer, pairs[_i].flags[1], &pairs[_i].ranges[1], 1);
	end(&two);
	if (!is_conflict(_i))
		end(&one);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(conflict_is_found_among_many_ranges)
{
	struct portalmem_range ours[] = {
		{9000, 10}, {0, 5000}, {16000, 1}, {10, 20}, {100, 1}};
	struct portalmem_range theirs[] = {
		{12000, 4000}, {5000, 4000}, {9010, 100}};
	struct portalmem_buffer *buffer = unit_alloc_memfd(SIZE);
	struct portalmem_access one = begin(buffer, WRITE, ours, 5);
	struct portalmem_access two = begin(buffer, WRITE, theirs, 3);

	end(&two);
	theirs[0].length++;
	assert_refused(buffer, READ, theirs, 3, EBUSY);
	unit_assert_message_has("end");
	theirs[0].length--;
	theirs[1].offset--;
	assert_refused(buffer, READ, theirs, 3, EBUSY);
	end(&one);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(other_buffers_are_not_in_the_way)
{
	struct portalmem_buffer *buffers[] = {unit_alloc(SIZE),
					      unit_alloc(SIZE)};
	struct portalmem_access one = begin(buffers[0], WRITE, NULL, 0);
	struct portalmem_access two = begin(buffers[1], WRITE, NULL, 0);

	end(&one);
	end(&two);
	portalmem_buffer_unref(buffers[0]);
	portalmem_buffer_unref(buffers[1]);
}
END_TEST

START_TEST(buffer_lives_until_its_last_access_is_ended)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);
	struct portalmem_access access = begin(buffer, WRITE, NULL, 0);
	int fd = portalmem_buffer_get_fd(buffer);
	void *map;

	ck_assert_int_eq(
		portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR, &map),
		0);
	portalmem_buffer_unref(buffer);
	memset(map, 1, SIZE);
	ck_assert_int_eq(unit_is_mapped(map), 1);
	end(&access);
	ck_assert_int_eq(unit_is_mapped(map), 0);
	ck_assert_int_eq(close(fd), -1);
	unit_assert_fails(portalmem_access_end(&access), EINVAL);
}
END_TEST

START_TEST(beginning_that_the_kernel_refuses_leaves_nothing_open)
{
	static const struct portalmem_ioc_sync begun = {.flags = 2, .count = 1};
	static const struct portalmem_ioc_sync ended = {.flags = 6, .count = 1};
	const struct mock_call calls[] = {unit_node_sync(&begun, &whole, EIO),
					  unit_node_sync(&begun, &whole, 0),
					  unit_node_sync(&ended, &whole, 0)};
	struct portalmem_buffer *buffer = unit_import_known();
	struct portalmem_access access;

	MOCK_EXPECT(calls);
	assert_refused(buffer, WRITE, NULL, 0, EIO);
	access = begin(buffer, WRITE, NULL, 0);
	end(&access);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(end_that_the_kernel_refuses_can_be_repeated)
{
	static const struct portalmem_ioc_sync begun = {.flags = 2, .count = 1};
	static const struct portalmem_ioc_sync ended = {.flags = 6, .count = 1};
	const struct mock_call calls[] = {unit_node_sync(&begun, &whole, 0),
					  unit_node_sync(&ended, &whole, EIO),
					  unit_node_sync(&ended, &whole, 0)};
	struct portalmem_buffer *buffer = unit_import_known();
	struct portalmem_access access;

	MOCK_EXPECT(calls);
	access = begin(buffer, WRITE, NULL, 0);
	unit_assert_fails(portalmem_access_end(&access), EIO);
	unit_assert_message_has("still open");
	/* It is: nobody else gets in between. */
	assert_refused(buffer, READ, NULL, 0, EBUSY);
	end(&access);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(bad_flags_are_einval)
{
	static const unsigned int bad[] = {
		0,
		PORTALMEM_SYNC_START,
		PORTALMEM_SYNC_END,
		READ | PORTALMEM_SYNC_START,
		READ | PORTALMEM_SYNC_END,
		RDWR | 16,
		~0U,
	};
	struct portalmem_buffer *buffer = unit_alloc(SIZE);

	for (int i = 0; i < COUNT(bad); i++) {
		assert_refused(buffer, bad[i], NULL, 0, EINVAL);
		unit_assert_fails(
			portalmem_access_begin(buffer, bad[i], NULL, 0, NULL),
			EINVAL);
	}
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(range_outside_the_buffer_is_erange)
{
	static const struct portalmem_range bad[] = {
		{4 * 4096 + 1, 0}, {4 * 4096, 1},   {0, 4 * 4096 + 1},
		{1, UINT64_MAX},   {UINT64_MAX, 1}, {UINT64_MAX, UINT64_MAX},
	};
	struct portalmem_buffer *buffer = unit_alloc(SIZE);

	for (int i = 0; i < COUNT(bad); i++)
		assert_refused(buffer, READ, &bad[i], 1, ERANGE);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(too_many_ranges_are_einval)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);

	assert_refused(buffer, READ, &first_page, SIZE_MAX, EINVAL);
	assert_refused(buffer, READ, &first_page, 65537, EINVAL);
	assert_refused(buffer, READ, NULL, 1, EINVAL);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(most_ranges_are_checked_against_each_other)
{
	struct portalmem_range *ranges = calloc(65536, sizeof(*ranges));
	struct portalmem_buffer *buffer = unit_alloc_memfd(65536 * 2);
	struct portalmem_access even, odd;

	ck_assert_ptr_nonnull(ranges);
	for (size_t i = 0; i < 65536; i++)
		ranges[i] = (struct portalmem_range){2 * (65535 - i), 1};
	even = begin(buffer, WRITE, ranges, 65536);
	for (size_t i = 0; i < 65536; i++)
		ranges[i].offset++;
	odd = begin(buffer, WRITE, ranges, 65536);
	end(&odd);
	ranges[12345].offset--;
	assert_refused(buffer, WRITE, ranges, 65536, EBUSY);
	end(&even);
	portalmem_buffer_unref(buffer);
	free(ranges);
}
END_TEST

START_TEST(null_arguments_are_einval)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);

	assert_refused(NULL, READ, NULL, 0, EINVAL);
	unit_assert_fails(portalmem_access_begin(buffer, READ, NULL, 0, NULL),
			  EINVAL);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(no_memory_is_enomem)
{
	struct portalmem_buffer *buffer = unit_alloc(SIZE);

	mock_fail_calloc(1);
	assert_refused(buffer, READ, NULL, 0, ENOMEM);
	portalmem_buffer_unref(buffer);
}
END_TEST

static Suite *access_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("access", &tc);

	tcase_add_loop_test(
		tc, end_repeats_the_flags_and_ranges_of_the_beginning, 0, 3);
	tcase_add_test(tc, no_ranges_are_the_whole_buffer);
	tcase_add_test(tc,
		       access_to_no_bytes_syncs_nothing_and_disturbs_nobody);
	tcase_add_test(tc, foreign_dmabuf_is_synced_whole);
	tcase_add_test(tc, access_that_was_ended_is_einval);
	tcase_add_test(tc, access_that_was_ended_through_a_copy_is_einval);
	tcase_add_test(tc, access_that_never_began_is_einval);
	tcase_add_test(tc, access_that_is_open_is_not_begun_again);
	tcase_add_loop_test(tc, conflicting_accesses_are_ebusy, 0,
			    COUNT(pairs));
	tcase_add_test(tc, conflict_is_found_among_many_ranges);
	tcase_add_test(tc, other_buffers_are_not_in_the_way);
	tcase_add_test(tc, buffer_lives_until_its_last_access_is_ended);
	tcase_add_test(tc,
		       beginning_that_the_kernel_refuses_leaves_nothing_open);
	tcase_add_test(tc, end_that_the_kernel_refuses_can_be_repeated);
	tcase_add_test(tc, bad_flags_are_einval);
	tcase_add_test(tc, range_outside_the_buffer_is_erange);
	tcase_add_test(tc, too_many_ranges_are_einval);
	tcase_add_test(tc, most_ranges_are_checked_against_each_other);
	tcase_add_test(tc, null_arguments_are_einval);
	unit_add_shortage_test(tc, no_memory_is_enomem);
	return suite;
}

PMTEST_MAIN(access_suite)
