// SPDX-License-Identifier: GPL-2.0-only
/* portalmem: DMA buffers that processes and devices share without copying. */
#include <linux/init.h>
#include <linux/module.h>

#include "portalmem.h"

static int __init portalmem_init(void)
{
	int ret;

	ret = portalmem_caching_init();
	if (ret)
		return ret;
	ret = portalmem_dev_init();
	if (ret)
		portalmem_caching_exit();
	return ret;
}

static void __exit portalmem_exit(void)
{
	portalmem_dev_exit();
	portalmem_caching_exit();
}

module_init(portalmem_init);
module_exit(portalmem_exit);

MODULE_DESCRIPTION("DMA buffers that processes and devices share");
MODULE_AUTHOR("The portalmem developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(PORTALMEM_VERSION);
PORTALMEM_IMPORT_DMA_BUF();
