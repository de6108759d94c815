// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "heaps.h"
#include "nodes.h"
#include "progress.h"
#include "report.h"

/* The places that are listed. */
struct list {
	size_t count;
	struct place *places;
};

static void note_reason(struct place *place, int error)
{
	const char *message = portalmem_error_message();

	place->usable = false;
	snprintf(place->reason, sizeof(place->reason), "%s",
		 message[0] ? message : strerror(-error));
}

/*
 * Allocate one page of a caching mode: only that shows that it works. True
 * when it is there and the CPU really has it.
 */
static int try_caching(struct portalmem_device *device,
		       enum portalmem_caching caching,
		       enum portalmem_caching *effectivep)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_buffer *buffer;
	int ret;

	options.caching = caching;
	ret = portalmem_buffer_alloc(device, 1, &options, &buffer);
	if (ret)
		return ret;
	*effectivep = portalmem_buffer_get_caching(buffer);
	portalmem_buffer_unref(buffer);
	return 0;
}

static void try_device(struct place *place, struct portalmem_device *device)
{
	enum portalmem_caching caching, effective;
	int ret = try_caching(device, PORTALMEM_CACHING_DEFAULT,
			      &place->default_caching);

	if (ret) {
		note_reason(place, ret);
		return;
	}
	place->usable = true;
	for (caching = PORTALMEM_CACHING_CACHED;
	     caching <= PORTALMEM_CACHING_UC; caching++)
		place->works[caching] =
			try_caching(device, caching, &effective) == 0 &&
			effective == caching;
}

/* Before anything is tried, which would show in the figures. */
static void ask_heap(struct place *place, struct portalmem_device *device)
{
	place->heap = (struct portalmem_heap_info)PORTALMEM_HEAP_INFO_INIT;
	place->heap_known =
		portalmem_device_get_heap_info(device, &place->heap) == 0;
}

/* False when the place does not speak the backend that was asked for. */
static bool try_place(const struct context *ctx, struct place *place)
{
	enum portalmem_backend backend = ctx->backend;
	struct portalmem_device *device;
	int ret;

	if (!place->path && backend != PORTALMEM_BACKEND_ANY &&
	    backend != PORTALMEM_BACKEND_MEMFD)
		return false;
	if (!place->path)
		backend = PORTALMEM_BACKEND_MEMFD;
	else if (backend == PORTALMEM_BACKEND_MEMFD)
		return false;
	ret = portalmem_device_open(place->path, backend, &device);
	if (ret == -EOPNOTSUPP && backend != PORTALMEM_BACKEND_ANY)
		return false;
	if (ret) {
		note_reason(place, ret);
		return true;
	}
	place->backend = portalmem_device_get_backend(device);
	ask_heap(place, device);
	try_device(place, device);
	portalmem_device_unref(device);
	return true;
}

static void free_list(struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->places[i].path);
	free(list->places);
}

static int out_of_memory(void)
{
	return failed("listing the places: %s; free memory", strerror(ENOMEM));
}

/* Give an exit status: without memory, the list would not be complete. */
static int list_place(const struct context *ctx, struct list *list,
		      const char *path)
{
	struct place *places =
		realloc(list->places, (list->count + 1) * sizeof(*places));
	struct place *place;

	if (!places)
		return out_of_memory();
	list->places = places;
	place = &places[list->count];
	memset(place, 0, sizeof(*place));
	if (path) {
		place->path = strdup(path);
		if (!place->path)
			return out_of_memory();
	}
	if (try_place(ctx, place))
		list->count++;
	else
		free(place->path);
	return EXIT_DONE;
}

/* What for_each_node() hands on. */
struct listing {
	const struct context *ctx;
	struct list *list;
};

static int list_node(void *data, const char *path)
{
	const struct listing *listing = data;

	return list_place(listing->ctx, listing->list, path);
}

static int list_places(const struct context *ctx, struct list *list)
{
	struct listing listing = {ctx, list};
	int status;

	if (ctx->device_path)
		return list_place(ctx, list, ctx->device_path);
	status = for_each_node(list_node, &listing);
	if (status == EXIT_DONE)
		status = list_place(ctx, list, NULL);
	return status;
}

static bool any_usable(const struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->places[i].usable)
			return true;
	return false;
}

static int run_heaps(struct context *ctx, int argc, char **argv)
{
	static const struct option options[] = {COMMON_OPTIONS};
	struct list list = {0};
	int status;

	next_option(ctx, argc, argv, ":", options);
	expect_arguments(argc, argv, 0);
	waiting_begin("trying each place");
	status = list_places(ctx, &list);
	waiting_end();
	if (status == EXIT_DONE) {
		if (ctx->json)
			print_places_json(list.places, list.count);
		else
			status = print_places(list.places, list.count);
		if (status == EXIT_DONE && !any_usable(&list))
			status = failed("no place to allocate from: none of "
					"those asked for can be used; load the "
					"portalmem module or choose another");
	}
	free_list(&list);
	return status;
}

const struct command command_heaps = {
	.name = "heaps",
	.run = run_heaps,
	.usage = "[OPTION...]",
	.summary = "list the places to allocate from",
	.help = "Lists the nodes that are here, and the memory file ('-') that "
		"needs\n"
		"none: the backend that answers, the caching that a buffer has "
		"by\n"
		"default, the caching modes that can be chosen, and whether "
		"this user\n"
		"can allocate there. Each is tried with one page. With "
		"--device or\n"
		"--backend, only those. Fails when none can be used.\n"
		"\n"
		"Of the nodes of the portalmem module, it then shows the heap: "
		"the size\n"
		"of a reserved region; what buffers use; what is available, "
		"the largest\n"
		"buffer that could be had of it now, and in how many runs a "
		"region's is;\n"
		"freed memory that is kept for the next buffers; the limit on "
		"all users;\n"
		"what this user has, and the limit on that. Sizes are rounded "
		"down; with\n"
		"--json they are bytes.\n",
};
