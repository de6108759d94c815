// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <inttypes.h>
#include <unistd.h>

#include "buffer.h"
#include "report.h"

int part_within(struct portalmem_buffer *buffer, const struct part *part,
		uint64_t *offset, uint64_t *length)
{
	uint64_t size = portalmem_buffer_get_size(buffer);

	if (part->offset >= size)
		return failed("offset %" PRIu64 ": the buffer has %" PRIu64
			      " bytes; give a smaller --offset",
			      part->offset, size);
	*offset = part->offset;
	*length = part->length ? part->length : size - part->offset;
	if (*length > size - part->offset)
		return failed("length %" PRIu64 " from offset %" PRIu64
			      ": the buffer has %" PRIu64
			      " bytes; give a smaller --length",
			      *length, part->offset, size);
	return EXIT_DONE;
}

static int sync_view(const struct view *view, unsigned int edge)
{
	const struct portalmem_range range = {view->offset, view->length};

	return portalmem_buffer_sync(view->buffer, edge | view->access, &range,
				     1);
}

int view_open(struct view *view, struct portalmem_buffer *buffer,
	      const struct part *part, unsigned int access)
{
	uint64_t inside_page;
	int status;
	int ret;

	view->buffer = buffer;
	view->access = access;
	status = part_within(buffer, part, &view->offset, &view->length);
	if (status != EXIT_DONE)
		return status;
	inside_page = view->offset % (uint64_t)sysconf(_SC_PAGESIZE);
	ret = portalmem_buffer_map(
		buffer, view->offset - inside_page, view->length + inside_page,
		access == PORTALMEM_SYNC_WRITE ? PORTALMEM_MAP_WRITE
					       : PORTALMEM_MAP_READ,
		&view->address);
	if (ret)
		return failed_call("mapping the buffer", ret);
	view->bytes = (unsigned char *)view->address + inside_page;
	ret = sync_view(view, PORTALMEM_SYNC_START);
	if (ret) {
		status = failed_call("beginning CPU access", ret);
		portalmem_buffer_unmap(buffer, view->address);
	}
	return status;
}

int view_close(struct view *view)
{
	int ret = sync_view(view, PORTALMEM_SYNC_END);
	int status = EXIT_DONE;

	if (ret)
		status = failed_call("ending CPU access", ret);
	portalmem_buffer_unmap(view->buffer, view->address);
	return status;
}
