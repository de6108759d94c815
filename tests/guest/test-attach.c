// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Attachments: what they tell, what is refused, and their end.
 * quick: 6.12 6.1
 * races: threads attach and sync while the device goes and comes
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attachment.h"
#include "guest.h"
#include "soft-device.h"

#define BUS "platform"
#define DEVICE "pm_device.0"
#define OTHER_DEVICE "pm_device.1"
#define MOST 1024
#define CYCLES 1000

#define START_READ (DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ)
#define END_WRITE (DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE)

/* Both devices are there and have their driver. */
static void set_up(void)
{
	soft_device_load();
}

static void unbind(const char *device)
{
	guest_put(PM_DEVICE_DRIVER "/unbind", device);
}

static void bind_again(const char *device)
{
	guest_put(PM_DEVICE_DRIVER "/bind", device);
}

START_TEST(device_finds_the_bytes_where_the_table_says)
{
	static struct portalmem_ioc_dma_segment segments[MOST];
	static unsigned char seen[MIB(1) + 12288];
	const size_t size = sizeof(seen);
	int buffer = guest_alloc_scattered(size, PORTALMEM_CACHED, 256);
	int attachment = attachment_open(buffer, BUS, DEVICE);
	int device = soft_device_open(DEVICE);
	unsigned int count = attachment_segments(attachment, segments, MOST);
	unsigned char *map = guest_map(buffer, size);
	uint64_t offset = 0;

	ck_assert_uint_ge(count, 1);
	ck_assert_uint_le(count, MOST);
	guest_fill(map, size, 7);
	ck_assert_int_eq(attachment_sync(attachment, END_WRITE, 0, size), 0);
	for (unsigned int i = 0; i < count; i++) {
		ck_assert_uint_eq(segments[i].offset, offset);
		ck_assert_uint_gt(segments[i].length, 0);
		soft_device_read_at(device, segments[i].address, seen + offset,
				    segments[i].length);
		offset += segments[i].length;
	}
	ck_assert_uint_eq(offset, size);
	guest_assert_filled(seen, size, 7);
	close(device);
	close(attachment);
}
END_TEST

START_TEST(cpu_finds_the_bytes_that_the_device_wrote)
{
	static unsigned char bytes[8192];
	struct portalmem_ioc_dma_segment segments[4];
	int buffer = guest_alloc(sizeof(bytes), PORTALMEM_CACHED);
	int attachment = attachment_open(buffer, BUS, DEVICE);
	int device = soft_device_open(DEVICE);
	unsigned char *map = guest_map(buffer, sizeof(bytes));
	unsigned int count = attachment_segments(attachment, segments, 4);

	guest_fill(bytes, sizeof(bytes), 8);
	for (unsigned int i = 0; i < count; i++)
		soft_device_write_at(device, segments[i].address,
				     bytes + segments[i].offset,
				     segments[i].length);
	ck_assert_int_eq(
		attachment_sync(attachment, START_READ, 0, sizeof(bytes)), 0);
	guest_assert_filled(map, sizeof(bytes), 8);
	close(device);
	close(attachment);
}
END_TEST

static const uint32_t directions[] = {
	PORTALMEM_TO_DEVICE,
	PORTALMEM_FROM_DEVICE,
	PORTALMEM_BIDIRECTIONAL,
};

START_TEST(attachment_describes_itself)
{
	int buffer = guest_alloc(12288, PORTALMEM_CACHED);
	struct portalmem_ioc_attach request =
		attachment_request(buffer, BUS, DEVICE);
	struct portalmem_ioc_attachment info;

	request.direction = directions[_i];
	ck_assert_int_eq(attachment_try(&request), 0);
	ck_assert_int_eq(fcntl(request.fd, F_GETFD), FD_CLOEXEC);
	info = attachment_info(request.fd);
	ck_assert_uint_eq(info.direction, directions[_i]);
	ck_assert_uint_eq(info.size, 12288);
	ck_assert_uint_eq(info.segments,
			  attachment_segments(request.fd, NULL, 0));
	/* What its driver has said. */
	ck_assert_uint_eq(info.address_bits, 64);
	ck_assert_str_eq(info.bus, BUS);
	ck_assert_str_eq(info.device, DEVICE);
	ck_assert_uint_eq(info.pad, 0);
	ck_assert(info.features & PORTALMEM_ATTACHMENT_OWN);
	ck_assert(!(info.features & PORTALMEM_ATTACHMENT_TRANSLATED));
	close(request.fd);
}
END_TEST

