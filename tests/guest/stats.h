/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module's statistics in sysfs. */
#ifndef STATS_H
#define STATS_H

#include <stdint.h>

/* Folders of the heaps that are always there. */
#define STATS_SYSTEM "/sys/class/misc/portalmem/stats"
#define STATS_USER "/sys/class/misc/portalmem/stats_user"
#define STATS_CONTIGUOUS "/sys/class/misc/portalmem-contiguous/stats"

/* The number in a file. */
uint64_t stats_read(const char *folder, const char *file);

/* The names of all files failures_*, NULL at the end. */
extern const char *const stats_failures[];

/* Fail unless one request more than before failed, for a reason of those. */
struct stats_failures {
	const char *folder;
	uint64_t before[16];
};

struct stats_failures stats_failures_now(const char *folder);
void stats_assert_one_more(const struct stats_failures *failures,
			   const char *reason);

#endif
