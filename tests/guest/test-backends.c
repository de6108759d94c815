// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Started by backends.sh: which backends there are, and whether each device
 * gives what portalmem_device_check() says of it and nothing that it denies.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <portalmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kmod/pm_importer.h"
#include "kmod/pm_memtype.h"

#define DISK "/dev/vda"
#define SIZE MIB(4)

#define CONTIGUOUS PORTALMEM_NEED_CONTIGUOUS
#define WC PORTALMEM_NEED_WC
#define PINNABLE PORTALMEM_NEED_PINNABLE
#define SHAREABLE PORTALMEM_NEED_SHAREABLE

/* Memory of the guests begins below this, and some of it is above. */
#ifdef __x86_64__
#define ADDRESS_BITS 28
#else
#define ADDRESS_BITS 31
#endif

static const enum portalmem_backend backends[] = {
	PORTALMEM_BACKEND_PORTALMEM, PORTALMEM_BACKEND_DMA_HEAP,
	PORTALMEM_BACKEND_UDMABUF, PORTALMEM_BACKEND_MEMFD};
#define BACKENDS 4

/* Devices of which each kernel has some; a path of NULL is the usual node. */
static const struct place {
	enum portalmem_backend backend;
	const char *path;
	unsigned int needs; /* that it must meet, each for itself */
	enum portalmem_exporter exporter;
} places[] = {
	{PORTALMEM_BACKEND_PORTALMEM, NULL, WC | PINNABLE | SHAREABLE,
	 PORTALMEM_EXPORTER_PORTALMEM},
	{PORTALMEM_BACKEND_PORTALMEM, GUEST_HEAP_WC_NODE,
	 WC | PINNABLE | SHAREABLE, PORTALMEM_EXPORTER_PORTALMEM},
	{PORTALMEM_BACKEND_PORTALMEM, GUEST_CONTIGUOUS_NODE,
	 CONTIGUOUS | WC | SHAREABLE, PORTALMEM_EXPORTER_PORTALMEM},
	{PORTALMEM_BACKEND_DMA_HEAP, GUEST_HEAP_NODE, SHAREABLE,
	 PORTALMEM_EXPORTER_PORTALMEM},
	{PORTALMEM_BACKEND_DMA_HEAP, NULL, SHAREABLE,
	 PORTALMEM_EXPORTER_DMA_HEAP},
	{PORTALMEM_BACKEND_DMA_HEAP, "/dev/dma_heap/default_cma_region",
	 CONTIGUOUS | SHAREABLE, PORTALMEM_EXPORTER_DMA_HEAP},
	{PORTALMEM_BACKEND_DMA_HEAP, "/dev/dma_heap/reserved",
	 CONTIGUOUS | SHAREABLE, PORTALMEM_EXPORTER_DMA_HEAP},
	{PORTALMEM_BACKEND_DMA_HEAP, "/dev/dma_heap/linux,cma",
	 CONTIGUOUS | SHAREABLE, PORTALMEM_EXPORTER_DMA_HEAP},
	{PORTALMEM_BACKEND_UDMABUF, NULL, SHAREABLE,
	 PORTALMEM_EXPORTER_UDMABUF},
	{PORTALMEM_BACKEND_MEMFD, NULL, PINNABLE, PORTALMEM_EXPORTER_MEMFD},
};
#define PLACES ((int)(sizeof(places) / sizeof(places[0])))

/* Does backends.sh say that this kernel has it? */
static int is_expected(enum portalmem_backend backend)
{
	const char *list = getenv("GUEST_BACKENDS");
	char name[32];

	snprintf(name, sizeof(name), " %s ", portalmem_backend_name(backend));
	return list && strstr(list, name);
}

START_TEST(backend_opens_where_it_is_and_is_enoent_elsewhere)
{
	enum portalmem_backend backend = backends[_i];
	struct portalmem_device *device = NULL;
	int ret;

	/* By the program's choice and by the environment's. */
	for (int i = 0; i < 2; i++) {
		if (i)
			setenv("PORTALMEM_BACKEND",
			       portalmem_backend_name(backend), 1);
		ret = portalmem_device_open(
			NULL, i ? PORTALMEM_BACKEND_ANY : backend, &device);
		if (!is_expected(backend)) {
			ck_assert_int_eq(ret, -ENOENT);
			ck_assert_ptr_null(device);
			ck_assert_ptr_nonnull(strstr(portalmem_error_message(),
						     "cannot open /dev/"));
			continue;
		}
		ck_assert_msg(!ret, "%s", portalmem_error_message());
		ck_assert_int_eq(portalmem_device_get_backend(device), backend);
		portalmem_device_unref(device);
		device = NULL;
	}
}
END_TEST

