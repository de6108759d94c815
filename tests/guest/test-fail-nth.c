// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kernels: debug
 * timeout: 400
 *
 * Every point at which a call can run out of memory, or cannot reach the
 * caller's: the first one fails, then the second one, until the call has no
 * more. Each time it succeeds or says a documented errno, keeps nothing, and
 * succeeds the next time. Where there are carve-outs (fail-nth-carveout.sh), it
 * is the calls on those.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attachment.h"
#include "fail-nth.h"
#include "guest.h"
#include "kmod/pm_importer.h"
#include "soft-device.h"

#define GROUP "fail-nth"

/* Chunks of two sizes; one lost is more than what the counts may differ. */
#define SIZE (MIB(1) + KIB(256))
#define RUN MIB(4)
#define SMALL KIB(64)

/* As fail-nth-carveout.sh has them: with pages, and without. */
#define FPGA "/dev/dma_heap/fpga"
#define NOMAP "/dev/dma_heap/fpga-nomap"
#define KMEMLEAK "/sys/kernel/debug/kmemleak"
#define SLACK_KIB 160
#define RUN_SLACK_KIB (24 * 1024)

/* No call has as many. */
#define POINTS_MAX 2000

/* What a call works on; descriptors are -1 where there is none. */
struct work {
	int node;
	int buffer;
	int attachment;
	int importer;
	int made;
	int own_memory; /* /proc/self/mem */
	bool device_gone;
	char *map;
	size_t map_size;
	char *memory;
};

/*
 * A path is prepared, called with a failure, and what is in the work then is
 * given back. CALL gives 0 or an errno.
 */
struct path {
	const char *name;
	void (*prepare)(struct work *work);
	int (*call)(struct work *work);
};

static int result_of(int value)
{
	return value < 0 ? errno : 0;
}

static int call_ioctl(int fd, unsigned long request, void *argument)
{
	return result_of(ioctl(fd, request, argument));
}

static void prepare_nothing(struct work *work)
{
	(void)work;
}

static void prepare_buffer(struct work *work)
{
	work->buffer = guest_alloc(SIZE, PORTALMEM_CACHED);
}

static void prepare_wc(struct work *work)
{
	work->buffer = guest_alloc(SIZE, PORTALMEM_WC);
}

static void prepare_uc(struct work *work)
{
	work->buffer = guest_alloc(KIB(64), PORTALMEM_UC);
}

static void prepare_contiguous(struct work *work)
{
	work->buffer = guest_alloc_from(GUEST_CONTIGUOUS_NODE,
					guest_request(RUN, PORTALMEM_CACHED));
}

static void prepare_huge(struct work *work)
{
	work->buffer = guest_alloc(MIB(2), PORTALMEM_CACHED);
}

/* An empty pool: what is taken comes fresh. */
static void prepare_trimmed(struct work *work)
{
	(void)work;
	guest_trim();
}

/* A pool that has what is asked for. */
static void prepare_pool(struct work *work)
{
	prepare_buffer(work);
	close(work->buffer);
	work->buffer = -1;
}

static void prepare_map(struct work *work)
{
	prepare_buffer(work);
	work->map = guest_map(work->buffer, SIZE);
	work->map_size = SIZE;
}

static void prepare_wc_map(struct work *work)
{
	prepare_wc(work);
	work->map = guest_map(work->buffer, SIZE);
	work->map_size = SIZE;
}

