// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * usage: hold NODE COUNT
 *
 * Allocate so many buffers of a page from the module's NODE or the heap's, hold
 * them all, and print how many bytes of the machine's memory each takes besides
 * its page.
 */
#include "config.h"

#include <fcntl.h>
#include <linux/dma-heap.h>
#include <linux/portalmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define PAGE 4096

/* Bytes that nobody uses. */
static long long free_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	long long kib = -1;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemFree: %lld", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib * 1024;
}

static int allocate(int node)
{
	struct portalmem_ioc_alloc ours = {.size = PAGE,
					   .fd_flags = O_RDWR | O_CLOEXEC};
	struct dma_heap_allocation_data stock = {
		.len = PAGE, .fd_flags = O_RDWR | O_CLOEXEC};

	if (!ioctl(node, PORTALMEM_IOC_ALLOC, &ours))
		return ours.fd;
	return ioctl(node, DMA_HEAP_IOCTL_ALLOC, &stock) ? -1 : (int)stock.fd;
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	long long before, after;
	long count;
	int node;

	if (argc != 3 || (count = strtol(argv[2], NULL, 10)) <= 0) {
		fputs("usage: hold NODE COUNT\n", stderr);
		return 2;
	}
	limit.rlim_cur = limit.rlim_max = (rlim_t)count + 64;
	node = open(argv[1], O_RDWR | O_CLOEXEC);
	if (setrlimit(RLIMIT_NOFILE, &limit) || node < 0) {
		perror("hold");
		return 1;
	}
	/* The table of descriptors grows to its size before. */
	if (dup2(node, (int)count + 32) < 0) {
		perror("hold");
		return 1;
	}
	before = free_memory();
	for (long i = 0; i < count; i++)
		if (allocate(node) < 0) {
			perror("hold");
			return 1;
		}
	after = free_memory();
	printf("%lld\n", (before - after) / count - PAGE);
	return 0;
}
