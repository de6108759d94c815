// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"
#include "maintenance.h"

#define TRACING "/sys/kernel/tracing"
#define CLEANED TRACING "/events/kprobes/pm_clean"
#define INVALIDATED TRACING "/events/kprobes/pm_invalidate"
#define ARGUMENTS "address=%x0:x64 bytes=%x1:u64 direction=%x2:u32"
#define SUM "hist:keys=common_pid:vals=bytes"

void maintenance_start(void)
{
	guest_shell("mountpoint -q " TRACING " || mount -t tracefs t " TRACING);
	guest_put(TRACING "/kprobe_events",
		  "p:pm_clean arch_sync_dma_for_device " ARGUMENTS "\n"
		  "p:pm_invalidate arch_sync_dma_for_cpu " ARGUMENTS "\n");
	guest_put(CLEANED "/trigger", SUM);
	guest_put(INVALIDATED "/trigger", SUM);
}

void maintenance_stop(void)
{
	guest_put(CLEANED "/enable", "0");
	guest_put(INVALIDATED "/enable", "0");
	guest_put(CLEANED "/trigger", "!" SUM);
	guest_put(INVALIDATED "/trigger", "!" SUM);
	guest_put(TRACING "/kprobe_events", "-:pm_clean\n-:pm_invalidate\n");
}

/* What the event's sums say of this process. */
static uint64_t sum_of(const char *path)
{
	char line[256];
	unsigned long long bytes = 0, count;
	int pid;
	FILE *file;

	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "{ common_pid: %d } hitcount: %*u bytes: %llu",
			   &pid, &count) == 2 &&
		    pid == getpid())
			bytes = count;
	fclose(file);
	return bytes;
}

uint64_t maintenance_cleaned(void)
{
	return sum_of(CLEANED "/hist");
}

uint64_t maintenance_invalidated(void)
{
	return sum_of(INVALIDATED "/hist");
}

static void record(const char *path, const char *setting, const char *value)
{
	char file[256];

	snprintf(file, sizeof(file), "%s/%s", path, setting);
	guest_put(file, value);
}

void maintenance_record(void)
{
	char filter[64];

	snprintf(filter, sizeof(filter), "common_pid == %d", getpid());
	record(CLEANED, "filter", filter);
	record(INVALIDATED, "filter", filter);
	record(CLEANED, "enable", "1");
	record(INVALIDATED, "enable", "1");
}

void maintenance_forget(void)
{
	int fd = open(TRACING "/trace", O_WRONLY | O_TRUNC | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	close(fd);
}

static int parse_call(const char *line, struct maintenance_call *call)
{
	static const char *const names[] = {"pm_clean: ", "pm_invalidate: "};
	unsigned long long address, bytes;
	const char *arguments = strstr(line, "address=");
	unsigned int direction;

	if (!arguments ||
	    sscanf(arguments, "address=%llx bytes=%llu direction=%u", &address,
		   &bytes, &direction) != 3)
		return 0;
	*call = (struct maintenance_call){
		.for_cpu = strstr(line, names[1]) != NULL,
		.direction = direction,
		.address = address,
		.bytes = bytes,
	};
	ck_assert(call->for_cpu || strstr(line, names[0]));
	return 1;
}

unsigned int maintenance_read(struct maintenance_call *calls, unsigned int most)
{
	FILE *file = fopen(TRACING "/trace", "r");
	unsigned int count = 0;
	char line[512];

	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		struct maintenance_call call;

		ck_assert_ptr_null(strstr(line, "LOST"));
		if (!parse_call(line, &call))
			continue;
		ck_assert_uint_lt(count, most);
		calls[count++] = call;
	}
	fclose(file);
	return count;
}
