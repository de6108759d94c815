// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Carve-outs: "fpga" with pages, "fpga-nomap" without, and on machines with a
 * device tree "ocm", memory on the chip (see carveout.sh and reserved.sh).
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kmod/pm_importer.h"
#include "kmod/pm_memtype.h"
#include "maintenance.h"
#include "stats.h"
#include "tracepoints.h"

#define FPGA "/dev/dma_heap/fpga"
#define FPGA_SIZE MIB(64)
#define COHERENT "/dev/dma_heap/fpga-coherent"
#define NOMAP "/dev/dma_heap/fpga-nomap"
#define OCM "/dev/dma_heap/ocm"

#define CACHED (1 << PORTALMEM_CACHED)
#define WC (1 << PORTALMEM_WC)
#define UC (1 << PORTALMEM_UC)

#ifdef __x86_64__

/* As carveout.sh has them. */
#define FPGA_BASE 0x20000000ULL
#define NOMAP_BASE 0x26000000ULL
/* The kernel's own mapping of such pages cannot be changed. */
#define FPGA_CACHINGS CACHED
/* How many bits all addresses in it need. */
#define FPGA_BITS 30

#else

/* As reserved.dts has them. */
#define FPGA_BASE 0x60000000ULL
#define NOMAP_BASE 0x68000000ULL
#define OCM_BASE 0x70000000ULL
#define FPGA_CACHINGS (CACHED | WC | UC)
#define FPGA_BITS 31

#endif

static const struct area {
	const char *node;
	const char *name;
	uint64_t base;
	uint64_t size;
	uint32_t caching;
	uint32_t cachings;
	uint32_t features;
} areas[] = {
	{FPGA, "fpga", FPGA_BASE, FPGA_SIZE, PORTALMEM_CACHED, FPGA_CACHINGS,
	 PORTALMEM_HEAP_PINNABLE},
	/* From here on without pages. */
	{NOMAP, "fpga-nomap", NOMAP_BASE, MIB(16), PORTALMEM_WC, WC, 0},
#ifdef OCM_BASE
	{OCM, "ocm", OCM_BASE, KIB(256), PORTALMEM_WC, WC, 0},
#endif
};

#define AREAS ((int)(sizeof(areas) / sizeof(areas[0])))

/*
 * What the machine's firmware left: the scripts have a word at the start and
 * one at the end of the second sixteenth of each area.
 */
#define PATTERN_BEGIN 0x6d656d6c6174726fULL
#define PATTERN_END 0x65726f6665622121ULL

static struct portalmem_ioc_alloc adoption(uint64_t offset, uint64_t size)
{
	struct portalmem_ioc_alloc request =
		guest_request(size, PORTALMEM_DEFAULT);

	request.flags = PORTALMEM_ALLOC_ADOPT;
	request.region_offset = offset;
	return request;
}

static int take(const char *node, uint64_t size)
{
	return guest_alloc_from(node, guest_request(size, PORTALMEM_DEFAULT));
}

static uint64_t place(int fd)
{
	struct portalmem_ioc_segment segment;

	ck_assert_uint_eq(guest_segments(fd, &segment, 1), 1);
	return segment.physical;
}

static void assert_pattern(const struct area *area)
{
	uint64_t size = area->size / 16;
	int fd = guest_alloc_from(area->node, adoption(size, size));
	uint64_t *map = guest_map(fd, size);

	ck_assert_uint_eq(place(fd), area->base + size);
	ck_assert_uint_eq(map[0], PATTERN_BEGIN);
	ck_assert_uint_eq(map[size / sizeof(*map) - 1], PATTERN_END);
	munmap(map, size);
	close(fd);
}

/* The first test: all others zero what they take. */
START_TEST(adopted_memory_is_as_it_was_before_the_boot)
{
	assert_pattern(&areas[_i]);
	/* Freeing it changed nothing. */
	assert_pattern(&areas[_i]);
}
END_TEST

START_TEST(memory_that_is_not_adopted_is_zero)
{
	const struct area *area = &areas[_i];

	for (int round = 0; round < 2; round++) {
		int fd = take(area->node, area->size);
		char *map = guest_map(fd, area->size);

		guest_assert_zero(map, area->size);
		guest_fill(map, area->size, 3);
		guest_assert_filled(map, area->size, 3);
		munmap(map, area->size);
		close(fd);
	}
}
END_TEST

