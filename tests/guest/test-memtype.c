// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory types, read from the page tables by the test module pm_memtype: a
 * write-combined buffer is write-combined for the user and for the kernel, and
 * its pages are write-back again before anybody else gets them.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "guest.h"
#include "kmod/pm_memtype.h"

#define PAGES 16
#define SIZE MIB(5)

static const struct {
	uint32_t caching;
	uint32_t user;
	uint32_t kernel;
} modes[] = {
	{PORTALMEM_CACHED, PM_MEMTYPE_WB, PM_MEMTYPE_WB},
	{PORTALMEM_WC, PM_MEMTYPE_WC, PM_MEMTYPE_WC},
	{PORTALMEM_UC, PM_MEMTYPE_UC_MINUS, PM_MEMTYPE_UC_MINUS},
};

static struct pm_memtype ask(const void *address, uint64_t pfn)
{
	struct pm_memtype query = {.address = (uintptr_t)address, .pfn = pfn};
	int fd = guest_open("/dev/pm_memtype");

	ck_assert_msg(!ioctl(fd, PM_MEMTYPE_IOC, &query), "%s",
		      strerror(errno));
	close(fd);
	return query;
}

START_TEST(user_and_kernel_mappings_have_the_buffers_type)
{
	uint64_t pfns[PAGES];
	int fd = guest_alloc(SIZE, modes[_i].caching);
	char *map = guest_map(fd, SIZE);

	for (unsigned int i = 0; i < PAGES; i++) {
		char *page = map + SIZE / PAGES * i;
		struct pm_memtype got;

		*page = 1;
		got = ask(page, 0);
		ck_assert_uint_eq(got.user_type, modes[_i].user);
		ck_assert_uint_eq(got.kernel_type, modes[_i].kernel);
		pfns[i] = got.pfn;
	}
	/* While it lives without a mapping, too. */
	munmap(map, SIZE);
	for (unsigned int i = 0; i < PAGES; i++)
		ck_assert_uint_eq(ask(NULL, pfns[i]).kernel_type,
				  modes[_i].kernel);
	close(fd);
	for (unsigned int i = 0; i < PAGES; i++)
		ck_assert_uint_eq(ask(NULL, pfns[i]).kernel_type,
				  PM_MEMTYPE_WB);
}
END_TEST

START_TEST(failed_allocation_leaves_no_page_of_another_type)
{
	int fd = guest_alloc(SIZE, PORTALMEM_WC);
	char *map = guest_map(fd, SIZE);
	struct portalmem_ioc_alloc request;
	int node = guest_open(GUEST_NODE);
	uint64_t pfn = ask(map, 0).pfn;
	unsigned int wrong = 0;

	munmap(map, SIZE);
	close(fd);
	/* It takes all memory, in the other type, before it fails. */
	request = guest_request((uint64_t)guest_meminfo("MemTotal") * 1000,
				PORTALMEM_WC);
	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), -1);
	ck_assert_int_eq(errno, ENOMEM);
	for (uint64_t i = 0; i < 4096; i++)
		wrong += ask(NULL, pfn / 4096 * 4096 + i).kernel_type !=
			 PM_MEMTYPE_WB;
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

static void load_module(void)
{
	guest_load_test_module("pm_memtype");
}

static Suite *suite(void)
{
	Suite *suite = suite_create("memory types");
	TCase *tcase = guest_tcase("memory types");

	tcase_add_unchecked_fixture(tcase, load_module, NULL);
	tcase_add_loop_test(
		tcase, user_and_kernel_mappings_have_the_buffers_type, 0, 3);
	tcase_add_test(tcase, failed_allocation_leaves_no_page_of_another_type);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
