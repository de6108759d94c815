// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test module: reads the memory type of a page from the page tables, which no
 * file of the kernel tells for RAM. It takes addresses from root and answers
 * with page frame numbers: never load it outside of a test guest.
 */
#include <asm/pgtable.h>
#include <linux/dma-buf.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/iosys-map.h>
#include <linux/kprobes.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "pm_memtype.h"

#ifdef CONFIG_X86

#include <asm/msr.h>

static u32 memtype(unsigned long flags, unsigned long pat_bit)
{
	unsigned int index = 0;
	u32 low, high;

	rdmsr(MSR_IA32_CR_PAT, low, high);
	if (flags & _PAGE_PWT)
		index |= 1;
	if (flags & _PAGE_PCD)
		index |= 2;
	if (flags & pat_bit)
		index |= 4;
	return (((u64)high << 32 | low) >> (index * 8)) & 7;
}

/* Called with the mmap lock held and only for pages that stay mapped. */
static int walk_user(struct mm_struct *mm, struct pm_memtype *query)
{
	unsigned long address = query->address;
	pgd_t *pgd = pgd_offset(mm, address);
	p4d_t *p4d;
	pud_t *pud;
	pmd_t *pmd;
	pte_t *pte;

	if (pgd_none(*pgd))
		return -EFAULT;
	p4d = p4d_offset(pgd, address);
	if (p4d_none(*p4d))
		return -EFAULT;
	pud = pud_offset(p4d, address);
	if (pud_none(*pud))
		return -EFAULT;
	pmd = pmd_offset(pud, address);
	if (pmd_none(*pmd) || !pmd_present(*pmd))
		return -EFAULT;
	if (pmd_leaf(*pmd)) {
		query->pfn =
			pmd_pfn(*pmd) + ((address & ~PMD_MASK) >> PAGE_SHIFT);
		query->user_type = memtype(pmd_flags(*pmd), _PAGE_PAT_LARGE);
		query->user_size = PMD_SIZE;
		return 0;
	}
	pte = pte_offset_kernel(pmd, address);
	if (!pte_present(*pte))
		return -EFAULT;
	query->pfn = pte_pfn(*pte);
	query->user_type = memtype(pte_flags(*pte), _PAGE_PAT);
	query->user_size = PAGE_SIZE;
	return 0;
}

/* Memory type of a kernel address, or a negative errno. */
static int kernel_memtype(unsigned long address)
{
	unsigned int level;
	pte_t *pte = lookup_address(address, &level);

	if (!pte || pte_none(*pte) || !pte_present(*pte))
		return -EFAULT;
	return memtype(pte_flags(*pte),
		       level == PG_LEVEL_4K ? _PAGE_PAT : _PAGE_PAT_LARGE);
}

static bool is_kernel_writable(unsigned long address)
{
	unsigned int level;
	pte_t *pte = lookup_address(address, &level);

	return pte && pte_present(*pte) && pte_write(*pte);
}

#else /* CONFIG_ARM64 */

#include <asm/barrier.h>
#include <asm/sysreg.h>
#include <linux/bits.h>
#include <linux/irqflags.h>

/* The processor translates an address as if it used it, and tells what it found. */
#define TRANSLATE(stage, address)					\
	({								\
		unsigned long flags;					\
		u64 par;						\
									\
		local_irq_save(flags);					\
		asm volatile("at " stage ", %0" ::"r"(address));	\
		isb();							\
		par = read_sysreg_par();				\
		local_irq_restore(flags);				\
		par;							\
	})

/* Memory type in such an answer, or a negative errno. */
static int memtype(u64 par)
{
	if (par & BIT(0))
		return -EFAULT;
	switch (par >> 56) {
	case 0xff:
		return PM_MEMTYPE_WB;
	case 0x44:
		return PM_MEMTYPE_WC;
	default:
		return PM_MEMTYPE_UC;
	}
}

static int walk_user(struct mm_struct *mm, struct pm_memtype *query)
{
	u64 par = TRANSLATE("s1e0r", query->address);
	int type = memtype(par);

	if (type < 0)
		return type;
	query->user_type = type;
	query->pfn = PHYS_PFN(par & GENMASK_ULL(47, PAGE_SHIFT));
	return 0;
}

static int kernel_memtype(unsigned long address)
{
	return memtype(TRANSLATE("s1e1r", address));
}

static bool is_kernel_writable(unsigned long address)
{
	return memtype(TRANSLATE("s1e1w", address)) >= 0;
}

#endif

/* The kernel's linear mapping may have a hole there. */
static void walk_kernel(struct pm_memtype *query)
{
	struct page *page = pfn_to_online_page(query->pfn);
	int type = kernel_memtype((unsigned long)__va(PFN_PHYS(query->pfn)));

	query->refcount = page ? page_count(page) : 0;
	query->kernel_type = type < 0 ? PM_MEMTYPE_NONE : type;
}

