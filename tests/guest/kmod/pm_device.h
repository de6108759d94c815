/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef PM_DEVICE_H
#define PM_DEVICE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/*
 * The module's devices are the platform devices pm_device.0 and pm_device.1,
 * of the platform driver pm_device: 64 bits, segments of any length. Which of
 * them are there is the mask in its parameter "present": what is not is
 * removed, as if it were unplugged. A device-tree node that is compatible with
 * "portalmem-test,device" is one more, named as the tree has it.
 */
#define PM_DEVICE_PRESENT "/sys/module/pm_device/parameters/present"
#define PM_DEVICE_DRIVER "/sys/bus/platform/drivers/pm_device"

#define PM_DEVICE_NAME_LEN 64

/*
 * Choose the device that the open file stands for, before anything else.
 * @name: of a platform or a PCI device, whoever drives it
 */
struct pm_device_select {
	char name[PM_DEVICE_NAME_LEN];
};

/* Bits of pm_device_attach.direction; the second is a pm_device_transfer flag. */
#define PM_DEVICE_READS 1 /* the device reads memory */
#define PM_DEVICE_WRITES 2 /* the device writes memory */

/*
 * Attach and map a buffer, until the file is closed or PM_DEVICE_IOC_DETACH.
 * Unlike what the module under test does for user space, nothing ends this
 * when the device goes: that is for the caller to see to.
 * @fd: in: the dma-buf
 * @direction: in: PM_DEVICE_*
 * @entries: out: entries of the scatterlist, before any IOMMU merges them
 * @runs: out: the same with physical neighbours counted as one
 * @segments: out: what the device sees of them
 * @pad: zero
 */
struct pm_device_attach {
	__s32 fd;
	__u32 direction;
	__u32 entries;
	__u32 runs;
	__u32 segments;
	__u32 pad;
};

/* Of pm_device_transfer.flags: the address is a DMA address. */
#define PM_DEVICE_RAW 4

/*
 * Read or write memory as the device does: where DMA addresses lead, which may
 * be another place than where the buffer is.
 * @address: offset in the attached buffer, or a DMA address
 * @length: in bytes
 * @data: user address of what is written, or of where to put what is read
 * @flags: PM_DEVICE_WRITES, PM_DEVICE_RAW
 * @pad: zero
 */
struct pm_device_transfer {
	__u64 address;
	__u64 length;
	__u64 data;
	__u32 flags;
	__u32 pad;
};

#define PM_DEVICE_IOC_SELECT _IOW('p', 0x60, struct pm_device_select)
#define PM_DEVICE_IOC_ATTACH _IOWR('p', 0x61, struct pm_device_attach)
#define PM_DEVICE_IOC_DETACH _IO('p', 0x62)
#define PM_DEVICE_IOC_TRANSFER _IOW('p', 0x63, struct pm_device_transfer)

#endif
