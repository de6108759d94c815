// SPDX-License-Identifier: GPL-2.0-only
/*
 * The heap of user memory: pages that a process has already, pinned where they
 * are for as long as a buffer of them lives.
 *
 * Pins are long-term ones: before the kernel gives one it moves the page out of
 * memory that must stay movable, and a page that is shared copy-on-write
 * becomes the caller's own. After that the page is neither moved, swapped nor
 * merged, a child that the caller forks gets a copy, and the page stays what it
 * is when the caller unmaps it or exits.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/page-flags.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "portalmem.h"

/* Pages that are pinned at once: as many pointers as a page holds. */
#define BATCH (PAGE_SIZE / sizeof(struct page *))

/**
 * struct user_charge - whose pages they are, portalmem_table.origin
 * @mm: the address space that was charged; it may be empty by now
 * @cred: of the caller, whose user was charged
 * @is_written: others than its owner may have written to the pages
 */
struct user_charge {
	struct mm_struct *mm;
	const struct cred *cred;
	bool is_written;
};

/*
 * The limit of an address space ends with it, and the pins go on: whoever forks
 * could have any number of them. So the user is held to the limit, too, together
 * with what io_uring and others charge to it.
 */
static bool charge_user(const struct cred *cred, unsigned long npages)
{
	unsigned long most = capable(CAP_IPC_LOCK) ?
				     ULONG_MAX :
				     rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	long held = atomic_long_read(&cred->user->locked_vm);

	do {
		if (held + npages > most)
			return false;
	} while (!atomic_long_try_cmpxchg(&cred->user->locked_vm, &held,
					  held + npages));
	return true;
}

static void uncharge_user(const struct cred *cred, unsigned long npages)
{
	atomic_long_sub(npages, &cred->user->locked_vm);
}

/*
 * A page of a file on a disk is none: the file system writes it back without
 * asking who else writes to it. Nor is a page that belongs to a driver, nor the
 * zero page, which is everybody's. Later kernels refuse some of these themselves.
 */
static bool is_users_own(struct page *page)
{
	return PageAnon(page) || folio_test_swapbacked(page_folio(page)) ||
	       PageHuge(page);
}

/* Pin pages from an address on, up to the first that cannot be had. */
static int pin_some(unsigned long address, unsigned int count,
		    unsigned int flags, struct page **pages)
{
	int pinned = pin_user_pages_fast(address, count, flags | FOLL_LONGTERM,
					 pages);
	int good = 0;

	/* Files on DAX, and memory of PCI devices: refused by other names. */
	if (pinned == -EOPNOTSUPP || pinned == -EREMOTEIO)
		return -EFAULT;
	if (pinned < 0)
		return pinned;
	while (good < pinned && is_users_own(pages[good]))
		good++;
	unpin_user_pages(pages + good, pinned - good);
	return good ?: -EFAULT;
}

/* GUP has one error for all that is wrong with memory. */
static int refine_fault(unsigned long address)
{
	const vm_flags_t mask = VM_READ | VM_WRITE | VM_IO | VM_PFNMAP;
	struct mm_struct *mm = current->mm;
	struct vm_area_struct *vma;
	bool is_read_only;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, untagged_addr(address));
	is_read_only = vma && (vma->vm_flags & mask) == VM_READ;
	mmap_read_unlock(mm);
	return is_read_only ? -EACCES : -EFAULT;
}

static int pin_batch(unsigned long address, unsigned int count, bool read_only,
		     struct page **pages)
{
	int ret;

	if (!read_only) {
		ret = pin_some(address, count, FOLL_WRITE, pages);
		return ret == -EFAULT ? refine_fault(address) : ret;
	}
	/*
	 * What private memory shows that was never written to, the zero page
	 * or a page of a file, is replaced by the first write. Before 6.2, a
	 * pin for reading does not bring that about, and one for writing does.
	 */
	ret = pin_some(address, count, 0, pages);
	if (ret == -EFAULT)
		ret = pin_some(address, count, FOLL_WRITE, pages);
	return ret;
}

