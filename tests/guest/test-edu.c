// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A device that really does DMA, driven from here: bytes go from a buffer
 * through it into a buffer. EDU_VIEW says what the guest has between it and
 * memory: "direct", "translated", "bounced" or, where its reach is the limit,
 * "limited".
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#ifdef EDU_WITH_DRM
#include <xf86drm.h>

#include "devices.h"
#endif
#include "attachment.h"
#include "edu.h"
#include "guest.h"

#define MOST 256

/* Seven single pages. */
#define SCATTERED 28672

#define START_READ (DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ)
#define END_WRITE (DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE)
#define START_WRITE (DMA_BUF_SYNC_START | DMA_BUF_SYNC_WRITE)

/* What is not read or written beside a part that is. */
#define GUARD 64

static struct edu edu;

static bool view_is(const char *name)
{
	const char *view = getenv("EDU_VIEW");

	return view && !strcmp(view, name);
}

static void set_up(void)
{
	edu = edu_open();
}

static void tear_down(void)
{
	edu_close(&edu);
}

/* All that the device could reach, if it were not for the guest. */
static int attach_as(int buffer, uint32_t direction)
{
	struct portalmem_ioc_attach request =
		attachment_request(buffer, EDU_BUS, edu.name);
	int error;

	request.direction = direction;
	request.address_bits = 64;
	error = attachment_try(&request);
	ck_assert_msg(!error, "attaching: %s", strerror(error));
	return request.fd;
}

static int attach(int buffer)
{
	return attach_as(buffer, PORTALMEM_BIDIRECTIONAL);
}

/* Where the device finds a part that is in one piece. */
static uint64_t address_of(int attachment, uint64_t offset, uint64_t length)
{
	static struct portalmem_ioc_dma_segment segments[MOST];
	unsigned int count = attachment_segments(attachment, segments, MOST);

	ck_assert_uint_le(count, MOST);
	for (unsigned int i = 0; i < count; i++)
		if (offset >= segments[i].offset &&
		    offset + length <= segments[i].offset + segments[i].length)
			return segments[i].address + offset -
			       segments[i].offset;
	ck_abort_msg("%#llx is in no segment", (unsigned long long)offset);
	return 0;
}

static void load(int attachment, uint64_t offset, uint64_t length)
{
	edu_load(&edu, address_of(attachment, offset, length), length);
}

static void store(int attachment, uint64_t offset, uint64_t length)
{
	edu_store(&edu, address_of(attachment, offset, length), length);
}

static void sync_part(int attachment, uint32_t flags, uint64_t offset,
		      uint64_t length)
{
	int error = attachment_sync(attachment, flags, offset, length);

	ck_assert_msg(!error, "sync: %s", strerror(error));
}

/*
 * Move the part at FROM to TO, by way of the device, and look at what arrived
 * and at what lies on both sides.
 */
static void move_and_check(int attachment, unsigned char *map, uint64_t from,
			   uint64_t to, size_t length)
{
	unsigned char expected[EDU_MOST];

	guest_fill(expected, length, (uint32_t)from + 3);
	sync_part(attachment, START_WRITE, from, length);
	memcpy(map + from, expected, length);
	sync_part(attachment, END_WRITE, from, length);
	sync_part(attachment, START_WRITE, to - GUARD, length + 2 * GUARD);
	memset(map + to - GUARD, 0x5a, length + 2 * GUARD);
	sync_part(attachment, END_WRITE, to - GUARD, length + 2 * GUARD);
	load(attachment, from, length);
	store(attachment, to, length);
	sync_part(attachment, START_READ, to - GUARD, length + 2 * GUARD);
	ck_assert_mem_eq(map + to, expected, length);
	for (size_t i = 0; i < GUARD; i++) {
		ck_assert_uint_eq(map[to - GUARD + i], 0x5a);
		ck_assert_uint_eq(map[to + length + i], 0x5a);
	}
}

static const uint32_t cachings[] = {PORTALMEM_CACHED, PORTALMEM_WC};

