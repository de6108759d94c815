// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "edu.h"
#include "guest.h"

#define DEVICES "/sys/bus/pci/devices"
#define DRIVER "/sys/bus/pci/drivers/uio_pci_generic"
#define VENDOR_DEVICE "0x1234 0x11e8"

#define REGISTERS_SIZE MIB(1)
#define DMA_FROM 0x80
#define DMA_TO 0x88
#define DMA_COUNT 0x90
#define DMA_COMMAND 0x98
#define COMMAND_START 1
#define COMMAND_STORE 2
#define OWN_MEMORY 0x40000

#define PCI_COMMAND 4
#define PCI_COMMAND_MEMORY_AND_MASTER 6

static int open_file(const char *name, const char *file, int flags)
{
	char path[512];
	int fd;

	snprintf(path, sizeof(path), DEVICES "/%s/%s", name, file);
	fd = open(path, flags | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
	return fd;
}

/* "VENDOR DEVICE", as sysfs has them. */
static void read_ids(const char *name, char *ids)
{
	int vendor = open_file(name, "vendor", O_RDONLY);
	int device = open_file(name, "device", O_RDONLY);

	/* Six characters and the end of the line each. */
	memset(ids, 0, 14);
	ck_assert_int_eq(read(vendor, ids, 7), 7);
	ck_assert_int_eq(read(device, ids + 7, 6), 6);
	ids[6] = ' ';
	close(vendor);
	close(device);
}

void edu_find(char *name, unsigned int room)
{
	DIR *dir = opendir(DEVICES);
	struct dirent *entry;
	char ids[14];

	ck_assert_ptr_nonnull(dir);
	name[0] = '\0';
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		read_ids(entry->d_name, ids);
		if (!strcmp(ids, VENDOR_DEVICE))
			snprintf(name, room, "%s", entry->d_name);
	}
	closedir(dir);
	ck_assert_msg(name[0], "there is no edu device");
}

static void put_file(const char *name, const char *file, const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), DEVICES "/%s/%s", name, file);
	guest_put(path, text);
}

/* Elsewhere the kernel learns how a device does DMA when a driver is bound. */
static bool needs_driver(void)
{
#if defined(__x86_64__)
	return false;
#else
	return true;
#endif
}

/* One that leaves the device alone, unless it is there. */
static void bind_driver(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), DEVICES "/%s/driver", name);
	if (!needs_driver() || !access(path, F_OK))
		return;
	if (access(DRIVER, F_OK))
		guest_modprobe("uio_pci_generic");
	put_file(name, "driver_override", "uio_pci_generic");
	guest_put(DRIVER "/bind", name);
}

void edu_remove(const char *name)
{
	put_file(name, "remove", "1");
}

void edu_rescan(const char *name)
{
	guest_put("/sys/bus/pci/rescan", "1");
	bind_driver(name);
}

struct edu edu_open(void)
{
	struct edu edu;
	uint16_t command;
	int fd;

	edu_find(edu.name, sizeof(edu.name));
	bind_driver(edu.name);
	edu.config = open_file(edu.name, "config", O_RDWR);
	ck_assert_int_eq(pread(edu.config, &command, 2, PCI_COMMAND), 2);
	command |= PCI_COMMAND_MEMORY_AND_MASTER;
	ck_assert_int_eq(pwrite(edu.config, &command, 2, PCI_COMMAND), 2);
	fd = open_file(edu.name, "resource0", O_RDWR | O_SYNC);
	edu.registers = mmap(NULL, REGISTERS_SIZE, PROT_READ | PROT_WRITE,
			     MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(edu.registers, MAP_FAILED);
	close(fd);
	ck_assert_uint_eq(*(volatile uint32_t *)edu.registers & 0xffff, 0xed);
	return edu;
}

void edu_close(struct edu *edu)
{
	munmap(edu->registers, REGISTERS_SIZE);
	close(edu->config);
}

static void put(struct edu *edu, size_t offset, uint64_t value)
{
	*(volatile uint64_t *)(edu->registers + offset) = value;
}

static void transfer(struct edu *edu, uint64_t from, uint64_t to,
		     uint64_t count, uint64_t command)
{
	const volatile uint32_t *state =
		(const volatile uint32_t *)(edu->registers + DMA_COMMAND);
	double end = guest_now() + 20;

	ck_assert_uint_le(count, EDU_MOST);
	__sync_synchronize();
	put(edu, DMA_FROM, from);
	put(edu, DMA_TO, to);
	put(edu, DMA_COUNT, count);
	put(edu, DMA_COMMAND, COMMAND_START | command);
	while (*state & COMMAND_START) {
		ck_assert_msg(guest_now() < end, "edu does not end");
		usleep(1000);
	}
}

void edu_load(struct edu *edu, uint64_t address, uint64_t count)
{
	transfer(edu, address, OWN_MEMORY, count, 0);
}

void edu_store(struct edu *edu, uint64_t address, uint64_t count)
{
	transfer(edu, OWN_MEMORY, address, count, COMMAND_STORE);
}