START_TEST(first_of_those_that_are_there_is_the_usual_one)
{
	struct portalmem_device *device;
	int first = 0;

	ck_assert_ptr_nonnull(getenv("GUEST_BACKENDS"));
	while (!is_expected(backends[first]))
		first++;
	ck_assert_int_eq(
		portalmem_device_open(NULL, PORTALMEM_BACKEND_ANY, &device), 0);
	ck_assert_int_eq(portalmem_device_get_backend(device), backends[first]);
	portalmem_device_unref(device);
}
END_TEST

/* A CMA heap is there by its name alone; the rest is known of a kernel. */
static int is_there(int number)
{
	const struct place *place = &places[number];

	if (place->exporter == PORTALMEM_EXPORTER_PORTALMEM)
		return is_expected(PORTALMEM_BACKEND_PORTALMEM);
	if (place->path)
		return !access(place->path, F_OK);
	return is_expected(place->backend);
}

static struct portalmem_device *open_place(int number)
{
	const struct place *place = &places[number];
	struct portalmem_device *device;

	ck_assert_msg(
		!portalmem_device_open(place->path, place->backend, &device),
		"%s", portalmem_error_message());
	return device;
}

static int meets(struct portalmem_device *device, unsigned int needs,
		 unsigned int address_bits, uint64_t size)
{
	struct portalmem_constraints constraints = PORTALMEM_CONSTRAINTS_INIT;
	unsigned int unmet = ~0U;
	int ret;

	constraints.needs = needs;
	constraints.address_bits = address_bits;
	constraints.size = size;
	ret = portalmem_device_check(device, &constraints, &unmet);
	ck_assert(ret == 0 || ret == -EOPNOTSUPP);
	ck_assert_int_eq(!ret, !unmet);
	return !ret;
}

static struct portalmem_buffer *alloc(struct portalmem_device *device,
				      uint64_t size,
				      const struct portalmem_alloc_options *how)
{
	struct portalmem_buffer *buffer;

	ck_assert_msg(!portalmem_buffer_alloc(device, size, how, &buffer), "%s",
		      portalmem_error_message());
	return buffer;
}

static char *map(struct portalmem_buffer *buffer)
{
	void *address;

	ck_assert_int_eq(portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR,
					      &address),
			 0);
	return address;
}

START_TEST(what_a_device_must_give_it_says_it_gives)
{
	static const unsigned int all[] = {CONTIGUOUS, WC, PINNABLE, SHAREABLE};
	struct portalmem_device *device = open_place(_i);

	for (int i = 0; i < 4; i++)
		if (places[_i].needs & all[i])
			ck_assert(meets(device, all[i], 0, SIZE));
	if (places[_i].backend != PORTALMEM_BACKEND_PORTALMEM)
		ck_assert(!meets(device, WC, 0, 0));
	portalmem_device_unref(device);
}
END_TEST

/* A call that pins a page of 4096 bytes gave DONE, or failed. */
static void assert_pinned(int number, int claim, ssize_t done)
{
	/* The protocol of DMA heaps does not tell what the module can do. */
	if (places[number].backend == PORTALMEM_BACKEND_DMA_HEAP &&
	    places[number].exporter == PORTALMEM_EXPORTER_PORTALMEM)
		return;
	if (claim) {
		ck_assert_int_eq(done, 4096);
	} else {
		ck_assert_int_eq(done, -1);
		ck_assert_int_eq(errno, EFAULT);
	}
}

