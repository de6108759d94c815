// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a node answers, and what /proc/meminfo says: whatever it is, what the
 * library makes of it keeps to what portalmem.h promises.
 *
 * Input: the text of meminfo up to a NUL, then the nodes' answers.
 */
#include "kernel.h"

#include <string.h>

#include "fuzz.h"
#include "portalmem.h"

#define SEGMENTS 7

static void check_text(const char *text, size_t room)
{
	FUZZ_CHECK(strnlen(text, room) < room && fuzz_is_line(text));
}

static void ask_heap(struct portalmem_device *device)
{
	struct portalmem_heap_info info = PORTALMEM_HEAP_INFO_INIT;
	uint64_t freed;

	if (!portalmem_device_get_heap_info(device, &info)) {
		check_text(info.name, sizeof(info.name));
		FUZZ_CHECK(info.caching <= PORTALMEM_CACHING_UNKNOWN);
		FUZZ_CHECK(info.cachings < 1 << PORTALMEM_CACHING_UNKNOWN);
	}
	portalmem_device_trim(device, &freed);
}

static void ask_info(struct portalmem_buffer *buffer)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;

	if (portalmem_buffer_get_info(buffer, &info))
		return;
	check_text(info.heap, sizeof(info.heap));
	check_text(info.name, sizeof(info.name));
	FUZZ_CHECK(info.caching <= PORTALMEM_CACHING_UNKNOWN);
	FUZZ_CHECK(info.effective <= PORTALMEM_CACHING_UNKNOWN);
}

static void ask_segments(struct portalmem_buffer *buffer)
{
	struct portalmem_segment segments[SEGMENTS + 1];
	size_t total;

	memset(&segments[SEGMENTS], 0x5a, sizeof(segments[0]));
	FUZZ_CHECK(portalmem_buffer_get_segments(buffer, 0, segments, SEGMENTS,
						 &total) <= SEGMENTS);
	FUZZ_CHECK(segments[SEGMENTS].offset == 0x5a5a5a5a5a5a5a5a);
}

static void ask_attachment(struct portalmem_buffer *buffer)
{
	struct portalmem_attachment_info info = PORTALMEM_ATTACHMENT_INFO_INIT;
	struct portalmem_dma_segment segments[SEGMENTS];
	struct portalmem_attachment *attachment;
	size_t total;

	if (portalmem_buffer_attach(buffer, "bus", "device", NULL, &attachment))
		return;
	if (!portalmem_attachment_get_info(attachment, &info)) {
		check_text(info.bus, sizeof(info.bus));
		check_text(info.device, sizeof(info.device));
	}
	FUZZ_CHECK(portalmem_attachment_get_segments(attachment, 0, segments,
						     SEGMENTS,
						     &total) <= SEGMENTS);
	portalmem_attachment_unref(attachment);
}

static void ask_buffer(struct portalmem_device *device)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_buffer *buffer;

	options.name = "asked for";
	if (portalmem_buffer_alloc(device, 4096, &options, &buffer))
		return;
	ask_info(buffer);
	ask_segments(buffer);
	ask_attachment(buffer);
	portalmem_buffer_unref(buffer);
}

static void ask_for_needs(void)
{
	struct portalmem_constraints constraints = PORTALMEM_CONSTRAINTS_INIT;
	struct portalmem_device *device;

	constraints.size = 4096;
	constraints.needs = PORTALMEM_NEED_CONTIGUOUS;
	if (!portalmem_device_open_for(&constraints, &device, NULL))
		portalmem_device_unref(device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {.bytes = data, .left = size};
	struct portalmem_device *device;
	char meminfo[1024];
	int before;

	kernel_answers = NULL;
	fuzz_text(&input, meminfo, sizeof(meminfo));
	/* Made at the first call, and kept. */
	close(kernel_new_buffer());
	before = fuzz_free_fd();
	kernel_meminfo = meminfo;
	kernel_answers = &input;
	if (!portalmem_device_open(NULL, PORTALMEM_BACKEND_PORTALMEM,
				   &device)) {
		ask_heap(device);
		ask_buffer(device);
		portalmem_device_unref(device);
	} else {
		FUZZ_CHECK(fuzz_is_line(portalmem_error_message()));
	}
	ask_for_needs();
	kernel_answers = NULL;
	if (!portalmem_device_open(NULL, PORTALMEM_BACKEND_MEMFD, &device)) {
		ask_buffer(device);
		portalmem_device_unref(device);
	}
	kernel_meminfo = NULL;
	FUZZ_CHECK(fuzz_free_fd() == before);
	return 0;
}
