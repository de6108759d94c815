// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "private.h"

/* The struct of a former buffer of DEVICE, or NULL. */
static struct portalmem_buffer *take_spare(struct portalmem_device *device)
{
	const size_t kept = sizeof(pthread_mutex_t);
	struct portalmem_buffer *buffer;

	if (!device)
		return NULL;
	buffer = atomic_exchange_explicit(&device->spare, NULL,
					  memory_order_acquire);
	if (buffer)
		memset((char *)buffer + kept, 0, sizeof(*buffer) - kept);
	return buffer;
}

static bool keep_spare(struct portalmem_device *device,
		       struct portalmem_buffer *buffer)
{
	struct portalmem_buffer *none = NULL;

	return device && atomic_compare_exchange_strong_explicit(
				 &device->spare, &none, buffer,
				 memory_order_release, memory_order_relaxed);
}

static void free_struct(struct portalmem_buffer *buffer)
{
	pthread_mutex_destroy(&buffer->lock);
	free(buffer);
}

void pm_buffer_free_spare(struct portalmem_device *device)
{
	struct portalmem_buffer *buffer = take_spare(device);

	if (buffer)
		free_struct(buffer);
}

/* Makes the buffer the owner of nothing yet but its reference to DEVICE. */
static struct portalmem_buffer *new_buffer(struct portalmem_device *device)
{
	struct portalmem_buffer *buffer = take_spare(device);

	if (!buffer) {
		buffer = calloc(1, sizeof(*buffer));
		if (!buffer)
			return NULL;
		pthread_mutex_init(&buffer->lock, NULL);
	}
	atomic_init(&buffer->refs, 1);
	buffer->device = portalmem_device_ref(device);
	buffer->fd = -1;
	buffer->fdinfo = -1;
	atomic_init(&buffer->shared, false);
	buffer->caching = PORTALMEM_CACHING_UNKNOWN;
	buffer->effective = PORTALMEM_CACHING_UNKNOWN;
	return buffer;
}

void pm_buffer_free(struct portalmem_buffer *buffer)
{
	struct portalmem_device *device;

	pm_buffer_unmap_all(buffer);
	if (buffer->fdinfo >= 0)
		close(buffer->fdinfo);
	if (buffer->fd >= 0)
		close(buffer->fd);
	device = buffer->device;
	if (!keep_spare(device, buffer))
		free_struct(buffer);
	portalmem_device_unref(device);
}

/* Where the memory is to be. */
static int check_place(const struct portalmem_alloc_options *options)
{
	uint64_t page = pm_page_size();

	if (options->node < -1)
		return pm_refuse(
			-EINVAL,
			"cannot allocate: %d is no NUMA node; give one "
			"from 0 on, or -1 for any",
			options->node);
	if (options->address_bits > 64)
		return pm_refuse(
			-EINVAL,
			"cannot allocate: no address has %u bits; give "
			"at most 64, or 0 for no limit",
			options->address_bits);
	if (options->alignment & (options->alignment - 1) ||
	    (options->alignment && options->alignment < page))
		return pm_refuse(-EINVAL,
				 "cannot allocate: %llu bytes are no "
				 "alignment; give a power of two from the page "
				 "size, %llu, on",
				 (unsigned long long)options->alignment,
				 (unsigned long long)page);
	if (options->region_offset && !options->adopt)
		return pm_refuse(-EINVAL,
				 "cannot allocate: a region offset is given, "
				 "but nothing is to be adopted; set adopt, or "
				 "leave the place to the heap");
	if (options->adopt && (options->alignment || options->address_bits))
		return pm_refuse(-EINVAL,
				 "cannot allocate: what is adopted lies where "
				 "it lies; give no alignment and no address "
				 "limit with it");
	if (options->region_offset & (page - 1))
		return pm_refuse(-EINVAL,
				 "cannot allocate: the region offset %llu is "
				 "not at a page; give a multiple of %llu",
				 (unsigned long long)options->region_offset,
				 (unsigned long long)page);
	return 0;
}

static int check_name(const char *name, const char *what)
{
	if (strnlen(name, PORTALMEM_NAME_MAX) == PORTALMEM_NAME_MAX)
		return pm_refuse(-EINVAL,
				 "cannot %s: the name is too long; give at "
				 "most %d bytes",
				 what, PORTALMEM_NAME_MAX - 1);
	if (pm_has_control_characters(name))
		return pm_refuse(-EINVAL,
				 "cannot %s: the name '%s' has control "
				 "characters; leave them out",
				 what, name);
	return 0;
}

static int check_options(const struct portalmem_alloc_options *options)
{
	int ret;

	if (options->struct_size != sizeof(*options))
		return pm_refuse(-EINVAL,
				 "cannot allocate: the options were not "
				 "initialized; start from "
				 "PORTALMEM_ALLOC_OPTIONS_INIT");
	if ((unsigned int)options->caching > PORTALMEM_CACHING_UC)
		return pm_refuse(-EINVAL,
				 "cannot allocate: %u is no caching to ask "
				 "for; give default, cached, wc or uc",
				 (unsigned int)options->caching);
	ret = check_place(options);
	if (ret || !options->name)
		return ret;
	return check_name(options->name, "allocate");
}

