// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The allocators: what the library opens, its pool, and anonymous memory.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"
#include "nodes.h"
#include "report.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

#define HUGE_PAGE ((size_t)2 << 20)
#define LIVE_SIZE 4096
#define HEAP_DIRECTORY "/dev/dma_heap/"

static const char pool_name[] = "pool";
static const char memfd_name[] = "memfd";
static const char anonymous_name[] = "anonymous";

static struct allocator *append(struct allocators *found, const char *name,
				enum allocator_kind kind)
{
	struct allocator *all =
		reallocarray(found->all, found->count + 1, sizeof(*all));
	struct allocator *allocator;

	if (!all)
		return NULL;
	found->all = all;
	allocator = &all[found->count++];
	memset(allocator, 0, sizeof(*allocator));
	snprintf(allocator->name, sizeof(allocator->name), "%s", name);
	allocator->kind = kind;
	allocator->node = -1;
	allocator->options =
		(struct portalmem_alloc_options)PORTALMEM_ALLOC_OPTIONS_INIT;
	return allocator;
}

static int out_of_memory(void)
{
	return failed("listing the allocators: %s; free memory",
		      strerror(ENOMEM));
}

static void note_reason(struct allocator *allocator, int error)
{
	const char *message = portalmem_error_message();

	snprintf(allocator->reason, sizeof(allocator->reason), "%s",
		 message[0] ? message : strerror(-error));
}

/*
 * The kernel's own allocators are measured as they are: what the library adds
 * is not their cost.
 */
static void choose_road(struct allocator *allocator)
{
	if (allocator->kind != ALLOCATOR_DEVICE)
		return;
	switch (portalmem_device_get_backend(allocator->device)) {
	case PORTALMEM_BACKEND_DMA_HEAP:
		allocator->kind = ALLOCATOR_HEAP;
		break;
	case PORTALMEM_BACKEND_UDMABUF:
		allocator->kind = ALLOCATOR_UDMABUF;
		break;
	default:
		return;
	}
	allocator->node = open(portalmem_device_get_path(allocator->device),
			       O_RDWR | O_CLOEXEC);
	if (allocator->node < 0)
		snprintf(allocator->reason, sizeof(allocator->reason),
			 "opening it: %s", strerror(errno));
}

static void close_allocator(struct allocator *allocator)
{
	if (allocator->node >= 0)
		close(allocator->node);
	portalmem_device_unref(allocator->device);
}

static int append_device(struct allocators *found, const char *name,
			 enum allocator_kind kind, const char *path,
			 enum portalmem_backend backend,
			 enum portalmem_caching caching)
{
	struct allocator *allocator = append(found, name, kind);
	int ret;

	if (!allocator)
		return out_of_memory();
	allocator->options.caching = caching;
	ret = portalmem_device_open(path, backend, &allocator->device);
	if (ret)
		note_reason(allocator, ret);
	else
		choose_road(allocator);
	return EXIT_DONE;
}

static int append_module(struct allocators *found, const char *name,
			 enum portalmem_caching caching)
{
	return append_device(found, name, ALLOCATOR_DEVICE, "/dev/portalmem",
			     PORTALMEM_BACKEND_PORTALMEM, caching);
}

/* Of the module's own nodes in the heaps' directory one is enough. */
static bool is_modules(const char *path)
{
	struct portalmem_device *device;
	bool is_it;

	if (portalmem_device_open(path, PORTALMEM_BACKEND_ANY, &device))
		return strncmp(path, HEAP_DIRECTORY "portalmem",
			       strlen(HEAP_DIRECTORY "portalmem")) == 0;
	is_it = portalmem_device_get_backend(device) ==
		PORTALMEM_BACKEND_PORTALMEM;
	portalmem_device_unref(device);
	return is_it;
}

static int append_node(void *data, const char *path)
{
	struct allocators *found = data;
	int status;

	if (strcmp(path, "/dev/portalmem") == 0) {
		status = append_module(found, "portalmem",
				       PORTALMEM_CACHING_CACHED);
		if (status == EXIT_DONE)
			status = append_module(found, "portalmem-wc",
					       PORTALMEM_CACHING_WC);
		return status;
	}
	if (strcmp(path, "/dev/udmabuf") == 0)
		return append_device(found, "udmabuf", ALLOCATOR_DEVICE, path,
				     PORTALMEM_BACKEND_UDMABUF,
				     PORTALMEM_CACHING_DEFAULT);
	if (is_modules(path))
		return EXIT_DONE;
	return append_device(found, strrchr(path, '/') + 1, ALLOCATOR_DEVICE,
			     path, PORTALMEM_BACKEND_ANY,
			     PORTALMEM_CACHING_DEFAULT);
}

static int append_pool(struct allocators *found)
{
	return append_device(found, pool_name, ALLOCATOR_POOL, NULL,
			     PORTALMEM_BACKEND_ANY, PORTALMEM_CACHING_DEFAULT);
}

static int append_memfd(struct allocators *found)
{
	return append_device(found, memfd_name, ALLOCATOR_DEVICE, NULL,
			     PORTALMEM_BACKEND_MEMFD,
			     PORTALMEM_CACHING_DEFAULT);
}

