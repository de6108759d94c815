// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>

#include "private.h"

/* The text for a request about the heap of DEVICE that failed, and ERROR. */
static int explain(const struct portalmem_device *device, const char *what,
		   int error)
{
	if (error == -ENOTTY)
		return pm_refuse(-EOPNOTSUPP,
				 "cannot %s the heap of %s: the module that is "
				 "loaded is older than this library; load the "
				 "one that came with it",
				 what, device->path);
	return pm_fail(error, NULL, "cannot %s the heap of %s", what,
		       device->path);
}

PM_EXPORT int portalmem_device_get_heap_info(struct portalmem_device *device,
					     struct portalmem_heap_info *info)
{
	struct portalmem_heap_info found = PORTALMEM_HEAP_INFO_INIT;
	int ret;

	if (!device || !info)
		return pm_refuse(-EINVAL,
				 "cannot describe a heap: no device or no "
				 "place for the result was given (NULL)");
	if (info->struct_size != sizeof(*info))
		return pm_refuse(-EINVAL,
				 "cannot describe a heap: the info was not "
				 "initialized; start from "
				 "PORTALMEM_HEAP_INFO_INIT");
	if (!device->backend->heap_info)
		return pm_refuse(-EOPNOTSUPP,
				 "cannot describe a heap: the %s backend tells "
				 "nothing of its own; load the portalmem "
				 "module, which does",
				 device->backend->name);
	ret = device->backend->heap_info(device, &found);
	if (ret)
		return explain(device, "describe", ret);
	*info = found;
	return 0;
}

PM_EXPORT int portalmem_device_trim(struct portalmem_device *device,
				    uint64_t *freedp)
{
	uint64_t freed;
	int ret;

	if (!device)
		return pm_refuse(-EINVAL, "cannot trim a heap: no device was "
					  "given (NULL)");
	if (!device->backend->trim)
		return pm_refuse(-EOPNOTSUPP,
				 "cannot trim a heap: the %s backend keeps no "
				 "freed memory; give a node of the portalmem "
				 "module, which does",
				 device->backend->name);
	ret = device->backend->trim(device, &freed);
	if (ret)
		return explain(device, "trim", ret);
	if (freedp)
		*freedp = freed;
	return 0;
}