static void prepare_huge_map(struct work *work)
{
	char *area = mmap(NULL, MIB(4), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	char *aligned = area + (-(uintptr_t)area & (MIB(2) - 1));

	ck_assert(area != MAP_FAILED);
	prepare_huge(work);
	munmap(area, MIB(4));
	work->map = mmap(aligned, MIB(2), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED_NOREPLACE, work->buffer, 0);
	ck_assert(work->map != MAP_FAILED);
	work->map_size = MIB(2);
}

static void prepare_touched_map(struct work *work)
{
	prepare_map(work);
	memset(work->map, 1, SIZE);
}

/* What the kernel cannot find a page of is read and written by the module. */
static void prepare_wc_access(struct work *work)
{
	prepare_wc_map(work);
	work->own_memory = guest_open("/proc/self/mem");
}

static void attach(struct work *work)
{
	work->attachment =
		attachment_open(work->buffer, "platform", "pm_device.0");
}

static void prepare_attachment(struct work *work)
{
	prepare_buffer(work);
	attach(work);
}

/* Another exporter's buffer. */
static void prepare_foreign(struct work *work)
{
	work->buffer = guest_alloc_stock(SIZE);
	ck_assert_int_ge(work->buffer, 0);
}

static void prepare_foreign_attachment(struct work *work)
{
	prepare_foreign(work);
	attach(work);
}

static void import(struct work *work)
{
	struct pm_importer request = {.fd = work->buffer};

	work->importer = guest_open("/dev/pm_importer");
	ck_assert_int_eq(ioctl(work->importer, PM_IMPORTER_IOC, &request), 0);
}

static void prepare_importer(struct work *work)
{
	prepare_buffer(work);
	import(work);
}

static void prepare_wc_importer(struct work *work)
{
	prepare_wc(work);
	import(work);
}

static void prepare_mapped_importer(struct work *work)
{
	struct pm_importer_entry entry = {0};

	prepare_importer(work);
	ck_assert_int_eq(ioctl(work->importer, PM_IMPORTER_ENTRY_IOC, &entry),
			 0);
}

static void prepare_memory(struct work *work)
{
	work->memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(work->memory != MAP_FAILED);
}

static void prepare_touched_memory(struct work *work)
{
	prepare_memory(work);
	memset(work->memory, 1, SIZE);
}

static void prepare_imported(struct work *work)
{
	prepare_touched_memory(work);
	work->buffer = guest_import(work->memory, SIZE, O_RDWR);
}

static void prepare_imported_map(struct work *work)
{
	prepare_imported(work);
	work->map = guest_map(work->buffer, SIZE);
	work->map_size = SIZE;
}

/* A pool of write-combined memory. */
static void prepare_wc_pool(struct work *work)
{
	prepare_wc(work);
	close(work->buffer);
	work->buffer = -1;
}

static void prepare_fpga(struct work *work)
{
	work->buffer =
		guest_alloc_from(FPGA, guest_request(SMALL, PORTALMEM_DEFAULT));
}

static void prepare_nomap(struct work *work)
{
	work->buffer = guest_alloc_from(
		NOMAP, guest_request(SMALL, PORTALMEM_DEFAULT));
}

static void map_small(struct work *work)
{
	work->map = guest_map(work->buffer, SMALL);
	work->map_size = SMALL;
}

static void prepare_fpga_map(struct work *work)
{
	prepare_fpga(work);
	map_small(work);
}

static void prepare_nomap_access(struct work *work)
{
	prepare_nomap(work);
	map_small(work);
	work->own_memory = guest_open("/proc/self/mem");
}

static void prepare_fpga_attachment(struct work *work)
{
	prepare_fpga(work);
	attach(work);
}

static void prepare_nomap_attachment(struct work *work)
{
	prepare_nomap(work);
	attach(work);
}

static void prepare_fpga_importer(struct work *work)
{
	prepare_fpga(work);
	import(work);
}

static void prepare_nomap_importer(struct work *work)
{
	prepare_nomap(work);
	import(work);
}

static int open_node(struct work *work, const char *node)
{
	work->made = open(node, O_RDWR | O_CLOEXEC);
	return result_of(work->made);
}

static int call_open(struct work *work)
{
	return open_node(work, GUEST_NODE);
}

static int call_open_fpga(struct work *work)
{
	return open_node(work, FPGA);
}

static int call_version(struct work *work)
{
	struct portalmem_ioc_version version = {0};

	return call_ioctl(work->node, PORTALMEM_IOC_VERSION, &version);
}

static int call_heap(struct work *work)
{
	struct portalmem_ioc_heap heap = {0};

	return call_ioctl(work->node, PORTALMEM_IOC_HEAP, &heap);
}

static int describe(const char *path)
{
	struct portalmem_ioc_heap heap = {0};
	int node = open(path, O_RDWR | O_CLOEXEC);
	int error = result_of(node);

	if (error)
		return error;
	error = call_ioctl(node, PORTALMEM_IOC_HEAP, &heap);
	close(node);
	return error;
}

static int call_contiguous_heap(struct work *work)
{
	(void)work;
	return describe(GUEST_CONTIGUOUS_NODE);
}

static int call_fpga_heap(struct work *work)
{
	(void)work;
	return describe(FPGA);
}

static int alloc(struct work *work, struct portalmem_ioc_alloc request)
{
	int error = call_ioctl(work->node, PORTALMEM_IOC_ALLOC, &request);

	/* Of a failed call, nothing is to be used. */
	work->made = error ? -1 : request.fd;
	return error;
}

static int call_alloc(struct work *work)
{
	struct portalmem_ioc_alloc request =
		guest_request(SIZE, PORTALMEM_CACHED);

	strcpy(request.name, "fail-nth");
	return alloc(work, request);
}

static int call_alloc_wc(struct work *work)
{
	return alloc(work, guest_request(SIZE, PORTALMEM_WC));
}

static int call_alloc_uc(struct work *work)
{
	return alloc(work, guest_request(KIB(64), PORTALMEM_UC));
}

static int call_alloc_low(struct work *work)
{
	struct portalmem_ioc_alloc request =
		guest_request(KIB(64), PORTALMEM_CACHED);

	request.address_bits = 28;
	return alloc(work, request);
}

static int call_heap_alloc(struct work *work)
{
	struct {
		uint64_t len;
		uint32_t fd, fd_flags;
		uint64_t heap_flags;
	} request = {.len = SIZE, .fd_flags = O_RDWR | O_CLOEXEC};
	int error = call_ioctl(work->node, _IOWR('H', 0, request), &request);

	work->made = error ? -1 : (int)request.fd;
	return error;
}

static int alloc_from(struct work *work, const char *path,
		      struct portalmem_ioc_alloc request)
{
	int node = open(path, O_RDWR | O_CLOEXEC);
	int error = result_of(node);

	if (error)
		return error;
	error = call_ioctl(node, PORTALMEM_IOC_ALLOC, &request);
	close(node);
	work->made = error ? -1 : request.fd;
	return error;
}

static int call_alloc_contiguous(struct work *work)
{
	return alloc_from(work, GUEST_CONTIGUOUS_NODE,
			  guest_request(RUN, PORTALMEM_CACHED));
}

static int call_alloc_fpga(struct work *work)
{
	return alloc_from(work, FPGA, guest_request(SMALL, PORTALMEM_DEFAULT));
}

static int call_alloc_nomap(struct work *work)
{
	return alloc_from(work, NOMAP, guest_request(SMALL, PORTALMEM_DEFAULT));
}

static int call_adopt_fpga(struct work *work)
{
	struct portalmem_ioc_alloc request =
		guest_request(SMALL, PORTALMEM_DEFAULT);

	request.flags = PORTALMEM_ALLOC_ADOPT;
	request.region_offset = MIB(8);
	return alloc_from(work, FPGA, request);
}

static int call_alloc_node(struct work *work)
{
	struct portalmem_ioc_alloc request =
		guest_request(SIZE, PORTALMEM_CACHED);

	request.flags = PORTALMEM_ALLOC_NODE;
	return alloc(work, request);
}

static int call_info(struct work *work)
{
	struct portalmem_ioc_info info = {.fd = work->buffer};

	return call_ioctl(work->node, PORTALMEM_IOC_INFO, &info);
}

static int call_holders(struct work *work)
{
	struct portalmem_ioc_holders holders = {.fd = work->buffer};

	return call_ioctl(work->node, PORTALMEM_IOC_HOLDERS, &holders);
}

static int call_segments(struct work *work)
{
	struct portalmem_ioc_segment segments[4];
	struct portalmem_ioc_segments request = {
		.fd = work->buffer,
		.segments = (uintptr_t)segments,
		.count = 4,
	};

	return call_ioctl(work->node, PORTALMEM_IOC_SEGMENTS, &request);
}

static int sync_ranges(int fd, int buffer, uint32_t flags)
{
	const struct portalmem_ioc_range ranges[] = {{0, 4096}, {8192, 4096}};
	struct portalmem_ioc_sync sync = {
		.flags = flags,
		.fd = buffer,
		.ranges = (uintptr_t)ranges,
		.count = 2,
	};

	return call_ioctl(fd, PORTALMEM_IOC_SYNC, &sync);
}

static int call_sync_start(struct work *work)
{
	return sync_ranges(work->node, work->buffer,
			   DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
}

static int call_sync_end(struct work *work)
{
	return sync_ranges(work->node, work->buffer,
			   DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
}

static int call_standard_sync(struct work *work)
{
	struct dma_buf_sync sync = {.flags = DMA_BUF_SYNC_START |
					     DMA_BUF_SYNC_RW};

	return call_ioctl(work->buffer, DMA_BUF_IOCTL_SYNC, &sync);
}

static int call_trim(struct work *work)
{
	struct portalmem_ioc_trim trim = {0};

	return call_ioctl(work->node, PORTALMEM_IOC_TRIM, &trim);
}

static int call_mmap(struct work *work)
{
	void *map = mmap(NULL, KIB(64), PROT_READ | PROT_WRITE, MAP_SHARED,
			 work->buffer, 0);

	if (map == MAP_FAILED)
		return errno;
	work->map = map;
	work->map_size = KIB(64);
	return 0;
}

/* A fault that finds no memory is taken once more, and nobody is told. */
static int call_fault(struct work *work)
{
	volatile char *map = work->map;

	for (size_t i = 0; i < work->map_size; i += KIB(256))
		map[i] = 1;
	return 0;
}

/* Where the kernel itself writes to the mapping. */
static int call_kernel_fault(struct work *work)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int error = result_of(zero);

	if (error)
		return error;
	error = result_of((int)read(zero, work->map, 4096));
	close(zero);
	return error;
}

/* Of a process's memory, the kernel says EIO whatever failed. */
static int access_result_of(ssize_t value)
{
	int error = result_of((int)value);

	return error == EIO ? ENOMEM : error;
}

static int call_read_access(struct work *work)
{
	char bytes[64];

	return access_result_of(pread(work->own_memory, bytes, sizeof(bytes),
				      (off_t)(uintptr_t)work->map));
}

static int call_write_access(struct work *work)
{
	const char bytes[64] = {0};

	return access_result_of(pwrite(work->own_memory, bytes, sizeof(bytes),
				       (off_t)(uintptr_t)work->map));
}

static int read_file(const char *path)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int error = result_of(fd);

	if (error)
		return error;
	error = result_of((int)read(fd, text, sizeof(text)));
	close(fd);
	return error;
}

static int read_fdinfo(int fd)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return read_file(path);
}

