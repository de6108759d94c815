// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All that the module can do, for a program of 32 and one of 64 bits alike:
 * every request has the same layout and the same answers, and of a buffer that
 * is larger than its address space a program can map parts.
 *
 * Of the libraries that the other tests use, there are none for 32 bits on a
 * machine of 64, and so it prints TAP itself. It prints no plan: the scripts
 * that start it know of more tests. With an argument, it does what takes more
 * than 4 GiB of memory.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/portalmem.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kmod/pm_device.h"

_Static_assert(sizeof(void *) * 8 == PROGRAM_BITS, "a wrong compiler");
_Static_assert(sizeof(off_t) == 8, "offsets have 64 bits");

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)
#define GIB4 (1ULL << 32)

/* Makes an address wrong, unless somebody cuts it to 32 bits. */
#define BEYOND (1ULL << 52)

#define PAGE 4096
#define SOMEBODY 1000

static int failures;

/* What the next tests are about. */
static const char *subject;

static void check(const char *what, int passed)
{
	printf("%sok - %s: %s\n", passed ? "" : "not ", subject, what);
	failures += !passed;
}

/* Without what this gives, nothing of the rest makes sense. */
static int need(const char *what, int fd)
{
	if (fd < 0) {
		printf("not ok - %s: %s: %s\n", subject, what, strerror(errno));
		exit(1);
	}
	return fd;
}

static int open_node(const char *path)
{
	return need(path, open(path, O_RDWR | O_CLOEXEC));
}

/* 0 or an errno. */
static int request(int fd, unsigned long number, void *arg)
{
	return ioctl(fd, number, arg) ? errno : 0;
}

static void *map(int fd, size_t size, off_t offset)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
}

static void fill(void *to, size_t size, uint32_t seed)
{
	uint32_t *word = to;

	for (size_t i = 0; i < size / sizeof(*word); i++)
		word[i] = seed + (uint32_t)i * 2654435761u;
}

static int is_filled(const void *from, size_t size, uint32_t seed)
{
	const uint32_t *word = from;

	for (size_t i = 0; i < size / sizeof(*word); i++)
		if (word[i] != seed + (uint32_t)i * 2654435761u)
			return 0;
	return 1;
}

/* Run BODY in a child without any privilege; its return value is the answer. */
static int as_somebody(int (*body)(int node), int node)
{
	pid_t child = fork();
	int status = 0;

	if (!child)
		_exit(setuid(SOMEBODY) ? 255 : body(node));
	return waitpid(child, &status, 0) == child && WIFEXITED(status)
		       ? WEXITSTATUS(status)
		       : 255;
}

static struct portalmem_ioc_alloc request_for(uint64_t size, uint32_t caching)
{
	struct portalmem_ioc_alloc alloc = {
		.size = size,
		.caching = caching,
		.fd_flags = O_RDWR | O_CLOEXEC,
		.name = "of any width",
	};

	return alloc;
}

static int alloc_buffer(int node, uint64_t size)
{
	struct portalmem_ioc_alloc alloc = request_for(size, PORTALMEM_CACHED);

	return need("ALLOC gives a buffer",
		    ioctl(node, PORTALMEM_IOC_ALLOC, &alloc) ? -1 : alloc.fd);
}

static void check_version(int node)
{
	struct portalmem_ioc_version version = {.abi = 99};

	subject = "module";
	check("VERSION answers",
	      !request(node, PORTALMEM_IOC_VERSION, &version) &&
		      version.abi == PORTALMEM_ABI_VERSION && !version.pad &&
		      version.features & PORTALMEM_FEATURE_PINNABLE);
}

static void check_heap(int node)
{
	struct portalmem_ioc_heap heap = {0};
	struct portalmem_ioc_trim trim = {0};

	check("HEAP tells what it is",
	      !request(node, PORTALMEM_IOC_HEAP, &heap) &&
		      !strcmp(heap.name, "system") && heap.available &&
		      heap.features & PORTALMEM_HEAP_PINNABLE);
	check("TRIM answers", !request(node, PORTALMEM_IOC_TRIM, &trim));
}

