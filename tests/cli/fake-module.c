// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The portalmem command on a machine that has the module, as far as that shows
 * in what the command prints: the functions below stand before the C library's.
 *
 * Three nodes are there, and two devices. The file that FAKE_MODULE_LOG names
 * gets a line about each allocation, each attachment and each sync that is
 * asked for. Each buffer has the name FAKE_MODULE_NAME, and takes
 * FAKE_MODULE_SECONDS to allocate.
 */
#undef _FORTIFY_SOURCE
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/portalmem.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define MIB ((uint64_t)1 << 20)
#define DMA_BUF_MAGIC_NUMBER 0x444d4142
#define ALL_CACHINGS \
	(1U << PORTALMEM_CACHED | 1U << PORTALMEM_WC | 1U << PORTALMEM_UC)

/* A node, and the errno that each allocation from it fails with. */
static struct node {
	const char *path;
	int error;
	struct portalmem_ioc_heap heap;
	uint64_t pooled;
	ino_t inode; /* of the file that stands for it once it is open */
} nodes[] = {
	{
		.path = "/dev/portalmem",
		.heap = {.caching = PORTALMEM_CACHED,
			 .cachings = ALL_CACHINGS,
			 .features = PORTALMEM_HEAP_PINNABLE,
			 .used = 5 * 4096,
			 .available = 700 * MIB + 4096,
			 .largest = 700 * MIB,
			 .buffers = 2,
			 .pooled = 3 * MIB,
			 .user_limit = 1536 * MIB,
			 .user_used = 4096,
			 .name = "system"},
		.pooled = 3 * MIB,
	},
	{
		.path = "/dev/dma_heap/portalmem-contiguous",
		.error = ENOMEM,
		.heap = {.caching = PORTALMEM_CACHED,
			 .cachings = ALL_CACHINGS,
			 .features = PORTALMEM_HEAP_CONTIGUOUS |
				     PORTALMEM_HEAP_PINNABLE,
			 .available = 512 * MIB,
			 .largest = 120 * MIB,
			 .limit = 512 * MIB,
			 .user_limit = 256 * MIB,
			 .name = "contiguous"},
	},
	{
		.path = "/dev/dma_heap/camera",
		.heap = {.caching = PORTALMEM_WC,
			 .cachings = 1U << PORTALMEM_WC,
			 .features = PORTALMEM_HEAP_CONTIGUOUS |
				     PORTALMEM_HEAP_REGION,
			 .size = 64 * MIB,
			 .used = 16 * MIB,
			 .available = 48 * MIB,
			 .largest = 32 * MIB,
			 .fragments = 3,
			 .buffers = 1,
			 .name = "camera"},
	},
};

static int fail(int error)
{
	errno = error;
	return -1;
}

/* What a file is: also in the program that inherits it. */
#define NODE_FILE "fake-node"
#define BUFFER_FILE "fake-buffer"
#define ATTACHMENT_FILE "fake-attachment"

static int new_file(const char *name, uint64_t size, ino_t *inode)
{
	int fd = (int)syscall(SYS_memfd_create, name, MFD_CLOEXEC);
	struct stat st;

	if (fd < 0 || ftruncate(fd, (off_t)size) || fstat(fd, &st))
		abort();
	*inode = st.st_ino;
	return fd;
}

static bool is_file(int fd, const char *name)
{
	char path[64], target[64] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return readlink(path, target, sizeof(target) - 1) > 0 &&
	       !strncmp(target, "/memfd:", 7) &&
	       !strncmp(target + 7, name, strlen(name));
}

int fstatfs(int fd, struct statfs *fs)
{
	if (!is_file(fd, BUFFER_FILE))
		return (int)syscall(SYS_fstatfs, fd, fs);
	memset(fs, 0, sizeof(*fs));
	fs->f_type = DMA_BUF_MAGIC_NUMBER;
	return 0;
}

/*
 * Files of the kernel's own have no type. With a prototype of its own: the C
 * library's says that the path is never NULL.
 */
int fake_statx(int fd, const char *path, int flags, unsigned int mask,
	       struct statx *st) __asm__("statx");

int fake_statx(int fd, const char *path, int flags, unsigned int mask,
	       struct statx *st)
{
	int ret = (int)syscall(SYS_statx, fd, path, flags, mask, st);

	if (!ret && !*path &&
	    (is_file(fd, BUFFER_FILE) || is_file(fd, ATTACHMENT_FILE)))
		st->stx_mode &= (uint16_t)~S_IFMT;
	return ret;
}

