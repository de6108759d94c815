// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Fences: what a device still has to do with a buffer. The kernel keeps them
 * with the dma-buf, and a sync_file is a copy of them that travels on its own.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/dma-buf.h>
#include <linux/magic.h>
#include <linux/sync_file.h>
#include <poll.h>
#include <sys/vfs.h>
#include <time.h>

#include "private.h"

/* Since Linux 6.0. */
#ifndef DMA_BUF_IOCTL_EXPORT_SYNC_FILE
struct dma_buf_export_sync_file {
	__u32 flags;
	__s32 fd;
};
struct dma_buf_import_sync_file {
	__u32 flags;
	__s32 fd;
};
#define DMA_BUF_IOCTL_EXPORT_SYNC_FILE \
	_IOWR(DMA_BUF_BASE, 2, struct dma_buf_export_sync_file)
#define DMA_BUF_IOCTL_IMPORT_SYNC_FILE \
	_IOW(DMA_BUF_BASE, 3, struct dma_buf_import_sync_file)
#endif

#define NSEC_PER_MSEC 1000000
#define MSEC_PER_SEC 1000

int pm_check_fence(int fd)
{
	struct sync_file_info info = {0};
	struct statfs fs;
	int ret;

	if (fcntl(fd, F_GETFD) < 0)
		return -errno;
	/* No ioctl for a file that who knows which driver answers for. */
	if (!pm_fd_is_anonymous(fd))
		return -EINVAL;
	if (fstatfs(fd, &fs))
		return -errno;
	if ((unsigned long)fs.f_type != ANON_INODE_FS_MAGIC)
		return -EINVAL;
	ret = pm_ioctl(fd, SYNC_IOC_FILE_INFO, &info);
	return ret < 0 ? -EINVAL : 0;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return ((int64_t)now.tv_sec * MSEC_PER_SEC * NSEC_PER_MSEC) +
	       now.tv_nsec;
}

int64_t pm_deadline_after(int timeout_ms)
{
	if (timeout_ms < 0)
		return -1;
	return now_ns() + (int64_t)timeout_ms * NSEC_PER_MSEC;
}

int pm_deadline_left(int64_t deadline)
{
	int64_t left;

	if (deadline < 0)
		return -1;
	left = (deadline - now_ns() + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
	return left < 0 ? 0 : (int)left;
}

static int poll_once(int fd, short events, int timeout_ms)
{
	struct pollfd poller = {.fd = fd, .events = events};
	int ret = poll(&poller, 1, timeout_ms);

	if (ret < 0)
		return -errno;
	if (!ret)
		return -ETIMEDOUT;
	if (poller.revents & POLLNVAL)
		return -EBADF;
	return poller.revents & events ? 0 : -EINVAL;
}

int pm_wait(int fd, short events, int timeout_ms)
{
	int64_t deadline;
	int ret;

	/* poll(2) skips these. */
	if (fd < 0)
		return -EBADF;
	/* Reading the clock is a system call on some machines. */
	do
		ret = poll_once(fd, events, timeout_ms < 0 ? -1 : 0);
	while (ret == -EINTR);
	if (ret != -ETIMEDOUT || !timeout_ms)
		return ret;
	deadline = pm_deadline_after(timeout_ms);
	do
		ret = poll_once(fd, events, pm_deadline_left(deadline));
	while (ret == -EINTR);
	return ret;
}

static int check_timeout(int timeout_ms)
{
	if (timeout_ms >= -1)
		return 0;
	return pm_refuse(-EINVAL,
			 "cannot wait: %d ms are no time; give 0 or more, or "
			 "-1 for ever",
			 timeout_ms);
}

static int explain_wait(const char *what, int fd, int error)
{
	if (error == -ETIMEDOUT)
		return pm_refuse(error,
				 "waiting for %s, file descriptor %d: the "
				 "device is not done in time; wait longer, or "
				 "see whether it has stopped",
				 what, fd);
	return pm_fail(error, NULL, "cannot wait for %s, file descriptor %d",
		       what, fd);
}

PM_EXPORT int portalmem_fence_wait(int fence, int timeout_ms)
{
	int ret = check_timeout(timeout_ms);

	if (ret)
		return ret;
	ret = pm_wait(fence, POLLIN, timeout_ms);
	return ret ? explain_wait("a fence", fence, ret) : 0;
}

/* BUFFER is one that fences can be asked of, FLAGS say for which access. */
static int check_access(const struct portalmem_buffer *buffer,
			unsigned int flags, const char *what)
{
	if (!buffer)
		return pm_refuse(-EINVAL,
				 "cannot %s: no buffer was given (NULL)", what);
	if (!flags || flags & ~(unsigned int)PORTALMEM_SYNC_RDWR)
		return pm_refuse(-EINVAL,
				 "cannot %s: the flags 0x%x are not "
				 "PORTALMEM_SYNC_READ, PORTALMEM_SYNC_WRITE or "
				 "both",
				 what, flags);
	if (buffer->kind == PM_KIND_MEMFD)
		return pm_refuse(-EOPNOTSUPP,
				 "cannot %s: the buffer is a memfd, which no "
				 "device uses; allocate from another backend",
				 what);
	return 0;
}

PM_EXPORT int portalmem_buffer_wait(struct portalmem_buffer *buffer,
				    unsigned int flags, int timeout_ms)
{
	int ret = check_access(buffer, flags, "wait for a buffer");

	if (!ret)
		ret = check_timeout(timeout_ms);
	if (ret)
		return ret;
	/* Who writes waits for readers, too. */
	ret = pm_wait(buffer->fd,
		      flags & PORTALMEM_SYNC_WRITE ? POLLOUT : POLLIN,
		      timeout_ms);
	return ret ? explain_wait("a buffer", buffer->fd, ret) : 0;
}

/* Every kernel that this library runs on knows other ioctls of a dma-buf. */
static const char *fence_advice(int error)
{
	return error == -EOPNOTSUPP ? "it takes Linux 6.0 or later" : NULL;
}

static int translate(int error)
{
	return error == -ENOTTY ? -EOPNOTSUPP : error;
}

PM_EXPORT int portalmem_buffer_export_fence(struct portalmem_buffer *buffer,
					    unsigned int flags, int *fencep)
{
	struct dma_buf_export_sync_file request = {
		.flags = pm_sync_flags_to_uapi(flags), .fd = -1};
	int ret;

	if (!fencep)
		return pm_refuse(-EINVAL, "cannot export a fence: no place for "
					  "it was given (NULL)");
	ret = check_access(buffer, flags, "export a fence");
	if (ret)
		return ret;
	ret = translate(
		pm_ioctl(buffer->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &request));
	if (ret)
		return pm_fail(
			ret, fence_advice(ret),
			"cannot export the fences of the file descriptor %d",
			buffer->fd);
	*fencep = request.fd;
	return 0;
}

PM_EXPORT int portalmem_buffer_import_fence(struct portalmem_buffer *buffer,
					    unsigned int flags, int fence)
{
	struct dma_buf_import_sync_file request = {
		.flags = pm_sync_flags_to_uapi(flags), .fd = fence};
	int ret = check_access(buffer, flags, "import a fence");

	if (!ret) {
		ret = pm_check_fence(fence);
		pm_buffer_mark_shared(buffer);
		if (!ret)
			ret = translate(pm_ioctl(buffer->fd,
						 DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
						 &request));
		if (ret)
			pm_fail(ret,
				ret == -EINVAL ? "give the fd of a sync_file"
					       : fence_advice(ret),
				"cannot import the file descriptor %d as a "
				"fence",
				fence);
	}
	return ret;
}
