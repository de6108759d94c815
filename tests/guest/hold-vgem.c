// SPDX-License-Identifier: GPL-2.0-or-later
/* Hold a dma-buf of the DRM driver at NODE, and say so, until killed. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <portalmem-drm.h>
#include <portalmem.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xf86drm.h>

int main(int argc, char **argv)
{
	struct drm_mode_create_dumb dumb = {
		.width = 1024, .height = 48, .bpp = 32};
	int node = open(argc > 1 ? argv[1] : "", O_RDWR | O_CLOEXEC);
	struct portalmem_buffer *buffer;

	if (node < 0 || drmIoctl(node, DRM_IOCTL_MODE_CREATE_DUMB, &dumb)) {
		fprintf(stderr, "hold-vgem: %s\n", strerror(errno));
		return 1;
	}
	if (portalmem_drm_export(NULL, node, dumb.handle, &buffer)) {
		fprintf(stderr, "hold-vgem: %s\n", portalmem_error_message());
		return 1;
	}
	printf("%llu bytes\n", (unsigned long long)dumb.size);
	fflush(stdout);
	for (;;)
		pause();
}