START_TEST(pinnable_mappings_can_be_pinned_and_no_others)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = open_place(_i);
	int disk = open(DISK, O_RDONLY | O_DIRECT | O_CLOEXEC);
	int plain = open(DISK, O_RDONLY | O_CLOEXEC);
	static char expected[4096], got[4096];
	struct iovec from, to = {got, sizeof(got)};
	struct portalmem_buffer *buffer;
	ssize_t done;
	char *bytes;
	int claim;

	ck_assert_int_ge(disk, 0);
	claim = meets(device, PINNABLE, 0, SIZE);
	options.caching = claim ? PORTALMEM_CACHING_CACHED
				: PORTALMEM_CACHING_DEFAULT;
	buffer = alloc(device, SIZE, &options);
	bytes = map(buffer);
	memset(bytes, 0x5a, SIZE);

	from = (struct iovec){bytes + MIB(1), sizeof(got)};
	done = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
	assert_pinned(_i, claim, done);
	if (claim)
		ck_assert_mem_eq(got, bytes + MIB(1), sizeof(got));
	done = read(disk, bytes, 4096);
	assert_pinned(_i, claim, done);
	if (claim) {
		ck_assert_int_eq(read(plain, expected, 4096), 4096);
		ck_assert_mem_eq(bytes, expected, 4096);
	}
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
	close(disk);
	close(plain);
}
END_TEST

/* Where a device finds the buffer: is that one run? */
static void assert_one_run(int fd, uint64_t size)
{
	struct pm_importer import = {.fd = fd};
	uint64_t sum = 0, next = 0;
	uint32_t count = 1;
	int importer;

	guest_load_test_module("pm_importer");
	importer = guest_open("/dev/pm_importer");
	ck_assert_int_eq(ioctl(importer, PM_IMPORTER_IOC, &import), 0);
	for (uint32_t i = 0; i < count; i++) {
		struct pm_importer_entry entry = {.index = i};

		ck_assert_int_eq(ioctl(importer, PM_IMPORTER_ENTRY_IOC, &entry),
				 0);
		if (i)
			ck_assert_uint_eq(entry.address, next);
		count = entry.count;
		next = entry.address + entry.length;
		sum += entry.length;
	}
	ck_assert_uint_eq(sum, size);
	close(importer);
}

