// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test module: reads the memory type of a page from the page tables, which no
 * file of the kernel tells for RAM. It takes addresses from root and answers
 * with page frame numbers: never load it outside of a test guest.
 */
#include <asm/msr.h>
#include <asm/pgtable.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include "pm_memtype.h"

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

static int walk_kernel(struct pm_memtype *query)
{
	unsigned int level;
	struct page *page;
	pte_t *pte;

	page = pfn_to_online_page(query->pfn);
	if (!page)
		return -ENXIO;
	query->refcount = page_count(page);
	pte = lookup_address((unsigned long)page_address(page), &level);
	if (!pte || pte_none(*pte))
		return -EFAULT;
	query->kernel_type =
		memtype(pte_flags(*pte),
			level == PG_LEVEL_4K ? _PAGE_PAT : _PAGE_PAT_LARGE);
	return 0;
}

static long pm_memtype_ioctl(struct file *file, unsigned int cmd,
			     unsigned long arg)
{
	struct pm_memtype query;
	int ret = 0;

	if (cmd != PM_MEMTYPE_IOC)
		return -ENOTTY;
	if (copy_from_user(&query, (void __user *)arg, sizeof(query)))
		return -EFAULT;

	if (query.address) {
		mmap_read_lock(current->mm);
		ret = walk_user(current->mm, &query);
		mmap_read_unlock(current->mm);
	}
	if (!ret)
		ret = walk_kernel(&query);
	if (!ret && copy_to_user((void __user *)arg, &query, sizeof(query)))
		ret = -EFAULT;
	return ret;
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

module_misc_device(pm_memtype_misc);

MODULE_DESCRIPTION("portalmem test: memory types from the page tables");
MODULE_LICENSE("GPL");