static void check_info(int node, int fd, uint64_t size, const char *heap)
{
	struct portalmem_ioc_info info = {.fd = fd};

	check("INFO tells size, caching, process and names",
	      !request(node, PORTALMEM_IOC_INFO, &info) && info.size == size &&
		      info.caching == PORTALMEM_CACHED &&
		      info.effective == PORTALMEM_CACHED && info.segments &&
		      info.pid == getpid() && !strcmp(info.heap, heap) &&
		      !strcmp(info.name, "of any width"));
}

static void check_segments(int node, int fd, uint64_t size)
{
	static struct portalmem_ioc_segment table[4096];
	struct portalmem_ioc_segments segments = {
		.fd = fd,
		.segments = (uintptr_t)table,
		.count = 4096,
	};
	uint64_t end = 0;
	int error = request(node, PORTALMEM_IOC_SEGMENTS, &segments);

	for (uint32_t i = 0; !error && i < segments.count; i++)
		end += table[i].offset == end && table[i].physical
			       ? table[i].length
			       : 0;
	check("SEGMENTS add up to the buffer",
	      !error && segments.count == segments.total && end == size);
}

static int sync_ranges(int node, int fd, uint32_t flags,
		       struct portalmem_ioc_range *ranges, uint32_t count)
{
	struct portalmem_ioc_sync sync = {
		.flags = flags | DMA_BUF_SYNC_RW,
		.fd = fd,
		.ranges = (uintptr_t)ranges,
		.count = count,
	};

	return request(node, PORTALMEM_IOC_SYNC, &sync);
}

/* The last byte belongs to the buffer, the one after it does not. */
static void check_sync(int node, int fd, uint64_t size)
{
	struct portalmem_ioc_range ranges[] = {{0, PAGE}, {size - 1, 1}};

	check("SYNC takes ranges up to the last byte",
	      !sync_ranges(node, fd, DMA_BUF_SYNC_START, ranges, 2) &&
		      !sync_ranges(node, fd, DMA_BUF_SYNC_END, ranges, 2));
	ranges[1].length = 2;
	check("SYNC refuses a range past the end",
	      sync_ranges(node, fd, DMA_BUF_SYNC_START, ranges, 2) == ERANGE);
	ranges[1].offset = -(uint64_t)PAGE;
	ranges[1].length = 2 * PAGE;
	check("SYNC wants a buffer",
	      sync_ranges(node, -1, DMA_BUF_SYNC_START, ranges, 1) == EBADF);
	check("SYNC refuses a range that wraps",
	      sync_ranges(node, fd, DMA_BUF_SYNC_START, ranges, 2) == ERANGE);
}

/* FD is a node, or an attachment, and then BUFFER is -1. */
static void check_many_ranges(int fd, int buffer, uint64_t size)
{
	const uint32_t most = PORTALMEM_SYNC_RANGES_MAX;
	struct portalmem_ioc_range *ranges = calloc(most + 1, sizeof(*ranges));
	struct portalmem_ioc_sync sync = {
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ,
		.fd = buffer,
		.ranges = BEYOND | (uintptr_t)ranges,
		.count = 1,
	};

	for (uint32_t i = 0; i < most; i++) {
		ranges[i].offset = i * 9973ULL % size;
		ranges[i].length = i % 3;
		if (ranges[i].offset + ranges[i].length > size)
			ranges[i].length = 0;
	}
	check("SYNC takes as many ranges as it says",
	      !sync_ranges(fd, buffer, DMA_BUF_SYNC_START, ranges, most) &&
		      !sync_ranges(fd, buffer, DMA_BUF_SYNC_END, ranges, most));
	check("SYNC refuses one more",
	      sync_ranges(fd, buffer, DMA_BUF_SYNC_START, ranges, most + 1) ==
		      EINVAL);
	ranges[most - 1].offset = size + 1;
	check("SYNC looks at the last of them",
	      sync_ranges(fd, buffer, DMA_BUF_SYNC_START, ranges, most) ==
		      ERANGE);
	check("SYNC does not cut an address",
	      request(fd, PORTALMEM_IOC_SYNC, &sync) == EFAULT);
	check("SYNC does not take any address",
	      sync_ranges(fd, buffer, DMA_BUF_SYNC_START,
			  (struct portalmem_ioc_range *)8, 1) == EFAULT);
	free(ranges);
}