START_TEST(heaps_are_described_as_they_are)
{
	const struct area *area = &areas[_i];
	struct portalmem_ioc_heap heap = guest_heap(area->node);

	ck_assert_str_eq(heap.name, area->name);
	ck_assert_uint_eq(heap.size, area->size);
	ck_assert_uint_eq(heap.available, area->size);
	ck_assert_uint_eq(heap.largest, area->size);
	ck_assert_uint_eq(heap.fragments, 1);
	ck_assert_uint_eq(heap.used, 0);
	ck_assert_uint_eq(heap.caching, area->caching);
	ck_assert_uint_eq(heap.cachings, area->cachings);
	ck_assert_uint_eq(heap.features, PORTALMEM_HEAP_CONTIGUOUS |
						 PORTALMEM_HEAP_REGION |
						 area->features);
}
END_TEST

static void try_adoption(int node)
{
	struct portalmem_ioc_alloc request = adoption(0, 4096);

	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), -1);
	ck_assert_int_eq(errno, EPERM);
	request = guest_request(4096, PORTALMEM_DEFAULT);
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
}

START_TEST(adoption_wants_privilege)
{
	int node = guest_open(FPGA);
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		ck_assert_int_eq(setuid(1000), 0);
		try_adoption(node);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(adoption_of_what_is_taken_or_outside_is_refused)
{
	struct portalmem_ioc_alloc request = adoption(MIB(8), MIB(1));
	int fd = guest_alloc_from(FPGA, request);

	ck_assert_uint_eq(place(fd), FPGA_BASE + MIB(8));
	ck_assert_int_eq(guest_try(FPGA, &request), EBUSY);
	request = adoption(MIB(7), MIB(2));
	ck_assert_int_eq(guest_try(FPGA, &request), EBUSY);
	request = adoption(MIB(63), MIB(2));
	ck_assert_int_eq(guest_try(FPGA, &request), EINVAL);
	request = adoption(MIB(64), 4096);
	ck_assert_int_eq(guest_try(FPGA, &request), EINVAL);
	request = adoption(-MIB(4), MIB(8));
	ck_assert_int_eq(guest_try(FPGA, &request), EINVAL);
	request = adoption(100, 4096);
	ck_assert_int_eq(guest_try(FPGA, &request), EINVAL);
	close(fd);
}
END_TEST

START_TEST(a_region_has_statistics_of_its_own)
{
	static const char folder[] =
		"/sys/class/misc/portalmem-heap-fpga/stats";
	struct portalmem_ioc_alloc request = adoption(MIB(8), MIB(1));
	int fd = guest_alloc_from(FPGA, request);
	struct stats_failures before = stats_failures_now(folder);

	ck_assert_uint_eq(stats_read(folder, "live_bytes"), MIB(1));
	ck_assert_uint_eq(stats_read(folder, "live_buffers"), 1);
	ck_assert_uint_ge(stats_read(folder, "peak_bytes"), MIB(1));
	ck_assert_int_eq(guest_try(FPGA, &request), EBUSY);
	stats_assert_one_more(&before, "failures_busy");
	close(fd);
	ck_assert_uint_eq(stats_read(folder, "live_bytes"), 0);
	ck_assert_uint_eq(stats_read(folder, "allocations"),
			  stats_read(folder, "frees"));
}
END_TEST

START_TEST(adoption_that_is_denied_is_counted)
{
	static const char folder[] =
		"/sys/class/misc/portalmem-heap-fpga/stats";
	struct stats_failures before = stats_failures_now(folder);
	int node = guest_open(FPGA);

	guest_drop_rawio();
	try_adoption(node);
	stats_assert_one_more(&before, "failures_denied");
	close(node);
}
END_TEST

START_TEST(a_buffer_goes_where_it_fits_best)
{
	int a = take(FPGA, MIB(8));
	int hole_of_8 = take(FPGA, MIB(8));
	int b = take(FPGA, MIB(8));
	int hole_of_2 = take(FPGA, MIB(2));
	int c = take(FPGA, MIB(8));
	uint64_t in_8 = place(hole_of_8), in_2 = place(hole_of_2);
	struct portalmem_ioc_heap heap;
	int fd;

	close(hole_of_8);
	close(hole_of_2);
	heap = guest_heap(FPGA);
	ck_assert_uint_eq(heap.fragments, 3);
	ck_assert_uint_eq(heap.used, MIB(24));
	ck_assert_uint_eq(heap.available, MIB(40));
	ck_assert_uint_eq(heap.largest, MIB(30));
	ck_assert_uint_eq(heap.buffers, 3);

	fd = take(FPGA, MIB(1));
	ck_assert_uint_eq(place(fd), in_2);
	close(fd);
	fd = take(FPGA, MIB(3));
	ck_assert_uint_eq(place(fd), in_8);
	close(fd);
	fd = take(FPGA, MIB(30));
	close(fd);
	close(a);
	close(b);
	close(c);
}
END_TEST

START_TEST(a_full_or_fragmented_region_is_enomem)
{
	const struct area *area = &areas[_i];
	uint64_t part = area->size / 16;
	struct portalmem_ioc_alloc request =
		guest_request(7 * part + 4096, PORTALMEM_DEFAULT);
	struct portalmem_ioc_alloc beyond =
		guest_request(area->size + 1, PORTALMEM_DEFAULT);
	int first, middle, last;

	ck_assert_int_eq(guest_try(area->node, &beyond), ENOMEM);
	first = take(area->node, 7 * part);
	middle = take(area->node, 2 * part);
	last = take(area->node, 7 * part);
	ck_assert_uint_eq(guest_heap(area->node).available, 0);
	ck_assert_int_eq(guest_try(area->node, &request), ENOMEM);
	close(first);
	close(last);
	ck_assert_uint_eq(guest_heap(area->node).available, 14 * part);
	ck_assert_uint_eq(guest_heap(area->node).largest, 7 * part);
	ck_assert_uint_eq(guest_heap(area->node).fragments, 2);
	ck_assert_int_eq(guest_try(area->node, &request), ENOMEM);
	close(middle);
	ck_assert_int_eq(guest_try(area->node, &request), 0);
	close(request.fd);
}
END_TEST

START_TEST(alignment_is_kept)
{
	const struct area *area = &areas[_i];
	struct portalmem_ioc_alloc request =
		guest_request(4096, PORTALMEM_DEFAULT);
	int odd = take(area->node, 4096);
	int fd;

	request.alignment = area->size / 4;
	fd = guest_alloc_from(area->node, request);
	ck_assert_uint_eq(place(fd) % request.alignment, 0);
	close(fd);
	close(odd);
}
END_TEST

START_TEST(a_region_is_where_it_is)
{
	struct portalmem_ioc_alloc request =
		guest_request(MIB(1), PORTALMEM_DEFAULT);

	request.address_bits = FPGA_BITS - 1;
	ck_assert_int_eq(guest_try(FPGA, &request), EOPNOTSUPP);
	request.address_bits = FPGA_BITS;
	close(guest_alloc_from(FPGA, request));
	request.address_bits = 0;
	request.flags = PORTALMEM_ALLOC_NODE;
	ck_assert_int_eq(guest_try(FPGA, &request), EOPNOTSUPP);
}
END_TEST

static uint32_t user_memtype(const void *address)
{
	struct pm_memtype query = {.address = (uintptr_t)address};
	int memtype = guest_open("/dev/pm_memtype");

	ck_assert_int_eq(ioctl(memtype, PM_MEMTYPE_IOC, &query), 0);
	close(memtype);
	return query.user_type;
}

/* Memory that a device or a driver maps in one mode has no other. */
START_TEST(caching_is_one_of_those_that_a_region_has)
{
	const struct area *area = &areas[_i / 3];
	uint32_t caching = 1 + _i % 3;
	struct portalmem_ioc_alloc request = guest_request(KIB(64), caching);
	char *map;

	if (!(area->cachings & 1 << caching)) {
		ck_assert_int_eq(guest_try(area->node, &request), EOPNOTSUPP);
		return;
	}
	ck_assert_int_eq(guest_try(area->node, &request), 0);
	map = guest_map(request.fd, KIB(64));
	guest_assert_zero(map, KIB(64));
	guest_fill(map, KIB(64), caching);
	guest_assert_filled(map, KIB(64), caching);
	/* Where a region has more than one, uncached is write-combined. */
	ck_assert_uint_eq(user_memtype(map), caching == PORTALMEM_CACHED
						     ? PM_MEMTYPE_WB
						     : PM_MEMTYPE_WC);
	munmap(map, KIB(64));
	close(request.fd);
}
END_TEST

/* Twice: the second time the page tables are filled. */
static void assert_not_pinnable(char *map)
{
	int disk = open("/dev/vda", O_RDONLY | O_DIRECT | O_CLOEXEC);

	for (int i = 0; i < 2; i++) {
		errno = 0;
		ck_assert_int_eq(pread(disk, map, 4096, 0), -1);
		ck_assert_int_eq(errno, EFAULT);
		*map = 1;
	}
	close(disk);
}

START_TEST(direct_io_reaches_a_cached_region)
{
	int disk = open("/dev/vda", O_RDONLY | O_DIRECT | O_CLOEXEC);
	int plain = guest_open_read("/dev/vda");
	int fd = take(FPGA, MIB(8));
	char *map = guest_map(fd, MIB(8));
	char *expected = malloc(MIB(1));

	ck_assert_int_eq(pread(disk, map + MIB(3), MIB(1), 0), MIB(1));
	ck_assert_int_eq(pread(plain, expected, MIB(1), 0), MIB(1));
	ck_assert_mem_eq(map + MIB(3), expected, MIB(1));
	free(expected);
	munmap(map, MIB(8));
	close(fd);
}
END_TEST

START_TEST(a_pinned_part_is_not_handed_out_until_it_is_let_go)
{
	int fd = take(FPGA, MIB(2));
	char *map = guest_map(fd, MIB(2));
	struct iovec part = {map, 4096};
	double end = guest_now() + 10;
	char text[4096];
	int ends[2];

	tracepoints_set_up();
	ck_assert_int_eq(pipe(ends), 0);
	memset(map, 'p', 4096);
	ck_assert_int_eq(vmsplice(ends[1], &part, 1, 0), 4096);
	munmap(map, MIB(2));
	close(fd);
	ck_assert_uint_eq(guest_heap(FPGA).used, MIB(2));
	ck_assert_uint_eq(guest_heap(FPGA).buffers, 0);
	tracepoints_assert_once("portalmem_region_hold",
				"heap=fpga size=2097152");
	ck_assert_uint_eq(tracepoints_count_all("portalmem_region_release"), 0);
	fd = take(FPGA, FPGA_SIZE - MIB(2));
	map = guest_map(fd, FPGA_SIZE - MIB(2));
	guest_fill(map, FPGA_SIZE - MIB(2), 9);
	munmap(map, FPGA_SIZE - MIB(2));
	close(fd);

	ck_assert_int_eq(read(ends[0], text, 4096), 4096);
	for (int i = 0; i < 4096; i++)
		ck_assert_int_eq(text[i], 'p');
	close(ends[0]);
	close(ends[1]);
	while (guest_heap(FPGA).used && guest_now() < end)
		usleep(10000);
	tracepoints_assert_once("portalmem_region_release",
				"heap=fpga size=2097152");
	tracepoints_tear_down();
	close(take(FPGA, FPGA_SIZE));
}
END_TEST

START_TEST(memory_without_pages_is_mapped_write_combined)
{
	const struct area *area = &areas[_i];
	uint64_t size = area->size / 4;
	int fd = take(area->node, size);
	int again = take(area->node, size);
	char *map = guest_map(fd, size);
	char *other = guest_map(again, size);
	struct pm_memtype query = {.address = (uintptr_t)map};
	int memtype = guest_open("/dev/pm_memtype");

	ck_assert_uint_ge(place(fd), area->base);
	ck_assert_uint_lt(place(fd), area->base + area->size);
	ck_assert_uint_eq(guest_info(fd).effective, PORTALMEM_WC);
	guest_fill(map, size, 2);
	guest_fill(other, size, 4);
	guest_assert_filled(map, size, 2);
	ck_assert_int_eq(ioctl(memtype, PM_MEMTYPE_IOC, &query), 0);
	ck_assert_uint_eq(query.user_type, PM_MEMTYPE_WC);
	ck_assert_uint_eq(query.kernel_type, PM_MEMTYPE_NONE);
	ck_assert_uint_eq(query.pfn, place(fd) >> 12);
	assert_not_pinnable(map);
	close(memtype);
	munmap(map, size);
	munmap(other, size);
	close(fd);
	close(again);
}
END_TEST

START_TEST(a_debugger_reads_and_writes_memory_without_pages)
{
	int fd = take(areas[_i].node, KIB(16));
	char *map = guest_map(fd, KIB(16));
	int memory = guest_open("/proc/self/mem");
	static const char text[] = "from outside";
	char copy[sizeof(text)];

	memcpy(map + 4090, text, sizeof(text));
	ck_assert_int_eq(
		pread(memory, copy, sizeof(copy), (off_t)(uintptr_t)map + 4090),
		sizeof(copy));
	ck_assert_str_eq(copy, text);
	ck_assert_int_eq(pwrite(memory, "F", 1, (off_t)(uintptr_t)map + 4090),
			 1);
	ck_assert_int_eq(map[4090], 'F');
	munmap(map, KIB(16));
	close(memory);
	close(fd);
}
END_TEST

#ifdef __aarch64__

/* A device writes there behind the caches while nobody has the memory. */
START_TEST(free_memory_is_in_no_cache_nor_is_it_when_adopted)
{
	uint64_t size = MIB(1);
	int fd;

	maintenance_start();
	fd = take(FPGA, size);
	ck_assert_uint_eq(maintenance_cleaned(), 0);
	close(fd);
	ck_assert_uint_eq(maintenance_cleaned(), size);
	ck_assert_uint_eq(maintenance_invalidated(), size);
	fd = guest_alloc_from(FPGA, adoption(0, size));
	ck_assert_uint_eq(maintenance_cleaned(), 2 * size);
	ck_assert_uint_eq(maintenance_invalidated(), 2 * size);
	close(fd);
	maintenance_stop();
}
END_TEST

/* Sync parts of a buffer that no device has mapped, both ways; give the buffer.
 */
static int sync_unmapped(const char *heap)
{
	struct portalmem_ioc_range ranges[] = {{100, KIB(64)},
					       {KIB(512), KIB(4)}};
	struct portalmem_ioc_sync sync = {
		.fd = take(heap, MIB(1)),
		.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE,
		.count = 2,
		.ranges = (uintptr_t)ranges,
	};
	int node = guest_open(GUEST_NODE);

	maintenance_start();
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SYNC, &sync), 0);
	sync.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ;
	sync.count = 1;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SYNC, &sync), 0);
	close(node);
	return sync.fd;
}

