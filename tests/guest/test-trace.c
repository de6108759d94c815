// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module's tracepoints: each comes once when it should, with what is true.
 * quick: 6.12 6.1
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest.h"
#include "soft-device.h"
#include "tracepoints.h"

#define PAGE ((size_t)4096)
#define DEVICE "pm_device.0"

static unsigned long long inode_of(int fd)
{
	struct stat status;

	ck_assert_int_eq(fstat(fd, &status), 0);
	return status.st_ino;
}

START_TEST(a_buffer_is_traced_from_its_allocation_to_its_end)
{
	struct portalmem_ioc_alloc request = guest_request(PAGE, PORTALMEM_WC);
	unsigned long long inode;
	int fd;

	strcpy(request.name, "my frame");
	fd = guest_alloc_from(GUEST_NODE, request);
	inode = inode_of(fd);
	tracepoints_assert_once("portalmem_alloc",
				"inode=%llu heap=system size=4096 caching=wc "
				"segments=1 name=my frame",
				inode);
	ck_assert_uint_eq(tracepoints_count_all("portalmem_free"), 0);
	close(fd);
	tracepoints_assert_once("portalmem_free",
				"inode=%llu heap=system size=4096 caching=wc",
				inode);
}
END_TEST

START_TEST(memory_of_a_process_is_traced_as_such)
{
	char *memory = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = guest_import(memory, PAGE, O_RDWR);

	tracepoints_assert_once("portalmem_alloc",
				"inode=%llu heap=user size=4096 caching=cached "
				"segments=1 name=",
				inode_of(fd));
	close(fd);
}
END_TEST

START_TEST(a_failure_is_traced_with_its_reason)
{
	struct portalmem_ioc_alloc request =
		guest_request(1ULL << 50, PORTALMEM_UC);

	ck_assert_int_eq(guest_try(GUEST_NODE, &request), ENOMEM);
	tracepoints_assert_once("portalmem_alloc_failed",
				"heap=system size=%llu caching=uc error=%d "
				"reason=nomem",
				1ULL << 50, -ENOMEM);
	ck_assert_uint_eq(tracepoints_count_all("portalmem_alloc"), 0);

	tracepoints_forget();
	request = guest_request(0, PORTALMEM_DEFAULT);
	ck_assert_int_eq(guest_try(GUEST_HEAP_WC_NODE, &request), EINVAL);
	tracepoints_assert_once("portalmem_alloc_failed",
				"heap=system size=0 caching=wc error=%d "
				"reason=invalid",
				-EINVAL);

	tracepoints_forget();
	guest_set_param("limit_mb", "1");
	request = guest_request(MIB(2), PORTALMEM_CACHED);
	ck_assert_int_eq(guest_try(GUEST_NODE, &request), EDQUOT);
	guest_set_param("limit_mb", "0");
	tracepoints_assert_once(
		"portalmem_alloc_failed",
		"heap=system size=2097152 caching=cached error=%d "
		"reason=limit",
		-EDQUOT);
}
END_TEST

START_TEST(mappings_of_processes_are_traced)
{
	int cached = guest_alloc(4 * PAGE, PORTALMEM_CACHED);
	int combined = guest_alloc(4 * PAGE, PORTALMEM_WC);

	ck_assert_ptr_ne(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			      MAP_SHARED, cached, PAGE),
			 MAP_FAILED);
	tracepoints_assert_once(
		"portalmem_mmap",
		"inode=%llu heap=system offset=4096 length=8192 "
		"writable=1 pinnable=1",
		inode_of(cached));
	tracepoints_forget();
	ck_assert_ptr_ne(
		mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, combined, 0),
		MAP_FAILED);
	tracepoints_assert_once("portalmem_mmap",
				"inode=%llu heap=system offset=0 length=16384 "
				"writable=0 pinnable=0",
				inode_of(combined));
	/* What is refused is none. */
	tracepoints_forget();
	ck_assert_ptr_eq(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, cached, 0),
			 MAP_FAILED);
	ck_assert_uint_eq(tracepoints_count_all("portalmem_mmap"), 0);
}
END_TEST