/* Two mappings of one place, and the first and last word of a mebibyte. */
static int is_shared(int fd, off_t offset)
{
	uint32_t *one = map(fd, MIB, offset);
	uint32_t *two = map(fd, MIB, offset);
	size_t last = MIB / sizeof(*one) - 1;
	uint32_t mark = 0x01020304 + (uint32_t)(offset / PAGE);
	int shared = 0;

	if (one == MAP_FAILED || two == MAP_FAILED)
		return 0;
	if (!one[0] && !one[last]) {
		one[0] = mark;
		one[last] = ~mark;
		shared = two[0] == mark && two[last] == ~mark;
	}
	munmap(one, MIB);
	munmap(two, MIB);
	return shared;
}

static void check_buffer(int node)
{
	int fd;

	subject = "buffer";
	fd = alloc_buffer(node, MIB);
	check_info(node, fd, MIB, "system");
	check_segments(node, fd, MIB);
	check_sync(node, fd, MIB);
	check_many_ranges(node, fd, MIB);
	check("it is mapped, written and read", is_shared(fd, 0));
	close(fd);
}

static void check_wc_buffer(int node)
{
	struct portalmem_ioc_alloc alloc = request_for(MIB, PORTALMEM_WC);

	subject = "write-combined";
	check("it is mapped, written and read",
	      !request(node, PORTALMEM_IOC_ALLOC, &alloc) &&
		      alloc.effective == PORTALMEM_WC && alloc.segments &&
		      is_shared(alloc.fd, 0));
	close(alloc.fd);
}

static void check_heap_node(void)
{
	struct dma_heap_allocation_data data = {.len = MIB,
						.fd_flags = O_RDWR | O_CLOEXEC};
	int node;

	subject = "heap node";
	node = open_node("/dev/dma_heap/portalmem");
	check("DMA_HEAP_IOCTL_ALLOC gives a buffer that can be mapped",
	      !request(node, DMA_HEAP_IOCTL_ALLOC, &data) &&
		      is_shared((int)data.fd, 0));
	close((int)data.fd);
	close(node);
}

static struct portalmem_ioc_attach attach_to(int buffer, const char *device,
					     uint32_t direction)
{
	struct portalmem_ioc_attach attach = {
		.direction = direction,
		.buffer = buffer,
		.fd_flags = O_CLOEXEC,
		.bus = "platform",
	};

	snprintf(attach.device, sizeof(attach.device), "%s", device);
	return attach;
}

static int attach_error(int node, struct portalmem_ioc_attach attach)
{
	int error = request(node, PORTALMEM_IOC_ATTACH, &attach);

	if (!error)
		close(attach.fd);
	return error;
}

static int attach_buffer(int node, int buffer)
{
	struct portalmem_ioc_attach attach =
		attach_to(buffer, "pm_device.0", PORTALMEM_BIDIRECTIONAL);

	return need("ATTACH maps it for a device",
		    ioctl(node, PORTALMEM_IOC_ATTACH, &attach) ? -1
							       : attach.fd);
}

static int attach_as_somebody(int node)
{
	return attach_error(
		node, attach_to(-1, "pm_device.0", PORTALMEM_BIDIRECTIONAL));
}

static void check_attach_errors(int node, int buffer)
{
	struct portalmem_ioc_attach attach =
		attach_to(buffer, "pm_device.0", PORTALMEM_BIDIRECTIONAL);
	int null = open_node("/dev/null");

	check("no device of that name is ENODEV",
	      attach_error(node, attach_to(buffer, "none",
					   PORTALMEM_TO_DEVICE)) == ENODEV);
	check("what is not open is EBADF",
	      attach_error(node, attach_to(-1, "pm_device.0",
					   PORTALMEM_TO_DEVICE)) == EBADF);
	check("what is no buffer is EINVAL",
	      attach_error(node, attach_to(null, "pm_device.0",
					   PORTALMEM_TO_DEVICE)) == EINVAL);
	check("no direction is EINVAL",
	      attach_error(node, attach_to(buffer, "pm_device.0", 0)) ==
		      EINVAL);
	attach.pad = 1;
	check("padding is EINVAL", attach_error(node, attach) == EINVAL);
	check("who may not gets EPERM",
	      as_somebody(attach_as_somebody, node) == EPERM);
	close(null);
}

