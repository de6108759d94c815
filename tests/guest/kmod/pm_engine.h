/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef PM_ENGINE_H
#define PM_ENGINE_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define PM_ENGINE_NAME_LEN 56

/*
 * Take a channel of a DMA engine that can copy memory, and map two buffers for
 * it, until the file is closed.
 * @source: a dma-buf that the engine reads
 * @target: a dma-buf that the engine writes
 * @device: the engine's name, NUL-terminated, as in /sys/class/dma/.../device
 */
struct pm_engine_setup {
	__s32 source;
	__s32 target;
	char device[PM_ENGINE_NAME_LEN];
};

/*
 * Let the engine copy, and wait for it.
 * @from: where to read in the source, in bytes
 * @to: where to write in the target, in bytes
 * @length: bytes
 * @transfers: out: how many the engine was given, none across the end of a DMA
 *	segment of either buffer
 * @pad: zero
 */
struct pm_engine_copy {
	__u64 from;
	__u64 to;
	__u64 length;
	__u32 transfers;
	__u32 pad;
};

#define PM_ENGINE_IOC_SETUP _IOW('p', 0x70, struct pm_engine_setup)
#define PM_ENGINE_IOC_COPY _IOWR('p', 0x71, struct pm_engine_copy)

#endif
