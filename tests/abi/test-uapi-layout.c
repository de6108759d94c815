// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <check.h>
#include <linux/portalmem.h>
#include <stddef.h>

#include "pmtest.h"

static const struct {
	const char *what;
	unsigned long long is;
	unsigned long long must_be;
} facts[] = {
#define SIZE(type, bytes) {"size of " #type, sizeof(struct type), (bytes)},
#define OFFSET(type, field, bytes, size)                                       \
	{"place of " #type "." #field, offsetof(struct type, field), (bytes)}, \
		{"size of " #type "." #field,                                  \
		 sizeof(((struct type *)0)->field), (size)},
#define VALUE(constant, number) {"value of " #constant, (constant), (number)},
#include "uapi-layout.h"
};

START_TEST(uapi_fact_is_as_released)
{
	ck_assert_msg(facts[_i].is == facts[_i].must_be,
		      "%s is 0x%llx, not 0x%llx", facts[_i].what, facts[_i].is,
		      facts[_i].must_be);
}
END_TEST

/* Through a hole, what the kernel's stack held could reach a program. */
START_TEST(fields_fill_their_structures)
{
	static const size_t sizes[] = {
#undef SIZE
#undef OFFSET
#undef VALUE
#define SIZE(type, bytes) sizeof(struct type),
#define OFFSET(type, field, bytes, size)
#define VALUE(constant, number)
#include "uapi-layout.h"
	};
	size_t all = 0, fields = 0;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		all += sizes[i];
#undef SIZE
#undef OFFSET
#define SIZE(type, bytes)
#define OFFSET(type, field, bytes, size) \
	fields += sizeof(((struct type *)0)->field);
#include "uapi-layout.h"
	ck_assert_uint_eq(fields, all);
}
END_TEST

static Suite *layout_suite(void)
{
	Suite *suite = suite_create("uapi-layout");
	TCase *tc = tcase_create("uapi-layout");

	tcase_add_loop_test(tc, uapi_fact_is_as_released, 0,
			    (int)(sizeof(facts) / sizeof(facts[0])));
	tcase_add_test(tc, fields_fill_their_structures);
	suite_add_tcase(suite, tc);
	return suite;
}

PMTEST_MAIN(layout_suite)
