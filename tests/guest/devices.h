/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own drivers that the tests use as counterparts. */
#ifndef DEVICES_H
#define DEVICES_H

#include <stddef.h>
#include <stdint.h>

/* Load vgem and open its primary node, which can create buffers, too. */
int devices_open_vgem(void);

/* Make a vgem buffer and give its GEM handle; *SIZEP is what it really has. */
uint32_t devices_create_vgem_buffer(int vgem, uint64_t *sizep);

/* Attach a fence to a GEM buffer, as a driver does that starts to write it. */
uint32_t devices_attach_fence(int vgem, uint32_t handle);

/* The same of a device that only reads. */
uint32_t devices_attach_read_fence(int vgem, uint32_t handle);

/* Signal it: the driver is done. */
void devices_signal_fence(int vgem, uint32_t fence);

/* A sealed memfd of that size, as udmabuf wants it. */
int devices_create_memfd(size_t size);

/* Make a udmabuf of a memfd's first bytes and give its dma-buf descriptor. */
int devices_create_udmabuf(int memfd, size_t size);

#endif