START_TEST(drivers_in_user_space_are_taken_for_not_coherent)
{
	int fd = sync_unmapped(FPGA);

	ck_assert_uint_eq(maintenance_cleaned(), KIB(68));
	ck_assert_uint_eq(maintenance_invalidated(), KIB(64));
	maintenance_stop();
	close(fd);
}
END_TEST

START_TEST(sync_without_a_device_costs_nothing_where_the_tree_says_coherent)
{
	int fd = sync_unmapped(COHERENT);

	ck_assert_uint_eq(maintenance_cleaned(), 0);
	ck_assert_uint_eq(maintenance_invalidated(), 0);
	maintenance_stop();
	close(fd);
}
END_TEST

#endif

static int import(int fd)
{
	struct pm_importer request = {.fd = fd};
	int importer = guest_open("/dev/pm_importer");

	ck_assert_int_eq(ioctl(importer, PM_IMPORTER_IOC, &request), 0);
	return importer;
}

/* The entries follow each other from the buffer's start to its end. */
static void assert_mapped_for_device(int importer, uint64_t address,
				     uint64_t size)
{
	struct pm_importer_entry entry = {0};
	uint64_t done = 0;

	do {
		ck_assert_msg(!ioctl(importer, PM_IMPORTER_ENTRY_IOC, &entry),
			      "mapping: %s", strerror(errno));
		ck_assert_uint_eq(entry.address, address + done);
		done += entry.length;
	} while (++entry.index < entry.count);
	ck_assert_uint_eq(done, size);
}

