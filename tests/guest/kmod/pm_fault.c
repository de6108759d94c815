// SPDX-License-Identifier: GPL-2.0-only
/*
 * Test module: faults that the checkers of a debug kernel find, one per load, to
 * see that they and the harness do. It does not stay loaded.
 */
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/platform_device.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

static char *kind = "";
module_param(kind, charp, 0444);
MODULE_PARM_DESC(kind, "leak, use-after-free, lock-order, race or dma");

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static void leak(void)
{
	unsigned int i;

	/* One alone may be seen in what is left of a stack. */
	for (i = 0; i < 10; i++) {
		void *lost = kmalloc(100, GFP_KERNEL);

		OPTIMIZER_HIDE_VAR(lost);
	}
}

static void use_after_free(void)
{
	char *freed = kmalloc(100, GFP_KERNEL);

	if (!freed)
		return;
	kfree(freed);
	OPTIMIZER_HIDE_VAR(freed);
	WRITE_ONCE(freed[50], 1);
}

static void lock_in_order(struct mutex *outer, struct mutex *inner)
{
	mutex_lock(outer);
	mutex_lock(inner);
	mutex_unlock(inner);
	mutex_unlock(outer);
}

static unsigned long counted;

static void count_up(struct work_struct *unused)
{
	unsigned int i;

	for (i = 0; i < 1000000; i++) {
		counted++;
		barrier();
		if (i % 1000 == 0)
			cond_resched();
	}
}

static DECLARE_WORK(count_work, count_up);

static void race(void)
{
	queue_work(system_long_wq, &count_work);
	count_up(NULL);
	flush_work(&count_work);
}

/* What was mapped is unmapped with another size. */
static int misuse_dma(void)
{
	struct platform_device *pdev;
	dma_addr_t address;
	void *memory;

	pdev = platform_device_register_simple("pm_fault", -1, NULL, 0);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);
	memory = kmalloc(4096, GFP_KERNEL);
	if (memory && !dma_coerce_mask_and_coherent(&pdev->dev, DMA_BIT_MASK(64))) {
		address = dma_map_single(&pdev->dev, memory, 4096, DMA_TO_DEVICE);
		if (!dma_mapping_error(&pdev->dev, address))
			dma_unmap_single(&pdev->dev, address, 2048, DMA_TO_DEVICE);
	}
	kfree(memory);
	platform_device_unregister(pdev);
	return 0;
}

static int __init pm_fault_init(void)
{
	int ret = 0;

	if (!strcmp(kind, "leak")) {
		leak();
	} else if (!strcmp(kind, "use-after-free")) {
		use_after_free();
	} else if (!strcmp(kind, "lock-order")) {
		lock_in_order(&first, &second);
		lock_in_order(&second, &first);
	} else if (!strcmp(kind, "race")) {
		race();
	} else if (!strcmp(kind, "dma")) {
		ret = misuse_dma();
	} else {
		return -EINVAL;
	}
	/* Done, and nothing of it stays. */
	return ret ?: -ECANCELED;
}

module_init(pm_fault_init);

MODULE_DESCRIPTION("portalmem test module: faults for checkers to find");
MODULE_LICENSE("GPL");
