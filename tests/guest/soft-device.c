// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "guest.h"
#include "soft-device.h"

void soft_device_load(void)
{
	guest_load_test_module("pm_device");
}

void soft_device_set_present(unsigned int mask)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", mask);
	guest_put(PM_DEVICE_PRESENT, text);
}

int soft_device_open(const char *name)
{
	struct pm_device_select select;
	int device = guest_open("/dev/pm_device");

	snprintf(select.name, sizeof(select.name), "%s", name);
	ck_assert_msg(!ioctl(device, PM_DEVICE_IOC_SELECT, &select), "%s: %s",
		      name, strerror(errno));
	return device;
}

struct pm_device_attach soft_device_attach(int device, int buffer,
					   uint32_t direction)
{
	struct pm_device_attach attach = {.fd = buffer, .direction = direction};

	ck_assert_msg(!ioctl(device, PM_DEVICE_IOC_ATTACH, &attach),
		      "attaching: %s", strerror(errno));
	return attach;
}

int soft_device_open_with(const char *name, int buffer, uint32_t direction)
{
	int device = soft_device_open(name);

	soft_device_attach(device, buffer, direction);
	return device;
}

static void transfer(int device, uint64_t address, uintptr_t data, size_t size,
		     uint32_t flags)
{
	struct pm_device_transfer transfer = {
		.address = address,
		.length = size,
		.data = data,
		.flags = flags,
	};

	ck_assert_msg(!ioctl(device, PM_DEVICE_IOC_TRANSFER, &transfer),
		      "%zu bytes at %#llx: %s", size,
		      (unsigned long long)address, strerror(errno));
}

void soft_device_read(int device, uint64_t offset, void *data, size_t size)
{
	transfer(device, offset, (uintptr_t)data, size, 0);
}

void soft_device_write(int device, uint64_t offset, const void *data,
		       size_t size)
{
	transfer(device, offset, (uintptr_t)data, size, PM_DEVICE_WRITES);
}

void soft_device_read_at(int device, uint64_t address, void *data, size_t size)
{
	transfer(device, address, (uintptr_t)data, size, PM_DEVICE_RAW);
}

void soft_device_write_at(int device, uint64_t address, const void *data,
			  size_t size)
{
	transfer(device, address, (uintptr_t)data, size,
		 PM_DEVICE_RAW | PM_DEVICE_WRITES);
}
