// SPDX-License-Identifier: GPL-2.0-or-later
/* What ps and top read of the kernel's lines about dma-bufs. */
#include "config.h"

#include <string.h>

#include "census.h"
#include "unit.h"

#define FDINFO                                                 \
	"pos:\t0\nflags:\t02000002\nmnt_id:\t14\nino:\t4711\n" \
	"size:\t65536\ncount:\t2\nexp_name:\tportalmem\nname:\t"

START_TEST(a_name_keeps_its_blanks)
{
	struct dmabuf buffer;

	ck_assert(census_parse_fdinfo(FDINFO " \tof blanks \n", &buffer));
	ck_assert_str_eq(buffer.name, " \tof blanks ");
	ck_assert(census_parse_fdinfo(FDINFO "\n", &buffer));
	ck_assert_str_eq(buffer.name, "");
}
END_TEST

START_TEST(a_name_poses_as_no_value)
{
	struct dmabuf buffer;

	ck_assert(
		census_parse_fdinfo(FDINFO "x\nsize:\t1\nino:\t5\n", &buffer));
	ck_assert_uint_eq(buffer.size, 65536);
	ck_assert_uint_eq(buffer.inode, 4711);
	ck_assert_str_eq(buffer.name, "x");
}
END_TEST

START_TEST(a_line_of_the_list_is_read)
{
	struct dmabuf buffer;

	ck_assert(census_parse_listed("00065536\t00000002\t00080007\t"
				      "00000002\tportalmem\t00004711\ta name\n",
				      &buffer));
	ck_assert(buffer.listed && buffer.size_known);
	ck_assert_uint_eq(buffer.size, 65536);
	ck_assert_uint_eq(buffer.references, 2);
	ck_assert_uint_eq(buffer.inode, 4711);
	ck_assert_str_eq(buffer.exporter, "portalmem");
	ck_assert_str_eq(buffer.name, "a name");
}
END_TEST

/* Whose lines have room for 31 bytes. */
START_TEST(a_name_poses_as_no_line_of_the_list)
{
	static const char *const lines[] = {
		"1 1 1 1 x 5",
		"1\t1\t1\t1\tx\t5\t<none>",
		"00000001 1 1 00000001 x 5",
		"00000001\t00000001\t00000001\tx",
	};
	struct dmabuf buffer;

	for (int i = 0; i < COUNT(lines); i++)
		ck_assert(!census_parse_listed(lines[i], &buffer));
}
END_TEST

static Suite *census_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("census", &tc);

	tcase_add_test(tc, a_name_keeps_its_blanks);
	tcase_add_test(tc, a_name_poses_as_no_value);
	tcase_add_test(tc, a_line_of_the_list_is_read);
	tcase_add_test(tc, a_name_poses_as_no_line_of_the_list);
	return suite;
}

PMTEST_MAIN(census_suite)
