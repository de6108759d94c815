// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <inttypes.h>
#include <stdio.h>

#include "grid.h"
#include "heaps.h"
#include "json.h"
#include "parse.h"
#include "report.h"

/* The modes that work, with commas between them. */
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

static void put_place(struct grid *table, const struct place *place)
{
	char path[512];
	char reason[2048];
	char cachings[64];

	escape_text(path, sizeof(path), place->path ? place->path : "-");
	grid_cell(table, "%s", path);
	if (!place->usable) {
		escape_text(reason, sizeof(reason), place->reason);
		grid_cell(table, "-");
		grid_cell(table, "-");
		grid_cell(table, "-");
		grid_cell(table, "no: %s", reason);
		return;
	}
	join_cachings(place, cachings, sizeof(cachings));
	grid_cell(table, "%s", portalmem_backend_name(place->backend));
	grid_cell(table, "%s", portalmem_caching_name(place->default_caching));
	grid_cell(table, "%s", cachings[0] ? cachings : "-");
	grid_cell(table, "yes");
}

/* SIZE for the eye; ABSENT is what stands for 0. */
static void put_size(struct grid *table, const char *absent, uint64_t size)
{
	char text[SIZE_TEXT_ROOM];

	format_size_short(text, size);
	grid_cell(table, "%s", size || !absent ? text : absent);
}

static void put_heap(struct grid *table, const struct place *place)
{
	const struct portalmem_heap_info *heap = &place->heap;
	char path[512];

	escape_text(path, sizeof(path), place->path);
	grid_cell(table, "%s", path);
	grid_cell(table, "%s", heap->name);
	put_size(table, "-", heap->size);
	put_size(table, NULL, heap->used);
	put_size(table, NULL, heap->available);
	put_size(table, NULL, heap->largest);
	if (heap->features & PORTALMEM_HEAP_IS_REGION)
		grid_cell(table, "%" PRIu32, heap->fragments);
	else
		grid_cell(table, "-");
	put_size(table, NULL, heap->pooled);
	put_size(table, "none", heap->limit);
	put_size(table, NULL, heap->user_used);
	put_size(table, "none", heap->user_limit);
}

static int print_heaps(const struct place *places, size_t count)
{
	static const struct column columns[] = {
		{"PATH", 34, 0},	{"HEAP", 10, 0},
		{"SIZE", 9, true},	{"USED", 9, true},
		{"AVAILABLE", 9, true}, {"LARGEST", 9, true},
		{"FRAGMENTS", 9, true}, {"POOLED", 9, true},
		{"LIMIT", 9, true},	{"USER", 9, true},
		{"USERLIMIT", 9, true},
	};
	bool headed = false;
	struct grid table;

	grid_begin(&table, columns, 11);
	for (size_t i = 0; i < count; i++) {
		if (!places[i].heap_known)
			continue;
		if (!headed)
			putchar('\n');
		headed = true;
		put_heap(&table, &places[i]);
	}
	return headed ? grid_end(&table) : EXIT_DONE;
}

int print_places(const struct place *places, size_t count)
{
	static const struct column columns[] = {{"PATH", 34, 0},
						{"BACKEND", 9, 0},
						{"DEFAULT", 7, 0},
						{"CACHING", 13, 0},
						{"USABLE", 0, 0}};
	struct grid table;
	int status;

	grid_begin(&table, columns, 5);
	for (size_t i = 0; i < count; i++)
		put_place(&table, &places[i]);
	status = grid_end(&table);
	return status == EXIT_DONE ? print_heaps(places, count) : status;
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

/* Zero stands for what the heap does not have. */
static void print_some_json(struct json *json, const char *key, uint64_t value)
{
	if (value)
		json_number(json, key, value);
	else
		json_null(json, key);
}

static void print_heap_json(struct json *json,
			    const struct portalmem_heap_info *heap)
{
	bool region = heap->features & PORTALMEM_HEAP_IS_REGION;

	json_object_begin(json, "heap");
	json_string(json, "name", heap->name);
	json_bool(json, "contiguous",
		  heap->features & PORTALMEM_HEAP_IS_CONTIGUOUS);
	json_bool(json, "region", region);
	json_bool(json, "pinnable",
		  heap->features & PORTALMEM_HEAP_IS_PINNABLE);
	print_some_json(json, "size", heap->size);
	json_number(json, "used", heap->used);
	json_number(json, "available", heap->available);
	json_number(json, "largest", heap->largest);
	if (region)
		json_number(json, "fragments", heap->fragments);
	else
		json_null(json, "fragments");
	json_number(json, "buffers", heap->buffers);
	json_number(json, "pooled", heap->pooled);
	print_some_json(json, "limit", heap->limit);
	json_number(json, "user_used", heap->user_used);
	print_some_json(json, "user_limit", heap->user_limit);
	json_object_end(json);
}

static void print_place_json(struct json *json, const struct place *place)
{
	json_object_begin(json, NULL);
	json_string(json, "path", place->path);
	json_bool(json, "usable", place->usable);
	if (place->usable)
		print_usable_json(json, place);
	else
		json_string(json, "reason", place->reason);
	if (place->heap_known)
		print_heap_json(json, &place->heap);
	else
		json_null(json, "heap");
	json_object_end(json);
}

void print_places_json(const struct place *places, size_t count)
{
	struct json json = {.out = stdout};

	json_object_begin(&json, NULL);
	json_array_begin(&json, "heaps");
	for (size_t i = 0; i < count; i++)
		print_place_json(&json, &places[i]);
	json_array_end(&json);
	json_object_end(&json);
	json_finish(&json);
}
