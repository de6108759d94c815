/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's "edu", a PCI device that copies between the machine's memory and its
 * own. Functions fail the running test instead of returning an error.
 */
#ifndef EDU_H
#define EDU_H

#include <stdint.h>

#define EDU_BUS "pci"

/* The most that it copies at a time. */
#define EDU_MOST 2048

struct edu {
	char name[64];
	unsigned char *registers;
	int config;
};

/*
 * Find the device, have a driver bound that leaves it alone where it takes one,
 * map its registers and let it do DMA.
 */
struct edu edu_open(void);
void edu_close(struct edu *edu);

/* Only the name. */
void edu_find(char *name, unsigned int room);

/* Take it from the bus, and have it found again with its driver. */
void edu_remove(const char *name);
void edu_rescan(const char *name);

/* Copy COUNT bytes from memory into the device, or out of it. */
void edu_load(struct edu *edu, uint64_t address, uint64_t count);
void edu_store(struct edu *edu, uint64_t address, uint64_t count);

#endif
