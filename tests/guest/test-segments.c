// SPDX-License-Identifier: GPL-2.0-or-later
/* The translation table, held against what /proc says of the mapping. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "guest.h"

#define MOST 4096

static struct portalmem_ioc_segment table[MOST];

/* Read a part of a buffer's table and give what the call filled in. */
static struct portalmem_ioc_segments read_part(int fd, uint32_t first,
					       uint32_t count)
{
	struct portalmem_ioc_segments segments = {
		.fd = fd,
		.segments = (uintptr_t)table,
		.first = first,
		.count = count,
	};
	int node = guest_open(GUEST_NODE);

	ck_assert_msg(!ioctl(node, PORTALMEM_IOC_SEGMENTS, &segments), "%s",
		      strerror(errno));
	close(node);
	return segments;
}

static uint64_t pfn_of(const void *address)
{
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(
		pread(fd, &entry, sizeof(entry),
		      (off_t)((uintptr_t)address / 4096 * sizeof(entry))),
		sizeof(entry));
	close(fd);
	ck_assert_msg(entry >> 63, "the page is not there");
	return entry & (((uint64_t)1 << 55) - 1);
}

START_TEST(table_is_where_the_pages_are)
{
	int fd = guest_alloc(MIB(21) + 4096, PORTALMEM_CACHED);
	char *map = guest_map(fd, MIB(21) + 4096);
	struct portalmem_ioc_segments all = read_part(fd, 0, MOST);
	uint64_t offset = 0;

	memset(map, 1, MIB(21) + 4096);
	ck_assert_uint_eq(all.count, all.total);
	ck_assert_uint_eq(all.total, guest_info(fd).segments);
	for (uint32_t i = 0; i < all.count; i++) {
		const struct portalmem_ioc_segment *segment = &table[i];

		ck_assert_uint_eq(segment->offset, offset);
		ck_assert_uint_gt(segment->length, 0);
		/* Neighbours are merged. */
		if (i)
			ck_assert_uint_ne(table[i - 1].physical +
						  table[i - 1].length,
					  segment->physical);
		for (uint64_t at = 0; at < segment->length; at += 4096)
			ck_assert_uint_eq(pfn_of(map + offset + at) * 4096,
					  segment->physical + at);
		offset += segment->length;
	}
	ck_assert_uint_eq(offset, MIB(21) + 4096);
}
END_TEST

START_TEST(table_can_be_read_in_parts)
{
	static struct portalmem_ioc_segment whole[MOST];
	int fd = guest_alloc_scattered(MIB(3) + 28672, PORTALMEM_CACHED, 512);
	struct portalmem_ioc_segments all = read_part(fd, 0, MOST);
	struct portalmem_ioc_segments part;

	memcpy(whole, table, sizeof(whole));
	for (uint32_t i = 0; i < all.total; i++) {
		memset(table, 0xff, sizeof(table));
		part = read_part(fd, i, 1);
		ck_assert_uint_eq(part.count, 1);
		ck_assert_uint_eq(part.total, all.total);
		ck_assert_mem_eq(&table[0], &whole[i], sizeof(table[0]));
		/* No byte more than was asked for. */
		ck_assert_uint_eq(table[1].offset, UINT64_MAX);
	}
	ck_assert_uint_eq(read_part(fd, 0, 0).total, all.total);
	ck_assert_uint_eq(read_part(fd, all.total, MOST).count, 0);
	ck_assert_uint_eq(read_part(fd, UINT32_MAX, MOST).count, 0);
	part = read_part(fd, all.total - 1, UINT32_MAX);
	ck_assert_uint_eq(part.count, 1);
}
END_TEST

START_TEST(addresses_are_for_cap_sys_rawio_alone)
{
	int fd = guest_alloc(MIB(1), PORTALMEM_CACHED);
	struct portalmem_ioc_segments part;

	part = read_part(fd, 0, MOST);
	ck_assert_uint_gt(part.count, 0);
	ck_assert_uint_ne(table[0].physical, 0);
	guest_drop_rawio();
	part = read_part(fd, 0, MOST);
	ck_assert_uint_gt(part.count, 0);
	for (uint32_t i = 0; i < part.count; i++)
		ck_assert_uint_eq(table[i].physical, 0);
	ck_assert_uint_gt(table[0].length, 0);
}
END_TEST

static const struct {
	const char *what;
	struct portalmem_ioc_segments segments;
	int error;
} bad[] = {
	{"unknown flag", {.flags = 1}, EINVAL},
	{"dirty total", {.total = 1}, EINVAL},
	{"dirty pad", {.pad = 1}, EINVAL},
	{"array at a bad address", {.segments = 8, .count = 1}, EFAULT},
};

START_TEST(segments_refuses_each_bad_field)
{
	struct portalmem_ioc_segments segments = bad[_i].segments;
	int node = guest_open(GUEST_NODE);

	segments.fd = guest_alloc(4096, PORTALMEM_CACHED);
	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SEGMENTS, &segments), -1);
	ck_assert_msg(errno == bad[_i].error, "%s: %s", bad[_i].what,
		      strerror(errno));
}
END_TEST

START_TEST(segments_refuses_a_structure_too_short_for_its_answer)
{
	struct portalmem_ioc_segments segments = {
		.fd = guest_alloc(4096, PORTALMEM_CACHED)};
	int node = guest_open(GUEST_NODE);

	errno = 0;
	ck_assert_int_eq(
		ioctl(node,
		      _IOC(_IOC_READ | _IOC_WRITE, PORTALMEM_IOC_MAGIC, 4,
			   offsetof(struct portalmem_ioc_segments, total)),
		      &segments),
		-1);
	ck_assert_int_eq(errno, EINVAL);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("segments");
	TCase *tcase = guest_tcase("segments");

	tcase_add_test(tcase, table_is_where_the_pages_are);
	tcase_add_test(tcase, table_can_be_read_in_parts);
	tcase_add_test(tcase, addresses_are_for_cap_sys_rawio_alone);
	tcase_add_loop_test(tcase, segments_refuses_each_bad_field, 0,
			    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tcase,
		       segments_refuses_a_structure_too_short_for_its_answer);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