static uint32_t check_attachment_info(int attachment)
{
	struct portalmem_ioc_attachment info = {0};

	check("ATTACHMENT tells device, direction and size",
	      !request(attachment, PORTALMEM_IOC_ATTACHMENT, &info) &&
		      info.direction == PORTALMEM_BIDIRECTIONAL &&
		      info.features & PORTALMEM_ATTACHMENT_OWN &&
		      info.segments && info.size == MIB &&
		      info.address_bits == 64 && !info.pad &&
		      !strcmp(info.bus, "platform") &&
		      !strcmp(info.device, "pm_device.0"));
	return info.segments;
}

static struct portalmem_ioc_dma_segment segments[512];

static void check_dma_segments(int attachment, uint32_t total)
{
	struct portalmem_ioc_dma_segments ioc = {
		.segments = (uintptr_t)segments,
		.count = 0,
	};
	uint64_t end = 0;

	check("DMA_SEGMENTS tells how long the table is",
	      !request(attachment, PORTALMEM_IOC_DMA_SEGMENTS, &ioc) &&
		      ioc.total == total && !ioc.count);
	ioc.total = 0;
	ioc.count = 512;
	if (!request(attachment, PORTALMEM_IOC_DMA_SEGMENTS, &ioc))
		for (uint32_t i = 0; i < ioc.count; i++)
			end += segments[i].offset == end && segments[i].address
				       ? segments[i].length
				       : 0;
	check("DMA_SEGMENTS add up to the buffer",
	      ioc.count == total && end == MIB);
	ioc.total = 0;
	ioc.segments |= BEYOND;
	check("DMA_SEGMENTS does not cut an address",
	      request(attachment, PORTALMEM_IOC_DMA_SEGMENTS, &ioc) == EFAULT);
}

static int transfer(int device, uint64_t address, void *data, size_t size,
		    uint32_t flags)
{
	struct pm_device_transfer transfer = {
		.address = address,
		.length = size,
		.data = (uintptr_t)data,
		.flags = flags | PM_DEVICE_RAW,
	};

	return request(device, PM_DEVICE_IOC_TRANSFER, &transfer);
}

/* At the addresses that the table has, the device finds the buffer's bytes. */
static void check_bytes(int device, int attachment, char *bytes)
{
	struct portalmem_ioc_range range = {0, PAGE};
	static uint32_t seen[PAGE / sizeof(uint32_t)];

	fill(bytes, MIB, 11);
	check("the device reads what the CPU wrote",
	      !sync_ranges(attachment, -1, DMA_BUF_SYNC_END, &range, 1) &&
		      !transfer(device, segments[0].address, seen, PAGE, 0) &&
		      is_filled(seen, PAGE, 11));
	fill(seen, PAGE, 12);
	check("the CPU reads what the device wrote",
	      !transfer(device, segments[0].address, seen, PAGE,
			PM_DEVICE_WRITES) &&
		      !sync_ranges(attachment, -1, DMA_BUF_SYNC_START, &range,
				   1) &&
		      is_filled(bytes, PAGE, 12));
}

static int open_device(void)
{
	struct pm_device_select select = {.name = "pm_device.0"};
	int device = open_node("/dev/pm_device");

	need("the device is there",
	     ioctl(device, PM_DEVICE_IOC_SELECT, &select));
	return device;
}

static void set_present(const char *mask)
{
	int fd = need(PM_DEVICE_PRESENT, open(PM_DEVICE_PRESENT, O_WRONLY));

	need("devices come and go", (int)write(fd, mask, strlen(mask)));
	close(fd);
}

static short events_of(int fd)
{
	struct pollfd poller = {.fd = fd, .events = POLLIN};

	return poll(&poller, 1, 0) < 0 ? -1 : poller.revents;
}

