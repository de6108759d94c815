// SPDX-License-Identifier: GPL-2.0-only
/* portalmem: DMA buffers that processes and devices share without copying. */
#include <linux/init.h>
#include <linux/module.h>

#include "portalmem.h"

/* Parts in the order of their dependence; each goes in the reverse order. */
static int __init portalmem_init(void)
{
	int ret;

	portalmem_limit_init();
	portalmem_debugfs_init();
	ret = portalmem_stats_init();
	if (ret)
		goto exit_debugfs;
	ret = portalmem_device_init();
	if (ret)
		goto exit_stats;
	ret = portalmem_user_device_init();
	if (ret)
		goto exit_device;
	ret = portalmem_buffer_init();
	if (ret)
		goto exit_user_device;
	ret = portalmem_pool_init();
	if (ret)
		goto exit_buffer;
	ret = portalmem_carveout_init();
	if (ret)
		goto exit_regions;
	ret = portalmem_of_init();
	if (ret)
		goto exit_regions;
	ret = portalmem_dev_init();
	if (ret)
		goto exit_of;
	ret = portalmem_regions_publish();
	if (ret)
		goto exit_dev;
	portalmem_dev_go_live();
	return 0;

exit_dev:
	portalmem_dev_exit();
exit_of:
	portalmem_of_exit();
exit_regions:
	portalmem_regions_destroy();
	portalmem_carveout_exit();
	portalmem_held_exit();
	portalmem_pool_exit();
exit_buffer:
	portalmem_buffer_exit();
exit_user_device:
	portalmem_user_device_exit();
exit_device:
	portalmem_device_exit();
exit_stats:
	portalmem_stats_exit();
exit_debugfs:
	portalmem_debugfs_exit();
	return ret;
}

static void __exit portalmem_exit(void)
{
	portalmem_of_exit();
	portalmem_dev_exit();
	portalmem_regions_destroy();
	portalmem_carveout_exit();
	portalmem_held_exit();
	portalmem_pool_exit();
	portalmem_buffer_exit();
	portalmem_user_device_exit();
	portalmem_device_exit();
	portalmem_stats_exit();
	portalmem_debugfs_exit();
	portalmem_limit_exit();
}

module_init(portalmem_init);
module_exit(portalmem_exit);

MODULE_DESCRIPTION("DMA buffers that processes and devices share");
MODULE_AUTHOR("The portalmem developers");
MODULE_LICENSE("GPL");
MODULE_VERSION(PORTALMEM_VERSION);
PORTALMEM_IMPORT_DMA_BUF();
