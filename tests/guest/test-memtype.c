// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * arch: amd64
 *
 * Memory types on a machine that has them all. Elsewhere than on x86 the
 * kernel's own mapping stays as it is.
 */
#include <config.h>

#include "guest.h"
#include "memtype.h"

START_TEST(every_mode_is_what_was_asked_for)
{
	static const uint32_t modes[] = {PORTALMEM_CACHED, PORTALMEM_WC,
					 PORTALMEM_UC};

	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(
			guest_info(guest_alloc(4096, modes[i])).effective,
			modes[i]);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("all modes");
	TCase *tcase = guest_tcase("all modes");

	tcase_add_test(tcase, every_mode_is_what_was_asked_for);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite, memtype_suite)