START_TEST(fdinfo_names_the_device_and_the_buffer)
{
	int buffer = guest_alloc(4096, PORTALMEM_CACHED);
	int attachment = attachment_open(buffer, BUS, DEVICE);
	char path[64], text[512];
	ssize_t length;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", attachment);
	fd = guest_open_read(path);
	length = read(fd, text, sizeof(text) - 1);
	ck_assert_int_gt(length, 0);
	text[length] = '\0';
	ck_assert_ptr_nonnull(strstr(text, "\ndmabuf_inode:\t"));
	ck_assert_ptr_nonnull(strstr(text, "\nsize:\t4096\n"));
	ck_assert_ptr_nonnull(strstr(text, "\ndevice:\t" BUS "/" DEVICE "\n"));
	close(fd);
	close(attachment);
}
END_TEST

/* A request that is good but for one thing. */
static const struct {
	const char *what;
	struct portalmem_ioc_attach request;
	int error;
} bad[] = {
	{"no direction", {.bus = BUS, .device = DEVICE}, EINVAL},
	{"an unknown direction",
	 {.direction = 4, .bus = BUS, .device = DEVICE},
	 EINVAL},
	{"a known and an unknown direction",
	 {.direction = 0x80000001, .bus = BUS, .device = DEVICE},
	 EINVAL},
	{"unknown fd_flags",
	 {.direction = 3, .fd_flags = O_RDWR, .bus = BUS, .device = DEVICE},
	 EINVAL},
	{"a dirty fd",
	 {.direction = 3, .fd = 1, .bus = BUS, .device = DEVICE},
	 EINVAL},
	{"a dirty pad",
	 {.direction = 3, .pad = 1, .bus = BUS, .device = DEVICE},
	 EINVAL},
	{"too many address bits",
	 {.direction = 3, .address_bits = 65, .bus = BUS, .device = DEVICE},
	 EINVAL},
	{"a bus without an end",
	 {.direction = 3, .bus = "sixteen-letters-", .device = DEVICE},
	 EINVAL},
	{"a device without an end",
	 {.direction = 3,
	  .bus = BUS,
	  .device = "sixty-four-letters-without-an-end-are-no-name-"
		    "of-a-device-at-all"},
	 EINVAL},
	{"no bus", {.direction = 3, .device = DEVICE}, ENODEV},
	{"an unknown bus",
	 {.direction = 3, .bus = "usb", .device = DEVICE},
	 ENODEV},
	{"no device", {.direction = 3, .bus = BUS}, ENODEV},
	{"an unknown device",
	 {.direction = 3, .bus = BUS, .device = "pm_device.7"},
	 ENODEV},
	{"the beginning of a device's name",
	 {.direction = 3, .bus = BUS, .device = "pm_device"},
	 ENODEV},
	{"a device of another bus",
	 {.direction = 3, .bus = "pci", .device = DEVICE},
	 ENODEV},
	{"the reach of a device whose driver tells it",
	 {.direction = 3, .address_bits = 32, .bus = BUS, .device = DEVICE},
	 EBUSY},
};

START_TEST(attach_refuses_each_bad_field)
{
	struct portalmem_ioc_attach request = bad[_i].request;
	unsigned int fds = pmtest_count_fds();
	long users = attachment_module_users();
	int buffer = guest_alloc(4096, PORTALMEM_CACHED);
	int error;

	request.buffer = buffer;
	error = attachment_try(&request);
	ck_assert_msg(error == bad[_i].error, "%s: %s", bad[_i].what,
		      strerror(error));
	ck_assert_uint_eq(guest_info(buffer).attachments, 0);
	/* The structure is as it was. */
	request.buffer = bad[_i].request.buffer;
	ck_assert_mem_eq(&request, &bad[_i].request, sizeof(request));
	close(buffer);
	pmtest_assert_no_leaked_fds(fds);
	ck_assert_int_eq(attachment_module_users(), users);
}
END_TEST

START_TEST(what_is_no_dma_buf_is_not_attached)
{
	struct portalmem_ioc_attach request =
		attachment_request(-1, BUS, DEVICE);
	int file = guest_open("/dev/null");
	int attachment;

	ck_assert_int_eq(attachment_try(&request), EBADF);
	request.buffer = 9999;
	ck_assert_int_eq(attachment_try(&request), EBADF);
	request.buffer = file;
	ck_assert_int_eq(attachment_try(&request), EINVAL);
	attachment = attachment_open(guest_alloc(4096, PORTALMEM_CACHED), BUS,
				     DEVICE);
	request.buffer = attachment;
	ck_assert_int_eq(attachment_try(&request), EINVAL);
	close(attachment);
	close(file);
}
END_TEST