static void check_unplug(int attachment)
{
	struct portalmem_ioc_attachment info = {0};
	struct portalmem_ioc_dma_segments table = {0};

	check("poll() waits", events_of(attachment) == 0);
	set_present("0");
	check("poll() tells that the device is gone",
	      events_of(attachment) == (POLLHUP | POLLERR));
	check("SYNC is ENODEV then",
	      sync_ranges(attachment, -1, DMA_BUF_SYNC_END, NULL, 0) == ENODEV);
	check("ATTACHMENT is ENODEV then",
	      request(attachment, PORTALMEM_IOC_ATTACHMENT, &info) == ENODEV);
	check("DMA_SEGMENTS is ENODEV then",
	      request(attachment, PORTALMEM_IOC_DMA_SEGMENTS, &table) ==
		      ENODEV);
	set_present("3");
}

static void check_attachment(int node)
{
	int buffer, attachment, device;
	char *bytes;

	subject = "attachment";
	buffer = alloc_buffer(node, MIB);
	bytes = map(buffer, MIB, 0);
	check_attach_errors(node, buffer);
	attachment = attach_buffer(node, buffer);
	check_dma_segments(attachment, check_attachment_info(attachment));
	check_many_ranges(attachment, -1, MIB);
	check("SYNC is for the attached buffer alone",
	      sync_ranges(attachment, buffer, DMA_BUF_SYNC_START, NULL, 0) ==
		      EINVAL);
	device = open_device();
	check_bytes(device, attachment, bytes);
	close(device);
	check_unplug(attachment);
	close(attachment);
	munmap(bytes, MIB);
	close(buffer);
}

static struct portalmem_ioc_import_user import_of(uint64_t address,
						  uint64_t size, int mode)
{
	struct portalmem_ioc_import_user import = {
		.fd_flags = (uint32_t)(mode | O_CLOEXEC),
		.address = address,
		.size = size,
		.name = "of any width",
	};

	return import;
}

static int import_error(int node, struct portalmem_ioc_import_user import)
{
	int error = request(node, PORTALMEM_IOC_IMPORT_USER, &import);

	if (!error)
		close(import.fd);
	return error;
}

