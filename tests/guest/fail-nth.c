// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail-nth.h"
#include "guest.h"

#define DEBUGFS "/sys/kernel/debug/"

/* The kinds of points. */
static const char *const kinds[] = {"failslab", "fail_page_alloc",
				    "fail_usercopy"};

static int control = -1;

void fail_nth_set_up(void)
{
	/* Those that may sleep are spared otherwise, and single pages. */
	guest_put(DEBUGFS "failslab/ignore-gfp-wait", "N");
	guest_put(DEBUGFS "failslab/verbose", "0");
	guest_put(DEBUGFS "fail_page_alloc/ignore-gfp-wait", "N");
	guest_put(DEBUGFS "fail_page_alloc/ignore-gfp-highmem", "N");
	guest_put(DEBUGFS "fail_page_alloc/min-order", "0");
	guest_put(DEBUGFS "fail_page_alloc/verbose", "0");
	guest_put(DEBUGFS "fail_usercopy/verbose", "0");
	if (control < 0)
		control = guest_open("/proc/thread-self/fail-nth");
}

/*
 * Find where a function of the kernel's begins, and what comes after it. The
 * list is in the order of addresses, and long.
 */
static void find_function(const char *function, uint64_t *begin, uint64_t *end)
{
	FILE *file = fopen("/proc/kallsyms", "re");
	uint64_t address;
	char name[256];

	ck_assert_ptr_nonnull(file);
	*begin = 0;
	*end = 0;
	while (!*end && fscanf(file, "%" SCNx64 " %*c %255s%*[^\n]", &address,
			       name) == 2) {
		if (!strcmp(name, function))
			*begin = address;
		else if (*begin && address > *begin)
			*end = address;
	}
	ck_assert_msg(*end, "the kernel has no %s", function);
	fclose(file);
}

static void put_for_all(const char *name, uint64_t value)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char path[80], text[24];

		snprintf(path, sizeof(path), DEBUGFS "%s/%s", kinds[i], name);
		snprintf(text, sizeof(text), "%#" PRIx64, value);
		guest_put(path, text);
	}
}

void fail_nth_only_within(const char *function)
{
	uint64_t begin, end;

	find_function(function, &begin, &end);
	put_for_all("require-start", begin);
	put_for_all("require-end", end);
	put_for_all("reject-start", 0);
	put_for_all("reject-end", 0);
}

void fail_nth_only_outside(const char *function)
{
	uint64_t begin, end;

	find_function(function, &begin, &end);
	put_for_all("require-start", 0);
	put_for_all("require-end", UINT64_MAX);
	put_for_all("reject-start", begin);
	put_for_all("reject-end", end);
}

void fail_nth_begin(unsigned int n)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", n);

	ck_assert_int_eq(pwrite(control, text, (size_t)length, 0), length);
}

bool fail_nth_end(void)
{
	char text[16] = "";
	ssize_t length = pread(control, text, sizeof(text) - 1, 0);

	/* What is left over can fail the copies of these two calls as well. */
	if (length < 0)
		ck_assert_int_eq(errno, EFAULT);
	while (pwrite(control, "0", 1, 0) < 0)
		ck_assert_int_eq(errno, EFAULT);
	return length > 0 && !strtoul(text, NULL, 10);
}