START_TEST(syncs_are_traced_by_range)
{
	struct portalmem_ioc_range ranges[] = {{0, 64}, {PAGE, 128}};
	struct dma_buf_sync whole = {DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW};
	struct portalmem_ioc_sync sync = {
		.fd = guest_alloc(4 * PAGE, PORTALMEM_CACHED),
		.flags = DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ,
		.ranges = (uintptr_t)ranges,
		.count = 2,
	};
	int node = guest_open(GUEST_NODE);

	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SYNC, &sync), 0);
	ck_assert_uint_eq(tracepoints_count_all("portalmem_sync"), 2);
	sync.count = 1;
	tracepoints_forget();
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SYNC, &sync), 0);
	tracepoints_assert_once("portalmem_sync",
				"inode=%llu heap=system offset=0 length=64 "
				"direction=from-device for=cpu device=all",
				inode_of(sync.fd));
	tracepoints_forget();
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_WRITE;
	sync.ranges = (uintptr_t)&ranges[1];
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SYNC, &sync), 0);
	tracepoints_assert_once("portalmem_sync",
				"inode=%llu heap=system offset=4096 length=128 "
				"direction=to-device for=device device=all",
				inode_of(sync.fd));
	tracepoints_forget();
	ck_assert_int_eq(ioctl(sync.fd, DMA_BUF_IOCTL_SYNC, &whole), 0);
	tracepoints_assert_once("portalmem_sync",
				"inode=%llu heap=system offset=0 length=16384 "
				"direction=bidirectional for=cpu device=all",
				inode_of(sync.fd));
	close(node);
}
END_TEST

START_TEST(devices_that_get_a_buffer_are_traced)
{
	int fd = guest_alloc(PAGE, PORTALMEM_WC);
	int device = soft_device_open_with(DEVICE, fd, PM_DEVICE_READS);
	unsigned long long inode = inode_of(fd);
	char text[128];

	tracepoints_assert_once(
		"portalmem_attach",
		"inode=%llu heap=system size=4096 device=" DEVICE, inode);
	tracepoints_assert_once(
		"portalmem_map",
		"inode=%llu heap=system size=4096 device=" DEVICE
		" direction=to-device segments=1 needs_sync=0",
		inode);
	ck_assert_uint_eq(tracepoints_count_all("portalmem_detach"), 0);
	ck_assert_uint_eq(tracepoints_count_all("portalmem_unmap"), 0);
	close(device);
	tracepoints_assert_once(
		"portalmem_unmap",
		"inode=%llu heap=system size=4096 device=" DEVICE
		" direction=to-device segments=1 needs_sync=0",
		inode);
	snprintf(text, sizeof(text),
		 "inode=%llu heap=system size=4096 device=" DEVICE, inode);
	ck_assert_uint_eq(tracepoints_count("portalmem_detach", text), 1);
	close(fd);
}
END_TEST

START_TEST(what_comes_and_goes_in_the_pool_is_traced)
{
	guest_trim();
	tracepoints_forget();
	close(guest_alloc(MIB(2), PORTALMEM_CACHED));
	ck_assert_uint_eq(tracepoints_count_all("portalmem_pool_take"), 0);
	ck_assert_uint_gt(tracepoints_count_all("portalmem_pool_give"), 0);

	tracepoints_forget();
	guest_trim();
	tracepoints_assert_once("portalmem_pool_shrink",
				"reason=trim freed=2097152 left=0");

	close(guest_alloc(PAGE, PORTALMEM_CACHED));
	sleep(1);
	tracepoints_forget();
	close(guest_alloc(PAGE, PORTALMEM_CACHED));
	tracepoints_assert_once("portalmem_pool_take",
				"size=4096 caching=cached clean=1");
	tracepoints_assert_once("portalmem_pool_give",
				"size=4096 caching=cached clean=0");
	guest_trim();
}
END_TEST