/* For the CPU and for the device, in each direction. */
static void sync_all_ways(int fd, uint64_t size)
{
	int node = guest_open(GUEST_NODE);

	for (uint32_t direction = 1; direction <= DMA_BUF_SYNC_RW;
	     direction++) {
		for (int end = 0; end < 2; end++) {
			struct dma_buf_sync all = {
				.flags = direction |
					 (end ? DMA_BUF_SYNC_END : 0),
			};
			struct portalmem_ioc_range range = {64, size - 128};
			struct portalmem_ioc_sync part = {
				.fd = fd,
				.flags = (uint32_t)all.flags,
				.count = 1,
				.ranges = (uintptr_t)&range,
			};

			ck_assert_int_eq(ioctl(fd, DMA_BUF_IOCTL_SYNC, &all),
					 0);
			ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SYNC, &part),
					 0);
		}
	}
	close(node);
}

START_TEST(a_device_maps_a_buffer_and_sync_leaves_it_alone)
{
	const struct area *area = &areas[_i];
	uint64_t size = area->size / 2;
	int fd = take(area->node, size);
	int importer = import(fd);
	char *map = guest_map(fd, size);

	guest_fill(map, size, 6);
	assert_mapped_for_device(importer, place(fd), size);
	ck_assert_uint_eq(guest_info(fd).attachments, 1);
	sync_all_ways(fd, size);
	guest_assert_filled(map, size, 6);
	close(importer);
	ck_assert_uint_eq(guest_info(fd).attachments, 0);
	munmap(map, size);
	close(fd);
}
END_TEST

