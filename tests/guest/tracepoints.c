// SPDX-License-Identifier: GPL-2.0-or-later
/* The module's tracepoints. */
#include <config.h>

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"
#include "tracepoints.h"

#define TRACING "/sys/kernel/tracing"
#define INSTANCE TRACING "/instances/portalmem-test"

void tracepoints_set_up(void)
{
	guest_shell("mountpoint -q " TRACING " || mount -t tracefs t " TRACING);
	/* A test that failed has left its own. */
	if (!access(INSTANCE, F_OK))
		tracepoints_tear_down();
	ck_assert_int_eq(mkdir(INSTANCE, 0700), 0);
	guest_put(INSTANCE "/events/portalmem/enable", "1");
}

void tracepoints_tear_down(void)
{
	guest_put(INSTANCE "/events/portalmem/enable", "0");
	ck_assert_int_eq(rmdir(INSTANCE), 0);
}

void tracepoints_forget(void)
{
	int fd = open(INSTANCE "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

/* Of lines whose text is that, or begins with it. */
static unsigned int count(const char *event, const char *text, int is_whole)
{
	FILE *file = fopen(INSTANCE "/trace", "r");
	unsigned int found = 0;
	char name[64], line[1024];

	ck_assert_ptr_nonnull(file);
	snprintf(name, sizeof(name), ": %s: ", event);
	while (fgets(line, sizeof(line), file)) {
		const char *rest = strstr(line, name);

		if (*line == '#' || !rest)
			continue;
		rest += strlen(name);
		line[strcspn(line, "\n")] = '\0';
		if (is_whole)
			found += !strcmp(rest, text);
		else
			found += !strncmp(rest, text, strlen(text));
	}
	fclose(file);
	return found;
}

unsigned int tracepoints_count(const char *event, const char *text)
{
	return count(event, text, 0);
}

unsigned int tracepoints_count_all(const char *event)
{
	return count(event, "", 0);
}

static void print_trace(void)
{
	FILE *file = fopen(INSTANCE "/trace", "r");
	char line[1024];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		printf("# %s", line);
	fclose(file);
	fflush(stdout);
}

void tracepoints_assert_once(const char *event, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (count(event, text, 1) != 1)
		print_trace();
	ck_assert_msg(count(event, text, 1) == 1, "%s: %s: %u times", event,
		      text, count(event, text, 1));
	ck_assert_msg(tracepoints_count_all(event) == 1, "%s: %u times", event,
		      tracepoints_count_all(event));
}
