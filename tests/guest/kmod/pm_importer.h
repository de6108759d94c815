/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef PM_IMPORTER_H
#define PM_IMPORTER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* What the importer makes of the area before it forwards its mmap. */
#define PM_IMPORTER_PFNMAP 1
#define PM_IMPORTER_MIXEDMAP 2
#define PM_IMPORTER_IO 4
#define PM_IMPORTER_UNCACHED 8

/*
 * Import a buffer: this file's mmap is forwarded to it from now on.
 * @fd: a dma-buf
 * @flags: PM_IMPORTER_*
 */
struct pm_importer {
	__s32 fd;
	__u32 flags;
};

/*
 * Map the imported buffer for a device, from the first call until the file is
 * closed, and tell one entry of the scatterlist.
 * @index: in: which entry
 * @count: out: how many there are
 * @address: out: where the device sees it
 * @length: out: bytes
 */
struct pm_importer_entry {
	__u32 index;
	__u32 count;
	__u64 address;
	__u64 length;
};

/*
 * Replace a word of the imported buffer through a mapping of the kernel's.
 * @offset: of the word in the buffer, in bytes
 * @value: in: the new word; out: the old one
 */
struct pm_importer_word {
	__u64 offset;
	__u64 value;
};

/* Where pm_importer_die.where can be. */
#define PM_IMPORTER_ATTACHED 1 /* attached, not yet mapped */
#define PM_IMPORTER_MAPPED 2 /* mapped, with the reservation lock held */

/*
 * Write to nowhere while importing, and die, as a driver does that has a fault. It gives
 * nothing back: neither the buffer nor what it holds of it.
 * @where: PM_IMPORTER_ATTACHED or PM_IMPORTER_MAPPED
 */
struct pm_importer_die {
	__u32 where;
};

#define PM_IMPORTER_DIE_IOC _IOW('p', 0x54, struct pm_importer_die)

/*
 * PM_IMPORTER_VMAP_IOC maps the imported buffer for the kernel and unmaps it, by the
 * exporter's own operations: the core warns of each that fails.
 */

#define PM_IMPORTER_IOC _IOW('p', 0x51, struct pm_importer)
#define PM_IMPORTER_ENTRY_IOC _IOWR('p', 0x52, struct pm_importer_entry)
#define PM_IMPORTER_WORD_IOC _IOWR('p', 0x53, struct pm_importer_word)
#define PM_IMPORTER_VMAP_IOC _IO('p', 0x55)

#endif
