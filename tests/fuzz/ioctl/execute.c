// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/portalmem.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../guest/kmod/pm_device.h"
#include "execute.h"

#define PAGE 4096

/* Where programs map: a few places, each with room for this much. */
#define PLACES 4
#if UINTPTR_MAX > UINT32_MAX
#define PLACES_BASE ((char *)0x100000000000)
#define PLACE_SIZE ((size_t)32 << 20)
#else
#define PLACES_BASE ((char *)0x50000000)
#define PLACE_SIZE ((size_t)32 << 20)
#endif

/* More than this takes long, and less than 64 GiB does not fail at once. */
#define SIZE_MOST ((uint64_t)24 << 20)
/* The kernel's own heap calls the OOM killer rather than refuse. */
#define HEAP_SIZE_MOST ((uint64_t)1 << 20)
#define SIZE_LEAST_REFUSED ((uint64_t)64 << 30)

#define ENTRIES 128
#define STRUCT_MOST 4096

static const char *const paths[] = {
	"/dev/portalmem",
	"/dev/dma_heap/portalmem",
	"/dev/dma_heap/portalmem-wc",
	"/dev/dma_heap/portalmem-contiguous",
	"/dev/dma_heap/fuzz",
	"/dev/dma_heap/fuzz-wc",
	"/dev/dma_heap/system",
};
#define PATHS (sizeof(paths) / sizeof(paths[0]))

static const struct {
	const char *bus, *device;
} devices[] = {
	{"platform", "pm_device.0"},
	{"platform", "pm_device.1"},
	{"pci", "0000:00:01.0"},
	{"platform", "no such device"},
	{"", ""},
};
#define DEVICES (sizeof(devices) / sizeof(devices[0]))

#define DROP_CACHES "/proc/sys/vm/drop_caches"

/* Where a fault of the program's own goes. */
static __thread sigjmp_buf fault_to;
static __thread volatile sig_atomic_t may_fault;

/* Valid memory of the program's own, the last page of which is not there. */
static char *memory;
#define MEMORY_SIZE (16 * PAGE)

static void on_fault(int number)
{
	if (may_fault)
		siglongjmp(fault_to, 1);
	signal(number, SIG_DFL);
	raise(number);
}

static long refuse(int error)
{
	errno = error;
	return -1;
}

static uint64_t limit_size(uint64_t size)
{
	return size > SIZE_MOST && size < SIZE_LEAST_REFUSED ? size % SIZE_MOST
							     : size;
}

static char *place(uint64_t number)
{
	return PLACES_BASE + number % PLACES * PLACE_SIZE;
}

/* Part of a place: never beyond it, whatever the numbers are. */
static char *place_part(uint64_t number, uint64_t offset, size_t *length)
{
	offset %= PLACE_SIZE;
	if (*length > PLACE_SIZE - offset)
		*length = PLACE_SIZE - offset;
	return place(number) + offset;
}

/*
 * Where the kernel is to find or put so many bytes: in memory that is all
 * there, half there, a buffer's perhaps, or none.
 */
static uint64_t address_of(uint64_t kind, const void *contents, size_t size)
{
	switch (kind % 5) {
	case 0:
		memcpy(memory, contents, size);
		return (uintptr_t)memory;
	case 1:
		return (uintptr_t)place(0);
	case 2:
		memcpy(memory + MEMORY_SIZE - PAGE - PAGE / 4, contents,
		       size < PAGE / 4 ? size : PAGE / 4);
		return (uintptr_t)memory + MEMORY_SIZE - PAGE - PAGE / 4;
	case 3:
		return 0;
	default:
		return UINT64_MAX - 4095;
	}
}

/*
 * An ioctl whose structure has another size than the header's, when SIZE is not
 * 0: what is beyond is zero, which a longer one of a newer header may be.
 */
static long sized_ioctl(int fd, unsigned long request, void *argument,
			uint64_t size)
{
	static __thread char bytes[STRUCT_MOST + 1];
	size_t right = _IOC_SIZE(request);
	long ret;

	size %= STRUCT_MOST;
	if (!size)
		return ioctl(fd, request, argument);
	memset(bytes, 0, sizeof(bytes));
	memcpy(bytes, argument, right);
	ret = ioctl(fd,
		    _IOC(_IOC_DIR(request), _IOC_TYPE(request),
			 _IOC_NR(request), size),
		    bytes);
	memcpy(argument, bytes, right);
	return ret;
}