static long ioc_page(struct pm_memtype __user *arg)
{
	struct pm_memtype query;
	int ret = 0;

	if (copy_from_user(&query, arg, sizeof(query)))
		return -EFAULT;
	if (query.address) {
		mmap_read_lock(current->mm);
		ret = walk_user(current->mm, &query);
		mmap_read_unlock(current->mm);
	}
	if (!ret)
		walk_kernel(&query);
	if (!ret && copy_to_user(arg, &query, sizeof(query)))
		ret = -EFAULT;
	return ret;
}

static int look_at_vmap(struct dma_buf *dmabuf, struct pm_memtype_vmap *query)
{
	unsigned long address, end;
	struct iosys_map map;
	int ret;

	ret = dma_buf_vmap(dmabuf, &map);
	if (ret)
		return ret;
	address = (unsigned long)map.vaddr;
	end = address + dmabuf->size;
	for (; address < end; address += PAGE_SIZE) {
		ret = kernel_memtype(address);
		if (ret < 0)
			break;
		query->types |= 1U << ret;
		query->writable += is_kernel_writable(address);
	}
	dma_buf_vunmap(dmabuf, &map);
	return min(ret, 0);
}

static long ioc_vmap(struct pm_memtype_vmap __user *arg)
{
	struct pm_memtype_vmap query;
	struct dma_buf *dmabuf;
	int ret;

	if (copy_from_user(&query, arg, sizeof(query)))
		return -EFAULT;
	query.types = 0;
	query.writable = 0;
	dmabuf = dma_buf_get(query.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	/* An importer's duty on newer kernels, and allowed on older ones. */
	ret = dma_resv_lock(dmabuf->resv, NULL);
	if (!ret) {
		ret = look_at_vmap(dmabuf, &query);
		dma_resv_unlock(dmabuf->resv);
	}
	dma_buf_put(dmabuf);
	if (!ret && copy_to_user(arg, &query, sizeof(query)))
		ret = -EFAULT;
	return ret;
}

/* Protects the watch below, which is written in the probe. */
static DEFINE_SPINLOCK(watch_lock);
static pid_t watched;
static struct pm_memtype_watch watch;

static int before_vunmap(struct kprobe *probe, struct pt_regs *regs)
{
	unsigned long flags;
	int type;

	if (current->tgid != READ_ONCE(watched))
		return 0;
	type = kernel_memtype(regs_get_kernel_argument(regs, 0));
	spin_lock_irqsave(&watch_lock, flags);
	watch.count++;
	if (type >= 0)
		watch.types |= 1U << type;
	spin_unlock_irqrestore(&watch_lock, flags);
	return 0;
}

static struct kprobe vunmap_probe = {
	.symbol_name = "vunmap",
	.pre_handler = before_vunmap,
};

static long ioc_watch(struct pm_memtype_watch __user *arg)
{
	struct pm_memtype_watch seen;

	spin_lock_irq(&watch_lock);
	seen = watch;
	watch = (struct pm_memtype_watch){};
	watched = current->tgid;
	spin_unlock_irq(&watch_lock);
	return copy_to_user(arg, &seen, sizeof(seen)) ? -EFAULT : 0;
}

static long pm_memtype_ioctl(struct file *file, unsigned int cmd,
			     unsigned long arg)
{
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case PM_MEMTYPE_IOC:
		return ioc_page(user);
	case PM_MEMTYPE_IOC_VMAP:
		return ioc_vmap(user);
	case PM_MEMTYPE_IOC_WATCH:
		return ioc_watch(user);
	default:
		return -ENOTTY;
	}
}

static const struct file_operations pm_memtype_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = pm_memtype_ioctl,
};

static struct miscdevice pm_memtype_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "pm_memtype",
	.mode = 0600,
	.fops = &pm_memtype_fops,
};

static int __init pm_memtype_init(void)
{
	int ret;

	ret = register_kprobe(&vunmap_probe);
	if (ret)
		return ret;
	ret = misc_register(&pm_memtype_misc);
	if (ret)
		unregister_kprobe(&vunmap_probe);
	return ret;
}

static void __exit pm_memtype_exit(void)
{
	misc_deregister(&pm_memtype_misc);
	unregister_kprobe(&vunmap_probe);
}

module_init(pm_memtype_init);
module_exit(pm_memtype_exit);

MODULE_DESCRIPTION("portalmem test: memory types from the page tables");
MODULE_LICENSE("GPL");
/* MODULE_IMPORT_NS() takes a string on some kernels and a bare word on others. */
MODULE_INFO(import_ns, "DMA_BUF");
