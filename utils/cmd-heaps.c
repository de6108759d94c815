// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "json.h"
#include "report.h"

#define HEAP_DIRECTORY "/dev/dma_heap"

#define CACHINGS (PORTALMEM_CACHING_UC + 1)

/* One place to allocate from, and what trying it showed. */
struct place {
	const char *path; /* NULL: a memory file */
	bool usable;
	enum portalmem_backend backend;
	enum portalmem_caching default_caching;
	bool works[CACHINGS];
	char reason[512]; /* why it is not usable */
};

/* How the places are listed. */
struct list {
	bool any_usable;
	struct json json;
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
	try_device(place, device);
	portalmem_device_unref(device);
	return true;
}

/* The modes that work, with SEPARATOR between them. */
static void join_cachings(const struct place *place, char *text, size_t room)
{
	enum portalmem_caching caching;
	size_t used = 0;

	text[0] = '\0';
	for (caching = PORTALMEM_CACHING_CACHED;
	     caching <= PORTALMEM_CACHING_UC; caching++) {
		if (place->works[caching])
			used += (size_t)snprintf(
				text + used, room - used, "%s%s",
				used ? "," : "",
				portalmem_caching_name(caching));
	}
}

static void print_row(const struct place *place)
{
	char path[512];
	char reason[2048];
	char cachings[64];

	escape_text(path, sizeof(path), place->path ? place->path : "-");
	if (!place->usable) {
		escape_text(reason, sizeof(reason), place->reason);
		printf("%-28s  %-9s  %-7s  %-13s  no: %s\n", path, "-", "-",
		       "-", reason);
		return;
	}
	join_cachings(place, cachings, sizeof(cachings));
	printf("%-28s  %-9s  %-7s  %-13s  yes\n", path,
	       portalmem_backend_name(place->backend),
	       portalmem_caching_name(place->default_caching),
	       cachings[0] ? cachings : "-");
}

static void print_usable_json(struct json *json, const struct place *place)
{
	enum portalmem_caching caching;

	json_string(json, "backend", portalmem_backend_name(place->backend));
	json_string(json, "default_caching",
		    portalmem_caching_name(place->default_caching));
	json_array_begin(json, "caching");
	for (caching = PORTALMEM_CACHING_CACHED;
	     caching <= PORTALMEM_CACHING_UC; caching++) {
		if (place->works[caching])
			json_string(json, NULL,
				    portalmem_caching_name(caching));
	}
	json_array_end(json);
}

static void print_json(struct json *json, const struct place *place)
{
	json_object_begin(json, NULL);
	json_string(json, "path", place->path);
	json_bool(json, "usable", place->usable);
	if (place->usable)
		print_usable_json(json, place);
	else
		json_string(json, "reason", place->reason);
	json_object_end(json);
}

static void list_place(const struct context *ctx, struct list *list,
		       const char *path)
{
	struct place place = {.path = path};

	if (!try_place(ctx, &place))
		return;
	list->any_usable |= place.usable;
	if (ctx->json)
		print_json(&list->json, &place);
	else
		print_row(&place);
}

static void list_node(const struct context *ctx, struct list *list,
		      const char *path)
{
	if (access(path, F_OK) == 0)
		list_place(ctx, list, path);
}

static int is_heap(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* By bytes: the order is the same in every locale. */
static int compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void list_heap_directory(const struct context *ctx, struct list *list)
{
	char path[sizeof(HEAP_DIRECTORY "/") + NAME_MAX];
	struct dirent **entries;
	int count = scandir(HEAP_DIRECTORY, &entries, is_heap, compare_names);
	int i;

	if (count < 0)
		return;
	for (i = 0; i < count; i++) {
		snprintf(path, sizeof(path), HEAP_DIRECTORY "/%s",
			 entries[i]->d_name);
		list_node(ctx, list, path);
		free(entries[i]);
	}
	free(entries);
}

static void list_places(const struct context *ctx, struct list *list)
{
	if (ctx->device_path) {
		list_place(ctx, list, ctx->device_path);
		return;
	}
	list_node(ctx, list, "/dev/portalmem");
	list_heap_directory(ctx, list);
	list_node(ctx, list, "/dev/udmabuf");
	list_place(ctx, list, NULL);
}

static int run_heaps(struct context *ctx, int argc, char **argv)
{
	static const struct option options[] = {COMMON_OPTIONS};
	struct list list = {.json = {.out = stdout}};

	next_option(ctx, argc, argv, ":", options);
	expect_arguments(argc, argv, 0);
	if (ctx->json) {
		json_object_begin(&list.json, NULL);
		json_array_begin(&list.json, "heaps");
		list_places(ctx, &list);
		json_array_end(&list.json);
		json_object_end(&list.json);
		json_finish(&list.json);
	} else {
		printf("%-28s  %-9s  %-7s  %-13s  %s\n", "PATH", "BACKEND",
		       "DEFAULT", "CACHING", "USABLE");
		list_places(ctx, &list);
	}
	if (!list.any_usable)
		return failed("no place to allocate from: none of those asked "
			      "for can be used; load the portalmem module or "
			      "choose another");
	return EXIT_DONE;
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
		"--backend, only those. Fails when none can be used.\n",
};