static void put_name(char *to, uint64_t seed)
{
	static const char *const names[] = {"", "name",
					    "thirty-one bytes of it "
					    "exactly!",
					    "new\nline", "\xc3\xbc"};

	snprintf(to, PORTALMEM_NAME_LEN, "%s", names[seed % 5]);
	/* Without an end. */
	if (seed % 64 == 63)
		memset(to, 'x', PORTALMEM_NAME_LEN);
}

static long run_node(struct state *state, const uint64_t *values)
{
	(void)state;
	return open(paths[values[0] % PATHS], O_RDWR | O_CLOEXEC);
}

static long run_alloc(struct state *state, const uint64_t *values)
{
	struct portalmem_ioc_alloc alloc = {
		.size = limit_size(values[1]),
		.caching = (uint32_t)values[2],
		.flags = (uint32_t)values[3],
		.fd_flags = (uint32_t)values[4],
		.address_bits = (uint32_t)values[5],
		.alignment = values[6],
	};
	uint64_t more = values[7];

	(void)state;
	put_name(alloc.name, more);
	alloc.node = (uint32_t)(more >> 8) & 0xff;
	alloc.region_offset = (more >> 16 & 0xffff) << 12;
	alloc.fd = (int32_t)(more >> 32 & 0xff);
	if (sized_ioctl((int)values[0], PORTALMEM_IOC_ALLOC, &alloc,
			more >> 40))
		return -1;
	return alloc.fd;
}

static long run_heap_alloc(struct state *state, const uint64_t *values)
{
	uint64_t size = limit_size(values[1]);
	struct dma_heap_allocation_data alloc = {
		.len = size > SIZE_MOST ? size : size % HEAP_SIZE_MOST,
		.fd_flags = (uint32_t)values[2],
		.heap_flags = values[3],
	};

	(void)state;
	if (ioctl((int)values[0], DMA_HEAP_IOCTL_ALLOC, &alloc))
		return -1;
	return (long)alloc.fd;
}

static long run_import(struct state *state, const uint64_t *values)
{
	struct portalmem_ioc_import_user import = {
		.address = (uintptr_t)place(values[1]) + values[2] % PLACE_SIZE,
		.size = limit_size(values[3]),
		.fd_flags = (uint32_t)values[4],
		.flags = (uint32_t)values[5],
	};

	(void)state;
	put_name(import.name, values[6]);
	if (values[6] >> 32)
		import.address = values[6];
	if (sized_ioctl((int)values[0], PORTALMEM_IOC_IMPORT_USER, &import,
			values[7]))
		return -1;
	return import.fd;
}

static long run_version(struct state *state, const uint64_t *values)
{
	struct portalmem_ioc_version version = {0};

	(void)state;
	return sized_ioctl((int)values[0], PORTALMEM_IOC_VERSION, &version,
			   values[1]);
}

static long run_info(struct state *state, const uint64_t *values)
{
	struct portalmem_ioc_info info = {
		.fd = (int)values[1],
		.flags = (uint32_t)values[2],
	};

	(void)state;
	return sized_ioctl((int)values[0], PORTALMEM_IOC_INFO, &info,
			   values[3]);
}

static long run_heap(struct state *state, const uint64_t *values)
{
	struct portalmem_ioc_heap heap = {.flags = (uint32_t)values[1]};

	(void)state;
	return sized_ioctl((int)values[0], PORTALMEM_IOC_HEAP, &heap,
			   values[2]);
}

static long run_holders(struct state *state, const uint64_t *values)
{
	struct portalmem_ioc_holders holders = {
		.fd = (int)values[1],
		.flags = (uint32_t)values[2],
	};

	(void)state;
	return sized_ioctl((int)values[0], PORTALMEM_IOC_HOLDERS, &holders,
			   values[3]);
}

static long run_trim(struct state *state, const uint64_t *values)
{
	struct portalmem_ioc_trim trim = {.flags = (uint32_t)values[1]};

	(void)state;
	return sized_ioctl((int)values[0], PORTALMEM_IOC_TRIM, &trim,
			   values[2]);
}

static long run_sync(struct state *state, const uint64_t *values)
{
	struct portalmem_ioc_range ranges[ENTRIES];
	struct portalmem_ioc_sync sync = {
		.fd = (int)values[1],
		.flags = (uint32_t)values[2],
		.count = (uint32_t)values[5],
	};

	(void)state;
	/* The first as asked for, the others behind it. */
	for (uint64_t i = 0; i < ENTRIES; i++) {
		ranges[i].offset = values[3] + i * 64;
		ranges[i].length = i ? 64 : values[4];
	}
	sync.ranges = address_of(values[6], ranges, sizeof(ranges));
	return sized_ioctl((int)values[0], PORTALMEM_IOC_SYNC, &sync,
			   values[7]);
}

