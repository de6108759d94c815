// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory where it was asked for, by its physical addresses. The guest has 6 GiB
 * on two nodes: 0 to 3 GiB on the first, the rest, with all above 4 GiB, on the
 * second.
 */
#include <config.h>

#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"

#define MOST 8192

struct span {
	uint64_t lowest, end;
};

/* The first and the last physical address of a buffer. */
static struct span span_of(int fd)
{
	static struct portalmem_ioc_segment table[MOST];
	struct portalmem_ioc_segments segments = {
		.fd = fd,
		.segments = (uintptr_t)table,
		.count = MOST,
	};
	struct span span = {UINT64_MAX, 0};
	int node = guest_open(GUEST_NODE);

	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SEGMENTS, &segments), 0);
	ck_assert_uint_eq(segments.count, segments.total);
	for (uint32_t i = 0; i < segments.count; i++) {
		uint64_t end = table[i].physical + table[i].length;

		if (table[i].physical < span.lowest)
			span.lowest = table[i].physical;
		if (end > span.end)
			span.end = end;
	}
	close(node);
	return span;
}

static uint64_t gib(uint64_t n)
{
	return n << 30;
}

static int alloc(const struct portalmem_ioc_alloc *wish)
{
	struct portalmem_ioc_alloc request = *wish;
	int node = guest_open(GUEST_NODE);
	int ret = ioctl(node, PORTALMEM_IOC_ALLOC, &request);

	close(node);
	return ret ? -errno : request.fd;
}

/* Without a wish the second node's memory above 4 GiB can be had. */
START_TEST(memory_above_4_gib_is_used)
{
	struct portalmem_ioc_alloc wish =
		guest_request(MIB(512), PORTALMEM_CACHED);

	wish.flags = PORTALMEM_ALLOC_NODE;
	wish.node = 1;
	ck_assert_uint_gt(span_of(alloc(&wish)).end, gib(4));
}
END_TEST

START_TEST(buffer_is_on_the_node_that_was_asked_for)
{
	static const uint32_t modes[] = {PORTALMEM_CACHED, PORTALMEM_WC};

	for (unsigned int nid = 0; nid < 2; nid++) {
		struct portalmem_ioc_alloc wish =
			guest_request(MIB(256), modes[_i]);
		struct span span;
		int fd;

		wish.flags = PORTALMEM_ALLOC_NODE;
		wish.node = nid;
		fd = alloc(&wish);
		ck_assert_int_ge(fd, 0);
		span = span_of(fd);
		if (nid)
			ck_assert_uint_ge(span.lowest, gib(3));
		else
			ck_assert_uint_le(span.end, gib(3));
		close(fd);
	}
}
END_TEST

START_TEST(more_than_the_node_has_is_enomem)
{
	struct portalmem_ioc_alloc wish =
		guest_request(gib(3) + MIB(512), PORTALMEM_CACHED);

	ck_assert_int_gt(guest_meminfo("MemAvailable"), 4 << 20);
	wish.flags = PORTALMEM_ALLOC_NODE;
	wish.node = 1;
	ck_assert_int_eq(alloc(&wish), -ENOMEM);
	/* And the kernel killed nobody: the next one succeeds. */
	wish.size = MIB(256);
	close(alloc(&wish));
}
END_TEST

static const uint32_t limits[] = {24, 32, 33, 40, 64};

START_TEST(buffer_is_below_the_address_limit)
{
	static const uint32_t modes[] = {PORTALMEM_CACHED, PORTALMEM_WC,
					 PORTALMEM_UC};

	for (int i = 0; i < 3; i++) {
		struct portalmem_ioc_alloc wish =
			guest_request(MIB(1), modes[i]);
		int fd;

		wish.address_bits = limits[_i];
		fd = alloc(&wish);
		ck_assert_int_ge(fd, 0);
		if (limits[_i] < 64)
			ck_assert_uint_le(span_of(fd).end,
					  (uint64_t)1 << limits[_i]);
		close(fd);
	}
}
END_TEST

/* On the node with memory on both sides of the limit. */
START_TEST(large_buffer_is_below_4_gib_where_memory_above_is_free)
{
	struct portalmem_ioc_alloc wish =
		guest_request(MIB(1536), PORTALMEM_CACHED);
	int fd;

	wish.address_bits = 32;
	fd = alloc(&wish);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_le(span_of(fd).end, gib(4));
}
END_TEST

START_TEST(more_than_there_is_below_the_limit_is_enomem)
{
	struct portalmem_ioc_alloc wish =
		guest_request(MIB(32), PORTALMEM_CACHED);

	wish.address_bits = 24;
	ck_assert_int_eq(alloc(&wish), -ENOMEM);
	wish.size = 4096;
	wish.address_bits = 1;
	ck_assert_int_eq(alloc(&wish), -ENOMEM);
}
END_TEST

static const struct {
	const char *what;
	uint32_t flags, node, address_bits;
} bad[] = {
	{"node without its flag", 0, 1, 0},
	{"node that is not there", PORTALMEM_ALLOC_NODE, 2, 0},
	{"impossible node", PORTALMEM_ALLOC_NODE, UINT32_MAX, 0},
	{"65 bits", 0, 0, 65},
};

START_TEST(place_that_cannot_be_is_einval)
{
	struct portalmem_ioc_alloc wish = guest_request(4096, PORTALMEM_CACHED);

	wish.flags = bad[_i].flags;
	wish.node = bad[_i].node;
	wish.address_bits = bad[_i].address_bits;
	ck_assert_msg(alloc(&wish) == -EINVAL, "%s", bad[_i].what);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("placement");
	TCase *tcase = guest_tcase("placement");

	tcase_add_test(tcase, memory_above_4_gib_is_used);
	tcase_add_loop_test(tcase, buffer_is_on_the_node_that_was_asked_for, 0,
			    2);
	tcase_add_test(tcase, more_than_the_node_has_is_enomem);
	tcase_add_loop_test(tcase, buffer_is_below_the_address_limit, 0,
			    sizeof(limits) / sizeof(limits[0]));
	tcase_add_test(tcase,
		       large_buffer_is_below_4_gib_where_memory_above_is_free);
	tcase_add_test(tcase, more_than_there_is_below_the_limit_is_enomem);
	tcase_add_loop_test(tcase, place_that_cannot_be_is_einval, 0,
			    sizeof(bad) / sizeof(bad[0]));
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
