// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fail-nth.h"
#include "guest.h"

#define DEBUGFS "/sys/kernel/debug/"

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