static long run_segments(struct state *state, const uint64_t *values)
{
	struct portalmem_ioc_segments segments = {
		.fd = (int)values[1],
		.first = (uint32_t)values[2],
		.count = (uint32_t)values[3],
		.segments = address_of(values[4], "", 1),
		.flags = (uint32_t)values[5],
	};

	(void)state;
	return sized_ioctl((int)values[0], PORTALMEM_IOC_SEGMENTS, &segments,
			   values[6]);
}

static long run_attach(struct state *state, const uint64_t *values)
{
	struct portalmem_ioc_attach attach = {
		.buffer = (int)values[1],
		.direction = (uint32_t)values[3],
		.fd_flags = (uint32_t)values[4],
		.address_bits = (uint32_t)values[5],
	};
	const char *bus = devices[values[2] % DEVICES].bus;
	const char *device = devices[values[2] % DEVICES].device;

	(void)state;
	memcpy(attach.bus, bus, strlen(bus));
	memcpy(attach.device, device, strlen(device));
	if (values[6] % 32 == 31)
		memset(attach.device, 'x', sizeof(attach.device));
	if (sized_ioctl((int)values[0], PORTALMEM_IOC_ATTACH, &attach,
			values[7]))
		return -1;
	return attach.fd;
}

static long run_attachment(struct state *state, const uint64_t *values)
{
	struct portalmem_ioc_attachment info = {.flags = (uint32_t)values[1]};

	(void)state;
	return sized_ioctl((int)values[0], PORTALMEM_IOC_ATTACHMENT, &info,
			   values[2]);
}

static long run_dma_segments(struct state *state, const uint64_t *values)
{
	struct portalmem_ioc_dma_segments segments = {
		.first = (uint32_t)values[1],
		.count = (uint32_t)values[2],
		.segments = address_of(values[3], "", 1),
		.flags = (uint32_t)values[4],
	};

	(void)state;
	return sized_ioctl((int)values[0], PORTALMEM_IOC_DMA_SEGMENTS,
			   &segments, values[5]);
}

/* Another driver's attachment, which the module hears of as an exporter. */
static long run_device(struct state *state, const uint64_t *values)
{
	struct pm_device_select select = {0};
	struct pm_device_attach attach = {
		.fd = (int)values[0],
		.direction = (uint32_t)values[2],
	};
	int fd = open("/dev/pm_device", O_RDWR | O_CLOEXEC);

	(void)state;
	if (fd < 0)
		return -1;
	snprintf(select.name, sizeof(select.name), "pm_device.%u",
		 (unsigned int)values[1] % 2);
	if (ioctl(fd, PM_DEVICE_IOC_SELECT, &select) ||
	    ioctl(fd, PM_DEVICE_IOC_ATTACH, &attach)) {
		int error = errno;

		close(fd);
		return refuse(error);
	}
	return fd;
}

/* Any ioctl of the three protocols, with any bytes. */
static long run_raw(struct state *state, const uint64_t *values)
{
	static const unsigned char types[] = {PORTALMEM_IOC_MAGIC, 'b', 'H',
					      PORTALMEM_IOC_MAGIC};
	uint64_t bytes[STRUCT_MOST / 8] = {0};
	uint64_t seed = values[4];
	size_t size = values[2] % 256;

	(void)state;
	for (size_t i = 0; i < size / 8 && values[4]; i++)
		bytes[i] = random_below(&seed, 2) ? random_next(&seed) : 0;
	/* It takes what it is told to take, and no more. */
	bytes[1] = limit_size(bytes[1]);
	bytes[0] = limit_size(bytes[0]);
	return ioctl((int)values[0],
		     _IOC((unsigned int)(values[3] >> 2) & 3,
			  types[values[3] % 4], (unsigned int)values[1] & 0xff,
			  size),
		     bytes);
}

static long run_dmabuf_sync(struct state *state, const uint64_t *values)
{
	struct dma_buf_sync sync = {.flags = values[1]};

	(void)state;
	return ioctl((int)values[0], DMA_BUF_IOCTL_SYNC, &sync);
}

static long run_set_name(struct state *state, const uint64_t *values)
{
	char name[PORTALMEM_NAME_LEN + 1] = {0};

	(void)state;
	put_name(name, values[1]);
	return ioctl((int)values[0], DMA_BUF_SET_NAME_B, name);
}