START_TEST(structure_of_another_size_or_place_is_refused)
{
	struct {
		struct portalmem_ioc_attach known;
		uint64_t more;
	} longer = {.known = attachment_request(
			    guest_alloc(4096, PORTALMEM_CACHED), BUS, DEVICE)};
	const unsigned long shorter = _IOC(_IOC_READ | _IOC_WRITE,
					   PORTALMEM_IOC_MAGIC, 7,
					   sizeof(longer.known) - 1);
	const unsigned long grown = _IOC(
		_IOC_READ | _IOC_WRITE, PORTALMEM_IOC_MAGIC, 7, sizeof(longer));
	int node = guest_open(GUEST_NODE);

	ck_assert_int_eq(ioctl(node, shorter, &longer), -1);
	ck_assert_int_eq(errno, EINVAL);
	longer.more = 1;
	ck_assert_int_eq(ioctl(node, grown, &longer), -1);
	ck_assert_int_eq(errno, E2BIG);
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ATTACH, 8), -1);
	ck_assert_int_eq(errno, EFAULT);
	longer.more = 0;
	ck_assert_int_eq(ioctl(node, grown, &longer), 0);
	ck_assert_str_eq(attachment_info(longer.known.fd).device, DEVICE);
	close(longer.known.fd);
	close(node);
}
END_TEST

START_TEST(attaching_takes_cap_sys_rawio)
{
	int buffer = guest_alloc(4096, PORTALMEM_CACHED);
	struct portalmem_ioc_attach request =
		attachment_request(buffer, BUS, DEVICE);

	guest_drop_rawio();
	ck_assert_int_eq(attachment_try(&request), EPERM);
	ck_assert_uint_eq(guest_info(buffer).attachments, 0);
	/* What is wrong in itself is told to anybody, what is there is not. */
	request.direction = 0;
	ck_assert_int_eq(attachment_try(&request), EINVAL);
	request = attachment_request(buffer, BUS, "absent");
	ck_assert_int_eq(attachment_try(&request), EPERM);
}
END_TEST

/* Every request on the attachment, by an ordinary user; the number of the first
 * that failed. */
static int use_without_privileges(int node, int buffer, int attachment)
{
	struct portalmem_ioc_attachment info = {0};
	struct portalmem_ioc_dma_segment segment;
	struct portalmem_ioc_dma_segments table = {
		.segments = (uintptr_t)&segment, .count = 1};
	struct portalmem_ioc_attach request =
		attachment_request(buffer, BUS, DEVICE);

	if (setgid(1000) || setuid(1000))
		return 1;
	if (ioctl(attachment, PORTALMEM_IOC_ATTACHMENT, &info))
		return 2;
	if (ioctl(attachment, PORTALMEM_IOC_DMA_SEGMENTS, &table) ||
	    table.count != 1 || !segment.address)
		return 3;
	if (attachment_sync(attachment, END_WRITE, 0, 4096))
		return 4;
	if (!ioctl(node, PORTALMEM_IOC_ATTACH, &request) || errno != EPERM)
		return 5;
	return 0;
}

START_TEST(who_is_given_an_attachment_needs_no_privilege)
{
	int node = guest_open(GUEST_NODE);
	int buffer = guest_alloc(4096, PORTALMEM_CACHED);
	int attachment = attachment_open(buffer, BUS, DEVICE);
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child)
		_exit(use_without_privileges(node, buffer, attachment));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	close(attachment);
	close(node);
}
END_TEST

START_TEST(device_without_a_driver_does_dma_on_x86_alone)
{
	int buffer = guest_alloc(4096, PORTALMEM_CACHED);
	struct portalmem_ioc_attach request =
		attachment_request(buffer, BUS, OTHER_DEVICE);
	int error;

	unbind(OTHER_DEVICE);
	error = attachment_try(&request);
	bind_again(OTHER_DEVICE);
#if defined(__x86_64__)
	ck_assert_int_eq(error, 0);
	/* A driver that comes has a view of its own. */
	attachment_assert_gone(request.fd);
	close(request.fd);
#else
	ck_assert_int_eq(error, EOPNOTSUPP);
#endif
	ck_assert_uint_eq(guest_info(buffer).attachments, 0);
}
END_TEST

