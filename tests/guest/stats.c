// SPDX-License-Identifier: GPL-2.0-or-later
/* The module's statistics in sysfs. */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guest.h"
#include "stats.h"

const char *const stats_failures[] = {
	"failures_nomem",   "failures_limit",
	"failures_invalid", "failures_unsupported",
	"failures_denied",  "failures_busy",
	"failures_files",   "failures_interrupted",
	"failures_fault",   NULL,
};

uint64_t stats_read(const char *folder, const char *file)
{
	char path[256], newline = 0;
	uint64_t value = 0;
	FILE *stream;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	stream = fopen(path, "r");
	ck_assert_msg(stream, "%s", path);
	ck_assert_int_eq(fscanf(stream, "%" SCNu64 "%c", &value, &newline), 2);
	ck_assert_int_eq(newline, '\n');
	ck_assert_int_eq(fgetc(stream), EOF);
	fclose(stream);
	return value;
}

struct stats_failures stats_failures_now(const char *folder)
{
	struct stats_failures failures = {.folder = folder};

	for (int i = 0; stats_failures[i]; i++)
		failures.before[i] = stats_read(folder, stats_failures[i]);
	return failures;
}

void stats_assert_one_more(const struct stats_failures *failures,
			   const char *reason)
{
	for (int i = 0; stats_failures[i]; i++) {
		uint64_t now = stats_read(failures->folder, stats_failures[i]);
		int expected = !strcmp(stats_failures[i], reason);

		ck_assert_msg(now - failures->before[i] == (uint64_t)expected,
			      "%s/%s: %" PRIu64 " more instead of %d",
			      failures->folder, stats_failures[i],
			      now - failures->before[i], expected);
	}
}
