// SPDX-License-Identifier: GPL-2.0-or-later
/* The findings that files in /proc and /sys tell. */
#include <config.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "doctor.h"
#include "parse.h"

#define PATH_ROOM 4096

/* Below this, an allocation of some size is about to fail. */
#define LITTLE ((uint64_t)4 << 20)

/* Of a run of 2 MiB, and the largest that a kernel may have. */
#define LARGE_ORDER 9
#define LAST_ORDER 31

/* The slots that bounce buffers are made of. */
#define SWIOTLB_SLOT 2048

/* The text of a small file, or NULL; to be freed. */
static char *read_file(const struct examination *all, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static char *read_file(const struct examination *all, const char *format, ...)
{
	char path[PATH_ROOM];
	char *text = NULL;
	size_t room = 0;
	va_list arguments;
	int used = snprintf(path, sizeof(path), "%s", all->root);
	FILE *file;

	if ((size_t)used >= sizeof(path))
		return NULL;
	va_start(arguments, format);
	used += vsnprintf(path + used, sizeof(path) - (size_t)used, format,
			  arguments);
	va_end(arguments);
	if ((size_t)used >= sizeof(path))
		return NULL;
	file = fopen(path, "re");
	if (!file)
		return NULL;
	if (getdelim(&text, &room, '\0', file) < 0) {
		free(text);
		text = NULL;
	}
	fclose(file);
	return text;
}

/* The first line alone. */
static char *read_line(const struct examination *all, const char *path)
{
	char *text = read_file(all, "%s", path);

	if (text)
		text[strcspn(text, "\n")] = '\0';
	return text;
}

void examine_kernel(struct examination *all)
{
	char *release = read_line(all, "/proc/sys/kernel/osrelease");
	unsigned int major = 0, minor = 0;

	if (!release || sscanf(release, "%u.%u", &major, &minor) != 2)
		find(all, VERDICT_NOTE, "kernel", "see that /proc is mounted",
		     "its version cannot be read");
	else if (major < 6 || (major == 6 && minor < 1))
		find(all, VERDICT_NOTE, "kernel",
		     "use Linux 6.1 or later; other backends work meanwhile",
		     "Linux %s is too old for the portalmem module", release);
	else
		find(all, VERDICT_FINE, "kernel", "", "Linux %s", release);
	free(release);
}

void examine_module(struct examination *all)
{
	char *version = read_line(all, "/sys/module/portalmem/version");
	char *taint = read_line(all, "/sys/module/portalmem/taint");

	if (!version)
		find(all, VERDICT_NOTE, "module",
		     "load it with modprobe portalmem, after make install or "
		     "dkms install",
		     "portalmem is not loaded");
	else if (strcmp(version, PACKAGE_VERSION) != 0)
		find(all, VERDICT_NOTE, "module",
		     "install both from one source, and load the module again",
		     "portalmem %s is loaded, and this is the command of %s",
		     version, PACKAGE_VERSION);
	else
		find(all, VERDICT_FINE, "module", "",
		     "portalmem %s is loaded%s", version,
		     taint && strchr(taint, 'E') ? ", unsigned" : "");
	free(version);
	free(taint);
}

/* A limit or a size; UINT64_MAX for "max". */
static bool read_number(const struct examination *all, const char *folder,
			const char *name, uint64_t *number)
{
	char *text = read_file(all, "/sys/fs/cgroup%s/%s", folder, name);
	bool is_there = text &&
			(text[0] == 'm' || (text[0] >= '0' && text[0] <= '9'));

	if (is_there)
		*number = text[0] == 'm' ? UINT64_MAX
					 : strtoull(text, NULL, 10);
	free(text);
	return is_there;
}

struct limit {
	char folder[PATH_ROOM];
	uint64_t most, left;
};

/* The limit that leaves the least, of the cgroup's own and its ancestors'. */
static bool find_limit(const struct examination *all, char *folder,
		       struct limit *limit)
{
	bool found = false;

	for (;;) {
		uint64_t most, used;

		if (read_number(all, folder, "memory.max", &most) &&
		    read_number(all, folder, "memory.current", &used) &&
		    most != UINT64_MAX) {
			uint64_t left = most > used ? most - used : 0;

			if (!found || left < limit->left) {
				snprintf(limit->folder, sizeof(limit->folder),
					 "%s", folder);
				limit->most = most;
				limit->left = left;
				found = true;
			}
		}
		if (!strrchr(folder, '/'))
			return found;
		*strrchr(folder, '/') = '\0';
	}
}

void examine_cgroup(struct examination *all)
{
	char *text = read_file(all, "/proc/self/cgroup");
	char most[SIZE_TEXT_ROOM], left[SIZE_TEXT_ROOM];
	char *line = text ? strstr(text, "0::/") : NULL;
	struct limit limit = {{0}, 0, 0};

	if (!line) {
		find(all, VERDICT_FINE, "cgroup", "",
		     "no memory cgroup (version 2) holds this process");
		free(text);
		return;
	}
	line += strlen("0::");
	line[strcspn(line, "\n")] = '\0';
	if (strcmp(line, "/") == 0)
		line[0] = '\0';
	if (!find_limit(all, line, &limit)) {
		find(all, VERDICT_FINE, "cgroup", "",
		     "no memory cgroup limits this process");
		free(text);
		return;
	}
	format_size_short(most, limit.most);
	format_size_short(left, limit.left);
	if (limit.left < LITTLE)
		find(all, VERDICT_WRONG, "cgroup",
		     "free buffers, or raise its memory.max",
		     "the memory cgroup %s is full: %s of %s are left, and "
		     "buffers count",
		     limit.folder, left, most);
	else
		find(all, VERDICT_FINE, "cgroup",
		     "", "the memory cgroup %s has %s of %s left, and buffers count",
		     limit.folder, left, most);
	free(text);
}

/* The value of a line of /proc/meminfo in bytes, or 0. */
static uint64_t meminfo(const char *text, const char *key)
{
	const char *line = text ? strstr(text, key) : NULL;

	return line ? strtoull(line + strlen(key), NULL, 10) * 1024 : 0;
}

/* Free runs of 2 MiB and more, of all nodes and zones. */
static bool count_large_runs(const struct examination *all, uint64_t *runs)
{
	char *text = read_file(all, "/proc/buddyinfo");
	char *rest = text;

	*runs = 0;
	while (rest && *rest) {
		char *line = strsep(&rest, "\n");
		char *field = strstr(line, "zone");
		unsigned int order = 0;
		char *number;

		if (!field)
			continue;
		field += strcspn(field, " ");
		field += strspn(field, " ");
		field += strcspn(field, " ");
		while ((number = strsep(&field, " ")) != NULL) {
			if (!*number)
				continue;
			if (order >= LARGE_ORDER && order <= LAST_ORDER)
				*runs += strtoull(number, NULL, 10)
					 << (order - LARGE_ORDER);
			order++;
		}
	}
	free(text);
	return text != NULL;
}

void examine_memory(struct examination *all)
{
	char *text = read_file(all, "/proc/meminfo");
	char total[SIZE_TEXT_ROOM], available[SIZE_TEXT_ROOM];
	uint64_t cma = meminfo(text, "\nCmaTotal:");
	uint64_t cma_free = meminfo(text, "\nCmaFree:");
	uint64_t left = meminfo(text, "\nMemAvailable:");
	uint64_t runs;

	format_size_short(available, left);
	format_size_short(total, meminfo(text, "MemTotal:"));
	find(all, left < LITTLE ? VERDICT_WRONG : VERDICT_FINE, "memory",
	     left < LITTLE ? "end programs that use much" : "",
	     "%s of %s are available", available, total);
	if (count_large_runs(all, &runs))
		find(all, runs ? VERDICT_FINE : VERDICT_NOTE, "runs",
		     runs ? ""
			  : "have it compacted: echo 1 "
			    ">/proc/sys/vm/compact_memory",
		     "%" PRIu64 " free runs of 2 MiB, which make few segments "
		     "and huge mappings",
		     runs);
	if (cma) {
		format_size_short(total, cma);
		format_size_short(available, cma_free);
		find(all, VERDICT_FINE, "CMA", "", "%s of %s are free",
		     available, total);
	} else {
		find(all, VERDICT_FINE, "CMA", "",
		     "nothing is set aside; the module's contiguous heap makes "
		     "room where it is");
	}
	free(text);
}

static unsigned int count_entries(const struct examination *all,
				  const char *folder)
{
	char path[PATH_ROOM];
	unsigned int count = 0;
	struct dirent *entry;
	DIR *directory;

	snprintf(path, sizeof(path), "%s%s", all->root, folder);
	directory = opendir(path);
	if (!directory)
		return 0;
	while ((entry = readdir(directory)) != NULL)
		count += entry->d_name[0] != '.';
	closedir(directory);
	return count;
}

static void examine_coherency(struct examination *all)
{
	struct utsname name;

	uname(&name);
	if (strcmp(name.machine, "x86_64") == 0)
		find(all, VERDICT_FINE, "coherency", "",
		     "devices see the CPU's caches");
	else
		find(all, VERDICT_FINE, "coherency",
		     "begin and end CPU access in any case: where a device "
		     "sees the caches, it costs nothing",
		     "it depends on the device whether it sees the CPU's "
		     "caches");
}

static void examine_bounces(struct examination *all)
{
	char *slots = read_line(all, "/sys/kernel/debug/swiotlb/io_tlb_nslabs");
	char *arguments = read_line(all, "/proc/cmdline");
	char size[SIZE_TEXT_ROOM];

	if (arguments && strstr(arguments, "swiotlb=") &&
	    strstr(strstr(arguments, "swiotlb="), "force") &&
	    !strstr(arguments, "noforce"))
		find(all, VERDICT_NOTE, "swiotlb",
		     "boot without swiotlb=force unless it is for a test",
		     "every device works on copies");
	if (!slots) {
		find(all, VERDICT_FINE, "swiotlb", "",
		     "how much there is for copies is known to root, with "
		     "debugfs mounted");
	} else {
		format_size_short(size,
				  strtoull(slots, NULL, 10) * SWIOTLB_SLOT);
		find(all, VERDICT_FINE, "swiotlb", "",
		     "%s for copies, of memory that a device does not reach",
		     size);
	}
	free(slots);
	free(arguments);
}

void examine_devices(struct examination *all)
{
	unsigned int groups = count_entries(all, "/sys/kernel/iommu_groups");

	examine_coherency(all);
	if (groups)
		find(all, VERDICT_FINE, "IOMMU", "",
		     "it translates for %u groups of devices", groups);
	else
		find(all, VERDICT_FINE, "IOMMU", "",
		     "none translates: devices use physical addresses, and "
		     "reach all memory");
	examine_bounces(all);
}