START_TEST(last_copy_of_the_descriptor_unmaps_and_detaches)
{
	int buffer = guest_alloc(4096, PORTALMEM_CACHED);
	long users = attachment_module_users();
	int attachment = attachment_open(buffer, BUS, DEVICE);
	int copy = dup(attachment);

	ck_assert_int_ge(copy, 0);
	ck_assert_uint_eq(guest_info(buffer).attachments, 1);
	ck_assert_int_eq(attachment_module_users(), users + 1);
	close(attachment);
	ck_assert_uint_eq(attachment_info(copy).size, 4096);
	ck_assert_uint_eq(guest_info(buffer).attachments, 1);
	close(copy);
	ck_assert_uint_eq(guest_info(buffer).attachments, 0);
	ck_assert_int_eq(attachment_module_users(), users);
}
END_TEST

START_TEST(attachment_keeps_the_memory_of_a_buffer_that_is_closed)
{
	static unsigned char seen[8192];
	struct portalmem_ioc_dma_segment segment;
	int buffer = guest_alloc(sizeof(seen), PORTALMEM_CACHED);
	int attachment = attachment_open(buffer, BUS, DEVICE);
	int device = soft_device_open(DEVICE);
	unsigned int before = guest_count_buffers();
	unsigned char *map = guest_map(buffer, sizeof(seen));

	ck_assert_int_eq(attachment_segments(attachment, &segment, 1), 1);
	guest_fill(map, sizeof(seen), 9);
	ck_assert_int_eq(
		attachment_sync(attachment, END_WRITE, 0, sizeof(seen)), 0);
	munmap(map, sizeof(seen));
	close(buffer);
	ck_assert_uint_eq(guest_count_buffers(), before);
	soft_device_read_at(device, segment.address, seen, sizeof(seen));
	guest_assert_filled(seen, sizeof(seen), 9);
	close(device);
	close(attachment);
	ck_assert_uint_eq(guest_count_buffers(), before - 1);
}
END_TEST

START_TEST(thousand_attachments_leave_nothing_behind)
{
	int buffer = guest_alloc_scattered(MIB(1), PORTALMEM_CACHED, 256);
	long users = attachment_module_users();
	long before;

	close(attachment_open(buffer, BUS, DEVICE));
	before = guest_free_kib();
	for (int i = 0; i < CYCLES; i++)
		close(attachment_open(buffer, BUS, DEVICE));
	/* A page for each would be 4 MiB, and so it is told apart from noise. */
	ck_assert_int_lt(before - guest_free_kib(), 2048);
	ck_assert_uint_eq(guest_info(buffer).attachments, 0);
	ck_assert_int_eq(attachment_module_users(), users);
}
END_TEST

START_TEST(table_can_be_read_in_parts)
{
	static struct portalmem_ioc_dma_segment whole[MOST];
	int attachment = attachment_open(
		guest_alloc_scattered(MIB(1) + 28672, PORTALMEM_CACHED, 256),
		BUS, DEVICE);
	unsigned int total = attachment_segments(attachment, whole, MOST);
	struct portalmem_ioc_dma_segment room[2];
	struct portalmem_ioc_dma_segments part = {.segments = (uintptr_t)room,
						  .count = 1};

	ck_assert_uint_ge(total, 2);
	for (unsigned int i = 0; i < total; i++) {
		memset(room, 0xff, sizeof(room));
		part.first = i;
		part.count = 1;
		part.total = 0;
		ck_assert_int_eq(
			ioctl(attachment, PORTALMEM_IOC_DMA_SEGMENTS, &part),
			0);
		/* The needed count comes back whatever was asked for. */
		ck_assert_uint_eq(part.total, total);
		ck_assert_uint_eq(part.count, 1);
		ck_assert_mem_eq(&room[0], &whole[i], sizeof(room[0]));
		ck_assert_uint_eq(room[1].offset, UINT64_MAX);
	}
	part.first = total;
	part.count = 2;
	part.total = 0;
	ck_assert_int_eq(ioctl(attachment, PORTALMEM_IOC_DMA_SEGMENTS, &part),
			 0);
	ck_assert_uint_eq(part.count, 0);
	part.first = UINT32_MAX;
	part.count = UINT32_MAX;
	part.total = 0;
	ck_assert_int_eq(ioctl(attachment, PORTALMEM_IOC_DMA_SEGMENTS, &part),
			 0);
	ck_assert_uint_eq(part.count, 0);
	close(attachment);
}
END_TEST

