// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xf86drm.h>

#include "devices.h"
#include "guest.h"

int devices_open_vgem(void)
{
	guest_modprobe("vgem");
	for (int i = 0; i < 16; i++) {
		drmVersionPtr version;
		char path[64];
		int fd, found;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		fd = open(path, O_RDWR | O_CLOEXEC);
		if (fd < 0)
			continue;
		version = drmGetVersion(fd);
		found = version && !strcmp(version->name, "vgem");
		drmFreeVersion(version);
		if (found)
			return fd;
		close(fd);
	}
	ck_abort_msg("no vgem node");
	return -1;
}

uint32_t devices_create_vgem_buffer(int vgem, uint64_t *sizep)
{
	/* 32 bits a pixel; the driver rounds the pitch. */
	struct drm_mode_create_dumb dumb = {
		.width = 1024,
		.height = (uint32_t)(*sizep / 4096),
		.bpp = 32,
	};

	ck_assert_msg(!drmIoctl(vgem, DRM_IOCTL_MODE_CREATE_DUMB, &dumb), "%s",
		      strerror(errno));
	*sizep = dumb.size;
	return dumb.handle;
}

/* vgem's own ioctls, which libdrm has no header for. */
struct vgem_fence_attach {
	uint32_t handle;
	uint32_t flags;
	uint32_t out_fence;
	uint32_t pad;
};

struct vgem_fence_signal {
	uint32_t fence;
	uint32_t flags;
};

#define VGEM_FENCE_WRITE 1
#define VGEM_FENCE_ATTACH \
	DRM_IOWR(DRM_COMMAND_BASE + 1, struct vgem_fence_attach)
#define VGEM_FENCE_SIGNAL \
	DRM_IOW(DRM_COMMAND_BASE + 2, struct vgem_fence_signal)

static uint32_t attach_fence(int vgem, uint32_t handle, uint32_t flags)
{
	struct vgem_fence_attach attach = {.handle = handle, .flags = flags};

	ck_assert_msg(!drmIoctl(vgem, VGEM_FENCE_ATTACH, &attach), "%s",
		      strerror(errno));
	return attach.out_fence;
}

uint32_t devices_attach_fence(int vgem, uint32_t handle)
{
	return attach_fence(vgem, handle, VGEM_FENCE_WRITE);
}

uint32_t devices_attach_read_fence(int vgem, uint32_t handle)
{
	return attach_fence(vgem, handle, 0);
}

void devices_signal_fence(int vgem, uint32_t fence)
{
	struct vgem_fence_signal signal = {.fence = fence};

	ck_assert_msg(!drmIoctl(vgem, VGEM_FENCE_SIGNAL, &signal), "%s",
		      strerror(errno));
}

int devices_create_memfd(size_t size)
{
	int fd = memfd_create("udmabuf", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	return fd;
}

int devices_create_udmabuf(int memfd, size_t size)
{
	struct udmabuf_create create = {
		.memfd = (uint32_t)memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = size,
	};
	int device = guest_open("/dev/udmabuf");
	int fd;

	fd = ioctl(device, UDMABUF_CREATE, &create);
	close(device);
	return fd;
}
