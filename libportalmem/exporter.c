// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who made a dma-buf. All that the kernel tells of a foreign one is a name: of
 * the heap, or of the driver's module.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

static const struct {
	const char *name;
	enum portalmem_exporter exporter;
} known[] = {
	{"portalmem", PORTALMEM_EXPORTER_PORTALMEM},
	{"udmabuf", PORTALMEM_EXPORTER_UDMABUF},
	/* DRM's common code, and the drivers that export by their own. */
	{"drm", PORTALMEM_EXPORTER_DRM},
	{"i915", PORTALMEM_EXPORTER_DRM},
	{"omapdrm", PORTALMEM_EXPORTER_DRM},
	{"tegra_drm", PORTALMEM_EXPORTER_DRM},
	{"videobuf2_dma_contig", PORTALMEM_EXPORTER_V4L2},
	{"videobuf2_dma_sg", PORTALMEM_EXPORTER_V4L2},
	{"videobuf2_vmalloc", PORTALMEM_EXPORTER_V4L2},
	{"system", PORTALMEM_EXPORTER_DMA_HEAP},
	{"system-uncached", PORTALMEM_EXPORTER_DMA_HEAP},
	/* The heaps of contiguous memory have had these names. */
	{"reserved", PORTALMEM_EXPORTER_DMA_HEAP},
	{"linux,cma", PORTALMEM_EXPORTER_DMA_HEAP},
	{"default_cma_region", PORTALMEM_EXPORTER_DMA_HEAP},
};

/* Boards and vendors have heaps with names of their own, and so nodes. */
static bool has_heap_node(const char *name)
{
	char path[sizeof("/dev/dma_heap/") + PORTALMEM_NAME_MAX];

	if (name[0] == '.' || strchr(name, '/'))
		return false;
	snprintf(path, sizeof(path), "/dev/dma_heap/%s", name);
	return !access(path, F_OK);
}

static enum portalmem_exporter exporter_by_name(const char *name)
{
	if (!name[0])
		return PORTALMEM_EXPORTER_UNKNOWN;
	for (size_t i = 0; i < PM_ARRAY_SIZE(known); i++)
		if (!strcmp(name, known[i].name))
			return known[i].exporter;
	return has_heap_node(name) ? PORTALMEM_EXPORTER_DMA_HEAP
				   : PORTALMEM_EXPORTER_OTHER;
}

PM_EXPORT enum portalmem_exporter
portalmem_buffer_get_exporter(const struct portalmem_buffer *buffer)
{
	char exporter[PORTALMEM_NAME_MAX], name[PORTALMEM_NAME_MAX];

	if (!buffer)
		return PORTALMEM_EXPORTER_UNKNOWN;
	if (buffer->kind == PM_KIND_MEMFD)
		return PORTALMEM_EXPORTER_MEMFD;
	if (pm_buffer_is_known(buffer))
		return PORTALMEM_EXPORTER_PORTALMEM;
	if (pm_fd_describe_dmabuf(buffer->fd, exporter, name))
		return PORTALMEM_EXPORTER_UNKNOWN;
	return exporter_by_name(exporter);
}

PM_EXPORT const char *portalmem_exporter_name(enum portalmem_exporter exporter)
{
	switch (exporter) {
	case PORTALMEM_EXPORTER_PORTALMEM:
		return "portalmem";
	case PORTALMEM_EXPORTER_DMA_HEAP:
		return "dma-heap";
	case PORTALMEM_EXPORTER_UDMABUF:
		return "udmabuf";
	case PORTALMEM_EXPORTER_MEMFD:
		return "memfd";
	case PORTALMEM_EXPORTER_DRM:
		return "drm";
	case PORTALMEM_EXPORTER_V4L2:
		return "v4l2";
	case PORTALMEM_EXPORTER_OTHER:
		return "other";
	case PORTALMEM_EXPORTER_UNKNOWN:
		break;
	}
	return "unknown";
}