static long run_export_fence(struct state *state, const uint64_t *values)
{
	struct dma_buf_export_sync_file export = {.flags = (uint32_t)values[1]};

	(void)state;
	if (ioctl((int)values[0], DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &export))
		return -1;
	return export.fd;
}

static long run_mmap(struct state *state, const uint64_t *values)
{
	size_t length = (size_t)limit_size(values[2]) % PLACE_SIZE;
	char *at = place(values[1]);

	(void)state;
	return mmap(at, length, (int)(values[3] & 7),
		    (int)((values[4] & ~(uint64_t)MAP_ANONYMOUS) | MAP_FIXED),
		    (int)values[0], (off_t)values[5]) == MAP_FAILED
		       ? -1
		       : 0;
}

/* Memory of the program's own, of several kinds. */
static long run_memory(struct state *state, const uint64_t *values)
{
	size_t length = (size_t)limit_size(values[1]) % PLACE_SIZE;
	int flags = MAP_FIXED, fd = -1;
	void *mapped;

	(void)state;
	switch (values[2] % 4) {
	case 0:
		flags |= MAP_PRIVATE | MAP_ANONYMOUS;
		break;
	case 1:
		flags |= MAP_SHARED | MAP_ANONYMOUS;
		break;
	case 2:
		flags |= MAP_SHARED;
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, (off_t)length))
			return -1;
		break;
	case 3:
		flags |= MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;
		break;
	}
	mapped = mmap(place(values[0]), length, (int)(values[3] & 7), flags, fd,
		      0);
	if (fd >= 0)
		close(fd);
	return mapped == MAP_FAILED ? -1 : 0;
}

static long run_munmap(struct state *state, const uint64_t *values)
{
	size_t length = (size_t)limit_size(values[2]);
	char *at = place_part(values[0], values[1], &length);

	(void)state;
	return munmap(at, length);
}

static long run_mprotect(struct state *state, const uint64_t *values)
{
	size_t length = (size_t)limit_size(values[2]);
	char *at = place_part(values[0], values[1], &length);

	(void)state;
	return mprotect(at, length, (int)(values[3] & 7));
}

static long run_madvise(struct state *state, const uint64_t *values)
{
	size_t length = (size_t)limit_size(values[2]);
	char *at = place_part(values[0], values[1], &length);
	int advice = (int)(values[3] % 26);

	(void)state;
	/* The two around 100 break memory for good: they are not reached. */
	return madvise(at, length, advice);
}

static long run_mremap(struct state *state, const uint64_t *values)
{
	size_t from = (size_t)limit_size(values[1]) % PLACE_SIZE;
	size_t to = (size_t)limit_size(values[2]) % PLACE_SIZE;
	int flags = (int)(values[3] & 7);

	(void)state;
	/* Elsewhere is out of our sight. */
	if (flags & MREMAP_MAYMOVE)
		flags |= MREMAP_FIXED;
	return mremap(place(values[0]), from, to, flags, place(values[4])) ==
			       MAP_FAILED
		       ? -1
		       : 0;
}

static long run_mlock(struct state *state, const uint64_t *values)
{
	size_t length = (size_t)limit_size(values[1]);
	char *at = place_part(values[0], 0, &length);

	(void)state;
	return values[2] & 1 ? munlock(at, length) : mlock(at, length);
}

static __attribute__((noinline)) void touch(volatile char *at, size_t length,
					    bool writes)
{
	for (size_t i = 0; i < length; i += PAGE) {
		if (writes)
			at[i] = (char)i;
		else
			(void)at[i];
	}
}

static __attribute__((noinline)) bool may_touch(char *at, size_t length,
						bool writes)
{
	if (sigsetjmp(fault_to, 1)) {
		may_fault = 0;
		return false;
	}
	may_fault = 1;
	touch(at, length, writes);
	may_fault = 0;
	return true;
}

static long run_touch(struct state *state, const uint64_t *values)
{
	size_t length = (size_t)limit_size(values[2]) % ((size_t)1 << 20);
	char *at = place_part(values[0], values[1], &length);

	(void)state;
	return may_touch(at, length, values[3] & 1) ? 0 : refuse(EFAULT);
}

/* Pages in a pipe are held by nobody but that. */
static long run_vmsplice(struct state *state, const uint64_t *values)
{
	size_t length = (size_t)limit_size(values[2]) % (8 * PAGE);
	struct iovec iov = {
		.iov_base = place_part(values[0], values[1], &length),
		.iov_len = length,
	};

	return vmsplice(state->pipe[1], &iov, 1,
			SPLICE_F_NONBLOCK | (unsigned int)(values[3] & 8));
}