/* On Arm there is cached memory alone where all DMA bounces. */
static void assert_caching_is_refused(uint32_t caching)
{
	struct portalmem_ioc_alloc request = guest_request(16384, caching);

	ck_assert(view_is("bounced") && caching != PORTALMEM_CACHED);
	ck_assert_int_eq(guest_try(GUEST_NODE, &request), EOPNOTSUPP);
}

START_TEST(bytes_go_through_the_device)
{
	unsigned char *map;
	int buffer, attachment;

	if (!(guest_heap(GUEST_NODE).cachings & 1U << cachings[_i])) {
		assert_caching_is_refused(cachings[_i]);
		return;
	}
	buffer = guest_alloc(16384, cachings[_i]);
	attachment = attach(buffer);
	map = guest_map(buffer, 16384);
	move_and_check(attachment, map, 0, 8192 + 256, EDU_MOST);
	move_and_check(attachment, map, 4096 + 128, 12288 + 512, 1000);
	munmap(map, 16384);
	close(attachment);
	close(buffer);
}
END_TEST

START_TEST(each_direction_has_an_attachment_of_its_own)
{
	int source = guest_alloc(4096, PORTALMEM_CACHED);
	int destination = guest_alloc(4096, PORTALMEM_CACHED);
	int to = attach_as(source, PORTALMEM_TO_DEVICE);
	int from = attach_as(destination, PORTALMEM_FROM_DEVICE);
	unsigned char *map = guest_map(source, 4096);
	unsigned char expected[1024];

	guest_fill(expected, sizeof(expected), 21);
	memcpy(map + 512, expected, sizeof(expected));
	sync_part(to, END_WRITE, 512, sizeof(expected));
	load(to, 512, sizeof(expected));
	store(from, 1024, sizeof(expected));
	munmap(map, 4096);
	map = guest_map(destination, 4096);
	sync_part(from, START_READ, 1024, sizeof(expected));
	ck_assert_mem_eq(map + 1024, expected, sizeof(expected));
	munmap(map, 4096);
	close(to);
	close(from);
}
END_TEST

/* In how many of the device's segments the buffer is elsewhere than in memory. */
static unsigned int count_moved(int buffer, int attachment)
{
	static struct portalmem_ioc_segment physical[MOST];
	static struct portalmem_ioc_dma_segment seen[MOST];
	unsigned int segments = guest_segments(buffer, physical, MOST);
	unsigned int count = attachment_segments(attachment, seen, MOST);
	unsigned int moved = 0;

	ck_assert_uint_le(segments, MOST);
	ck_assert_uint_le(count, MOST);
	for (unsigned int i = 0; i < count; i++) {
		unsigned int j = 0;

		while (physical[j].offset + physical[j].length <=
		       seen[i].offset)
			j++;
		moved += seen[i].address != physical[j].physical +
						    seen[i].offset -
						    physical[j].offset;
	}
	return moved;
}

START_TEST(addresses_are_what_is_between_device_and_memory)
{
	int buffer = guest_alloc_scattered(SCATTERED, PORTALMEM_CACHED, 128);
	int attachment = attach(buffer);
	struct portalmem_ioc_attachment info = attachment_info(attachment);
	unsigned int segments = guest_info(buffer).segments;
	unsigned int moved = count_moved(buffer, attachment);
	const uint32_t bounced = PORTALMEM_ATTACHMENT_BOUNCED |
				 PORTALMEM_ATTACHMENT_NEEDS_SYNC;
	uint32_t expected = PORTALMEM_ATTACHMENT_OWN;

	ck_assert_uint_ge(segments, 2);
	if (view_is("direct")) {
		ck_assert_uint_eq(moved, 0);
		ck_assert_uint_eq(info.segments, segments);
	} else if (view_is("translated")) {
		expected |= PORTALMEM_ATTACHMENT_TRANSLATED;
		/* Older kernels say that of whatever is translated. */
		info.features &= ~PORTALMEM_ATTACHMENT_NEEDS_SYNC;
		ck_assert_uint_eq(moved, info.segments);
		/* What is scattered in memory is one run to the device. */
		ck_assert_uint_eq(info.segments, 1);
	} else {
		expected |= bounced;
		ck_assert_uint_eq(moved, info.segments);
	}
	ck_assert_uint_eq(info.features, expected);
	close(attachment);
}
END_TEST

