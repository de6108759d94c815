// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits of our own, for memory that no cgroup is charged for and for systems
 * that do without cgroups: how much one user may hold, and all of them.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>

#include "portalmem.h"

#define MIB_PAGES (SZ_1M >> PAGE_SHIFT)

/* What a limit is until portalmem_limit_init() has seen how much memory is. */
#define SHARE_OF_MEMORY ULONG_MAX

/* In MiB, 0 for none, changeable at run time. */
static unsigned long limit_mb;
module_param(limit_mb, ulong, 0644);
MODULE_PARM_DESC(limit_mb,
		 "Most MiB that all users together hold of the system heap (default: 0, no limit but memory cgroups)");

static unsigned long user_limit_mb;
module_param(user_limit_mb, ulong, 0644);
MODULE_PARM_DESC(user_limit_mb,
		 "Most MiB that one user without CAP_SYS_RESOURCE holds of the system heap (default: 0, no limit but memory cgroups)");

static unsigned long contiguous_limit_mb = SHARE_OF_MEMORY;
module_param(contiguous_limit_mb, ulong, 0644);
MODULE_PARM_DESC(contiguous_limit_mb,
		 "Most MiB that all users together hold of the contiguous heap (default: half of memory; 0: no limit)");

static unsigned long contiguous_user_limit_mb = SHARE_OF_MEMORY;
module_param(contiguous_user_limit_mb, ulong, 0644);
MODULE_PARM_DESC(contiguous_user_limit_mb,
		 "Most MiB that one user without CAP_SYS_RESOURCE holds of the contiguous heap (default: a quarter of memory; 0: no limit)");

/**
 * struct portalmem_limit - what is counted together
 * @mb: most for all users, a module parameter
 * @user_mb: most for each
 * @npages: held now
 * @accounts: struct portalmem_account of those who hold some
 */
struct portalmem_limit {
	const unsigned long *mb;
	const unsigned long *user_mb;
	unsigned long npages;
	struct list_head accounts;
};

/**
 * struct portalmem_account - what one user holds of one limit
 * @node: entry of portalmem_limit.accounts
 * @uid: the user
 * @npages: held now; the account goes when nothing is left
 */
struct portalmem_account {
	struct list_head node;
	kuid_t uid;
	unsigned long npages;
};

struct portalmem_limit portalmem_system_limit = {
	.mb = &limit_mb,
	.user_mb = &user_limit_mb,
	.accounts = LIST_HEAD_INIT(portalmem_system_limit.accounts),
};

struct portalmem_limit portalmem_contiguous_limit = {
	.mb = &contiguous_limit_mb,
	.user_mb = &contiguous_user_limit_mb,
	.accounts = LIST_HEAD_INIT(portalmem_contiguous_limit.accounts),
};

/* Protects the counters and lists of all limits. */
static DEFINE_SPINLOCK(limit_lock);

/* What the administrator did not set is a share of memory. */
void portalmem_limit_init(void)
{
	unsigned long total_mb = totalram_pages() / MIB_PAGES;

	if (contiguous_limit_mb == SHARE_OF_MEMORY)
		contiguous_limit_mb = total_mb / 2;
	if (contiguous_user_limit_mb == SHARE_OF_MEMORY)
		contiguous_user_limit_mb = total_mb / 4;
}

static bool is_within(unsigned long held, unsigned long npages,
		      const unsigned long *mb)
{
	unsigned long most = READ_ONCE(*mb);

	/* In MiB, so that no product overflows. */
	return !most || DIV_ROUND_UP(held + npages, MIB_PAGES) <= most;
}

static struct portalmem_account *find_account(struct portalmem_limit *limit,
					      kuid_t uid)
{
	struct portalmem_account *account;

	list_for_each_entry(account, &limit->accounts, node)
		if (uid_eq(account->uid, uid))
			return account;
	return NULL;
}

/**
 * portalmem_limit_charge - count pages against a limit
 * @limit: the limit, NULL for none
 * @npages: how many are wanted
 *
 * The user is who calls, and stays it when the buffer goes to others. The
 * privileged are held to the common limit only, and so are kernel threads, which
 * are root.
 *
 * Return: what to give to portalmem_limit_uncharge(), NULL when there is no
 * limit, or an ERR_PTR(): -EDQUOT when the limit is reached, -ENOMEM.
 */
struct portalmem_account *
portalmem_limit_charge(struct portalmem_limit *limit, unsigned long npages)
{
	struct portalmem_account *account, *fresh = NULL;
	kuid_t uid = current_uid();
	bool privileged, is_full;

	if (!limit)
		return NULL;
	/* To ask costs more than all the rest, and mostly nobody needs it. */
	privileged = READ_ONCE(*limit->user_mb) && capable(CAP_SYS_RESOURCE);
	spin_lock(&limit_lock);
	account = find_account(limit, uid);
	if (!account) {
		spin_unlock(&limit_lock);
		fresh = kzalloc(sizeof(*fresh),
				GFP_KERNEL | __GFP_RETRY_MAYFAIL);
		if (!fresh)
			return ERR_PTR(-ENOMEM);
		fresh->uid = uid;
		spin_lock(&limit_lock);
		account = find_account(limit, uid);
	}
	is_full = !is_within(limit->npages, npages, limit->mb) ||
		  (!privileged && !is_within(account ? account->npages : 0,
					     npages, limit->user_mb));
	if (!is_full) {
		if (!account) {
			account = fresh;
			fresh = NULL;
			list_add(&account->node, &limit->accounts);
		}
		account->npages += npages;
		limit->npages += npages;
	}
	spin_unlock(&limit_lock);
	kfree(fresh);
	return is_full ? ERR_PTR(-EDQUOT) : account;
}

/**
 * portalmem_limit_uncharge - undo portalmem_limit_charge()
 * @limit: the limit
 * @account: what it gave
 * @npages: as given to it
 */
void portalmem_limit_uncharge(struct portalmem_limit *limit,
			      struct portalmem_account *account,
			      unsigned long npages)
{
	if (!limit)
		return;
	spin_lock(&limit_lock);
	limit->npages -= npages;
	account->npages -= npages;
	if (!account->npages)
		list_del(&account->node);
	else
		account = NULL;
	spin_unlock(&limit_lock);
	kfree(account);
}

/**
 * portalmem_limit_describe - fill in the limits of PORTALMEM_IOC_HEAP
 * @limit: the limit, NULL for none
 * @info: where to
 */
void portalmem_limit_describe(struct portalmem_limit *limit,
			      struct portalmem_ioc_heap *info)
{
	struct portalmem_account *account;

	if (!limit)
		return;
	info->limit = (u64)READ_ONCE(*limit->mb) << 20;
	info->user_limit = (u64)READ_ONCE(*limit->user_mb) << 20;
	spin_lock(&limit_lock);
	account = find_account(limit, current_uid());
	if (account)
		info->user_used = (u64)account->npages << PAGE_SHIFT;
	spin_unlock(&limit_lock);
}