static int append_anonymous(struct allocators *found)
{
	if (!append(found, anonymous_name, ALLOCATOR_ANONYMOUS))
		return out_of_memory();
	return EXIT_DONE;
}

struct allocator *find_allocator(const struct allocators *found,
				 const char *name)
{
	for (size_t i = 0; i < found->count; i++)
		if (strcmp(found->all[i].name, name) == 0)
			return &found->all[i];
	return NULL;
}

int add_allocator(struct allocators *found, const char *name)
{
	if (find_allocator(found, name))
		return EXIT_DONE;
	if (strcmp(name, "portalmem") == 0)
		return append_module(found, name, PORTALMEM_CACHING_CACHED);
	if (strcmp(name, "portalmem-wc") == 0)
		return append_module(found, name, PORTALMEM_CACHING_WC);
	if (strcmp(name, "portalmem-uc") == 0)
		return append_module(found, name, PORTALMEM_CACHING_UC);
	if (strcmp(name, "udmabuf") == 0)
		return append_device(found, name, ALLOCATOR_DEVICE, NULL,
				     PORTALMEM_BACKEND_UDMABUF,
				     PORTALMEM_CACHING_DEFAULT);
	if (strcmp(name, pool_name) == 0)
		return append_pool(found);
	if (strcmp(name, memfd_name) == 0)
		return append_memfd(found);
	if (strcmp(name, anonymous_name) == 0)
		return append_anonymous(found);
	return append_device(found, name, ALLOCATOR_DEVICE, name,
			     PORTALMEM_BACKEND_ANY, PORTALMEM_CACHING_DEFAULT);
}

static int add_named(struct allocators *found, const char *names)
{
	char *copy = strdup(names);
	int status = EXIT_DONE;
	char *rest = copy;
	char *name;

	if (!copy)
		return out_of_memory();
	while (status == EXIT_DONE && (name = strsep(&rest, ",")))
		status = add_allocator(found, name);
	free(copy);
	return status;
}

static int add_everything(struct allocators *found)
{
	int status = for_each_node(append_node, found);

	if (status == EXIT_DONE)
		status = append_pool(found);
	if (status == EXIT_DONE)
		status = append_memfd(found);
	if (status == EXIT_DONE)
		status = append_anonymous(found);
	return status;
}

/* Those that --backend names. */
static void keep_backend(struct allocators *found,
			 enum portalmem_backend backend)
{
	size_t kept = 0;

	for (size_t i = 0; i < found->count; i++) {
		struct allocator *allocator = &found->all[i];

		if (allocator->kind != ALLOCATOR_POOL &&
		    portalmem_device_get_backend(allocator->device) == backend)
			found->all[kept++] = *allocator;
		else
			close_allocator(allocator);
	}
	found->count = kept;
}

int find_allocators(struct allocators *found, const char *names,
		    const char *path, enum portalmem_backend backend)
{
	int status;

	if (names)
		return add_named(found, names);
	if (path)
		return append_device(found, path, ALLOCATOR_DEVICE, path,
				     backend, PORTALMEM_CACHING_DEFAULT);
	status = add_everything(found);
	if (backend != PORTALMEM_BACKEND_ANY)
		keep_backend(found, backend);
	return status;
}

void free_allocators(struct allocators *found)
{
	for (size_t i = 0; i < found->count; i++)
		close_allocator(&found->all[i]);
	free(found->all);
}

int allocator_begin(struct trial *trial, unsigned int most)
{
	struct allocator *allocator = trial->allocator;
	struct portalmem_pool_options options = PORTALMEM_POOL_OPTIONS_INIT;
	int ret;

	if (allocator->kind != ALLOCATOR_POOL)
		return 0;
	options.maximum = most;
	options.alloc = &allocator->options;
	ret = portalmem_pool_create(allocator->device, trial->size, &options,
				    &allocator->pool);
	return ret ? trial_failed_call(trial, "making the pool", ret) : 0;
}

void allocator_end(struct allocator *allocator)
{
	portalmem_pool_unref(allocator->pool);
	allocator->pool = NULL;
}

/*
 * Memory as the process would have it for the same end: there at once, and in
 * huge pages where it is large enough.
 */
static int anonymous_alloc(struct trial *trial, struct piece *piece)
{
	size_t align = trial->size < HUGE_PAGE ? 0 : HUGE_PAGE;
	size_t size = (size_t)trial->size;
	char *bytes = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t head;

	if (bytes == MAP_FAILED)
		return trial_failed(trial, "mmap: %s", strerror(errno));
	if (align) {
		head = -(uintptr_t)bytes % align;
		if (head)
			munmap(bytes, head);
		bytes += head;
		if (align - head)
			munmap(bytes + size, align - head);
		/* Without huge pages it is small ones. */
		madvise(bytes, size, MADV_HUGEPAGE);
	}
	if (madvise(bytes, size, MADV_POPULATE_WRITE)) {
		int error = errno;

		munmap(bytes, size);
		return trial_failed(trial, "MADV_POPULATE_WRITE: %s",
				    strerror(error));
	}
	piece->bytes = bytes;
	piece->size = size;
	return 0;
}