static bool is_placed(const struct pm_request *request)
{
	return request->node >= 0 || request->address_bits ||
	       request->alignment || request->adopt;
}

static int make_request(const struct portalmem_device *device, uint64_t size,
			const struct portalmem_alloc_options *options,
			struct pm_request *request)
{
	uint64_t mask = pm_page_size() - 1;
	int ret;

	if (!size)
		return pm_refuse(-EINVAL,
				 "cannot allocate 0 bytes from %s; "
				 "give a size of 1 or more",
				 device->path);
	if (options) {
		ret = check_options(options);
		if (ret)
			return ret;
		request->caching = options->caching;
		request->node = options->node;
		request->address_bits = options->address_bits;
		request->alignment = options->alignment;
		request->adopt = options->adopt;
		request->region_offset = options->region_offset;
		if (options->name)
			request->name = options->name;
	}
	if (!(device->backend->cachings & PM_CACHING_BIT(request->caching)))
		return pm_refuse(
			-EOPNOTSUPP,
			"cannot allocate: the %s backend has no %s "
			"buffers; load the portalmem module, which has",
			device->backend->name,
			portalmem_caching_name(request->caching));
	if (!device->backend->places && is_placed(request))
		return pm_refuse(
			-EOPNOTSUPP,
			"cannot allocate: the %s backend has no say in "
			"where memory is; load the portalmem module, "
			"which has",
			device->backend->name);
	/* No file is larger than its offsets can say. */
	if (size > INT64_MAX - mask)
		return pm_fail(-ENOMEM, NULL, "cannot allocate %llu bytes",
			       (unsigned long long)size);
	request->size = (size + mask) & ~mask;
	return 0;
}

/* What the grant holds becomes the buffer's. */
static void take_grant(struct portalmem_buffer *buffer, uint64_t size,
		       enum portalmem_caching caching, const char *name,
		       const struct pm_grant *grant)
{
	buffer->fd = grant->fd;
	buffer->kind = grant->kind;
	buffer->caching = caching;
	buffer->effective = grant->effective;
	buffer->size = size;
	/* The module keeps these two. */
	if (buffer->kind == PM_KIND_PORTALMEM)
		return;
	buffer->pid = getpid();
	pm_copy_name(buffer->name, name, PORTALMEM_NAME_MAX);
}

PM_EXPORT int
portalmem_buffer_alloc(struct portalmem_device *device, uint64_t size,
		       const struct portalmem_alloc_options *options,
		       struct portalmem_buffer **bufferp)
{
	struct pm_request request = {
		.caching = PORTALMEM_CACHING_DEFAULT, .name = "", .node = -1};
	struct portalmem_buffer *buffer;
	struct pm_grant grant;
	int ret;

	if (!device || !bufferp)
		return pm_refuse(-EINVAL, "cannot allocate: no device or no "
					  "place for the result was given "
					  "(NULL)");
	ret = make_request(device, size, options, &request);
	if (ret)
		return ret;
	buffer = new_buffer(device);
	if (!buffer)
		return pm_fail(-ENOMEM, NULL, "cannot allocate a buffer");
	ret = device->backend->alloc(device, &request, &grant);
	if (ret) {
		pm_buffer_free(buffer);
		return ret;
	}
	take_grant(buffer, request.size, request.caching, request.name, &grant);
	*bufferp = buffer;
	return 0;
}

/* Learn what the descriptor and, where it knows it, the node tell of it. */
static int identify(struct portalmem_buffer *buffer, int fd)
{
	struct portalmem_device *device = buffer->device;
	struct portalmem_info info;
	int ret;

	ret = pm_fd_kind(fd, &buffer->kind);
	if (ret)
		return ret;
	ret = pm_fd_size(fd, buffer->kind, &buffer->size);
	if (ret)
		return ret;
	if (buffer->kind == PM_KIND_MEMFD) {
		buffer->effective = PORTALMEM_CACHING_CACHED;
		/* Without /proc it has no name that could be known. */
		pm_fd_describe_memfd(fd, buffer->name);
		return 0;
	}
	if (!device || device->backend->id != PORTALMEM_BACKEND_PORTALMEM)
		return 0;
	ret = pm_portalmem_info(device, fd, &info);
	if (ret)
		return ret == -EXDEV ? 0 : ret;
	buffer->kind = PM_KIND_PORTALMEM;
	buffer->caching = info.caching;
	buffer->effective = info.effective;
	return 0;
}

int pm_buffer_adopt(struct portalmem_device *device, int fd,
		    struct portalmem_buffer **bufferp)
{
	struct portalmem_buffer *buffer = new_buffer(device);
	int ret;