static int append_pages(struct portalmem_table *table, struct page **pages,
			unsigned int count)
{
	unsigned int i;
	int ret;

	for (i = 0; i < count; i++) {
		ret = portalmem_table_append(table, page_to_pfn(pages[i]));
		if (ret) {
			unpin_user_pages(pages + i, count - i);
			return ret;
		}
	}
	return 0;
}

static void unpin_table(struct portalmem_table *table, bool is_written)
{
	unsigned int i;

	for (i = 0; i < table->count; i++) {
		const struct portalmem_segment *segment = &table->segments[i];

		unpin_user_page_range_dirty_lock(pfn_to_page(segment->pfn),
						 portalmem_segment_npages(segment),
						 is_written);
		cond_resched();
	}
	portalmem_table_fini(table);
}

/* Pin what was asked for, and put it into the empty table. */
static int pin_table(struct portalmem_table *table,
		     const struct portalmem_request *request)
{
	struct page **pages;
	int ret = 0;

	pages = kmalloc_array(BATCH, sizeof(*pages),
			      GFP_KERNEL | __GFP_RETRY_MAYFAIL);
	if (!pages)
		return -ENOMEM;

	while (!ret && table->npages < request->npages) {
		unsigned int count = min_t(unsigned long, BATCH,
					   request->npages - table->npages);

		if (fatal_signal_pending(current)) {
			ret = -EINTR;
			break;
		}
		ret = pin_batch(request->address +
					(table->npages << PAGE_SHIFT),
				count, request->read_only, pages);
		if (ret > 0)
			ret = append_pages(table, pages, ret);
		cond_resched();
	}
	kfree(pages);
	if (ret)
		unpin_table(table, false);
	return ret;
}

static int user_alloc(struct portalmem_heap *heap,
		      const struct portalmem_request *request,
		      struct portalmem_table *table)
{
	struct mm_struct *mm = current->mm;
	struct user_charge *charge;
	int ret;

	charge = kmalloc(sizeof(*charge),
			 GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL);
	if (!charge)
		return -ENOMEM;
	charge->mm = mm;
	charge->cred = get_current_cred();
	charge->is_written = !request->read_only;

	ret = -EDQUOT;
	if (!charge_user(charge->cred, request->npages))
		goto free_charge;
	if (account_locked_vm(mm, request->npages, true))
		goto uncharge_user;
	ret = pin_table(table, request);
	if (ret)
		goto uncharge;

	portalmem_table_trim(table);
	/* Its page tables must not count references to another's pages. */
	table->backing = PORTALMEM_PFNS;
	table->origin = (uintptr_t)charge;
	mmgrab(mm);
	return 0;

uncharge:
	account_locked_vm(mm, request->npages, false);
uncharge_user:
	uncharge_user(charge->cred, request->npages);
free_charge:
	put_cred(charge->cred);
	kfree(charge);
	return ret;
}

/*
 * Uncharging takes the mmap lock of the process that imported the memory. That
 * cannot be held here by whoever lets go of the buffer: munmap() and exit() with
 * the lock held, like dma_buf_put() anywhere, only drop a reference to the
 * file, and the kernel puts off what the last one does to the caller's return
 * to user space or to a worker, which hold no locks.
 */
static void user_free(struct portalmem_heap *heap,
		      struct portalmem_table *table, u32 caching)
{
	struct user_charge *charge = (void *)(uintptr_t)table->origin;

	unpin_table(table, charge->is_written);
	account_locked_vm(charge->mm, table->npages, false);
	mmdrop(charge->mm);
	uncharge_user(charge->cred, table->npages);
	put_cred(charge->cred);
	kfree(charge);
}

static const struct portalmem_heap_ops user_ops = {
	.alloc = user_alloc,
	.free = user_free,
};

/* No node stands for it, and RLIMIT_MEMLOCK is its limit. */
struct portalmem_heap portalmem_user_heap = {
	.name = "user",
	.ops = &user_ops,
	.cachings = PORTALMEM_CACHING_BIT(PORTALMEM_CACHED),
	.caching = PORTALMEM_CACHED,
};
