// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A whole /proc and /sys as tree.h has it, read by ps, top and doctor. What
 * they make of it adds up, and can be shown.
 *
 * Input: the tree.
 */
#include "command.h"

#include <stdarg.h>
#include <string.h>

#include "census-print.h"
#include "census-view.h"
#include "census.h"
#include "doctor.h"
#include "fuzz.h"
#include "heap-state.h"
#include "json.h"
#include "leave.h"

/* The findings, which the command keeps in a list. */
static void check_finding(const char *text)
{
	FUZZ_CHECK(strlen(text) < 512);
}

void find(struct examination *all, enum verdict verdict, const char *topic,
	  const char *advice, const char *format, ...)
{
	char text[512];
	va_list arguments;

	(void)all;
	FUZZ_CHECK(verdict <= VERDICT_WRONG);
	FUZZ_CHECK(*topic && strlen(topic) < 16);
	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	check_finding(text);
	check_finding(advice);
}

static void check_holders(const struct census *census)
{
	size_t holders = 0;

	for (size_t i = 0; i < census->count; i++) {
		const struct dmabuf *buffer = &census->buffers[i];

		if (i)
			FUZZ_CHECK(buffer[-1].inode < buffer->inode);
		FUZZ_CHECK(buffer->holders == census->holders + holders ||
			   !buffer->holder_count);
		holders += buffer->holder_count;
		for (size_t j = 0; j < buffer->holder_count; j++) {
			const struct holder *holder = &buffer->holders[j];

			FUZZ_CHECK(holder->inode == buffer->inode);
			FUZZ_CHECK(!j || holder[-1].pid < holder->pid);
			FUZZ_CHECK(strnlen(holder->command, COMMAND_ROOM) <
				   COMMAND_ROOM);
		}
		FUZZ_CHECK(dmabuf_share(buffer) <= buffer->size);
		dmabuf_mapped(buffer);
		FUZZ_CHECK(dmabuf_note(buffer));
	}
	FUZZ_CHECK(holders == census->holder_count);
}

static void print_census(const struct census *census)
{
	struct json json = {.out = fuzz_stdout};

	json_array_begin(&json, NULL);
	for (size_t i = 0; i < census->count; i++) {
		json_object_begin(&json, NULL);
		print_dmabuf_members(&json, &census->buffers[i]);
		json_object_end(&json);
	}
	json_array_end(&json);
	FUZZ_CHECK(fuzz_is_utf8(fuzz_printed()));
	FUZZ_CHECK(fuzz_is_line(fuzz_printed()));
}

static void take_census(void)
{
	struct census census;

	if (census_take(&census, TREE_ROOT))
		return;
	check_holders(&census);
	census_mark_leaks(&census, TREE_ROOT, 1);
	check_holders(&census);
	print_census(&census);
	census_free(&census);
}

static void read_heaps(void)
{
	struct heap_states heaps;

	if (heap_states_read(&heaps, TREE_ROOT))
		return;
	for (size_t i = 0; i < heaps.count; i++) {
		const struct heap_state *heap = &heaps.list[i];

		FUZZ_CHECK(heap->name[0] &&
			   strlen(heap->name) < PORTALMEM_NAME_MAX);
		FUZZ_CHECK(!i || strcmp(heap[-1].name, heap->name) < 0);
		FUZZ_CHECK(heap->failure_count <= HEAP_REASONS_MAX);
		FUZZ_CHECK(heap_state_percent(heap) <= 100);
		FUZZ_CHECK(heap_states_find(&heaps, heap->name) == heap);
	}
	heap_states_free(&heaps);
}

static void examine(void)
{
	struct examination all = {.root = TREE_ROOT};

	examine_kernel(&all);
	examine_module(&all);
	examine_cgroup(&all);
	examine_memory(&all);
	examine_devices(&all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_begin();
	tree_set(data, size);
	take_census();
	read_heaps();
	examine();
	FUZZ_CHECK(!tree_open_directories());
	return 0;
}
