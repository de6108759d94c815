// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include "census-print.h"
#include "report.h"

void print_census_members(struct json *json, const struct census_view *view)
{
	json_bool(json, "complete", view->census->complete);
	json_number(json, "unreadable_processes", view->census->unreadable);
	json_number(json, "size", view->size);
}

void print_dmabuf_members(struct json *json, const struct dmabuf *buffer)
{
	json_number(json, "inode", buffer->inode);
	json_number(json, "size", buffer->size);
	json_bool(json, "size_is_exact", buffer->size_known);
	json_string(json, "exporter",
		    buffer->exporter[0] ? buffer->exporter : NULL);
	json_string(json, "name", buffer->name);
	if (buffer->listed)
		json_number(json, "attachments", buffer->attachments);
	else
		json_null(json, "attachments");
	json_number(json, "mapped", dmabuf_mapped(buffer));
	json_bool(json, "leaked", buffer->leaked);
	json_array_begin(json, "holders");
	for (size_t i = 0; i < buffer->holder_count; i++) {
		const struct holder *holder = &buffer->holders[i];

		json_object_begin(json, NULL);
		json_number(json, "pid", (uint64_t)holder->pid);
		json_string(json, "command", holder->command);
		json_number(json, "fds", holder->fds);
		json_number(json, "mapped", holder->mapped);
		json_number(json, "share", dmabuf_share(buffer));
		json_object_end(json);
	}
	json_array_end(json);
}

void print_total_members(struct json *json, const struct census_total *total)
{
	if (total->pid) {
		json_number(json, "pid", (uint64_t)total->pid);
		json_string(json, "command", total->label);
	} else {
		json_string(json, "exporter",
			    total->label[0] ? total->label : NULL);
	}
	json_number(json, "buffers", total->buffers);
	json_number(json, "size", total->size);
	if (total->pid)
		json_number(json, "share", total->share);
}

void warn_of_missing(const struct census *census)
{
	if (census->unreadable)
		warn("processes that this user may not look into: %zu; what "
		     "they "
		     "hold is missing; run it as root to see all",
		     census->unreadable);
	else if (!census->complete)
		warn("the kernel's own list cannot be read, and buffers that "
		     "no "
		     "process holds are missing; run it as root, with debugfs "
		     "mounted at /sys/kernel/debug");
}