static void *take_memory(int protection)
{
	void *memory =
		mmap(NULL, MIB, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need("there is memory", memory == MAP_FAILED ? -1 : 0);
	return memory;
}

static int import_too_much(int node)
{
	const struct rlimit limit = {64 * KIB, 64 * KIB};
	void *memory = take_memory(PROT_READ | PROT_WRITE);

	if (setrlimit(RLIMIT_MEMLOCK, &limit))
		return 255;
	return import_error(node,
			    import_of((uintptr_t)memory, 64 * KIB, O_RDWR))
		       ? 255
		       : import_error(node, import_of((uintptr_t)memory, MIB,
						      O_RDWR));
}

static void check_import_errors(int node)
{
	void *memory = take_memory(PROT_READ | PROT_WRITE);
	uintptr_t address = (uintptr_t)memory;

	check("an address within a page is EINVAL",
	      import_error(node, import_of(address + 4, PAGE, O_RDWR)) ==
		      EINVAL);
	check("no size is EINVAL",
	      import_error(node, import_of(address, 0, O_RDWR)) == EINVAL);
	check("an address is not cut",
	      import_error(node, import_of(BEYOND | address, PAGE, O_RDWR)) ==
		      EFAULT);
	check("a size is not cut",
	      import_error(node, import_of(address, GIB4 + PAGE, O_RDWR)) != 0);
	check("more than may be locked is ENOMEM",
	      as_somebody(import_too_much, node) == ENOMEM);
	munmap(memory, MIB);
	check("memory that is not there is EFAULT",
	      import_error(node, import_of(address, PAGE, O_RDWR)) == EFAULT);
}

static void check_read_only_import(int node)
{
	char *memory = take_memory(PROT_READ | PROT_WRITE);
	struct portalmem_ioc_import_user import =
		import_of((uintptr_t)memory, MIB, O_RDONLY);
	char *bytes;

	fill(memory, MIB, 22);
	mprotect(memory, MIB, PROT_READ);
	check("read-only memory is EACCES to write to",
	      import_error(node, import_of((uintptr_t)memory, MIB, O_RDWR)) ==
		      EACCES);
	check("it makes a read-only buffer",
	      !request(node, PORTALMEM_IOC_IMPORT_USER, &import) &&
		      map(import.fd, MIB, 0) == MAP_FAILED && errno == EACCES);
	bytes = mmap(NULL, MIB, PROT_READ, MAP_SHARED, import.fd, 0);
	check("which has its bytes",
	      bytes != MAP_FAILED && is_filled(bytes, MIB, 22));
	check("and which no device may write to",
	      attach_error(node, attach_to(import.fd, "pm_device.0",
					   PORTALMEM_FROM_DEVICE)) == EACCES);
	munmap(bytes, MIB);
	munmap(memory, MIB);
	close(import.fd);
}

static void check_holders(int node, int fd)
{
	struct portalmem_ioc_holders holders = {.fd = fd};
	int copy = dup(fd);

	check("a second descriptor is a holder",
	      !request(node, PORTALMEM_IOC_HOLDERS, &holders) &&
		      holders.references == 2 &&
		      holders.holders == PORTALMEM_HOLDER_REFERENCE);
	close(copy);
	check("and none when it is closed",
	      !request(node, PORTALMEM_IOC_HOLDERS, &holders) &&
		      holders.references == 1 && !holders.holders);
}

static void check_import(int node)
{
	char *memory, *bytes;
	struct portalmem_ioc_import_user import;
	int attachment, device;

	subject = "user memory";
	memory = take_memory(PROT_READ | PROT_WRITE);
	fill(memory, MIB, 21);
	import = import_of((uintptr_t)memory, MIB, O_RDWR);
	need("IMPORT_USER gives a buffer",
	     ioctl(node, PORTALMEM_IOC_IMPORT_USER, &import));
	check_info(node, import.fd, MIB, "user");
	check_segments(node, import.fd, MIB);
	check_sync(node, import.fd, MIB);
	check_holders(node, import.fd);
	bytes = map(import.fd, MIB, 0);
	check("the buffer has the memory's bytes",
	      bytes != MAP_FAILED && is_filled(bytes, MIB, 21));
	attachment = attach_buffer(node, import.fd);
	check_dma_segments(attachment, check_attachment_info(attachment));
	device = open_device();
	check_bytes(device, attachment, memory);
	close(device);
	close(attachment);
	munmap(memory, MIB);
	check("it keeps them when the memory is unmapped",
	      is_filled(bytes, PAGE, 12));
	munmap(bytes, MIB);
	close(import.fd);
	check_read_only_import(node);
	check_import_errors(node);
}

/* A mebibyte more than 32 bits can count. */
static void check_large_buffer(int node)
{
	uint32_t *first;
	int fd;

	subject = "more than 4 GiB";
	fd = alloc_buffer(node, GIB4 + MIB);
	check_info(node, fd, GIB4 + MIB, "system");
	check_segments(node, fd, GIB4 + MIB);
	check_sync(node, fd, GIB4 + MIB);
	check("what lies beyond 4 GiB is mapped, written and read",
	      is_shared(fd, GIB4));
	check("and so is what lies across",
	      is_shared(fd, (off_t)(GIB4 - MIB / 2)));
	first = map(fd, MIB, 0);
	check("the beginning is another place",
	      first != MAP_FAILED && !first[0]);
	munmap(first, MIB);
	check("more than the address space is not mapped",
	      map(fd, (size_t)-PAGE, 0) == MAP_FAILED && errno == ENOMEM);
	check("nor what is past the end",
	      map(fd, MIB, GIB4 + PAGE) == MAP_FAILED && errno == EINVAL);
	close(fd);
}

int main(int argc, char **argv)
{
	int node;

	(void)argv;
	/* Nothing is lost when it dies, and nothing is printed twice. */
	setvbuf(stdout, NULL, _IONBF, 0);
	subject = "module";
	node = open_node("/dev/portalmem");
	if (argc > 1) {
		check_large_buffer(node);
	} else {
		check_version(node);
		check_heap(node);
		check_buffer(node);
		check_wc_buffer(node);
		check_heap_node();
		check_attachment(node);
		check_import(node);
	}
	close(node);
	return failures != 0;
}
