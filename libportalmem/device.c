// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

/* In the order in which they are tried. */
static const struct pm_backend *const backends[] = {
	&pm_backend_portalmem,
	&pm_backend_dmaheap,
	&pm_backend_udmabuf,
	&pm_backend_memfd,
};

static const struct pm_backend *find_backend(enum portalmem_backend id)
{
	for (size_t i = 0; i < PM_ARRAY_SIZE(backends); i++)
		if (backends[i]->id == id)
			return backends[i];
	return NULL;
}

PM_EXPORT const char *portalmem_backend_name(enum portalmem_backend backend)
{
	const struct pm_backend *found = find_backend(backend);

	if (found)
		return found->name;
	return backend == PORTALMEM_BACKEND_ANY ? "any" : "unknown";
}

int pm_backend_from_environment(enum portalmem_backend *backend)
{
	const char *name = secure_getenv("PORTALMEM_BACKEND");

	*backend = PORTALMEM_BACKEND_ANY;
	if (!name || !*name || !strcmp(name, portalmem_backend_name(*backend)))
		return 0;
	for (size_t i = 0; i < PM_ARRAY_SIZE(backends); i++) {
		if (!strcmp(name, backends[i]->name)) {
			*backend = backends[i]->id;
			return 0;
		}
	}
	return pm_refuse(-EINVAL,
			 "cannot open a device: PORTALMEM_BACKEND is '%s'; set "
			 "it to any, portalmem, dma-heap, udmabuf or memfd",
			 name);
}

static void free_device(struct portalmem_device *device)
{
	pm_buffer_free_spare(device);
	if (device->fd >= 0)
		close(device->fd);
	free(device);
}

/* What stands before a heap's name to make its node's path. */
static const char *folder_of(const char *path)
{
	return *path && !strchr(path, '/') ? "/dev/dma_heap/" : "";
}

/* Open a node whose protocol is not known yet; none for a path of NULL. */
static int open_node(const char *path, struct portalmem_device **devicep)
{
	const char *folder = path ? folder_of(path) : "";
	size_t room = path ? strlen(folder) + strlen(path) + 1 : 1;
	struct portalmem_device *device;

	device = calloc(1, sizeof(*device) + room);
	if (!device)
		return -ENOMEM;
	atomic_init(&device->refs, 1);
	if (path)
		snprintf(device->path, room, "%s%s", folder, path);
	device->fd = path ? pm_open(device->path) : -1;
	if (path && device->fd < 0) {
		int error = device->fd;

		free(device);
		return error;
	}
	*devicep = device;
	return 0;
}

int pm_device_open(const char *path, const struct pm_backend *backend,
		   struct portalmem_device **devicep)
{
	struct portalmem_device *device;
	int ret;

	ret = open_node(path, &device);
	if (ret)
		return ret;
	ret = backend->probe(device);
	if (ret) {
		free_device(device);
		return ret;
	}
	device->backend = backend;
	*devicep = device;
	return 0;
}

static const char *open_advice(const struct pm_backend *backend, int error)
{
	switch (error) {
	case -EACCES:
	case -EPERM:
		return "join its group (see ls -l) or run as root";
	case -ENOENT:
	case -ENODEV:
	case -ENXIO:
		return backend ? backend->missing
			       : "give the path of a node that is there";
	default:
		return NULL;
	}
}

int pm_explain_open(const char *path, const struct pm_backend *backend,
		    int error)
{
	if (error == -EOPNOTSUPP && path)
		return pm_refuse(error,
				 "cannot use %s%s: it does not speak the "
				 "protocol of %s; give another node or backend",
				 folder_of(path), path,
				 backend ? backend->name : "any backend");
	return pm_fail(error, open_advice(backend, error), "cannot open %s%s",
		       path ? folder_of(path) : "",
		       path ? path : "a memfd device");
}

static int open_one(const char *path, const struct pm_backend *backend,
		    struct portalmem_device **devicep)
{
	int ret;

	if (!path)
		path = backend->path;
	ret = pm_device_open(path, backend, devicep);
	return ret ? pm_explain_open(path, backend, ret) : 0;
}

/* Find out which protocol the node at PATH speaks. */
static int open_any_protocol(const char *path,
			     struct portalmem_device **devicep)
{
	struct portalmem_device *device;
	int ret;

	ret = open_node(path, &device);
	if (ret)
		return pm_explain_open(path, NULL, ret);
	for (size_t i = 0; i < PM_ARRAY_SIZE(backends); i++) {
		if (!backends[i]->path || backends[i]->probe(device))
			continue;
		device->backend = backends[i];
		*devicep = device;
		return 0;
	}
	free_device(device);
	return pm_explain_open(path, NULL, -EOPNOTSUPP);
}

bool pm_is_absence(int error)
{
	return error == -ENOENT || error == -ENODEV || error == -ENXIO ||
	       error == -EOPNOTSUPP;
}

bool pm_is_shortage(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

static int open_first(struct portalmem_device **devicep)
{
	const struct pm_backend *telling = NULL;
	int error = -ENODEV;

	for (size_t i = 0; i < PM_ARRAY_SIZE(backends); i++) {
		int ret =
			pm_device_open(backends[i]->path, backends[i], devicep);

		if (!ret)
			return 0;
		/* A later backend would be a choice made by chance. */
		if (pm_is_shortage(ret))
			return pm_explain_open(backends[i]->path, backends[i],
					       ret);
		if (!telling && !pm_is_absence(ret)) {
			telling = backends[i];
			error = ret;
		}
	}
	if (telling)
		return pm_explain_open(telling->path, telling, error);
	return pm_refuse(error, "cannot open a device: no backend is here; "
				"load the module (modprobe portalmem)");
}

PM_EXPORT int portalmem_device_open(const char *path,
				    enum portalmem_backend backend,
				    struct portalmem_device **devicep)
{
	int ret;

	if (!devicep)
		return pm_refuse(-EINVAL, "cannot open a device: no place for "
					  "the result was given (NULL)");
	if (path && backend == PORTALMEM_BACKEND_MEMFD)
		return pm_refuse(-EINVAL,
				 "cannot open %s: the memfd backend has no "
				 "node; give no path with it",
				 path);
	if (!path && backend == PORTALMEM_BACKEND_ANY) {
		ret = pm_backend_from_environment(&backend);
		if (ret)
			return ret;
	}
	if (backend != PORTALMEM_BACKEND_ANY) {
		const struct pm_backend *found = find_backend(backend);

		if (!found)
			return pm_refuse(-EINVAL,
					 "cannot open a device: there is no "
					 "backend number %d",
					 (int)backend);
		return open_one(path, found, devicep);
	}
	return path ? open_any_protocol(path, devicep) : open_first(devicep);
}

PM_EXPORT struct portalmem_device *
portalmem_device_ref(struct portalmem_device *device)
{
	if (device)
		atomic_fetch_add_explicit(&device->refs, 1,
					  memory_order_relaxed);
	return device;
}

PM_EXPORT void portalmem_device_unref(struct portalmem_device *device)
{
	if (device && atomic_fetch_sub_explicit(&device->refs, 1,
						memory_order_acq_rel) == 1)
		free_device(device);
}

PM_EXPORT enum portalmem_backend
portalmem_device_get_backend(const struct portalmem_device *device)
{
	return device ? device->backend->id : PORTALMEM_BACKEND_ANY;
}

PM_EXPORT const char *
portalmem_device_get_path(const struct portalmem_device *device)
{
	return device ? device->path : NULL;
}
