/* SPDX-License-Identifier: LGPL-2.1-or-later */
/**
 * @file portalmem-drm.h
 * libportalmem-drm: portalmem buffers as DRM GEM handles and back (PRIME).
 *
 * The rules of portalmem.h hold here too. This is a library of its own, so
 * that programs without graphics do not link libdrm.
 */
#ifndef PORTALMEM_DRM_H
#define PORTALMEM_DRM_H

#include <portalmem.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Import a buffer into a DRM device.
 *
 * @param buffer the buffer; must be a dma-buf
 * @param drm_fd an open DRM device that can import (DRM_CAP_PRIME)
 * @param handlep the GEM handle, closed with portalmem_drm_close_handle(); the
 *        same buffer gives the same handle, and closing it once closes it
 * @return 0; -EBADF; -EOPNOTSUPP when the buffer is not a dma-buf or the
 *         device cannot import; what the DRM driver refuses with otherwise.
 * Since 0.1.
 */
int portalmem_drm_import(struct portalmem_buffer *buffer, int drm_fd,
			 uint32_t *handlep);

/**
 * Make a buffer of a DRM device's GEM handle.
 *
 * @param device portalmem node to ask about the buffer, or NULL (see
 *        portalmem_buffer_import())
 * @param drm_fd the open DRM device
 * @param handle the GEM handle; stays the caller's
 * @param bufferp the buffer, released with portalmem_buffer_unref()
 * @return 0; -EBADF; -ENOENT for no such handle; -EOPNOTSUPP when the device
 *         cannot export; what portalmem_buffer_import() gives otherwise.
 * Since 0.1.
 */
int portalmem_drm_export(struct portalmem_device *device, int drm_fd,
			 uint32_t handle, struct portalmem_buffer **bufferp);

/**
 * Close a GEM handle.
 *
 * @return 0; -EBADF; -EINVAL for no such handle; -EOPNOTSUPP when the file
 *         descriptor is not a DRM device.
 * Since 0.1.
 */
int portalmem_drm_close_handle(int drm_fd, uint32_t handle);

#ifdef __cplusplus
}
#endif

#endif /* PORTALMEM_DRM_H */
