// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <xf86drm.h>

#include "error.h"
#include "portalmem-drm.h"

#ifndef DMA_BUF_MAGIC
#define DMA_BUF_MAGIC 0x444d4142
#endif

/* Is it a dma-buf? -EOPNOTSUPP otherwise. The buffer's file is a known one. */
static int check_dmabuf(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs))
		return -errno;
	return (unsigned long)fs.f_type == DMA_BUF_MAGIC ? 0 : -EOPNOTSUPP;
}

/* CAPABILITY is DRM_PRIME_CAP_IMPORT or DRM_PRIME_CAP_EXPORT. */
static int check_device(int drm_fd, uint64_t capability)
{
	uint64_t capabilities;

	if (drmGetCap(drm_fd, DRM_CAP_PRIME, &capabilities))
		/* A file that is no DRM device does not know the call. */
		return errno == ENOTTY ? -EOPNOTSUPP : -errno;
	return capabilities & capability ? 0 : -EOPNOTSUPP;
}

static const char *device_advice(int error)
{
	return error == -EOPNOTSUPP
		       ? "give a DRM device with PRIME (DRM_CAP_PRIME)"
		       : NULL;
}

static int fail_buffer(int error)
{
	if (error == -EOPNOTSUPP)
		return pm_refuse(error,
				 "cannot import into a DRM device: the buffer "
				 "is not a dma-buf; allocate it from another "
				 "backend than memfd");
	return pm_fail(error, NULL, "cannot import a buffer into a DRM device");
}

PM_EXPORT int portalmem_drm_import(struct portalmem_buffer *buffer, int drm_fd,
				   uint32_t *handlep)
{
	int fd, ret;
	uint32_t handle;

	if (!buffer || !handlep)
		return pm_refuse(-EINVAL, "cannot import into a DRM device: no "
					  "buffer or no place for the result "
					  "was given (NULL)");
	fd = portalmem_buffer_get_fd(buffer);
	ret = check_dmabuf(fd);
	if (ret)
		return fail_buffer(ret);
	ret = check_device(drm_fd, DRM_PRIME_CAP_IMPORT);
	if (!ret && drmPrimeFDToHandle(drm_fd, fd, &handle))
		ret = -errno;
	if (ret)
		return pm_fail(ret, device_advice(ret),
			       "cannot import into the DRM device at file "
			       "descriptor %d",
			       drm_fd);
	*handlep = handle;
	return 0;
}

PM_EXPORT int portalmem_drm_export(struct portalmem_device *device, int drm_fd,
				   uint32_t handle,
				   struct portalmem_buffer **bufferp)
{
	int fd, ret;

	if (!bufferp)
		return pm_refuse(-EINVAL, "cannot export from a DRM device: no "
					  "place for the result was given "
					  "(NULL)");
	ret = check_device(drm_fd, DRM_PRIME_CAP_EXPORT);
	if (!ret &&
	    drmPrimeHandleToFD(drm_fd, handle, DRM_CLOEXEC | DRM_RDWR, &fd))
		ret = -errno;
	if (ret)
		return pm_fail(ret, device_advice(ret),
			       "cannot export handle %u from the DRM device at "
			       "file descriptor %d",
			       handle, drm_fd);
	ret = portalmem_buffer_import(device, fd, bufferp);
	close(fd);
	return ret;
}

PM_EXPORT int portalmem_drm_close_handle(int drm_fd, uint32_t handle)
{
	struct drm_gem_close arg = {.handle = handle};
	int ret;

	if (!drmIoctl(drm_fd, DRM_IOCTL_GEM_CLOSE, &arg))
		return 0;
	ret = errno == ENOTTY ? -EOPNOTSUPP : -errno;
	return pm_fail(ret, device_advice(ret),
		       "cannot close handle %u of the DRM device at file "
		       "descriptor %d",
		       handle, drm_fd);
}
