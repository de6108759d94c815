// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nodes.h"

#define HEAP_DIRECTORY "/dev/dma_heap"

static int is_heap(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* By bytes: the order is the same in every locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int visit_node(int (*visit)(void *data, const char *path), void *data,
		      const char *path)
{
	return access(path, F_OK) ? 0 : visit(data, path);
}

static int visit_heaps(int (*visit)(void *data, const char *path), void *data)
{
	char path[sizeof(HEAP_DIRECTORY "/") + NAME_MAX];
	struct dirent **entries;
	int count = scandir(HEAP_DIRECTORY, &entries, is_heap, compare_names);
	int ret = 0;

	if (count < 0)
		return 0;
	for (int i = 0; i < count; i++) {
		snprintf(path, sizeof(path), HEAP_DIRECTORY "/%s",
			 entries[i]->d_name);
		if (ret == 0)
			ret = visit_node(visit, data, path);
		free(entries[i]);
	}
	free(entries);
	return ret;
}

int for_each_node(int (*visit)(void *data, const char *path), void *data)
{
	int ret = visit_node(visit, data, "/dev/portalmem");

	if (ret == 0)
		ret = visit_heaps(visit, data);
	if (ret == 0)
		ret = visit_node(visit, data, "/dev/udmabuf");
	return ret;
}