static int call_fdinfo(struct work *work)
{
	return read_fdinfo(work->buffer);
}

static int call_attachment_fdinfo(struct work *work)
{
	return read_fdinfo(work->attachment);
}

static int call_statistics(struct work *work)
{
	(void)work;
	return read_file("/sys/class/misc/portalmem/stats/live_bytes");
}

static int call_debugfs(struct work *work)
{
	(void)work;
	return read_file("/sys/kernel/debug/portalmem/buffers");
}

/* The buffer's last device is unplugged. */
static int call_unplug(struct work *work)
{
	int fd = open(PM_DEVICE_PRESENT, O_WRONLY | O_CLOEXEC);
	int error = result_of(fd);

	if (error)
		return error;
	error = result_of((int)write(fd, "2", 1));
	work->device_gone = !error;
	close(fd);
	return error;
}

static int call_vmap(struct work *work)
{
	return call_ioctl(work->importer, PM_IMPORTER_VMAP_IOC, NULL);
}

static int call_split(struct work *work)
{
	return result_of(mprotect(work->map + KIB(64), KIB(64), PROT_READ));
}

static int call_unmap(struct work *work)
{
	if (munmap(work->map, work->map_size))
		return errno;
	work->map = NULL;
	return 0;
}

static int call_attach(struct work *work)
{
	struct portalmem_ioc_attach request =
		attachment_request(work->buffer, "platform", "pm_device.0");
	int error = call_ioctl(work->node, PORTALMEM_IOC_ATTACH, &request);

	work->made = error ? -1 : request.fd;
	return error;
}

