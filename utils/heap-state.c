// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "heap-state.h"
#include "nodes.h"

#define MISC_FOLDER "/sys/class/misc"
#define PATH_ROOM 4096
#define FAILURES_PREFIX "failures_"

static struct heap_state *find_heap(const struct heap_states *heaps,
				    const char *name)
{
	for (size_t i = 0; i < heaps->count; i++) {
		if (strcmp(heaps->list[i].name, name) == 0)
			return &heaps->list[i];
	}
	return NULL;
}

const struct heap_state *heap_states_find(const struct heap_states *heaps,
					  const char *name)
{
	return find_heap(heaps, name);
}

static struct heap_state *add_heap(struct heap_states *heaps, const char *name)
{
	struct heap_state *heap = find_heap(heaps, name);
	struct heap_state *list;

	if (heap)
		return heap;
	list = reallocarray(heaps->list, heaps->count + 1, sizeof(*list));
	if (!list)
		return NULL;
	heaps->list = list;
	heap = &list[heaps->count++];
	memset(heap, 0, sizeof(*heap));
	snprintf(heap->name, sizeof(heap->name), "%s", name);
	return heap;
}

/* One number a file. */
static bool read_counter(const char *folder, const char *name, uint64_t *number)
{
	char path[PATH_ROOM + NAME_MAX + 1], text[32], *end;
	FILE *file;
	bool read;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	read = fgets(text, sizeof(text), file) && text[0] >= '0' &&
	       text[0] <= '9';
	fclose(file);
	if (!read)
		return false;
	errno = 0;
	*number = strtoull(text, &end, 10);
	return errno == 0 && (*end == '\n' || *end == '\0');
}

/*
 * The heap's name is in a file. The folder may be gone with the module, or be
 * of another one.
 */
static bool read_heap_name(const char *folder, char *name, size_t room)
{
	char path[PATH_ROOM + NAME_MAX + 1];
	FILE *file;
	bool read;

	snprintf(path, sizeof(path), "%s/heap", folder);
	file = fopen(path, "re");
	if (!file)
		return false;
	read = fgets(name, (int)room, file) != NULL;
	fclose(file);
	name[read ? strcspn(name, "\n") : 0] = '\0';
	return name[0] != '\0';
}

static int is_failure(const struct dirent *entry)
{
	return strncmp(entry->d_name, FAILURES_PREFIX,
		       strlen(FAILURES_PREFIX)) == 0;
}

static int compare_entries(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void read_failures(struct heap_state *heap, const char *folder)
{
	struct dirent **entries;
	int count = scandir(folder, &entries, is_failure, compare_entries);
	uint64_t number;

	if (count < 0)
		return;
	heap->failed = 0;
	heap->failure_count = 0;
	for (int i = 0; i < count; i++) {
		const char *name = entries[i]->d_name;

		if (heap->failure_count < HEAP_REASONS_MAX &&
		    read_counter(folder, name, &number)) {
			struct heap_failures *failures =
				&heap->failures[heap->failure_count++];

			snprintf(failures->reason, sizeof(failures->reason),
				 "%.*s", HEAP_REASON_ROOM - 1,
				 name + strlen(FAILURES_PREFIX));
			failures->count = number;
			heap->failed += number;
		}
		free(entries[i]);
	}
	free(entries);
}

static int read_counters(struct heap_states *heaps, const char *folder)
{
	char name[PORTALMEM_NAME_MAX];
	struct heap_state *heap;
	uint64_t live;

	if (!read_heap_name(folder, name, sizeof(name)) ||
	    !read_counter(folder, "live_bytes", &live))
		return 0;
	heap = add_heap(heaps, name);
	if (!heap)
		return -ENOMEM;
	/* Several nodes may have one heap, with the same counters. */
	if (heap->counted)
		return 0;
	heap->live = live;
	heap->counted =
		read_counter(folder, "live_buffers", &heap->buffers) &&
		read_counter(folder, "pooled_bytes", &heap->pooled) &&
		read_counter(folder, "peak_bytes", &heap->peak) &&
		read_counter(folder, "allocations", &heap->allocations) &&
		read_counter(folder, "frees", &heap->frees);
	read_failures(heap, folder);
	return 0;
}

/* In the folder of a misc device: its heap's counters, and maybe others'. */
static int read_device(struct heap_states *heaps, const char *root,
		       const char *misc)
{
	static const char *const folders[] = {"stats", "stats_user"};
	char path[PATH_ROOM];
	int ret = 0;

	for (size_t i = 0; i < 2 && ret == 0; i++) {
		if ((size_t)snprintf(path, sizeof(path),
				     "%s" MISC_FOLDER "/%s/%s", root, misc,
				     folders[i]) < sizeof(path))
			ret = read_counters(heaps, path);
	}
	return ret;
}

static int read_all_counters(struct heap_states *heaps, const char *root)
{
	static const char prefix[] = "portalmem";
	char path[PATH_ROOM];
	struct dirent *entry;
	DIR *directory;
	int ret = 0;

	if ((size_t)snprintf(path, sizeof(path), "%s" MISC_FOLDER, root) >=
	    sizeof(path))
		return 0;
	directory = opendir(path);
	if (!directory)
		return 0;
	while (ret == 0 && (entry = readdir(directory)) != NULL) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0)
			ret = read_device(heaps, root, entry->d_name);
	}
	closedir(directory);
	return ret;
}

/* A node that is not the module's, or that the user may not open, says nothing.
 */
static int ask_node(void *data, const char *path)
{
	struct portalmem_heap_info info = PORTALMEM_HEAP_INFO_INIT;
	struct heap_states *heaps = data;
	struct portalmem_device *device;
	struct heap_state *heap;
	int ret;

	if (portalmem_device_open(path, PORTALMEM_BACKEND_PORTALMEM, &device))
		return 0;
	ret = portalmem_device_get_heap_info(device, &info);
	portalmem_device_unref(device);
	if (ret)
		return 0;
	heap = add_heap(heaps, info.name);
	if (!heap)
		return -ENOMEM;
	heap->asked = true;
	heap->region = info.features & PORTALMEM_HEAP_IS_REGION;
	heap->size = info.size;
	heap->limit = info.limit;
	if (!heap->counted) {
		heap->live = info.used;
		heap->buffers = info.buffers;
		heap->pooled = info.pooled;
	}
	return 0;
}

static int compare_heaps(const void *a, const void *b)
{
	const struct heap_state *left = a, *right = b;

	return strcmp(left->name, right->name);
}

int heap_states_read(struct heap_states *heaps, const char *root)
{
	int ret;

	memset(heaps, 0, sizeof(*heaps));
	ret = read_all_counters(heaps, root);
	if (ret == 0 && !*root)
		ret = for_each_node(ask_node, heaps);
	if (ret)
		heap_states_free(heaps);
	else if (heaps->count)
		qsort(heaps->list, heaps->count, sizeof(*heaps->list),
		      compare_heaps);
	return ret;
}

void heap_states_free(struct heap_states *heaps)
{
	free(heaps->list);
	memset(heaps, 0, sizeof(*heaps));
}

uint64_t heap_state_room(const struct heap_state *heap)
{
	return heap->size ? heap->size : heap->limit;
}

unsigned int heap_state_percent(const struct heap_state *heap)
{
	uint64_t room = heap_state_room(heap);

	if (!room)
		return 0;
	if (heap->live >= room)
		return 100;
	/* The product may not fit, the quotient is near enough. */
	return room > UINT64_MAX / 100
		       ? (unsigned int)(heap->live / (room / 100))
		       : (unsigned int)(heap->live * 100 / room);
}