	if (!buffer)
		return pm_fail(-ENOMEM, NULL, "cannot import a buffer");
	ret = identify(buffer, fd);
	if (ret) {
		pm_buffer_free(buffer);
		if (ret == -EINVAL)
			return pm_refuse(ret,
					 "cannot import a file that is neither "
					 "a dma-buf nor a memfd sealed against "
					 "shrinking, or is empty");
		return pm_fail(ret, NULL, "cannot import a buffer");
	}
	buffer->fd = fd;
	*bufferp = buffer;
	return 0;
}

PM_EXPORT int portalmem_buffer_import(struct portalmem_device *device, int fd,
				      struct portalmem_buffer **bufferp)
{
	int copy, ret;

	if (!bufferp)
		return pm_refuse(-EINVAL, "cannot import a buffer: no place "
					  "for the result was given (NULL)");
	copy = pm_fd_duplicate(fd);
	if (copy < 0)
		return pm_fail(copy, NULL,
			       "cannot import the file descriptor %d", fd);
	ret = pm_buffer_adopt(device, copy, bufferp);
	if (ret)
		pm_close_unknown(&copy, 1);
	return ret;
}

static int check_memory(const struct pm_user_memory *memory)
{
	uint64_t page = pm_page_size();

	if (!memory->size)
		return pm_refuse(-EINVAL, "cannot import 0 bytes of memory; "
					  "give a size of a page or more");
	if (((uintptr_t)memory->address | memory->size) & (page - 1))
		return pm_refuse(-EINVAL,
				 "cannot import memory: %llu bytes at %p are "
				 "not whole pages; give multiples of %llu",
				 (unsigned long long)memory->size,
				 memory->address, (unsigned long long)page);
	return 0;
}

static int describe_memory(struct pm_user_memory *memory,
			   const struct portalmem_import_options *options)
{
	int ret = check_memory(memory);

	if (ret || !options)
		return ret;
	if (options->struct_size != sizeof(*options))
		return pm_refuse(-EINVAL,
				 "cannot import memory: the options were not "
				 "initialized; start from "
				 "PORTALMEM_IMPORT_OPTIONS_INIT");
	memory->read_only = options->read_only;
	if (!options->name)
		return 0;
	memory->name = options->name;
	return check_name(options->name, "import memory");
}

PM_EXPORT int
portalmem_buffer_import_user(struct portalmem_device *device, void *address,
			     uint64_t size,
			     const struct portalmem_import_options *options,
			     struct portalmem_buffer **bufferp)
{
	struct pm_user_memory memory = {
		.address = address, .size = size, .name = ""};
	struct portalmem_buffer *buffer;
	struct pm_grant grant;
	int ret;

	if (!device || !bufferp)
		return pm_refuse(-EINVAL, "cannot import memory: no device or "
					  "no place for the result was given "
					  "(NULL)");
	ret = describe_memory(&memory, options);
	if (ret)
		return ret;
	if (!device->backend->import_user)
		return pm_refuse(-EOPNOTSUPP,
				 "cannot import memory: the %s backend makes "
				 "buffers of new memory only; load the "
				 "portalmem module",
				 device->backend->name);
	buffer = new_buffer(device);
	if (!buffer)
		return pm_fail(-ENOMEM, NULL, "cannot import memory");
	ret = device->backend->import_user(device, &memory, &grant);
	if (ret) {
		pm_buffer_free(buffer);
		return ret;
	}
	take_grant(buffer, size, PORTALMEM_CACHING_CACHED, memory.name, &grant);
	*bufferp = buffer;
	return 0;
}

PM_EXPORT struct portalmem_buffer *
portalmem_buffer_ref(struct portalmem_buffer *buffer)
{
	if (buffer)
		atomic_fetch_add_explicit(&buffer->refs, 1,
					  memory_order_relaxed);
	return buffer;
}

PM_EXPORT void portalmem_buffer_unref(struct portalmem_buffer *buffer)
{
	if (!buffer || atomic_fetch_sub_explicit(&buffer->refs, 1,
						 memory_order_acq_rel) != 1)
		return;
	if (buffer->pool)
		pm_pool_take_back(buffer);
	else
		pm_buffer_free(buffer);
}

PM_EXPORT int portalmem_buffer_get_fd(const struct portalmem_buffer *buffer)
{
	if (!buffer)
		return pm_refuse(-EINVAL, "cannot give a file descriptor: no "
					  "buffer was given (NULL)");
	pm_buffer_mark_shared(buffer);
	return buffer->fd;
}

PM_EXPORT uint64_t
portalmem_buffer_get_size(const struct portalmem_buffer *buffer)
{
	return buffer ? buffer->size : 0;
}

PM_EXPORT enum portalmem_caching
portalmem_buffer_get_caching(const struct portalmem_buffer *buffer)
{
	return buffer ? buffer->effective : PORTALMEM_CACHING_UNKNOWN;
}
