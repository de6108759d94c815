/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The test module pm_device: devices whose part the tests play. Functions fail
 * the running test instead of returning an error.
 */
#ifndef SOFT_DEVICE_H
#define SOFT_DEVICE_H

#include <stddef.h>
#include <stdint.h>

#include "kmod/pm_device.h"

/* Load the module, unless it is loaded. */
void soft_device_load(void);

/* Which devices are there, as a mask; what is not is unplugged. */
void soft_device_set_present(unsigned int mask);

/* Open a file that stands for a device, for at most one buffer. */
int soft_device_open(const char *name);

/* Attach and map a buffer for PM_DEVICE_READS, PM_DEVICE_WRITES or both. */
struct pm_device_attach soft_device_attach(int device, int buffer,
					   uint32_t direction);

/* Both at once. */
int soft_device_open_with(const char *name, int buffer, uint32_t direction);

/* What the device reads and writes at an offset in its buffer. */
void soft_device_read(int device, uint64_t offset, void *data, size_t size);
void soft_device_write(int device, uint64_t offset, const void *data,
		       size_t size);

/* The same at a DMA address. */
void soft_device_read_at(int device, uint64_t address, void *data, size_t size);
void soft_device_write_at(int device, uint64_t address, const void *data,
			  size_t size);

#endif
