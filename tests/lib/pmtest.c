// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "pmtest.h"

/* TAP has no line for a fixture that runs before the tests and fails. */
static void tell_failed_fixtures(SRunner *runner)
{
	TestResult **failures = srunner_failures(runner);

	for (int i = 0; i < srunner_ntests_failed(runner); i++)
		if (tr_ctx(failures[i]) != CK_CTX_TEST)
			printf("# fixture of %s: %s:%d: %s\n",
			       tr_tcname(failures[i]), tr_lfile(failures[i]),
			       tr_lno(failures[i]), tr_msg(failures[i]));
	free(failures);
}

int pmtest_main(const pmtest_suite_fn *suites, size_t count)
{
	SRunner *runner = srunner_create(suites[0]());
	int failed, run;

	for (size_t i = 1; i < count; i++)
		srunner_add_suite(runner, suites[i]());
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	tell_failed_fixtures(runner);
	failed = srunner_ntests_failed(runner);
	run = srunner_ntests_run(runner);
	srunner_free(runner);
	/* A program that ran nothing proves nothing. */
	return failed || !run ? EXIT_FAILURE : EXIT_SUCCESS;
}

unsigned int pmtest_count_fds(void)
{
	unsigned int count = 0;
	DIR *dir = opendir("/proc/self/fd");

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

void pmtest_assert_no_leaked_fds(unsigned int before)
{
	ck_assert_uint_eq(pmtest_count_fds(), before);
}
