// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hold a dma-buf of the kernel's udmabuf driver until killed: what the guest
 * harness must notice as left behind.
 */
#include "config.h"

#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

int main(void)
{
	struct udmabuf_create create = {.size = 65536};
	int device = open("/dev/udmabuf", O_RDWR | O_CLOEXEC);
	int memfd = memfd_create("leftover", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	create.memfd = memfd;
	if (device < 0 || memfd < 0 || ftruncate(memfd, 65536) < 0 ||
	    fcntl(memfd, F_ADD_SEALS, F_SEAL_SHRINK) < 0 ||
	    ioctl(device, UDMABUF_CREATE, &create) < 0) {
		perror("hold-udmabuf");
		return 1;
	}
	for (;;)
		pause();
}