START_TEST(transfer_goes_across_a_seam_in_memory)
{
	static struct portalmem_ioc_segment segments[MOST];
	unsigned char expected[EDU_MOST];
	int buffer = guest_alloc_scattered(SCATTERED, PORTALMEM_CACHED, 128);
	int attachment = attach(buffer);
	unsigned char *map = guest_map(buffer, SCATTERED);
	uint64_t part;

	ck_assert_uint_ge(guest_segments(buffer, segments, MOST), 2);
	part = segments[1].offset - EDU_MOST / 2;
	guest_fill(map, SCATTERED, 5);
	memcpy(expected, map + part, EDU_MOST);
	load(attachment, part, EDU_MOST);
	memset(map, 0, SCATTERED);
	store(attachment, part, EDU_MOST);
	ck_assert_mem_eq(map + part, expected, EDU_MOST);
	guest_assert_zero(map, part);
	guest_assert_zero(map + part + EDU_MOST, SCATTERED - part - EDU_MOST);
	munmap(map, SCATTERED);
	close(attachment);
}
END_TEST

/* Copies are made by sync alone, and of the range alone. */
START_TEST(device_that_bounces_sees_what_was_synced)
{
	int buffer = guest_alloc(4096, PORTALMEM_CACHED);
	int attachment = attach(buffer);
	unsigned char *map = guest_map(buffer, 4096);
	const unsigned char unsynced = view_is("bounced") ? 0 : 0x77;

	/* 256 bytes are synced, those on both sides are not. */
	memset(map, 0x77, 1024);
	sync_part(attachment, END_WRITE, 256, 256);
	load(attachment, 0, 1024);
	store(attachment, 2048, 1024);
	sync_part(attachment, START_READ, 2048, 1024);
	for (size_t i = 0; i < 1024; i++)
		ck_assert_uint_eq(map[2048 + i],
				  i >= 256 && i < 512 ? 0x77 : unsynced);
	munmap(map, 4096);
	close(attachment);
}
END_TEST

/* The library and its driver are what programs use. */
START_TEST(shipped_example_works)
{
	const char *build = getenv("PORTALMEM_BUILDDIR");
	char command[1024];

	snprintf(command, sizeof(command), "%s/examples/edu %s 64", build,
		 edu.name);
	guest_shell(command);
}
END_TEST

/* How far a device can reach whose kernel finds no memory at all there. */
static const unsigned int reaches[] = {12, 24, 28};

START_TEST(memory_out_of_reach_is_translated_or_refused)
{
	/* More than there is below 2^28, so that some is above. */
	int buffer = guest_alloc(MIB(272), PORTALMEM_CACHED);
	struct portalmem_ioc_attach request =
		attachment_request(buffer, EDU_BUS, edu.name);
	int error;

	request.address_bits = reaches[_i];
	error = attachment_try(&request);
	if (view_is("translated"))
		/* It lacks IOVAs, not memory. */
		ck_assert_msg(error == ENOMEM, "%s", strerror(error));
	else
		ck_assert_msg(error == EIO, "%s", strerror(error));
	ck_assert_uint_eq(guest_info(buffer).attachments, 0);
	close(buffer);
}
END_TEST

START_TEST(small_reach_does_for_a_translated_buffer)
{
	struct portalmem_ioc_dma_segment segment;
	int buffer = guest_alloc(8192, PORTALMEM_CACHED);
	struct portalmem_ioc_attach request =
		attachment_request(buffer, EDU_BUS, edu.name);
	int error;

	request.address_bits = 24;
	error = attachment_try(&request);
	if (view_is("translated")) {
		ck_assert_msg(!error, "%s", strerror(error));
		ck_assert_int_eq(attachment_segments(request.fd, &segment, 1),
				 1);
		ck_assert_uint_le(segment.address + segment.length, 1 << 24);
		close(request.fd);
	} else {
		/* Where it is allocated, nobody says that it is so low. */
		ck_assert_msg(error == EIO, "%s", strerror(error));
	}
	ck_assert_uint_eq(guest_info(buffer).attachments, 0);
}
END_TEST

