/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every Check program of portalmem shares: it runs its suites, prints TAP
 * on stdout and exits 0 only when all of them passed.
 */
#ifndef PMTEST_H
#define PMTEST_H

#include <check.h>
#include <stddef.h>

/* A suite's constructor. */
typedef Suite *(*pmtest_suite_fn)(void);

/* Run the suites and give the program's exit status. */
int pmtest_main(const pmtest_suite_fn *suites, size_t count);

/* Number of file descriptors open in this process. */
unsigned int pmtest_count_fds(void);

/* Fail the running test unless as many descriptors are open as BEFORE. */
void pmtest_assert_no_leaked_fds(unsigned int before);

#define PMTEST_MAIN(...)                                                \
	int main(void)                                                  \
	{                                                               \
		static const pmtest_suite_fn suites[] = {__VA_ARGS__};  \
		return pmtest_main(suites,                              \
				   sizeof(suites) / sizeof(suites[0])); \
	}

#endif