/* Through the kernel's own copy, from one place to another. */
static long run_copy(struct state *state, const uint64_t *values)
{
	size_t length = (size_t)limit_size(values[3]) % ((size_t)1 << 20);
	struct iovec from = {.iov_base =
				     place_part(values[0], values[2], &length)};
	struct iovec to = {.iov_base = place(values[1])};

	(void)state;
	from.iov_len = to.iov_len = length;
	return process_vm_readv(getpid(), &to, 1, &from, 1, 0);
}

static long run_send(struct state *state, const uint64_t *values)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte = 0;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&msg);
	int fd = (int)values[0];

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	return sendmsg(state->sockets[values[1] & 1], &msg,
		       MSG_NOSIGNAL | MSG_DONTWAIT);
}

static long run_receive(struct state *state, const uint64_t *values)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	int fd;

	if (recvmsg(state->sockets[values[0] & 1], &msg,
		    MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
		return -1;
	header = CMSG_FIRSTHDR(&msg);
	if (!header || header->cmsg_type != SCM_RIGHTS)
		return refuse(ENOMSG);
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static long run_dup(struct state *state, const uint64_t *values)
{
	(void)state;
	return fcntl((int)values[0], F_DUPFD_CLOEXEC, FIRST_FD);
}

static long run_close(struct state *state, const uint64_t *values)
{
	(void)state;
	/* Not what the program's own processes talk through. */
	return (int)values[0] < FIRST_FD ? refuse(EBADF)
					 : close((int)values[0]);
}

static long run_seek(struct state *state, const uint64_t *values)
{
	(void)state;
	return lseek((int)values[0], (off_t)values[1], (int)values[2]) < 0 ? -1
									   : 0;
}

static long run_poll(struct state *state, const uint64_t *values)
{
	struct pollfd poller = {.fd = (int)values[0],
				.events = (short)values[1]};

	(void)state;
	return poll(&poller, 1, 0);
}

static long run_fdinfo(struct state *state, const uint64_t *values)
{
	char path[64], text[512];
	long ret;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", (int)values[0]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	ret = read(fd, text, sizeof(text));
	close(fd);
	return ret < 0 ? -1 : 0;
}

static long put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	long ret;

	if (fd < 0)
		return -1;
	ret = write(fd, text, strlen(text));
	close(fd);
	return ret < 0 ? -1 : 0;
}

/* Which of the test's devices are there. */
static long run_plug(struct state *state, const uint64_t *values)
{
	char text[16];

	(void)state;
	snprintf(text, sizeof(text), "%u", (unsigned int)values[0] & 3);
	return put(PM_DEVICE_PRESENT, text);
}

/* Caches, and with them the module's pools, give back what they can. */
static long run_shrink(struct state *state, const uint64_t *values)
{
	(void)state;
	(void)values;
	return put(DROP_CACHES, "2");
}

static long run_limit(struct state *state, const uint64_t *values)
{
	const struct rlimit limit = {.rlim_cur = values[0] % SIZE_MOST,
				     .rlim_max = RLIM_INFINITY};

	(void)state;
	return setrlimit(RLIMIT_MEMLOCK, &limit);
}

static long run_fork(struct state *state, const uint64_t *values);
static long run_thread(struct state *state, const uint64_t *values);

/* The first two are what a new program begins with. */
const struct operation operations[] = {
	{"node", KIND_NODE, 6, run_node, {{"path", KIND_PATH}}},
	{"alloc",
	 KIND_BUFFER,
	 20,
	 run_alloc,
	 {{"node", KIND_NODE},
	  {"size", KIND_SIZE},
	  {"caching", KIND_CACHING},
	  {"flags", KIND_ALLOC_FLAGS},
	  {"fd_flags", KIND_FD_FLAGS},
	  {"bits", KIND_BITS},
	  {"alignment", KIND_ALIGNMENT},
	  {"more", KIND_NAME}}},
	{"heap_alloc",
	 KIND_BUFFER,
	 4,
	 run_heap_alloc,
	 {{"node", KIND_NODE},
	  {"size", KIND_SIZE},
	  {"fd_flags", KIND_FD_FLAGS},
	  {"flags", KIND_NONE}}},
	{"import",
	 KIND_BUFFER,
	 12,
	 run_import,
	 {{"node", KIND_NODE},
	  {"place", KIND_PLACE},
	  {"offset", KIND_ALIGNMENT},
	  {"size", KIND_SIZE},
	  {"fd_flags", KIND_FD_FLAGS},
	  {"flags", KIND_NONE},
	  {"more", KIND_NAME},
	  {"struct", KIND_STRUCT_SIZE}}},
	{"version",
	 KIND_NONE,
	 1,
	 run_version,
	 {{"node", KIND_NODE}, {"struct", KIND_STRUCT_SIZE}}},
	{"info",
	 KIND_NONE,
	 3,
	 run_info,
	 {{"node", KIND_NODE},
	  {"buffer", KIND_BUFFER},
	  {"flags", KIND_NONE},
	  {"struct", KIND_STRUCT_SIZE}}},
	{"heap",
	 KIND_NONE,
	 2,
	 run_heap,
	 {{"node", KIND_NODE},
	  {"flags", KIND_NONE},
	  {"struct", KIND_STRUCT_SIZE}}},
	{"holders",
	 KIND_NONE,
	 4,
	 run_holders,
	 {{"node", KIND_NODE},
	  {"buffer", KIND_BUFFER},
	  {"flags", KIND_NONE},
	  {"struct", KIND_STRUCT_SIZE}}},
	{"trim",
	 KIND_NONE,
	 2,
	 run_trim,
	 {{"node", KIND_NODE},
	  {"flags", KIND_NONE},
	  {"struct", KIND_STRUCT_SIZE}}},
	{"sync",
	 KIND_NONE,
	 12,
	 run_sync,
	 {{"node", KIND_NODE},
	  {"buffer", KIND_BUFFER},
	  {"flags", KIND_SYNC_FLAGS},
	  {"offset", KIND_OFFSET},
	  {"length", KIND_SIZE},
	  {"count", KIND_COUNT},
	  {"memory", KIND_MEMORY},
	  {"struct", KIND_STRUCT_SIZE}}},
	{"sync_device",
	 KIND_NONE,
	 6,
	 run_sync,
	 {{"attachment", KIND_ATTACHMENT},
	  {"minus_one", KIND_MINUS_ONE},
	  {"flags", KIND_SYNC_FLAGS},
	  {"offset", KIND_OFFSET},
	  {"length", KIND_SIZE},
	  {"count", KIND_COUNT},
	  {"memory", KIND_MEMORY},
	  {"struct", KIND_STRUCT_SIZE}}},
	{"segments",
	 KIND_NONE,
	 6,
	 run_segments,
	 {{"node", KIND_NODE},
	  {"buffer", KIND_BUFFER},
	  {"first", KIND_SMALL},
	  {"count", KIND_COUNT},
	  {"memory", KIND_MEMORY},
	  {"flags", KIND_NONE},
	  {"struct", KIND_STRUCT_SIZE}}},
	{"attach",
	 KIND_ATTACHMENT,
	 14,
	 run_attach,
	 {{"node", KIND_NODE},
	  {"buffer", KIND_BUFFER},
	  {"device", KIND_DEVICE},
	  {"direction", KIND_DIRECTION},
	  {"fd_flags", KIND_ATTACH_FLAGS},
	  {"bits", KIND_BITS},
	  {"name", KIND_NAME},
	  {"struct", KIND_STRUCT_SIZE}}},
	{"attachment",
	 KIND_NONE,
	 3,
	 run_attachment,
	 {{"attachment", KIND_ATTACHMENT},
	  {"flags", KIND_NONE},
	  {"struct", KIND_STRUCT_SIZE}}},
	{"dma_segments",
	 KIND_NONE,
	 5,
	 run_dma_segments,
	 {{"attachment", KIND_ATTACHMENT},
	  {"first", KIND_SMALL},
	  {"count", KIND_COUNT},
	  {"memory", KIND_MEMORY},
	  {"flags", KIND_NONE},
	  {"struct", KIND_STRUCT_SIZE}}},
	{"device",
	 KIND_FILE,
	 6,
	 run_device,
	 {{"buffer", KIND_BUFFER},
	  {"device", KIND_SMALL},
	  {"direction", KIND_DIRECTION}}},
	{"raw",
	 KIND_NONE,
	 4,
	 run_raw,
	 {{"file", KIND_FILE},
	  {"number", KIND_NUMBER},
	  {"size", KIND_STRUCT_SIZE},
	  {"type", KIND_SMALL},
	  {"seed", KIND_WORD}}},
	{"dmabuf_sync",
	 KIND_NONE,
	 4,
	 run_dmabuf_sync,
	 {{"buffer", KIND_BUFFER}, {"flags", KIND_SYNC_FLAGS}}},
	{"set_name",
	 KIND_NONE,
	 2,
	 run_set_name,
	 {{"buffer", KIND_BUFFER}, {"name", KIND_NAME}}},
	{"export_fence",
	 KIND_FILE,
	 2,
	 run_export_fence,
	 {{"buffer", KIND_BUFFER}, {"flags", KIND_SYNC_FLAGS}}},
	{"mmap",
	 KIND_NONE,
	 18,
	 run_mmap,
	 {{"buffer", KIND_BUFFER},
	  {"place", KIND_PLACE},
	  {"length", KIND_SIZE},
	  {"protection", KIND_PROTECTION},
	  {"flags", KIND_MAP_FLAGS},
	  {"offset", KIND_OFFSET}}},
	{"memory",
	 KIND_NONE,
	 8,
	 run_memory,
	 {{"place", KIND_PLACE},
	  {"length", KIND_SIZE},
	  {"kind", KIND_SMALL},
	  {"protection", KIND_PROTECTION}}},
	{"munmap",
	 KIND_NONE,
	 4,
	 run_munmap,
	 {{"place", KIND_PLACE},
	  {"offset", KIND_OFFSET},
	  {"length", KIND_SIZE}}},
	{"mprotect",
	 KIND_NONE,
	 4,
	 run_mprotect,
	 {{"place", KIND_PLACE},
	  {"offset", KIND_OFFSET},
	  {"length", KIND_SIZE},
	  {"protection", KIND_PROTECTION}}},
	{"madvise",
	 KIND_NONE,
	 7,
	 run_madvise,
	 {{"place", KIND_PLACE},
	  {"offset", KIND_OFFSET},
	  {"length", KIND_SIZE},
	  {"advice", KIND_ADVICE}}},
	{"mremap",
	 KIND_NONE,
	 5,
	 run_mremap,
	 {{"place", KIND_PLACE},
	  {"from", KIND_SIZE},
	  {"to", KIND_SIZE},
	  {"flags", KIND_SMALL},
	  {"target", KIND_PLACE}}},
	{"mlock",
	 KIND_NONE,
	 2,
	 run_mlock,
	 {{"place", KIND_PLACE}, {"length", KIND_SIZE}, {"undo", KIND_SMALL}}},
	{"touch",
	 KIND_NONE,
	 12,
	 run_touch,
	 {{"place", KIND_PLACE},
	  {"offset", KIND_OFFSET},
	  {"length", KIND_SIZE},
	  {"write", KIND_SMALL}}},
	{"vmsplice",
	 KIND_NONE,
	 4,
	 run_vmsplice,
	 {{"place", KIND_PLACE},
	  {"offset", KIND_OFFSET},
	  {"length", KIND_SIZE},
	  {"flags", KIND_SMALL}}},
	{"copy",
	 KIND_NONE,
	 4,
	 run_copy,
	 {{"from", KIND_PLACE},
	  {"to", KIND_PLACE},
	  {"offset", KIND_OFFSET},
	  {"length", KIND_SIZE}}},
	{"send",
	 KIND_NONE,
	 4,
	 run_send,
	 {{"file", KIND_FILE}, {"side", KIND_SMALL}}},
	{"receive", KIND_BUFFER, 4, run_receive, {{"side", KIND_SMALL}}},
	{"dup", KIND_BUFFER, 3, run_dup, {{"buffer", KIND_BUFFER}}},
	{"close", KIND_NONE, 8, run_close, {{"file", KIND_FILE}}},
	{"seek",
	 KIND_NONE,
	 2,
	 run_seek,
	 {{"file", KIND_FILE}, {"offset", KIND_OFFSET}, {"whence", KIND_SMALL}}},
	{"poll",
	 KIND_NONE,
	 2,
	 run_poll,
	 {{"file", KIND_FILE}, {"events", KIND_SYNC_FLAGS}}},
	{"fdinfo", KIND_NONE, 2, run_fdinfo, {{"file", KIND_FILE}}},
	{"plug", KIND_NONE, 3, run_plug, {{"devices", KIND_SMALL}}},
	{"shrink", KIND_NONE, 1, run_shrink, {{0}}},
	{"limit", KIND_NONE, 1, run_limit, {{"bytes", KIND_SIZE}}},
	{"fork", KIND_NONE, 5, run_fork, {{"calls", KIND_COUNT}}},
	{"thread", KIND_NONE, 5, run_thread, {{"calls", KIND_COUNT}}},
};
const unsigned int operation_count = sizeof(operations) / sizeof(operations[0]);

/*
 * What a call gave; if it has failed, what the last one of its kind gave that
 * has not: a program goes on with what it has.
 */
static uint64_t value_of(const struct state *state,
			 const struct argument *argument, unsigned int at)
{
	const struct call *calls = state->program->calls;
	enum kind kind;

	if (!argument->is_result)
		return argument->value;
	if (argument->value >= at)
		return UINT64_MAX;
	if (state->results[argument->value] >= 0)
		return (uint64_t)state->results[argument->value];
	kind = operations[calls[argument->value].operation].gives;
	for (unsigned int i = at; i--;)
		if (operations[calls[i].operation].gives == kind &&
		    state->results[i] >= 0)
			return (uint64_t)state->results[i];
	return UINT64_MAX;
}

static void run_call(struct state *state, unsigned int at)
{
	const struct call *call = &state->program->calls[at];
	uint64_t values[ARGUMENTS_MAX];

	for (int i = 0; i < ARGUMENTS_MAX; i++)
		values[i] = value_of(state, &call->arguments[i], at);
	state->at = at;
	state->results[at] = -1;
	errno = 0;
	state->results[at] = operations[call->operation].run(state, values);
	state->errors[at] = state->results[at] < 0 ? errno : 0;
}

/* The next calls, up to COUNT of them. */
static void run_part(struct state *state, unsigned int first,
		     unsigned int count)
{
	state->is_part = true;
	for (unsigned int i = first;
	     i < first + count && i < state->program->count; i++)
		run_call(state, i);
}

static long run_fork(struct state *state, const uint64_t *values)
{
	unsigned int count = (unsigned int)(values[0] % 8);
	pid_t child;

	if (state->is_part || state->child_count == CHILDREN_MAX)
		return refuse(EBUSY);
	child = fork();
	if (child < 0)
		return -1;
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_part(state, state->at + 1, count);
		_exit(0);
	}
	state->children[state->child_count++] = child;
	state->skip = count;
	return 0;
}

