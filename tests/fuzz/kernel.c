// SPDX-License-Identifier: GPL-2.0-or-later
#define KERNEL_ITSELF
#include "kernel.h"

#include <errno.h>
#include <linux/magic.h>
#include <linux/portalmem.h>
#include <linux/sync_file.h>
#include <string.h>

#include "fuzz.h"

#define DMA_BUF_MAGIC_NUMBER 0x444d4142

#define FAKES_MAX 16

enum part {
	PART_NONE,
	PART_DMABUF,
	PART_FENCE
};

/* Memory files that play a part, by inode. */
static struct {
	dev_t device;
	ino_t inode;
	enum part part;
} fakes[FAKES_MAX];
static size_t fake_count;

struct fuzz_input *kernel_answers;
const char *kernel_meminfo;
bool kernel_has_no_memory;

static int new_fake(enum part part, uint64_t size)
{
	int fd = memfd_create("fake", MFD_CLOEXEC);
	struct stat st;

	FUZZ_CHECK(fd >= 0 && !ftruncate(fd, (off_t)size) && !fstat(fd, &st));
	FUZZ_CHECK(fake_count < FAKES_MAX);
	fakes[fake_count].device = st.st_dev;
	fakes[fake_count].inode = st.st_ino;
	fakes[fake_count++].part = part;
	return fd;
}

int kernel_new_dmabuf(uint64_t size)
{
	return new_fake(PART_DMABUF, size);
}

int kernel_new_fence(void)
{
	return new_fake(PART_FENCE, 4096);
}

static enum part part_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return PART_NONE;
	for (size_t i = 0; i < fake_count; i++)
		if (fakes[i].device == st.st_dev && fakes[i].inode == st.st_ino)
			return fakes[i].part;
	return PART_NONE;
}

int kernel_open(const char *path, int flags)
{
	if (strncmp(path, "/dev/", 5) == 0) {
		if (kernel_answers)
			return open("/dev/null", flags);
		errno = ENOENT;
		return -1;
	}
	return open(path, flags);
}

int kernel_new_buffer(void)
{
	static int buffer = -1;

	if (buffer < 0)
		buffer = kernel_new_dmabuf(4096);
	return fcntl(buffer, F_DUPFD_CLOEXEC, 0);
}

/* What a kernel gives: a file that is one, and no more entries than asked for. */
static void keep_promises(unsigned long request, void *argument, uint32_t asked)
{
	struct portalmem_ioc_segments *segments = argument;
	struct portalmem_ioc_dma_segments *dma_segments = argument;

	switch (request) {
	case PORTALMEM_IOC_SEGMENTS:
		if (segments->count > asked)
			segments->count = asked;
		break;
	case PORTALMEM_IOC_DMA_SEGMENTS:
		if (dma_segments->count > asked)
			dma_segments->count = asked;
		break;
	case PORTALMEM_IOC_ALLOC:
		((struct portalmem_ioc_alloc *)argument)->fd =
			kernel_new_buffer();
		break;
	case PORTALMEM_IOC_ATTACH:
		((struct portalmem_ioc_attach *)argument)->fd =
			open("/dev/null", O_RDWR | O_CLOEXEC);
		break;
	}
}

static void fill_entries(void *to, uint32_t count, size_t size)
{
	/* No address of a caller's is beyond what it asked for. */
	fuzz_bytes(kernel_answers, to, count * size);
}

static int answer(unsigned long request, void *argument)
{
	static const int errors[] = {EINVAL, ENOMEM, ENODEV, EPERM, EXDEV};
	struct portalmem_ioc_segments *segments = argument;
	struct portalmem_ioc_dma_segments *dma_segments = argument;
	uint64_t entries = 0;
	uint32_t asked = 0;
	uint8_t how = fuzz_byte(kernel_answers);

	if (how >= 0xf0) {
		errno = errors[how % 5];
		return -1;
	}
	if (request == PORTALMEM_IOC_SEGMENTS) {
		entries = segments->segments;
		asked = segments->count;
	} else if (request == PORTALMEM_IOC_DMA_SEGMENTS) {
		entries = dma_segments->segments;
		asked = dma_segments->count;
	}
	if (_IOC_DIR(request) & _IOC_READ)
		fuzz_bytes(kernel_answers, argument, _IOC_SIZE(request));
	keep_promises(request, argument, asked);
	if (request == PORTALMEM_IOC_SEGMENTS)
		fill_entries((void *)(uintptr_t)entries, segments->count,
			     sizeof(struct portalmem_ioc_segment));
	else if (request == PORTALMEM_IOC_DMA_SEGMENTS)
		fill_entries((void *)(uintptr_t)entries, dma_segments->count,
			     sizeof(struct portalmem_ioc_dma_segment));
	return 0;
}

int kernel_ioctl(int fd, unsigned long request, void *argument)
{
	if (_IOC_TYPE(request) == PORTALMEM_IOC_MAGIC && kernel_answers)
		return answer(request, argument);
	if (request == SYNC_IOC_FILE_INFO && part_of(fd) == PART_FENCE)
		return 0;
	errno = ENOTTY;
	return -1;
}

int kernel_statx(int fd, const char *path, int flags, unsigned int mask,
		 struct statx *st)
{
	int ret = statx(fd, path, flags, mask, st);

	if (!ret && part_of(fd) != PART_NONE)
		st->stx_mode &= (uint16_t)~S_IFMT;
	return ret;
}

int kernel_fstatfs(int fd, struct statfs *st)
{
	int ret = fstatfs(fd, st);

	if (!ret && part_of(fd) == PART_DMABUF)
		st->f_type = DMA_BUF_MAGIC_NUMBER;
	return ret;
}

int kernel_memfd_create(const char *name, unsigned int flags)
{
	if (kernel_has_no_memory) {
		errno = EMFILE;
		return -1;
	}
	return memfd_create(name, flags);
}

FILE *kernel_fopen(const char *path, const char *mode)
{
	if (kernel_meminfo && strcmp(path, "/proc/meminfo") == 0)
		return fmemopen((void *)(uintptr_t)kernel_meminfo,
				strlen(kernel_meminfo), "r");
	return fopen(path, mode);
}