START_TEST(buffers_of_contiguous_devices_are_one_run)
{
	struct portalmem_device *device = open_place(_i);
	struct portalmem_buffer *buffer;
	size_t total;

	if (!meets(device, CONTIGUOUS, 0, SIZE)) {
		portalmem_device_unref(device);
		return;
	}
	buffer = alloc(device, SIZE, NULL);
	assert_one_run(portalmem_buffer_get_fd(buffer), SIZE);
	if (places[_i].backend == PORTALMEM_BACKEND_PORTALMEM) {
		ck_assert_int_eq(portalmem_buffer_get_segments(buffer, 0, NULL,
							       0, &total),
				 0);
		ck_assert_uint_eq(total, 1);
	}
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(write_combining_is_what_the_page_tables_say)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = open_place(_i);
	struct portalmem_buffer *buffer = NULL;
	struct pm_memtype memtype = {0};
	char *bytes;
	int node;

	options.caching = PORTALMEM_CACHING_WC;
	if (!meets(device, WC, 0, SIZE)) {
		ck_assert_int_eq(
			portalmem_buffer_alloc(device, SIZE, &options, &buffer),
			-EOPNOTSUPP);
		portalmem_device_unref(device);
		return;
	}
	buffer = alloc(device, SIZE, &options);
	ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
			 PORTALMEM_CACHING_WC);
	bytes = map(buffer);
	bytes[MIB(2)] = 1;
	guest_load_test_module("pm_memtype");
	node = guest_open("/dev/pm_memtype");
	memtype.address = (uintptr_t)(bytes + MIB(2));
	ck_assert_int_eq(ioctl(node, PM_MEMTYPE_IOC, &memtype), 0);
	ck_assert_uint_eq(memtype.user_type, PM_MEMTYPE_WC);
	close(node);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(shareable_buffers_are_dma_bufs_and_no_others)
{
	struct dma_buf_sync sync = {DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ};
	struct portalmem_device *device = open_place(_i);
	struct portalmem_buffer *buffer;
	int ret, fd;

	buffer = alloc(device, SIZE, NULL);
	fd = portalmem_buffer_get_fd(buffer);
	ret = ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
	if (meets(device, SHAREABLE, 0, SIZE)) {
		struct pm_importer import = {.fd = fd};
		struct pm_importer_entry entry = {.index = 0};
		int importer;

		ck_assert_int_eq(ret, 0);
		/* A device's driver gets it. */
		guest_load_test_module("pm_importer");
		importer = guest_open("/dev/pm_importer");
		ck_assert_int_eq(ioctl(importer, PM_IMPORTER_IOC, &import), 0);
		ck_assert_int_eq(ioctl(importer, PM_IMPORTER_ENTRY_IOC, &entry),
				 0);
		ck_assert_uint_ge(entry.length, 4096);
		close(importer);
	} else {
		ck_assert_int_eq(ret, -1);
		ck_assert_int_eq(errno, ENOTTY);
	}
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(address_limit_is_kept_or_refused)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = open_place(_i);
	struct portalmem_segment segments[256];
	struct portalmem_buffer *buffer = NULL;
	int count;

	options.address_bits = ADDRESS_BITS;
	if (!meets(device, 0, ADDRESS_BITS, SIZE)) {
		ck_assert_int_eq(
			portalmem_buffer_alloc(device, SIZE, &options, &buffer),
			-EOPNOTSUPP);
		portalmem_device_unref(device);
		return;
	}
	/* A limit beyond all addresses is one that every device keeps. */
	ck_assert(meets(device, 0, 64, SIZE));
	buffer = alloc(device, SIZE, &options);
	count = portalmem_buffer_get_segments(buffer, 0, segments, 256, NULL);
	ck_assert_int_ge(count, 1);
	for (int i = 0; i < count; i++) {
		ck_assert_uint_ne(segments[i].physical, 0);
		ck_assert_uint_le(segments[i].physical + segments[i].length,
				  (uint64_t)1 << ADDRESS_BITS);
	}
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(size_is_given_or_refused)
{
	/* More than the guest has; and more than udmabuf takes at first. */
	static const uint64_t sizes[] = {(uint64_t)1 << 40, MIB(65)};
	struct portalmem_device *device = open_place(_i);
	struct portalmem_buffer *buffer = NULL;
	int ret;

	ck_assert(!meets(device, 0, 0, sizes[0]));
	ck_assert(!meets(device, 0, 0, UINT64_MAX));
	if (places[_i].backend == PORTALMEM_BACKEND_UDMABUF)
		ck_assert(!meets(device, 0, 0, sizes[1]));
	else if (places[_i].backend == PORTALMEM_BACKEND_MEMFD)
		ck_assert(meets(device, 0, 0, sizes[1]));
	for (int i = 0; i < 2; i++) {
		if (meets(device, 0, 0, sizes[i])) {
			buffer = alloc(device, sizes[i], NULL);
			portalmem_buffer_unref(buffer);
			continue;
		}
		ret = portalmem_buffer_alloc(device, sizes[i], NULL, &buffer);
		/* A limit on users is met before the end of memory is. */
		if (ret != -EDQUOT ||
		    places[_i].backend != PORTALMEM_BACKEND_PORTALMEM)
			ck_assert_int_eq(ret, -ENOMEM);
	}
	portalmem_device_unref(device);
}
END_TEST

START_TEST(exporter_is_told_of_own_and_of_imported_buffers)
{
	struct portalmem_device *device = open_place(_i);
	struct portalmem_buffer *buffer, *imported;

	buffer = alloc(device, SIZE, NULL);
	ck_assert_int_eq(portalmem_buffer_get_exporter(buffer),
			 places[_i].exporter);
	ck_assert_int_eq(
		portalmem_buffer_import(NULL, portalmem_buffer_get_fd(buffer),
					&imported),
		0);
	ck_assert_int_eq(portalmem_buffer_get_exporter(imported),
			 places[_i].exporter);
	portalmem_buffer_unref(imported);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

/* What is needed, and the first that can give it with and without the module. */
static const struct {
	unsigned int needs;
	unsigned int address_bits;
	enum portalmem_backend first; /* of those that can */
	const char *path;
} wanted[] = {
	{SHAREABLE | PINNABLE, 0, PORTALMEM_BACKEND_PORTALMEM, GUEST_NODE},
	{SHAREABLE | WC, ADDRESS_BITS, PORTALMEM_BACKEND_PORTALMEM, GUEST_NODE},
	{SHAREABLE | CONTIGUOUS, 0, PORTALMEM_BACKEND_PORTALMEM,
	 GUEST_CONTIGUOUS_NODE},
	{SHAREABLE, 0, PORTALMEM_BACKEND_DMA_HEAP, NULL},
	{PINNABLE, 0, PORTALMEM_BACKEND_MEMFD, NULL},
};

/* Which of the backends that can do without the module is here first? */
static enum portalmem_backend first_without_module(int number)
{
	int i = wanted[number].first - PORTALMEM_BACKEND_PORTALMEM;

	if (wanted[number].path)
		return PORTALMEM_BACKEND_ANY;
	/* The last needs no kernel's help. */
	while (i < BACKENDS - 1 && !is_expected(backends[i]))
		i++;
	if (i == BACKENDS - 1 && wanted[number].needs == SHAREABLE)
		return PORTALMEM_BACKEND_ANY;
	return backends[i];
}

START_TEST(needs_get_the_first_device_that_meets_them)
{
	struct portalmem_constraints constraints = PORTALMEM_CONSTRAINTS_INIT;
	struct portalmem_device *device = NULL;
	enum portalmem_backend expected;
	unsigned int unmet = ~0U;
	int ret;

	constraints.needs = wanted[_i].needs;
	constraints.address_bits = wanted[_i].address_bits;
	constraints.size = SIZE;
	expected = is_expected(PORTALMEM_BACKEND_PORTALMEM)
			   ? PORTALMEM_BACKEND_PORTALMEM
			   : first_without_module(_i);
	ret = portalmem_device_open_for(&constraints, &device, &unmet);
	if (expected == PORTALMEM_BACKEND_ANY) {
		ck_assert_int_eq(ret, -EOPNOTSUPP);
		ck_assert_uint_ne(unmet, 0);
		ck_assert_ptr_null(device);
		return;
	}
	ck_assert_msg(!ret, "%s", portalmem_error_message());
	ck_assert_uint_eq(unmet, 0);
	ck_assert_int_eq(portalmem_device_get_backend(device), expected);
	if (expected == PORTALMEM_BACKEND_PORTALMEM)
		ck_assert_str_eq(portalmem_device_get_path(device),
				 wanted[_i].path ? wanted[_i].path
						 : GUEST_NODE);
	portalmem_device_unref(device);
}
END_TEST

static int read_only_dmabuf(void)
{
	struct portalmem_ioc_alloc request =
		guest_request(SIZE, PORTALMEM_CACHED);

	request.fd_flags = O_RDONLY | O_CLOEXEC;
	return guest_alloc_from(GUEST_NODE, request);
}

START_TEST(read_only_dmabuf_is_mapped_for_reading_only)
{
	struct portalmem_buffer *buffer;
	void *address = NULL;
	int fd;

	fd = read_only_dmabuf();
	ck_assert_int_eq(portalmem_buffer_import(NULL, fd, &buffer), 0);
	ck_assert_int_eq(portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR,
					      &address),
			 -EACCES);
	ck_assert_int_eq(portalmem_buffer_map(buffer, 4096, 0,
					      PORTALMEM_MAP_WRITE, &address),
			 -EACCES);
	ck_assert_ptr_null(address);
	ck_assert_int_eq(portalmem_buffer_map(buffer, 4096, 8192,
					      PORTALMEM_MAP_READ, &address),
			 0);
	guest_assert_zero(address, 8192);
	portalmem_buffer_unref(buffer);
	close(fd);
}
END_TEST

static void add_tests_of(TCase *tcase, int n)
{
	const TTest *const tests[] = {
		what_a_device_must_give_it_says_it_gives,
		pinnable_mappings_can_be_pinned_and_no_others,
		buffers_of_contiguous_devices_are_one_run,
		write_combining_is_what_the_page_tables_say,
		shareable_buffers_are_dma_bufs_and_no_others,
		address_limit_is_kept_or_refused,
		size_is_given_or_refused,
		exporter_is_told_of_own_and_of_imported_buffers,
	};

	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_loop_test(tcase, tests[i], n, n + 1);
}

static Suite *suite(void)
{
	Suite *suite = suite_create("backends");
	TCase *tcase = guest_tcase("backends");

	tcase_add_loop_test(tcase,
			    backend_opens_where_it_is_and_is_enoent_elsewhere,
			    0, BACKENDS);
	tcase_add_test(tcase, first_of_those_that_are_there_is_the_usual_one);
	for (int i = 0; i < PLACES; i++)
		if (is_there(i))
			add_tests_of(tcase, i);
	tcase_add_loop_test(tcase, needs_get_the_first_device_that_meets_them,
			    0, (int)(sizeof(wanted) / sizeof(wanted[0])));
	if (is_expected(PORTALMEM_BACKEND_PORTALMEM))
		tcase_add_test(tcase,
			       read_only_dmabuf_is_mapped_for_reading_only);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