static const struct portalmem_ioc_dma_segments bad_tables[] = {
	{.flags = 1},
	{.pad = 1},
	{.total = 1},
	{.pad2 = 1},
};

START_TEST(requests_on_an_attachment_refuse_each_bad_field)
{
	int attachment = attachment_open(guest_alloc(8192, PORTALMEM_CACHED),
					 BUS, DEVICE);
	struct portalmem_ioc_attachment info = {.flags = 1};
	struct portalmem_ioc_dma_segments table = {.segments = 8, .count = 1};
	struct portalmem_ioc_info other = {.fd = attachment};

	ck_assert_int_eq(ioctl(attachment, PORTALMEM_IOC_ATTACHMENT, &info),
			 -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(ioctl(attachment, PORTALMEM_IOC_ATTACHMENT, 8), -1);
	ck_assert_int_eq(errno, EFAULT);
	ck_assert_int_eq(ioctl(attachment, PORTALMEM_IOC_DMA_SEGMENTS, &table),
			 -1);
	ck_assert_int_eq(errno, EFAULT);
	for (size_t i = 0; i < sizeof(bad_tables) / sizeof(bad_tables[0]);
	     i++) {
		table = bad_tables[i];
		ck_assert_int_eq(
			ioctl(attachment, PORTALMEM_IOC_DMA_SEGMENTS, &table),
			-1);
		ck_assert_int_eq(errno, EINVAL);
	}
	/* Those of a node are for nodes. */
	ck_assert_int_eq(ioctl(attachment, PORTALMEM_IOC_INFO, &other), -1);
	ck_assert_int_eq(errno, ENOTTY);
	close(attachment);
}
END_TEST

START_TEST(sync_on_an_attachment_refuses_other_buffers_and_ranges)
{
	int buffer = guest_alloc(8192, PORTALMEM_CACHED);
	int attachment = attachment_open(buffer, BUS, DEVICE);
	struct portalmem_ioc_sync sync = {.flags = START_READ, .fd = buffer};

	ck_assert_int_eq(ioctl(attachment, PORTALMEM_IOC_SYNC, &sync), -1);
	ck_assert_int_eq(errno, EINVAL);
	sync.fd = -1;
	ck_assert_int_eq(ioctl(attachment, PORTALMEM_IOC_SYNC, &sync), 0);
	ck_assert_int_eq(attachment_sync(attachment, 0, 0, 4096), EINVAL);
	ck_assert_int_eq(attachment_sync(attachment, START_READ, 0, 8192), 0);
	ck_assert_int_eq(attachment_sync(attachment, START_READ, 8192, 0), 0);
	ck_assert_int_eq(attachment_sync(attachment, START_READ, 8192, 1),
			 ERANGE);
	ck_assert_int_eq(attachment_sync(attachment, START_READ, 4096,
					 UINT64_MAX - 4095),
			 ERANGE);
	close(attachment);
}
END_TEST

static void unplug(void)
{
	soft_device_set_present(2);
}

static void plug(void)
{
	soft_device_set_present(3);
}

static void unbind_device(void)
{
	unbind(DEVICE);
}

static void bind_device(void)
{
	bind_again(DEVICE);
}

/* The ways in which a device goes, and comes again. */
static const struct {
	void (*go)(void);
	void (*come)(void);
} ways[] = {
	{unbind_device, bind_device},
	{unplug, plug},
};

START_TEST(everything_says_that_the_device_is_gone)
{
	int buffer = guest_alloc_scattered(MIB(1), PORTALMEM_CACHED, 256);
	long users = attachment_module_users();
	int attachment = attachment_open(buffer, BUS, DEVICE);
	int other = attachment_open(buffer, BUS, OTHER_DEVICE);
	unsigned char *map = guest_map(buffer, MIB(1));
	int again;

	guest_fill(map, MIB(1), 11);
	ck_assert_uint_eq(guest_info(buffer).attachments, 2);
	ways[_i].go();
	attachment_assert_gone(attachment);
	/* Unmapped at once, not when the descriptor is closed. */
	ck_assert_uint_eq(guest_info(buffer).attachments, 1);
	ck_assert_uint_eq(attachment_info(other).size, MIB(1));
	ways[_i].come();
	/* It is another life: the old attachment does not rise again. */
	attachment_assert_gone(attachment);
	again = attachment_open(buffer, BUS, DEVICE);
	ck_assert_uint_eq(guest_info(buffer).attachments, 2);
	close(attachment);
	ck_assert_uint_eq(guest_info(buffer).attachments, 2);
	guest_assert_filled(map, MIB(1), 11);
	close(again);
	close(other);
	ck_assert_uint_eq(guest_info(buffer).attachments, 0);
	ck_assert_int_eq(attachment_module_users(), users);
}
END_TEST

struct sleeper {
	pthread_t thread;
	int attachment;
	atomic_bool asleep;
	short revents;
};

static void *sleep_in_poll(void *argument)
{
	struct sleeper *sleeper = argument;
	struct pollfd polled = {.fd = sleeper->attachment};

	atomic_store(&sleeper->asleep, true);
	if (poll(&polled, 1, 30000) == 1)
		sleeper->revents = polled.revents;
	return NULL;
}

START_TEST(sleeping_poll_is_woken_when_the_device_goes)
{
	struct sleeper sleeper = {
		.attachment = attachment_open(
			guest_alloc(4096, PORTALMEM_CACHED), BUS, DEVICE)};
	double begin;

	ck_assert_int_eq(
		pthread_create(&sleeper.thread, NULL, sleep_in_poll, &sleeper),
		0);
	while (!atomic_load(&sleeper.asleep))
		usleep(1000);
	usleep(100000);
	begin = guest_now();
	ways[_i].go();
	ck_assert_int_eq(pthread_join(sleeper.thread, NULL), 0);
	ways[_i].come();
	ck_assert_int_eq(sleeper.revents, POLLHUP | POLLERR);
	ck_assert_double_lt(guest_now() - begin, 15);
	close(sleeper.attachment);
}
END_TEST

START_TEST(nothing_happens_on_an_attachment_until_then)
{
	struct pollfd polled = {
		.fd = attachment_open(guest_alloc(4096, PORTALMEM_CACHED), BUS,
				      DEVICE),
		.events = POLLIN | POLLOUT,
	};

	ck_assert_int_eq(poll(&polled, 1, 50), 0);
	close(polled.fd);
}
END_TEST

START_TEST(device_goes_and_comes_while_threads_attach_and_sync)
{
	attachment_race(BUS, DEVICE, ways[_i].go, ways[_i].come);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("attach");
	TCase *tcase = guest_tcase("attach");
	const int nways = sizeof(ways) / sizeof(ways[0]);

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, device_finds_the_bytes_where_the_table_says);
	tcase_add_test(tcase, cpu_finds_the_bytes_that_the_device_wrote);
	tcase_add_loop_test(tcase, attachment_describes_itself, 0,
			    sizeof(directions) / sizeof(directions[0]));
	tcase_add_test(tcase, fdinfo_names_the_device_and_the_buffer);
	tcase_add_loop_test(tcase, attach_refuses_each_bad_field, 0,
			    sizeof(bad) / sizeof(bad[0]));
	tcase_add_test(tcase, what_is_no_dma_buf_is_not_attached);
	tcase_add_test(tcase, structure_of_another_size_or_place_is_refused);
	tcase_add_test(tcase, attaching_takes_cap_sys_rawio);
	tcase_add_test(tcase, who_is_given_an_attachment_needs_no_privilege);
	tcase_add_test(tcase, device_without_a_driver_does_dma_on_x86_alone);
	tcase_add_test(tcase, last_copy_of_the_descriptor_unmaps_and_detaches);
	tcase_add_test(tcase,
		       attachment_keeps_the_memory_of_a_buffer_that_is_closed);
	tcase_add_test(tcase, thousand_attachments_leave_nothing_behind);
	tcase_add_test(tcase, table_can_be_read_in_parts);
	tcase_add_test(tcase, requests_on_an_attachment_refuse_each_bad_field);
	tcase_add_test(tcase,
		       sync_on_an_attachment_refuses_other_buffers_and_ranges);
	tcase_add_test(tcase, nothing_happens_on_an_attachment_until_then);
	tcase_add_loop_test(tcase, everything_says_that_the_device_is_gone, 0,
			    nways);
	tcase_add_loop_test(tcase, sleeping_poll_is_woken_when_the_device_goes,
			    0, nways);
	tcase_add_loop_test(tcase,
			    device_goes_and_comes_while_threads_attach_and_sync,
			    0, nways);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