#ifdef EDU_WITH_DRM
/* A dma-buf of another exporter, which syncs it as a whole, or not at all. */
static void move_in_foreign(int buffer, size_t size)
{
	int attachment = attach(buffer);
	unsigned char *map = guest_map(buffer, size);

	ck_assert(!(attachment_info(attachment).features &
		    PORTALMEM_ATTACHMENT_OWN));
	move_and_check(attachment, map, 0, 8192 + 256, EDU_MOST);
	munmap(map, size);
	close(attachment);
	close(buffer);
}

START_TEST(buffer_of_vgem_is_moved)
{
	uint64_t size = 16384;
	int vgem = devices_open_vgem();
	uint32_t handle = devices_create_vgem_buffer(vgem, &size);
	int buffer;

	ck_assert_int_eq(
		drmPrimeHandleToFD(vgem, handle, O_RDWR | O_CLOEXEC, &buffer),
		0);
	move_in_foreign(buffer, size);
	close(vgem);
}
END_TEST

START_TEST(buffer_of_udmabuf_is_moved)
{
	int memfd = devices_create_memfd(16384);
	int buffer = devices_create_udmabuf(memfd, 16384);

	ck_assert_int_ge(buffer, 0);
	move_in_foreign(buffer, 16384);
	close(memfd);
}
END_TEST

static void add_foreign_tests(TCase *tcase)
{
	/* Neither exporter has copies made that its importers need. */
	if (view_is("bounced"))
		return;
	tcase_add_test(tcase, buffer_of_vgem_is_moved);
	/* Debian's 6.1 has not got it. */
	if (!access("/dev/udmabuf", F_OK))
		tcase_add_test(tcase, buffer_of_udmabuf_is_moved);
}
#else
static void add_foreign_tests(TCase *tcase)
{
	(void)tcase;
}
#endif

/* Memory of this process becomes a buffer for the device. */
START_TEST(memory_of_the_process_is_moved)
{
	const size_t size = 16384;
	unsigned char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int buffer, attachment;

	ck_assert_ptr_ne(memory, MAP_FAILED);
	buffer = guest_import(memory, size, O_RDWR);
	attachment = attach(buffer);
	move_and_check(attachment, memory, 0, 8192 + 256, EDU_MOST);
	close(attachment);
	close(buffer);
	munmap(memory, size);
}
END_TEST

START_TEST(read_only_memory_is_read_and_never_written)
{
	const size_t size = 4096;
	unsigned char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int destination = guest_alloc(4096, PORTALMEM_CACHED);
	struct portalmem_ioc_attach request;
	unsigned char *map = guest_map(destination, 4096);
	int buffer, from, to;

	ck_assert_ptr_ne(memory, MAP_FAILED);
	guest_fill(memory, size, 31);
	ck_assert_int_eq(mprotect(memory, size, PROT_READ), 0);
	buffer = guest_import(memory, size, O_RDONLY);
	request = attachment_request(buffer, EDU_BUS, edu.name);
	ck_assert_int_eq(attachment_try(&request), EACCES);
	request.direction = PORTALMEM_FROM_DEVICE;
	ck_assert_int_eq(attachment_try(&request), EACCES);
	from = attach_as(buffer, PORTALMEM_TO_DEVICE);
	to = attach(destination);
	load(from, 1024, 1024);
	store(to, 0, 1024);
	sync_part(to, START_READ, 0, 1024);
	ck_assert_mem_eq(map, memory + 1024, 1024);
	close(from);
	close(to);
	close(buffer);
}
END_TEST