/* A thread has results of its own, and the same files and memory. */
static void *thread_main(void *data)
{
	struct state *state = data;

	run_part(state, state->at + 1, state->skip);
	free(state);
	return NULL;
}

static long run_thread(struct state *state, const uint64_t *values)
{
	unsigned int count = (unsigned int)(values[0] % 8);
	struct state *part;

	if (state->is_part || state->thread_count == CHILDREN_MAX)
		return refuse(EBUSY);
	part = malloc(sizeof(*part));
	*part = *state;
	part->skip = count;
	if (pthread_create(&state->threads[state->thread_count], NULL,
			   thread_main, part)) {
		free(part);
		return refuse(EAGAIN);
	}
	state->thread_count++;
	state->skip = count;
	return 0;
}

void execute_prepare(void)
{
	struct sigaction action = {.sa_handler = on_fault,
				   .sa_flags = SA_NODEFER};

	/* What is opened from now on is a program's. */
	while (dup(STDIN_FILENO) < FIRST_FD - 1)
		;
	/* Without a line about each in the kernel's log. */
	put(DROP_CACHES, "4");
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	memory = mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	munmap(memory + MEMORY_SIZE - PAGE, PAGE);
}

static void make_channels(struct state *state)
{
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, state->sockets) ||
	    pipe2(state->pipe, O_CLOEXEC | O_NONBLOCK)) {
		perror("channels");
		_exit(1);
	}
}

void execute(struct state *state, const struct program *program,
	     void (*after)(const struct state *state, unsigned int at))
{
	memset(state, 0, sizeof(*state));
	state->program = program;
	memset(state->results, 0xff, sizeof(state->results));
	make_channels(state);
	for (unsigned int i = 0; i < program->count; i++) {
		if (state->skip) {
			state->skip--;
			continue;
		}
		run_call(state, i);
		if (after)
			after(state, i);
	}
}

void execute_clean(struct state *state)
{
	const struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	for (unsigned int i = 0; i < state->thread_count; i++)
		pthread_join(state->threads[i], NULL);
	for (unsigned int i = 0; i < state->child_count; i++)
		waitpid(state->children[i], NULL, 0);
	mmap(PLACES_BASE, PLACES * PLACE_SIZE, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
	close(state->sockets[0]);
	close(state->sockets[1]);
	close(state->pipe[0]);
	close(state->pipe[1]);
	syscall(SYS_close_range, FIRST_FD, UINT32_MAX, 0);
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	for (unsigned int i = 0; i < state->program->count; i++)
		if (operations[state->program->calls[i].operation].run ==
		    run_plug)
			put(PM_DEVICE_PRESENT, "3");
}