START_TEST(the_kernel_maps_a_buffer)
{
	int fd = take(areas[_i].node, KIB(16));
	int importer = import(fd);
	uint64_t *map = guest_map(fd, KIB(16));
	struct pm_importer_word word = {KIB(16) - 8, 0x1122334455667788};

	map[2047] = 0x0102030405060708;
	ck_assert_int_eq(ioctl(importer, PM_IMPORTER_WORD_IOC, &word), 0);
	ck_assert_uint_eq(word.value, 0x0102030405060708);
	ck_assert_uint_eq(map[2047], 0x1122334455667788);
	ck_assert_uint_eq(map[2046], 0);
	close(importer);
	munmap(map, KIB(16));
	close(fd);
}
END_TEST

START_TEST(nodes_of_the_dma_heaps_kind_serve_the_standard_ioctl)
{
	const char *node = areas[_i].node;
	int fd = guest_dma_heap_alloc(node, 5000);
	struct stat status;

	ck_assert_uint_eq(guest_info(fd).size, 8192);
	close(fd);
	ck_assert_int_eq(stat(node, &status), 0);
	ck_assert_uint_eq(status.st_mode & 07777, 0660);
}
END_TEST

static void load_modules(void)
{
	guest_load_test_module("pm_importer");
	guest_load_test_module("pm_memtype");
}