START_TEST(pressure_on_the_pool_is_traced)
{
	guest_trim();
	close(guest_alloc(MIB(16), PORTALMEM_CACHED));
	sleep(1);
	tracepoints_forget();
	guest_put("/proc/sys/vm/drop_caches", "2");
	ck_assert_uint_gt(tracepoints_count("portalmem_pool_shrink",
					    "reason=pressure freed="),
			  0);
	guest_trim();
}
END_TEST

START_TEST(idleness_of_the_pool_is_traced)
{
	guest_trim();
	guest_set_param("pool_idle_s", "1");
	tracepoints_forget();
	close(guest_alloc(PAGE, PORTALMEM_CACHED));
	/* The next look may have been put off for as long as it was idle then. */
	for (int i = 0;
	     i < 200 && !tracepoints_count_all("portalmem_pool_shrink"); i++)
		usleep(100000);
	guest_set_param("pool_idle_s", "30");
	tracepoints_assert_once("portalmem_pool_shrink",
				"reason=idle freed=4096 left=0");
}
END_TEST

START_TEST(where_a_run_comes_from_is_traced)
{
	struct portalmem_ioc_alloc request =
		guest_request(PAGE, PORTALMEM_CACHED);
	unsigned int found;

	close(guest_alloc_from(GUEST_CONTIGUOUS_NODE, request));
	tracepoints_assert_once("portalmem_contiguous",
				"size=4096 source=chunk error=0");
	tracepoints_forget();
	request = guest_request(MIB(8), PORTALMEM_CACHED);
	close(guest_alloc_from(GUEST_CONTIGUOUS_NODE, request));
	/* Which of them is a matter of the kernel's configuration. */
	found = tracepoints_count("portalmem_contiguous",
				  "size=8388608 source=window error=0") +
		tracepoints_count("portalmem_contiguous",
				  "size=8388608 source=cma error=0");
	ck_assert_uint_eq(found, 1);
	ck_assert_uint_eq(tracepoints_count_all("portalmem_contiguous"), 1);
	tracepoints_forget();
	guest_set_param("contiguous_limit_mb", "0");
	request = guest_request(1ULL << 40, PORTALMEM_CACHED);
	ck_assert_int_eq(guest_try(GUEST_CONTIGUOUS_NODE, &request), ENOMEM);
	tracepoints_assert_once("portalmem_contiguous",
				"size=%llu source=window error=%d", 1ULL << 40,
				-ENOMEM);
}
END_TEST

static void set_up(void)
{
	soft_device_load();
	tracepoints_set_up();
}

static Suite *suite(void)
{
	Suite *suite = suite_create("trace");
	TCase *tcase = guest_tcase("trace");

	/* Making an instance of the trace takes a second or two. */
	tcase_add_unchecked_fixture(tcase, set_up, tracepoints_tear_down);
	tcase_add_checked_fixture(tcase, tracepoints_forget, NULL);
	tcase_add_test(tcase,
		       a_buffer_is_traced_from_its_allocation_to_its_end);
	tcase_add_test(tcase, memory_of_a_process_is_traced_as_such);
	tcase_add_test(tcase, a_failure_is_traced_with_its_reason);
	tcase_add_test(tcase, mappings_of_processes_are_traced);
	tcase_add_test(tcase, syncs_are_traced_by_range);
	tcase_add_test(tcase, devices_that_get_a_buffer_are_traced);
	tcase_add_test(tcase, what_comes_and_goes_in_the_pool_is_traced);
	tcase_add_test(tcase, pressure_on_the_pool_is_traced);
	tcase_add_test(tcase, idleness_of_the_pool_is_traced);
	tcase_add_test(tcase, where_a_run_comes_from_is_traced);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