START_TEST(removed_device_is_gone_and_comes_back)
{
	int buffer = guest_alloc_scattered(SCATTERED, PORTALMEM_CACHED, 128);
	int attachment = attach(buffer);

	ck_assert_uint_eq(guest_info(buffer).attachments, 1);
	edu_close(&edu);
	edu_remove(edu.name);
	attachment_assert_gone(attachment);
	ck_assert_uint_eq(guest_info(buffer).attachments, 0);
	edu_rescan(edu.name);
	attachment_assert_gone(attachment);
	close(attachment);
	edu = edu_open();
	attachment = attach(buffer);
	ck_assert_uint_eq(guest_info(buffer).attachments, 1);
	close(attachment);
}
END_TEST

static char raced[64];

static void remove_raced(void)
{
	edu_remove(raced);
}

static void rescan_raced(void)
{
	edu_rescan(raced);
}

START_TEST(device_is_removed_and_found_while_threads_attach_and_sync)
{
	edu_find(raced, sizeof(raced));
	attachment_race(EDU_BUS, raced, remove_raced, rescan_raced);
}
END_TEST

/* A buffer that lies above 4 GiB, where the guest has memory there. */
static int alloc_high(size_t size, struct portalmem_ioc_segment *segments)
{
	int buffer = guest_alloc(size, PORTALMEM_CACHED);
	unsigned int count = guest_segments(buffer, segments, MOST);

	ck_assert_uint_le(count, MOST);
	for (unsigned int i = 0; i < count; i++)
		ck_assert_uint_ge(segments[i].physical, (uint64_t)1 << 32);
	return buffer;
}

START_TEST(memory_above_4_gib_is_copied_for_32_bits)
{
	static struct portalmem_ioc_segment physical[MOST];
	int buffer = alloc_high(16384, physical);
	int attachment = attachment_open(buffer, EDU_BUS, edu.name);
	struct portalmem_ioc_attachment info = attachment_info(attachment);
	struct portalmem_ioc_dma_segment seen;
	unsigned char *map = guest_map(buffer, 16384);

	/* What a PCI device counts for until a driver or a program says more. */
	ck_assert_uint_eq(info.address_bits, 32);
	ck_assert_uint_eq(info.features,
			  PORTALMEM_ATTACHMENT_OWN |
				  PORTALMEM_ATTACHMENT_BOUNCED |
				  PORTALMEM_ATTACHMENT_NEEDS_SYNC);
	attachment_segments(attachment, &seen, 1);
	ck_assert_uint_lt(seen.address, (uint64_t)1 << 32);
	move_and_check(attachment, map, 0, 8192 + 256, EDU_MOST);
	munmap(map, 16384);
	close(attachment);
}
END_TEST

START_TEST(memory_above_4_gib_is_used_in_place_with_64_bits)
{
	static struct portalmem_ioc_segment physical[MOST];
	int buffer = alloc_high(16384, physical);
	int attachment = attach(buffer);
	struct portalmem_ioc_attachment info = attachment_info(attachment);
	struct portalmem_ioc_dma_segment seen;
	unsigned char *map = guest_map(buffer, 16384);

	ck_assert_uint_eq(info.address_bits, 64);
	ck_assert_uint_eq(info.features, PORTALMEM_ATTACHMENT_OWN);
	attachment_segments(attachment, &seen, 1);
	ck_assert_uint_eq(seen.address, physical[0].physical);
	move_and_check(attachment, map, 0, 8192 + 256, EDU_MOST);
	munmap(map, 16384);
	close(attachment);
}
END_TEST

static void lock_down(void)
{
	/* It may be there. */
	mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL);
	guest_put("/sys/kernel/security/lockdown", "integrity");
}

