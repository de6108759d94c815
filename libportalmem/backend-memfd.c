// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>
#include <unistd.h>

#include "private.h"

static int memfd_probe(const struct portalmem_device *device)
{
	int fd = pm_memfd_create("", pm_page_size());

	(void)device;
	if (fd < 0)
		return fd == -ENOSYS ? -EOPNOTSUPP : fd;
	close(fd);
	return 0;
}

static int make_file(const struct pm_request *request)
{
	int fd, ret;

	if (pm_more_than_memory(request->size))
		return -ENOMEM;
	fd = pm_memfd_create(request->name, request->size);
	if (fd < 0)
		return fd;
	ret = pm_memfd_fill(fd, request->size);
	if (ret) {
		close(fd);
		return ret;
	}
	return fd;
}

static int memfd_alloc(const struct portalmem_device *device,
		       const struct pm_request *request, struct pm_grant *grant)
{
	int fd = make_file(request);

	(void)device;
	if (fd < 0)
		return pm_fail(fd, NULL, "cannot make a memfd of %llu bytes",
			       (unsigned long long)request->size);
	grant->fd = fd;
	grant->kind = PM_KIND_MEMFD;
	grant->effective = PORTALMEM_CACHING_CACHED;
	return 0;
}

static unsigned int memfd_unmet(const struct portalmem_device *device,
				const struct portalmem_constraints *constraints)
{
	unsigned int unmet = constraints->needs & ~PORTALMEM_NEED_PINNABLE;

	(void)device;
	if (constraints->address_bits)
		unmet |= PORTALMEM_NEED_ADDRESS_BITS;
	if (pm_more_than_memory(constraints->size))
		unmet |= PORTALMEM_NEED_SIZE;
	return unmet;
}

const struct pm_backend pm_backend_memfd = {
	.id = PORTALMEM_BACKEND_MEMFD,
	.name = "memfd",
	.missing = "it needs a kernel with CONFIG_MEMFD_CREATE",
	.cachings = PM_CACHING_BIT(PORTALMEM_CACHING_DEFAULT) |
		    PM_CACHING_BIT(PORTALMEM_CACHING_CACHED),
	.probe = memfd_probe,
	.alloc = memfd_alloc,
	.unmet = memfd_unmet,
};