static int heap_alloc(struct trial *trial, struct piece *piece)
{
	struct dma_heap_allocation_data data = {
		.len = trial->size,
		.fd_flags = O_RDWR | O_CLOEXEC,
	};

	if (ioctl(trial->allocator->node, DMA_HEAP_IOCTL_ALLOC, &data))
		return trial_failed(trial, "DMA_HEAP_IOCTL_ALLOC: %s",
				    strerror(errno));
	piece->fd = (int)data.fd;
	return 0;
}

static int udmabuf_alloc(struct trial *trial, struct piece *piece)
{
	struct udmabuf_create create = {
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = trial->size,
	};
	int memfd = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (memfd < 0)
		return trial_failed(trial, "memfd_create: %s", strerror(errno));
	create.memfd = (uint32_t)memfd;
	if (ftruncate(memfd, (off_t)trial->size) == 0 &&
	    fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK) == 0)
		piece->fd =
			ioctl(trial->allocator->node, UDMABUF_CREATE, &create);
	if (piece->fd < 0)
		trial_failed(trial, "UDMABUF_CREATE: %s", strerror(errno));
	close(memfd);
	return piece->fd < 0 ? -1 : 0;
}

int piece_alloc(struct trial *trial, struct piece *piece)
{
	struct allocator *allocator = trial->allocator;
	int ret;

	*piece = (struct piece){.size = (size_t)trial->size, .fd = -1};
	switch (allocator->kind) {
	case ALLOCATOR_ANONYMOUS:
		return anonymous_alloc(trial, piece);
	case ALLOCATOR_HEAP:
		return heap_alloc(trial, piece);
	case ALLOCATOR_UDMABUF:
		return udmabuf_alloc(trial, piece);
	case ALLOCATOR_POOL:
		ret = portalmem_pool_acquire(allocator->pool, 0,
					     &piece->buffer);
		break;
	default:
		ret = portalmem_buffer_alloc(allocator->device, trial->size,
					     &allocator->options,
					     &piece->buffer);
		break;
	}
	return ret ? trial_failed_call(trial, "allocating", ret) : 0;
}

int piece_import(struct trial *trial, struct piece *piece)
{
	int ret;

	if (piece->fd < 0)
		return 0;
	ret = portalmem_buffer_import(trial->allocator->device, piece->fd,
				      &piece->buffer);
	if (ret)
		return trial_failed_call(trial, "importing", ret);
	/* What the library has now is another descriptor of the same. */
	close(piece->fd);
	piece->fd = -1;
	return 0;
}

int piece_map(struct trial *trial, struct piece *piece)
{
	int ret;

	if (piece->fd >= 0) {
		piece->bytes = mmap(NULL, piece->size, PROT_READ | PROT_WRITE,
				    MAP_SHARED, piece->fd, 0);
		if (piece->bytes != MAP_FAILED)
			return 0;
		piece->bytes = NULL;
		return trial_failed(trial, "mmap: %s", strerror(errno));
	}
	if (!piece->buffer)
		return 0; /* it always is */
	ret = portalmem_buffer_map(piece->buffer, 0, 0, PORTALMEM_MAP_RDWR,
				   &piece->bytes);
	return ret ? trial_failed_call(trial, "mapping", ret) : 0;
}

void piece_unmap(struct piece *piece)
{
	if (piece->fd >= 0)
		munmap(piece->bytes, piece->size);
	else if (piece->buffer)
		portalmem_buffer_unmap(piece->buffer, piece->bytes);
	else
		return;
	piece->bytes = NULL;
}

void piece_free(struct piece *piece)
{
	if (piece->fd >= 0)
		close(piece->fd);
	else if (piece->buffer)
		portalmem_buffer_unref(piece->buffer);
	else if (piece->bytes)
		munmap(piece->bytes, piece->size);
	*piece = (struct piece){.fd = -1};
}

void allocator_hold(struct allocator *allocator, uint64_t count)
{
	int ret = 0;

	if (!allocator->device || count == 0)
		return;
	allocator->live = calloc(count, sizeof(struct portalmem_buffer *));
	if (!allocator->live) {
		note_reason(allocator, -ENOMEM);
		return;
	}
	while (ret == 0 && allocator->live_count < count &&
	       !bench_interrupted()) {
		ret = portalmem_buffer_alloc(
			allocator->device, LIVE_SIZE, &allocator->options,
			&allocator->live[allocator->live_count]);
		if (ret == 0)
			allocator->live_count++;
	}
	if (ret == 0)
		return;
	note_reason(allocator, ret);
	allocator_let_go(allocator);
}

void allocator_let_go(struct allocator *allocator)
{
	while (allocator->live_count > 0)
		portalmem_buffer_unref(
			allocator->live[--allocator->live_count]);
	free(allocator->live);
	allocator->live = NULL;
}

void allocator_drain(struct allocator *allocator)
{
	if (allocator->pool)
		portalmem_pool_trim(allocator->pool, 0);
	/* Those that keep nothing refuse: they are drained. */
	if (allocator->device)
		portalmem_device_trim(allocator->device, NULL);
}
