// SPDX-License-Identifier: GPL-2.0-or-later
/* The findings that take trying: as this user, on this machine. */
#include <config.h>

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "doctor.h"
#include "nodes.h"
#include "parse.h"
#include "portalmem.h"

/* Split the library's "what: reason; what to do" at the last part. */
static void find_failure(struct examination *all, enum verdict verdict,
			 const char *topic)
{
	char message[512];
	char *advice;

	snprintf(message, sizeof(message), "%s", portalmem_error_message());
	advice = strrchr(message, ';');
	if (advice) {
		*advice = '\0';
		advice += 1 + strspn(advice + 1, " ");
	}
	find(all, verdict, topic, advice ? advice : "", "%s", message);
}

/* Why not, and who may. */
static void find_no_permission(struct examination *all, const char *path)
{
	struct group *group;
	struct stat status;

	if (stat(path, &status)) {
		find(all, VERDICT_NOTE, "node", "", "%s: %s", path,
		     strerror(errno));
		return;
	}
	group = getgrgid(status.st_gid);
	if (status.st_mode & S_IWGRP && status.st_gid)
		find(all, VERDICT_WRONG, "node",
		     "be a member of that group, or run as root",
		     "%s: this user may not use it, the group %s may", path,
		     group ? group->gr_name : "that it has");
	else
		find(all, VERDICT_WRONG, "node",
		     "run as root, or give it to a group by a rule of udev",
		     "%s: root alone may use it", path);
}

/* What the module's heap at the node has left. */
static void examine_heap(struct examination *all, const char *path,
			 const struct portalmem_heap_info *heap)
{
	char available[SIZE_TEXT_ROOM], largest[SIZE_TEXT_ROOM];

	format_size_short(available, heap->available);
	format_size_short(largest, heap->largest);
	if (!heap->largest)
		find(all, VERDICT_WRONG, "heap",
		     "free buffers of it, or reserve more",
		     "%s: the heap %s is full", path, heap->name);
	else if (heap->features & PORTALMEM_HEAP_IS_CONTIGUOUS)
		find(all, VERDICT_FINE, "heap", "",
		     "%s: %s available, the longest run is %s", path, available,
		     largest);
	else
		find(all, VERDICT_FINE, "heap", "", "%s: %s available", path,
		     available);
}

static int examine_node(void *data, const char *path)
{
	struct examination *all = data;
	struct portalmem_heap_info heap = PORTALMEM_HEAP_INFO_INIT;
	struct portalmem_device *device;
	int ret;

	ret = portalmem_device_open(path, PORTALMEM_BACKEND_ANY, &device);
	if (ret == -EACCES || ret == -EPERM) {
		find_no_permission(all, path);
		return 0;
	}
	if (ret) {
		find_failure(all, VERDICT_WRONG, "node");
		return 0;
	}
	if (portalmem_device_get_heap_info(device, &heap))
		find(all, VERDICT_FINE, "node", "", "%s: %s", path,
		     portalmem_backend_name(
			     portalmem_device_get_backend(device)));
	else
		examine_heap(all, path, &heap);
	portalmem_device_unref(device);
	return 0;
}

void examine_nodes(struct examination *all)
{
	for_each_node(examine_node, all);
}

/* Of the module alone: nobody else gives anything but cached memory. */
void examine_caching(struct examination *all)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device;
	struct portalmem_buffer *buffer;

	if (portalmem_device_open(NULL, PORTALMEM_BACKEND_PORTALMEM, &device))
		return;
	options.caching = PORTALMEM_CACHING_WC;
	if (portalmem_buffer_alloc(device, 1, &options, &buffer)) {
		find_failure(all, VERDICT_NOTE, "caching");
	} else {
		if (portalmem_buffer_get_caching(buffer) ==
		    PORTALMEM_CACHING_WC)
			find(all, VERDICT_FINE, "caching", "",
			     "write-combined memory can be had");
		else
			find(all, VERDICT_NOTE, "caching",
			     "boot without nopat, on a processor that has it",
			     "write-combined buffers are uncached here: the "
			     "kernel has no page attribute table");
		portalmem_buffer_unref(buffer);
	}
	portalmem_device_unref(device);
}

/* What a program gets, where the options or the environment send it. */
void examine_allocation(struct examination *all)
{
	struct portalmem_device *device;
	struct portalmem_buffer *buffer;
	enum portalmem_backend backend;

	if (portalmem_device_open(all->device_path, all->backend, &device)) {
		find_failure(all, VERDICT_WRONG, "allocation");
		return;
	}
	backend = portalmem_device_get_backend(device);
	if (portalmem_buffer_alloc(device, 1, NULL, &buffer)) {
		find_failure(all, VERDICT_WRONG, "allocation");
		portalmem_device_unref(device);
		return;
	}
	all->can_allocate = true;
	if (backend == PORTALMEM_BACKEND_MEMFD)
		find(all, VERDICT_NOTE, "allocation",
		     "load the module, or get the right to a node",
		     "it works with a memfd, which processes share, but no "
		     "device");
	else
		find(all, VERDICT_FINE, "allocation", "",
		     "it works, with the backend %s",
		     portalmem_backend_name(backend));
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
