// SPDX-License-Identifier: GPL-2.0-or-later
/* What the command's bench says of a set of samples. */
#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "bench-stats.h"
#include "unit.h"

#define EXPECT(value, is) ck_assert_double_eq_tol(value, is, 1e-9)

START_TEST(one_sample_is_all_there_is)
{
	double samples[] = {42};
	struct spread spread;

	spread_of(samples, 1, &spread);
	EXPECT(spread.min, 42);
	EXPECT(spread.q1, 42);
	EXPECT(spread.median, 42);
	EXPECT(spread.q3, 42);
	EXPECT(spread.max, 42);
	EXPECT(spread.mad, 0);
}
END_TEST

START_TEST(two_samples_have_a_median_between_them)
{
	double samples[] = {30, 10};
	struct spread spread;

	spread_of(samples, 2, &spread);
	EXPECT(spread.min, 10);
	EXPECT(spread.q1, 15);
	EXPECT(spread.median, 20);
	EXPECT(spread.q3, 25);
	EXPECT(spread.max, 30);
	EXPECT(spread.mad, 10);
}
END_TEST

START_TEST(equal_samples_have_no_spread)
{
	double samples[] = {7, 7, 7, 7, 7, 7};
	struct spread spread;

	spread_of(samples, 6, &spread);
	EXPECT(spread.min, 7);
	EXPECT(spread.q1, 7);
	EXPECT(spread.median, 7);
	EXPECT(spread.q3, 7);
	EXPECT(spread.max, 7);
	EXPECT(spread.mad, 0);
}
END_TEST

START_TEST(quartiles_are_samples_where_one_is_there)
{
	double samples[] = {9, 1, 8, 2, 1000};
	struct spread spread;

	spread_of(samples, 5, &spread);
	EXPECT(spread.min, 1);
	EXPECT(spread.q1, 2);
	EXPECT(spread.median, 8);
	EXPECT(spread.q3, 9);
	EXPECT(spread.max, 1000);
	/* Of 7, 6, 0, 1 and 992: one that is far off does not move it. */
	EXPECT(spread.mad, 6);
}
END_TEST

START_TEST(quartiles_are_interpolated_elsewhere)
{
	double samples[] = {4, 3, 2, 1};
	struct spread spread;

	spread_of(samples, 4, &spread);
	EXPECT(spread.q1, 1.75);
	EXPECT(spread.median, 2.5);
	EXPECT(spread.q3, 3.25);
	EXPECT(spread.mad, 1);
}
END_TEST

/* Whatever the samples, the figures are in order and within them. */
START_TEST(figures_are_in_order)
{
	double samples[101];
	struct spread spread;

	srand(1);
	for (int round = 0; round < 200; round++) {
		size_t count = (size_t)(rand() % 101) + 1;

		for (size_t i = 0; i < count; i++)
			samples[i] = rand() % 1000;
		spread_of(samples, count, &spread);
		ck_assert_double_le(spread.min, spread.q1);
		ck_assert_double_le(spread.q1, spread.median);
		ck_assert_double_le(spread.median, spread.q3);
		ck_assert_double_le(spread.q3, spread.max);
		ck_assert_double_ge(spread.mad, 0);
		ck_assert_double_le(spread.mad, spread.max - spread.min);
	}
}
END_TEST

START_TEST(a_ratio_needs_something_to_compare_with)
{
	EXPECT(ratio_of(10, 4), 2.5);
	EXPECT(ratio_of(0, 4), 0);
	ck_assert_double_nan(ratio_of(10, 0));
	ck_assert_double_nan(ratio_of(0, 0));
	ck_assert_double_nan(ratio_of(10, -1));
	ck_assert_double_nan(ratio_of(10, UNKNOWN));
	ck_assert_double_nan(ratio_of(UNKNOWN, 4));
}
END_TEST

static Suite *bench_stats_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("bench-stats", &tc);

	tcase_add_test(tc, one_sample_is_all_there_is);
	tcase_add_test(tc, two_samples_have_a_median_between_them);
	tcase_add_test(tc, equal_samples_have_no_spread);
	tcase_add_test(tc, quartiles_are_samples_where_one_is_there);
	tcase_add_test(tc, quartiles_are_interpolated_elsewhere);
	tcase_add_test(tc, figures_are_in_order);
	tcase_add_test(tc, a_ratio_needs_something_to_compare_with);
	return suite;
}

PMTEST_MAIN(bench_stats_suite)
