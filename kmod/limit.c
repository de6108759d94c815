// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits of our own, for memory that no cgroup is charged for and for systems
 * that do without cgroups: how much one user may hold, and all of them.
 *
 * A CPU has some pages charged in advance to the user that it served last, so that
 * small buffers come and go without a look at what all CPUs share. Before anybody
 * is refused, all of that is given back.
 */
#include <linux/capability.h>
#include <linux/cpumask.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/rbtree.h>
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
 * @accounts: struct portalmem_account of those who hold some, by user. There can be
 *	many: who has a user namespace has users of its own
 */
struct portalmem_limit {
	const unsigned long *mb;
	const unsigned long *user_mb;
	unsigned long npages;
	struct rb_root accounts;
};

/**
 * struct portalmem_account - what one user holds of one limit
 * @node: in portalmem_limit.accounts
 * @uid: the user
 * @npages: held now; the account goes when nothing is left
 */
struct portalmem_account {
	struct rb_node node;
	kuid_t uid;
	unsigned long npages;
};

struct portalmem_limit portalmem_system_limit = {
	.mb = &limit_mb,
	.user_mb = &user_limit_mb,
	.accounts = RB_ROOT,
};

struct portalmem_limit portalmem_contiguous_limit = {
	.mb = &contiguous_limit_mb,
	.user_mb = &contiguous_user_limit_mb,
	.accounts = RB_ROOT,
};

/* Protects the counters and lists of all limits; nests inside a stock's lock. */
static DEFINE_SPINLOCK(limit_lock);

/* How much is charged in advance at a time, and at most. */
#define STOCK_PAGES (SZ_256K >> PAGE_SHIFT)
#define STOCK_PAGES_MAX (SZ_1M >> PAGE_SHIFT)

/**
 * struct stock - what a CPU has charged in advance
 * @lock: protects all below; others than the CPU itself rarely take it
 * @account: of the system heap's limit; there while @npages is not 0
 * @npages: part of what the account holds
 */
struct stock {
	spinlock_t lock; /* see above */
	struct portalmem_account *account;
	unsigned long npages;
};

static DEFINE_PER_CPU(struct stock, stocks);

/* What the administrator did not set is a share of memory. */
void portalmem_limit_init(void)
{
	unsigned long total_mb = totalram_pages() / MIB_PAGES;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		spin_lock_init(&per_cpu_ptr(&stocks, cpu)->lock);

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

static int compare_uids(kuid_t uid, kuid_t other)
{
	if (uid_eq(uid, other))
		return 0;
	return uid_lt(uid, other) ? -1 : 1;
}

static struct portalmem_account *account_of(const struct rb_node *node)
{
	return rb_entry(node, struct portalmem_account, node);
}

static int compare_key(const void *uid, const struct rb_node *node)
{
	return compare_uids(*(const kuid_t *)uid, account_of(node)->uid);
}

static int compare_accounts(struct rb_node *node, const struct rb_node *other)
{
	return compare_uids(account_of(node)->uid, account_of(other)->uid);
}

static struct portalmem_account *find_account(struct portalmem_limit *limit,
					      kuid_t uid)
{
	struct rb_node *node = rb_find(&uid, &limit->accounts, compare_key);

	return node ? account_of(node) : NULL;
}

/* With limit_lock: give back NPAGES, and say whether the account is to be freed. */
static bool give_back(struct portalmem_limit *limit,
		      struct portalmem_account *account, unsigned long npages)
{
	limit->npages -= npages;
	account->npages -= npages;
	if (account->npages)
		return false;
	rb_erase(&account->node, &limit->accounts);
	return true;
}

static void give_back_and_free(struct portalmem_limit *limit,
			       struct portalmem_account *account,
			       unsigned long npages)
{
	bool is_empty;

	spin_lock(&limit_lock);
	is_empty = give_back(limit, account, npages);
	spin_unlock(&limit_lock);
	if (is_empty)
		kfree(account);
}

/* With the stock's lock. */
static void empty_stock(struct stock *stock)
{
	if (stock->npages)
		give_back_and_free(&portalmem_system_limit, stock->account,
				   stock->npages);
	stock->account = NULL;
	stock->npages = 0;
}

static void empty_stocks(void)
{
	unsigned int cpu;

	for_each_possible_cpu(cpu) {
		struct stock *stock = per_cpu_ptr(&stocks, cpu);

		spin_lock(&stock->lock);
		empty_stock(stock);
		spin_unlock(&stock->lock);
	}
}

static struct portalmem_account *take_from_stock(kuid_t uid,
						 unsigned long npages)
{
	struct stock *stock = raw_cpu_ptr(&stocks);
	struct portalmem_account *account = NULL;

	spin_lock(&stock->lock);
	if (stock->npages > npages && uid_eq(stock->account->uid, uid)) {
		account = stock->account;
		stock->npages -= npages;
	}
	spin_unlock(&stock->lock);
	return account;
}

static bool put_into_stock(struct portalmem_account *account,
			   unsigned long npages)
{
	struct stock *stock = raw_cpu_ptr(&stocks);
	bool fits;

	spin_lock(&stock->lock);
	fits = stock->npages && stock->account == account &&
	       stock->npages + npages <= STOCK_PAGES_MAX;
	if (fits)
		stock->npages += npages;
	spin_unlock(&stock->lock);
	return fits;
}

static void set_stock(struct portalmem_account *account, unsigned long npages)
{
	struct stock *stock = raw_cpu_ptr(&stocks);

	spin_lock(&stock->lock);
	empty_stock(stock);
	stock->account = account;
	stock->npages = npages;
	spin_unlock(&stock->lock);
}

/* As portalmem_limit_charge(), of what all CPUs share. */
static struct portalmem_account *charge(struct portalmem_limit *limit,
					kuid_t uid, unsigned long npages)
{
	struct portalmem_account *account, *fresh = NULL;
	bool privileged, is_full;

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
			rb_find_add(&account->node, &limit->accounts,
				    compare_accounts);
		}
		account->npages += npages;
		limit->npages += npages;
	}
	spin_unlock(&limit_lock);
	kfree(fresh);
	return is_full ? ERR_PTR(-EDQUOT) : account;
}

static struct portalmem_account *charge_with_stock(kuid_t uid,
						   unsigned long npages)
{
	struct portalmem_limit *limit = &portalmem_system_limit;
	struct portalmem_account *account;

	if (npages <= STOCK_PAGES) {
		account = take_from_stock(uid, npages);
		if (account)
			return account;
		account = charge(limit, uid, npages + STOCK_PAGES);
		if (!IS_ERR(account)) {
			set_stock(account, STOCK_PAGES);
			return account;
		}
	}
	account = charge(limit, uid, npages);
	if (account != ERR_PTR(-EDQUOT))
		return account;
	empty_stocks();
	return charge(limit, uid, npages);
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
	if (!limit)
		return NULL;
	if (limit == &portalmem_system_limit)
		return charge_with_stock(current_uid(), npages);
	return charge(limit, current_uid(), npages);
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
	if (limit == &portalmem_system_limit && put_into_stock(account, npages))
		return;
	give_back_and_free(limit, account, npages);
}

/**
 * portalmem_limit_exit - when nobody holds any page
 */
void portalmem_limit_exit(void)
{
	empty_stocks();
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
	/* What is charged in advance is not used. */
	empty_stocks();
	spin_lock(&limit_lock);
	account = find_account(limit, current_uid());
	if (account)
		info->user_used = (u64)account->npages << PAGE_SHIFT;
	spin_unlock(&limit_lock);
}