static Suite *suite(void)
{
	Suite *suite = suite_create("carve-outs");
	TCase *tcase = guest_tcase("carve-outs");

	tcase_add_unchecked_fixture(tcase, load_modules, NULL);
	tcase_add_loop_test(tcase, adopted_memory_is_as_it_was_before_the_boot,
			    0, AREAS);
	tcase_add_loop_test(tcase, memory_that_is_not_adopted_is_zero, 0,
			    AREAS);
	tcase_add_loop_test(tcase, heaps_are_described_as_they_are, 0, AREAS);
	tcase_add_test(tcase, adoption_wants_privilege);
	tcase_add_test(tcase, adoption_of_what_is_taken_or_outside_is_refused);
	tcase_add_test(tcase, a_region_has_statistics_of_its_own);
	tcase_add_test(tcase, adoption_that_is_denied_is_counted);
	tcase_add_test(tcase, a_buffer_goes_where_it_fits_best);
	tcase_add_loop_test(tcase, a_full_or_fragmented_region_is_enomem, 0,
			    AREAS);
	tcase_add_loop_test(tcase, alignment_is_kept, 0, AREAS);
	tcase_add_test(tcase, a_region_is_where_it_is);
	tcase_add_loop_test(tcase, caching_is_one_of_those_that_a_region_has, 0,
			    AREAS * 3);
	tcase_add_test(tcase, direct_io_reaches_a_cached_region);
	tcase_add_test(tcase,
		       a_pinned_part_is_not_handed_out_until_it_is_let_go);
	tcase_add_loop_test(
		tcase, memory_without_pages_is_mapped_write_combined, 1, AREAS);
	tcase_add_loop_test(tcase,
			    a_debugger_reads_and_writes_memory_without_pages, 1,
			    AREAS);
	tcase_add_loop_test(tcase,
			    a_device_maps_a_buffer_and_sync_leaves_it_alone, 0,
			    AREAS);
	tcase_add_loop_test(tcase, the_kernel_maps_a_buffer, 0, AREAS);
#ifdef __aarch64__
	tcase_add_test(tcase,
		       free_memory_is_in_no_cache_nor_is_it_when_adopted);
	tcase_add_test(tcase, drivers_in_user_space_are_taken_for_not_coherent);
	tcase_add_test(
		tcase,
		sync_without_a_device_costs_nothing_where_the_tree_says_coherent);
#endif
	tcase_add_loop_test(
		tcase, nodes_of_the_dma_heaps_kind_serve_the_standard_ioctl, 0,
		AREAS);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