static struct node *node_of(int fd)
{
	struct stat st;

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		if (nodes[i].inode && !fstat(fd, &st) &&
		    st.st_ino == nodes[i].inode)
			return &nodes[i];
	return NULL;
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		if (!strcmp(path, nodes[i].path))
			return new_file(NODE_FILE, 0, &nodes[i].inode);
	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {
		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int access(const char *path, int mode)
{
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		if (!strcmp(path, nodes[i].path))
			return 0;
	return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

#define HEAP_FOLDER "/dev/dma_heap"

static struct dirent *new_entry(const char *path)
{
	struct dirent *entry = calloc(1, sizeof(*entry));

	if (!entry)
		abort();
	strcpy(entry->d_name, path + strlen(HEAP_FOLDER "/"));
	return entry;
}

/* Of the heaps' folder alone; in the order of the table. */
int scandir(const char *path, struct dirent ***entries,
	    int (*filter)(const struct dirent *),
	    int (*compare)(const struct dirent **, const struct dirent **))
{
	int count = 0;

	(void)compare;
	if (strcmp(path, HEAP_FOLDER) != 0)
		return fail(ENOENT);
	*entries = calloc(sizeof(nodes) / sizeof(nodes[0]), sizeof(**entries));
	if (!*entries)
		abort();
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		struct dirent *entry;

		if (strncmp(nodes[i].path, HEAP_FOLDER "/",
			    strlen(HEAP_FOLDER "/")) != 0)
			continue;
		entry = new_entry(nodes[i].path);
		if (filter(entry))
			(*entries)[count++] = entry;
		else
			free(entry);
	}
	return count;
}

/* The heaps have no counters, also where the real module is. */
DIR *opendir(const char *path)
{
	int fd;

	if (strcmp(path, "/sys/class/misc") == 0) {
		errno = ENOENT;
		return NULL;
	}
	fd = (int)syscall(SYS_openat, AT_FDCWD, path,
			  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? NULL : fdopendir(fd);
}

static void write_log(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static void write_log(const char *format, ...)
{
	const char *path = getenv("FAKE_MODULE_LOG");
	FILE *log = path ? fopen(path, "ae") : NULL;
	va_list args;

	if (!log)
		return;
	va_start(args, format);
	vfprintf(log, format, args);
	va_end(args);
	fclose(log);
}

static int do_alloc(const struct node *node, struct portalmem_ioc_alloc *alloc)
{
	uint32_t caching = alloc->caching ? alloc->caching : node->heap.caching;
	ino_t inode;

	write_log("flags %" PRIu32 " size %" PRIu64 " alignment %" PRIu64
		  " region_offset %" PRIu64 "\n",
		  (uint32_t)alloc->flags, (uint64_t)alloc->size,
		  (uint64_t)alloc->alignment, (uint64_t)alloc->region_offset);
	if (getenv("FAKE_MODULE_SECONDS"))
		sleep((unsigned int)atoi(getenv("FAKE_MODULE_SECONDS")));
	if (node->error)
		return fail(node->error);
	if (!(node->heap.cachings & 1U << caching))
		return fail(EOPNOTSUPP);
	if (alloc->flags & PORTALMEM_ALLOC_ADOPT &&
	    !(node->heap.features & PORTALMEM_HEAP_REGION))
		return fail(EOPNOTSUPP);
	alloc->fd = new_file(BUFFER_FILE, alloc->size, &inode);
	alloc->effective = caching;
	alloc->segments = 1;
	return 0;
}

static int do_info(struct portalmem_ioc_info *info)
{
	struct stat st;

	if (fstat(info->fd, &st))
		return fail(errno);
	info->size = (uint64_t)st.st_size;
	info->effective = PORTALMEM_CACHED;
	if (getenv("FAKE_MODULE_NAME"))
		snprintf(info->name, sizeof(info->name), "%s",
			 getenv("FAKE_MODULE_NAME"));
	return 0;
}

/* One device behind an IOMMU, and one that gets copies; of both, what is asked
 * for most lately. */
static struct portalmem_ioc_attachment attachment;

static int find_device(const struct portalmem_ioc_attach *attach)
{
	attachment.address_bits = attach->address_bits;
	if (!strcmp(attach->bus, "pci") &&
	    !strcmp(attach->device, "0000:00:04.0"))
		attachment.features = PORTALMEM_ATTACHMENT_TRANSLATED;
	else if (!strcmp(attach->bus, "platform") &&
		 !strcmp(attach->device, "dma-engine"))
		attachment.features = PORTALMEM_ATTACHMENT_BOUNCED |
				      PORTALMEM_ATTACHMENT_NEEDS_SYNC;
	else
		return ENODEV;
	return attach->address_bits == 1 ? EBUSY : 0;
}

static int do_attach(struct portalmem_ioc_attach *attach)
{
	struct stat st;
	ino_t inode;
	int error;

	write_log("bus %s device %s direction %" PRIu32 " address_bits %" PRIu32
		  "\n",
		  attach->bus, attach->device, (uint32_t)attach->direction,
		  (uint32_t)attach->address_bits);
	error = find_device(attach);
	if (error)
		return fail(error);
	if (!is_file(attach->buffer, BUFFER_FILE) || fstat(attach->buffer, &st))
		return fail(EINVAL);
	attachment.direction = attach->direction;
	attachment.segments = 2;
	attachment.size = (uint64_t)st.st_size;
	memcpy(attachment.bus, attach->bus, sizeof(attachment.bus));
	memcpy(attachment.device, attach->device, sizeof(attachment.device));
	attach->fd = new_file(ATTACHMENT_FILE, 0, &inode);
	return 0;
}

/* The first page and the rest, far apart. */
static int do_dma_segments(struct portalmem_ioc_dma_segments *segments)
{
	const struct portalmem_ioc_dma_segment all[] = {
		{.length = 4096, .address = (uint64_t)1 << 40},
		{.offset = 4096,
		 .length = attachment.size - 4096,
		 .address = 0xfff00000},
	};

	if (segments->count)
		memcpy((void *)(uintptr_t)segments->segments, all, sizeof(all));
	segments->total = 2;
	return 0;
}

static int ioctl_attachment(unsigned long request, void *argument)
{
	switch ((uint32_t)request) {
	case PORTALMEM_IOC_ATTACHMENT:
		memcpy(argument, &attachment, sizeof(attachment));
		return 0;
	case PORTALMEM_IOC_DMA_SEGMENTS:
		return do_dma_segments(argument);
	default:
		return fail(ENOTTY);
	}
}

/*
 * Up to 2 MiB at a multiple of 2 MiB, up to 64 KiB at a page below that, and the
 * rest above. With FAKE_MODULE_HIDES set, who asks may not know where that is.
 */
static int do_segments(struct portalmem_ioc_segments *segments)
{
	static const struct portalmem_ioc_segment all[] = {
		{.length = 2 * MIB, .physical = 0x40000000},
		{.length = 64 * 1024, .physical = 0x12341000},
		{.length = UINT64_MAX, .physical = 0x80200000},
	};
	struct portalmem_ioc_segment *table =
		(struct portalmem_ioc_segment *)(uintptr_t)segments->segments;
	uint64_t offset = 0;
	uint32_t room = segments->count;
	struct stat st;

	if (!is_file(segments->fd, BUFFER_FILE) || fstat(segments->fd, &st))
		return fail(EINVAL);
	segments->total = 0;
	segments->count = 0;
	for (size_t i = 0; offset < (uint64_t)st.st_size; i++) {
		struct portalmem_ioc_segment segment = all[i];

		segment.offset = offset;
		if (segment.length > (uint64_t)st.st_size - offset)
			segment.length = (uint64_t)st.st_size - offset;
		if (getenv("FAKE_MODULE_HIDES"))
			segment.physical = 0;
		offset += segment.length;
		if (segments->total++ >= segments->first &&
		    segments->count < room)
			table[segments->count++] = segment;
	}
	return 0;
}

static int do_sync(const struct portalmem_ioc_sync *sync)
{
	const struct portalmem_ioc_range *ranges =
		(const struct portalmem_ioc_range *)(uintptr_t)sync->ranges;

	for (uint32_t i = 0; i < sync->count; i++)
		write_log("sync flags %" PRIu32 " offset %" PRIu64
			  " length %" PRIu64 "\n",
			  (uint32_t)sync->flags, (uint64_t)ranges[i].offset,
			  (uint64_t)ranges[i].length);
	return 0;
}

static int do_trim(struct node *node, struct portalmem_ioc_trim *trim)
{
	trim->freed = node->pooled;
	node->pooled = 0;
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	struct node *node = node_of(fd);
	void *argument;
	va_list args;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	if (is_file(fd, ATTACHMENT_FILE))
		return ioctl_attachment(request, argument);
	if (!node)
		return (int)syscall(SYS_ioctl, fd, request, argument);
	/* Some C libraries widen a request of 32 bits with its sign. */
	switch ((uint32_t)request) {
	case PORTALMEM_IOC_VERSION:
		return 0;
	case PORTALMEM_IOC_HEAP:
		memcpy(argument, &node->heap, sizeof(node->heap));
		return 0;
	case PORTALMEM_IOC_ALLOC:
		return do_alloc(node, argument);
	case PORTALMEM_IOC_INFO:
		return do_info(argument);
	case PORTALMEM_IOC_SYNC:
		return do_sync(argument);
	case PORTALMEM_IOC_SEGMENTS:
		return do_segments(argument);
	case PORTALMEM_IOC_ATTACH:
		return do_attach(argument);
	case PORTALMEM_IOC_TRIM:
		return do_trim(node, argument);
	default:
		return fail(ENOTTY);
	}
}
