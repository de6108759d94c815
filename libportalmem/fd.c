// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/dma-buf.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "private.h"

#ifndef DMA_BUF_MAGIC
#define DMA_BUF_MAGIC 0x444d4142
#endif

/* Since Linux 6.3; older kernels refuse the flag with EINVAL. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/*
 * A memory file is filled in pieces of this many bytes: the kernel gives a
 * whole piece back when a signal arrives, and so a program with a fast timer
 * would never come to the end of a large one.
 */
#define FALLOCATE_CHUNK (16U << 20)

int pm_ioctl(int fd, unsigned long request, void *argument)
{
	int ret;

	do
		ret = ioctl(fd, request, argument);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

int pm_open(const char *path)
{
	int fd;

	do
		fd = open(path, O_RDWR | O_CLOEXEC);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

int pm_fd_duplicate(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}

/* What the link of such a file begins with; that of a path does with a slash. */
#define ANONYMOUS_LINK "anon_inode:"

/* The same from /proc. Any file can be called /dmabuf:, but not have this line.
 */
static bool proc_says_anonymous(int fd)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	if (readlink(path, text, sizeof(text)) >=
		    (ssize_t)strlen(ANONYMOUS_LINK) &&
	    !memcmp(text, ANONYMOUS_LINK, strlen(ANONYMOUS_LINK)))
		return true;
	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", fd);
	return !pm_read_text(path, text, sizeof(text)) &&
	       strstr(text, "\nexp_name:\t");
}

/* No file system that can be mounted has a file without a type. */
static bool has_no_type(int fd)
{
	struct statx st;

	return !statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE,
		      &st) &&
	       !(st.stx_mode & S_IFMT);
}

/* /proc is asked where statx(2) is forbidden, or a kernel gives them a type. */
bool pm_fd_is_anonymous(int fd)
{
	return has_no_type(fd) || proc_says_anonymous(fd);
}

/* A file that a peer can cut short under a mapping raises SIGBUS. */
static int check_seals(int seals)
{
	return seals & F_SEAL_SHRINK ? 0 : -EINVAL;
}

int pm_fd_kind(int fd, enum pm_kind *kind)
{
	struct statfs fs;
	int seals;

	if (!has_no_type(fd)) {
		seals = fcntl(fd, F_GET_SEALS);
		*kind = PM_KIND_MEMFD;
		if (seals >= 0)
			return check_seals(seals);
		if (!proc_says_anonymous(fd))
			return fcntl(fd, F_GETFD) < 0 ? -errno : -EINVAL;
	}
	if (fstatfs(fd, &fs))
		return -errno;
	*kind = PM_KIND_DMABUF;
	return (unsigned long)fs.f_type == DMA_BUF_MAGIC ? 0 : -EINVAL;
}

int pm_fd_size(int fd, enum pm_kind kind, uint64_t *size)
{
	uint64_t mask = pm_page_size() - 1;
	struct stat st;
	off_t end;

	if (kind == PM_KIND_MEMFD) {
		/* lseek() would move the position of everybody's file. */
		if (fstat(fd, &st))
			return -errno;
		end = st.st_size;
	} else {
		end = lseek(fd, 0, SEEK_END);
		if (end < 0)
			return -errno;
	}
	if (!end)
		return -EINVAL;
	*size = ((uint64_t)end + mask) & ~mask;
	return 0;
}

int pm_read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	length = read(fd, text, size - 1);
	close(fd);
	if (length < 0)
		return -EIO;
	text[length] = '\0';
	return 0;
}

/*
 * Copy the value of the first line "KEY:\tVALUE". The name, which any process
 * may choose, is the last line, and so it cannot pose as another key.
 */
static void copy_value(char *to, const char *text, const char *key)
{
	size_t key_length = strlen(key);

	to[0] = '\0';
	for (; text; text = strchr(text, '\n')) {
		if (*text == '\n')
			text++;
		if (!strncmp(text, key, key_length)) {
			text += key_length;
			pm_copy_name(to, text, strcspn(text, "\n"));
			return;
		}
	}
}

int pm_fd_describe_dmabuf(int fd, char *exporter, char *name)
{
	char path[64], text[1024] = "";
	int ret;

	/* Not /proc/self: that is empty once the main thread has ended. */
	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", fd);
	ret = pm_read_text(path, text, sizeof(text));
	if (ret)
		return ret;
	copy_value(exporter, text, "exp_name:\t");
	copy_value(name, text, "name:\t");
	return 0;
}

int pm_fd_describe_memfd(int fd, char *name)
{
	static const char prefix[] = "/memfd:", suffix[] = " (deleted)";
	char path[64], target[320];
	ssize_t length;
	size_t extra = strlen(prefix) + strlen(suffix);

	snprintf(path, sizeof(path), "/proc/thread-self/fd/%d", fd);
	length = readlink(path, target, sizeof(target));
	if (length < 0)
		return -errno;
	if ((size_t)length < extra || memcmp(target, prefix, strlen(prefix)))
		return -ENOENT;
	pm_copy_name(name, target + strlen(prefix), (size_t)length - extra);
	return 0;
}

static int open_fdinfo(int fd)
{
	char path[64];
	int ret;

	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%d", fd);
	do
		ret = open(path, O_RDONLY | O_CLOEXEC);
	while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

/* The number in the first line "count:\tNUMBER"; 0 when there is none. */
static unsigned int read_count(int fdinfo)
{
	static const char key[] = "\ncount:\t";
	char text[1024];
	const char *line;
	ssize_t length = pread(fdinfo, text, sizeof(text) - 1, 0);
	unsigned long count;

	if (length <= 0)
		return 0;
	text[length] = '\0';
	line = strstr(text, key);
	if (!line)
		return 0;
	count = strtoul(line + strlen(key), NULL, 10);
	return count < UINT_MAX ? (unsigned int)count : UINT_MAX;
}

unsigned int pm_fd_count_references(int fd, int *fdinfo)
{
	unsigned int count = *fdinfo < 0 ? 0 : read_count(*fdinfo);

	if (count)
		return count;
	/* The thread that opened it may have ended. */
	if (*fdinfo >= 0)
		close(*fdinfo);
	*fdinfo = open_fdinfo(fd);
	return *fdinfo < 0 ? 0 : read_count(*fdinfo);
}

bool pm_fd_is_signalled(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLOUT};

	return poll(&poller, 1, 0) == 1 && poller.revents == POLLOUT;
}

int pm_dmabuf_set_name(int fd, const char *name)
{
	/* The kernel only reads it. */
	return pm_ioctl(fd, DMA_BUF_SET_NAME, (void *)(uintptr_t)name);
}

int pm_memfd_create(const char *name, uint64_t size)
{
	int fd, error;

	fd = memfd_create(name, MFD_CLOEXEC | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)) {
		error = -errno;
		close(fd);
		return error;
	}
	return fd;
}

int pm_memfd_fill(int fd, uint64_t size)
{
	for (uint64_t at = 0; at < size; at += FALLOCATE_CHUNK) {
		uint64_t length = size - at;
		int ret;

		if (length > FALLOCATE_CHUNK)
			length = FALLOCATE_CHUNK;
		do
			ret = fallocate(fd, 0, (off_t)at, (off_t)length);
		while (ret && errno == EINTR);
		if (ret)
			return errno == ENOSPC ? -ENOMEM : -errno;
	}
	return 0;
}
