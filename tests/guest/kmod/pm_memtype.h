/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef PM_MEMTYPE_H
#define PM_MEMTYPE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Memory types as x86 numbers them. */
#define PM_MEMTYPE_UC 0
#define PM_MEMTYPE_WC 1
#define PM_MEMTYPE_WB 6
#define PM_MEMTYPE_UC_MINUS 7

/*
 * What the page tables say of a page.
 * @address: in: user address of a mapped page, or 0 to ask for @pfn alone
 * @pfn: in or out: the page frame
 * @user_type: out: memory type of the user mapping
 * @user_size: out: bytes that the user's page table entry maps
 * @kernel_type: out: memory type of the kernel's own mapping
 * @refcount: out: references to the page (its head page when compound)
 */
struct pm_memtype {
	__u64 address;
	__u64 pfn;
	__u32 user_type;
	__u32 user_size;
	__u32 kernel_type;
	__u32 refcount;
};

#define PM_MEMTYPE_IOC _IOWR('p', 0x50, struct pm_memtype)

#endif