static int call_attachment(struct work *work)
{
	struct portalmem_ioc_attachment info = {0};

	return call_ioctl(work->attachment, PORTALMEM_IOC_ATTACHMENT, &info);
}

static int call_dma_segments(struct work *work)
{
	struct portalmem_ioc_dma_segment segments[4];
	struct portalmem_ioc_dma_segments request = {
		.segments = (uintptr_t)segments,
		.count = 4,
	};

	return call_ioctl(work->attachment, PORTALMEM_IOC_DMA_SEGMENTS,
			  &request);
}

static int call_attachment_sync(struct work *work)
{
	return sync_ranges(work->attachment, -1,
			   DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
}

static int call_importer_map(struct work *work)
{
	struct pm_importer_entry entry = {0};

	return call_ioctl(work->importer, PM_IMPORTER_ENTRY_IOC, &entry);
}

static int call_import(struct work *work)
{
	struct portalmem_ioc_import_user request = {
		.fd_flags = O_RDWR | O_CLOEXEC,
		.address = (uintptr_t)work->memory,
		.size = SIZE,
	};
	int error = call_ioctl(work->node, PORTALMEM_IOC_IMPORT_USER, &request);

	work->made = error ? -1 : request.fd;
	return error;
}

static int close_one(int *fd)
{
	int error = result_of(close(*fd));

	*fd = -1;
	return error;
}

static int call_close_buffer(struct work *work)
{
	return close_one(&work->buffer);
}

static int call_close_attachment(struct work *work)
{
	return close_one(&work->attachment);
}

static int call_close_importer(struct work *work)
{
	return close_one(&work->importer);
}

static const struct path paths[] = {
	{"open", prepare_nothing, call_open},
	{"VERSION", prepare_nothing, call_version},
	{"HEAP", prepare_nothing, call_heap},
	{"HEAP, contiguous", prepare_nothing, call_contiguous_heap},
	{"ALLOC", prepare_trimmed, call_alloc},
	{"ALLOC from the pool", prepare_pool, call_alloc},
	{"ALLOC, WC", prepare_trimmed, call_alloc_wc},
	{"ALLOC, WC from the pool", prepare_wc_pool, call_alloc_wc},
	{"ALLOC, UC", prepare_trimmed, call_alloc_uc},
	{"ALLOC, node", prepare_trimmed, call_alloc_node},
	{"ALLOC, address limit", prepare_trimmed, call_alloc_low},
	{"ALLOC, contiguous", prepare_trimmed, call_alloc_contiguous},
	{"DMA_HEAP_IOCTL_ALLOC", prepare_trimmed, call_heap_alloc},
	{"INFO", prepare_buffer, call_info},
	{"HOLDERS", prepare_buffer, call_holders},
	{"SEGMENTS", prepare_buffer, call_segments},
	{"SYNC, no device", prepare_buffer, call_sync_start},
	{"SYNC, start", prepare_attachment, call_sync_start},
	{"SYNC, end", prepare_attachment, call_sync_end},
	{"DMA_BUF_IOCTL_SYNC", prepare_attachment, call_standard_sync},
	{"TRIM", prepare_pool, call_trim},
	{"mmap", prepare_buffer, call_mmap},
	{"mmap, WC", prepare_wc, call_mmap},
	{"mmap, UC", prepare_uc, call_mmap},
	{"mmap, contiguous", prepare_contiguous, call_mmap},
	{"mmap, imported", prepare_imported, call_mmap},
	{"fault", prepare_map, call_fault},
	{"fault, WC", prepare_wc_map, call_fault},
	{"fault, huge page", prepare_huge_map, call_fault},
	{"fault, imported", prepare_imported_map, call_fault},
	{"fault of the kernel's", prepare_map, call_kernel_fault},
	{"read of a mapping, WC", prepare_wc_access, call_read_access},
	{"write of a mapping, WC", prepare_wc_access, call_write_access},
	{"mprotect of a part", prepare_touched_map, call_split},
	{"munmap", prepare_touched_map, call_unmap},
	{"ATTACH", prepare_buffer, call_attach},
	{"ATTACH, WC", prepare_wc, call_attach},
	{"ATTACH, imported", prepare_imported, call_attach},
	{"ATTACH, foreign", prepare_foreign, call_attach},
	{"ATTACHMENT", prepare_attachment, call_attachment},
	{"DMA_SEGMENTS", prepare_attachment, call_dma_segments},
	{"SYNC of an attachment", prepare_attachment, call_attachment_sync},
	{"SYNC of a foreign attachment", prepare_foreign_attachment,
	 call_attachment_sync},
	{"the device goes", prepare_attachment, call_unplug},
	{"an importer's mapping", prepare_importer, call_importer_map},
	{"an importer's vmap", prepare_importer, call_vmap},
	{"an importer's vmap, WC", prepare_wc_importer, call_vmap},
	{"IMPORT_USER", prepare_touched_memory, call_import},
	{"IMPORT_USER, untouched", prepare_memory, call_import},
	{"fdinfo", prepare_buffer, call_fdinfo},
	{"fdinfo of an attachment", prepare_attachment, call_attachment_fdinfo},
	{"statistics", prepare_nothing, call_statistics},
	{"list in debugfs", prepare_buffer, call_debugfs},
	{"close", prepare_buffer, call_close_buffer},
	{"close, WC", prepare_wc, call_close_buffer},
	{"close, UC", prepare_uc, call_close_buffer},
	{"close, contiguous", prepare_contiguous, call_close_buffer},
	{"close, imported", prepare_imported, call_close_buffer},
	{"close, attachment", prepare_attachment, call_close_attachment},
	{"close, foreign attachment", prepare_foreign_attachment,
	 call_close_attachment},
	{"close, importer", prepare_mapped_importer, call_close_importer},
};

/* On carve-outs. */
static const struct path carveout_paths[] = {
	{"open", prepare_nothing, call_open_fpga},
	{"HEAP", prepare_nothing, call_fpga_heap},
	{"ALLOC", prepare_nothing, call_alloc_fpga},
	{"ALLOC, no pages", prepare_nothing, call_alloc_nomap},
	{"ALLOC, as it is", prepare_nothing, call_adopt_fpga},
	{"SEGMENTS", prepare_fpga, call_segments},
	{"SYNC", prepare_fpga_attachment, call_sync_end},
	{"SYNC, no pages", prepare_nomap_attachment, call_sync_end},
	{"mmap", prepare_fpga, call_mmap},
	{"mmap, no pages", prepare_nomap, call_mmap},
	{"fault", prepare_fpga_map, call_fault},
	{"read of a mapping, no pages", prepare_nomap_access, call_read_access},
	{"write of a mapping, no pages", prepare_nomap_access,
	 call_write_access},
	{"munmap", prepare_fpga_map, call_unmap},
	{"ATTACH", prepare_fpga, call_attach},
	{"ATTACH, no pages", prepare_nomap, call_attach},
	{"an importer's mapping", prepare_fpga_importer, call_importer_map},
	{"an importer's vmap", prepare_fpga_importer, call_vmap},
	{"an importer's vmap, no pages", prepare_nomap_importer, call_vmap},
	{"close", prepare_fpga, call_close_buffer},
	{"close, no pages", prepare_nomap, call_close_buffer},
	{"close, attachment", prepare_fpga_attachment, call_close_attachment},
	{"close, attachment, no pages", prepare_nomap_attachment,
	 call_close_attachment},
};

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* What every call leaves as it was. */
struct state {
	unsigned int fds;
	unsigned int buffers;
	uint64_t used;
	uint64_t user_used;
	uint64_t region_used;
};

static bool has_carveouts(void)
{
	return !access(FPGA, F_OK);
}

static struct state take_state(void)
{
	struct portalmem_ioc_heap system = guest_heap(GUEST_NODE);

	return (struct state){
		.fds = pmtest_count_fds(),
		.buffers = guest_count_buffers(),
		.used = system.used,
		.user_used = system.user_used,
		.region_used = has_carveouts() ? guest_heap(FPGA).used +
							 guest_heap(NOMAP).used
					       : 0,
	};
}

static void assert_state(const struct state *before)
{
	struct state now = take_state();

	ck_assert_uint_eq(now.fds, before->fds);
	ck_assert_uint_eq(now.buffers, before->buffers);
	ck_assert_uint_eq(now.used, before->used);
	ck_assert_uint_eq(now.user_used, before->user_used);
	ck_assert_uint_eq(now.region_used, before->region_used);
}

/*
 * Nothing is there that nobody points to. What is younger than five seconds, or
 * has changed since the last scan, is seen the next time only.
 */
static void assert_no_leaks(const char *after)
{
	char text[2048] = "";
	int file;

	guest_put(KMEMLEAK, "scan");
	file = guest_open_read(KMEMLEAK);
	ck_assert_int_ge(read(file, text, sizeof(text) - 1), 0);
	close(file);
	ck_assert_msg(!*text, "%s or before: %s", after, text);
}

/* What the cgroup pays for pages, slabs not counted; KiB. */
static long paid_kib(void)
{
	return (long)(guest_group_get(GROUP, "memory.stat", "kernel ") -
		      guest_group_get(GROUP, "memory.stat", "slab ") -
		      guest_group_get(GROUP, "memory.stat", "pagetables ")) /
	       1024;
}

static void close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void give_back(struct work *work)
{
	if (work->map)
		munmap(work->map, work->map_size);
	if (work->memory)
		munmap(work->memory, SIZE);
	close_if_open(work->made);
	close_if_open(work->own_memory);
	close_if_open(work->importer);
	close_if_open(work->attachment);
	close_if_open(work->buffer);
	close_if_open(work->node);
	if (work->device_gone)
		soft_device_set_present(3);
}

/* Calls that never came that far succeed; so do many that got over it. */
static bool fail_at(const struct path *path, unsigned int n)
{
	struct work work = {
		.node = guest_open(GUEST_NODE),
		.buffer = -1,
		.attachment = -1,
		.importer = -1,
		.made = -1,
		.own_memory = -1,
	};
	bool failed;
	int error;

	path->prepare(&work);
	fail_nth_begin(n);
	error = path->call(&work);
	failed = fail_nth_end();
	ck_assert_msg(!error ||
			      (failed && (error == ENOMEM || error == EFAULT)),
		      "%s: point %u: %s", path->name, n, strerror(error));
	if (error) {
		error = path->call(&work);
		ck_assert_msg(!error, "%s after point %u: %s", path->name, n,
			      strerror(error));
	}
	give_back(&work);
	return failed;
}

/* What no cgroup pays for is counted by what is free, which takes long. */
static long free_for(const struct path *path)
{
	return strstr(path->name, "contiguous") ? guest_free_kib() : 0;
}

static void run_path(const struct path *path)
{
	struct state before;
	uint64_t contiguous;
	unsigned int n = 1;
	long paid, freed;

	/* What is made once and kept is there before it counts. */
	fail_at(path, POINTS_MAX);
	guest_trim();
	before = take_state();
	contiguous = guest_heap(GUEST_CONTIGUOUS_NODE).used;
	paid = paid_kib();
	freed = free_for(path);
	while (fail_at(path, n)) {
		assert_state(&before);
		n++;
		ck_assert_uint_lt(n, POINTS_MAX);
	}
	guest_trim();
	paid = paid_kib() - paid;
	freed -= free_for(path);
	printf("# %s: %u points\n", path->name, n - 1);
	ck_assert_uint_eq(guest_heap(GUEST_CONTIGUOUS_NODE).used, contiguous);
	ck_assert_msg(paid < SLACK_KIB, "%s keeps %ld KiB", path->name, paid);
	ck_assert_msg(freed < RUN_SLACK_KIB, "%ld KiB less are free after %s",
		      freed, path->name);
	assert_no_leaks(path->name);
	fflush(stdout);
}

static void set_up(void)
{
	guest_load_test_module("pm_importer");
	soft_device_load();
	guest_make_group(GROUP, "max");
}

static void tear_down(void)
{
	guest_remove_group(GROUP);
}

static void run_in_group(const struct path *path)
{
	guest_group_put(GROUP, "cgroup.procs", "0");
	fail_nth_set_up();
	run_path(path);
	guest_put(GUEST_CGROUPS "/cgroup.procs", "0");
}

START_TEST(every_failure_is_got_over)
{
	run_in_group(&paths[_i]);
}
END_TEST

START_TEST(every_failure_on_a_carveout_is_got_over)
{
	run_in_group(&carveout_paths[_i]);
}
END_TEST

START_TEST(nothing_is_lost)
{
	sleep(5);
	assert_no_leaks("the last path");
	assert_no_leaks("the last path");
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("fail-nth");
	TCase *tcase = guest_tcase("fail-nth");

	tcase_add_unchecked_fixture(tcase, set_up, tear_down);
	if (has_carveouts())
		tcase_add_loop_test(tcase,
				    every_failure_on_a_carveout_is_got_over, 0,
				    COUNT(carveout_paths));
	else
		tcase_add_loop_test(tcase, every_failure_is_got_over, 0,
				    COUNT(paths));
	tcase_add_test(tcase, nothing_is_lost);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
