/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef PM_MEMTYPE_H
#define PM_MEMTYPE_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Memory types as x86 numbers them; those of arm64 are told by the same names. */
#define PM_MEMTYPE_UC 0
#define PM_MEMTYPE_WC 1
#define PM_MEMTYPE_WB 6
#define PM_MEMTYPE_UC_MINUS 7

/* There is no mapping. */
#define PM_MEMTYPE_NONE 255

/*
 * What the page tables say of a page.
 * @address: in: user address of a mapped page, or 0 to ask for @pfn alone
 * @pfn: in or out: the page frame
 * @user_type: out: memory type of the user mapping
 * @user_size: out: bytes that the user's page table entry maps; x86 only
 * @kernel_type: out: memory type of the kernel's own mapping
 * @refcount: out: references to the page (its head page when compound), 0 for
 *	memory that the page allocator does not know
 */
struct pm_memtype {
	__u64 address;
	__u64 pfn;
	__u32 user_type;
	__u32 user_size;
	__u32 kernel_type;
	__u32 refcount;
};

/*
 * What an importer's dma_buf_vmap() of a buffer is.
 * @fd: in: the dma-buf
 * @types: out: a bit (1 << type) for each memory type among its pages
 * @writable: out: how many of its pages the kernel can write to
 * @pad: zero
 */
struct pm_memtype_vmap {
	__s32 fd;
	__u32 types;
	__u32 writable;
	__u32 pad;
};

/*
 * The kernel mappings that the calling process has had made and taken away by
 * vunmap() since its last call. The first call begins the watch.
 * @count: out: how many
 * @types: out: a bit (1 << type) for each memory type among their first pages
 */
struct pm_memtype_watch {
	__u32 count;
	__u32 types;
};

#define PM_MEMTYPE_IOC _IOWR('p', 0x50, struct pm_memtype)
#define PM_MEMTYPE_IOC_VMAP _IOWR('p', 0x51, struct pm_memtype_vmap)
#define PM_MEMTYPE_IOC_WATCH _IOR('p', 0x52, struct pm_memtype_watch)

#endif