START_TEST(lockdown_leaves_what_an_iommu_keeps_in_bounds)
{
	struct portalmem_ioc_segment segment;
	int buffer = guest_alloc(4096, PORTALMEM_CACHED);
	struct portalmem_ioc_attach request;
	char name[64];
	int error;

	edu_find(name, sizeof(name));
	ck_assert_int_eq(guest_segments(buffer, &segment, 1), 1);
	ck_assert_uint_ne(segment.physical, 0);
	lock_down();
	ck_assert_int_eq(guest_segments(buffer, &segment, 1), 1);
	ck_assert_uint_eq(segment.physical, 0);
	ck_assert_uint_eq(segment.length, 4096);
	request = attachment_request(buffer, EDU_BUS, name);
	error = attachment_try(&request);
	ck_assert_msg(error == (view_is("translated") ? 0 : EPERM), "%s",
		      strerror(error));
	ck_assert_uint_eq(guest_info(buffer).attachments, !error);
	if (!error)
		close(request.fd);
}
END_TEST

/* The slot that the device, or the port above it, is in; its power switch. */
static void power_off(const char *name)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "for slot in /sys/bus/pci/slots/*; do"
		 " case %s in \"$(cat \"$slot/address\")\"*)"
		 " echo 0 >\"$slot/power\"; exit;; esac; done; exit 1",
		 name);
	guest_shell(command);
}

START_TEST(unplugged_device_is_gone)
{
	int buffer = guest_alloc(4096, PORTALMEM_CACHED);
	struct pollfd polled = {0};
	char name[64], path[128];

	edu_find(name, sizeof(name));
	polled.fd = attachment_open(buffer, EDU_BUS, name);
	ck_assert_uint_eq(guest_info(buffer).attachments, 1);
	power_off(name);
	ck_assert_int_eq(poll(&polled, 1, 30000), 1);
	attachment_assert_gone(polled.fd);
	ck_assert_uint_eq(guest_info(buffer).attachments, 0);
	close(polled.fd);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", name);
	ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

static TCase *high_tests(void)
{
	TCase *tcase = guest_tcase("high");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, memory_above_4_gib_is_copied_for_32_bits);
	tcase_add_test(tcase, memory_above_4_gib_is_used_in_place_with_64_bits);
	return tcase;
}

/* What cannot be undone, in an order in which it can be done. */
static TCase *last_tests(void)
{
	TCase *tcase = guest_tcase("last");

	tcase_add_test(tcase, lockdown_leaves_what_an_iommu_keeps_in_bounds);
	/* There it is in a slot of its own. */
	if (view_is("translated"))
		tcase_add_test(tcase, unplugged_device_is_gone);
	return tcase;
}

static TCase *usual_tests(void)
{
	TCase *tcase = guest_tcase("edu");

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_loop_test(tcase, bytes_go_through_the_device, 0,
			    sizeof(cachings) / sizeof(cachings[0]));
	tcase_add_test(tcase, each_direction_has_an_attachment_of_its_own);
	tcase_add_test(tcase, addresses_are_what_is_between_device_and_memory);
	/* Elsewhere the device is told of the seam. */
	if (view_is("translated"))
		tcase_add_test(tcase, transfer_goes_across_a_seam_in_memory);
	tcase_add_test(tcase, device_that_bounces_sees_what_was_synced);
	tcase_add_test(tcase, shipped_example_works);
	add_foreign_tests(tcase);
	tcase_add_test(tcase, memory_of_the_process_is_moved);
	tcase_add_test(tcase, read_only_memory_is_read_and_never_written);
	tcase_add_loop_test(tcase, memory_out_of_reach_is_translated_or_refused,
			    0, sizeof(reaches) / sizeof(reaches[0]));
	tcase_add_test(tcase, small_reach_does_for_a_translated_buffer);
	tcase_add_test(tcase, removed_device_is_gone_and_comes_back);
	tcase_add_test(
		tcase,
		device_is_removed_and_found_while_threads_attach_and_sync);
	return tcase;
}

static Suite *suite(void)
{
	Suite *suite = suite_create("edu");

	if (view_is("limited")) {
		suite_add_tcase(suite, high_tests());
		return suite;
	}
	suite_add_tcase(suite, usual_tests());
	suite_add_tcase(suite, last_tests());
	return suite;
}

PMTEST_MAIN(suite)
