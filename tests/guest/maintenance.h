/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts of the cache maintenance that the kernel does on arm64 for devices
 * that are not coherent; an emulated machine has no caches to look at.
 * Functions fail the running test instead of returning an error.
 */
#ifndef MAINTENANCE_H
#define MAINTENANCE_H

#include <stdint.h>

/* Count from zero. */
void maintenance_start(void);
void maintenance_stop(void);

/* Bytes that this process has had written back before a device's turn. */
uint64_t maintenance_cleaned(void);

/* Bytes that this process has had invalidated before the CPU's turn. */
uint64_t maintenance_invalidated(void);

/* What the DMA API asked for: the kernel's enum dma_data_direction. */
#define MAINTENANCE_BIDIRECTIONAL 0
#define MAINTENANCE_TO_DEVICE 1
#define MAINTENANCE_FROM_DEVICE 2

/*
 * One piece of maintenance.
 * @for_cpu: before the CPU's turn, else before the device's
 * @direction: MAINTENANCE_*
 * @address: physical
 * @bytes: how many
 */
struct maintenance_call {
	int for_cpu;
	uint32_t direction;
	uint64_t address;
	uint64_t bytes;
};

/* Note each call of this process, from here to maintenance_stop(). */
void maintenance_record(void);

/* Forget those up to now. */
void maintenance_forget(void);

/* What was noted, in order; it fails if there are more than MOST. */
unsigned int maintenance_read(struct maintenance_call *calls,
			      unsigned int most);

#endif
