// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Memory types are read from the page tables by the test module pm_memtype. In
 * each test the buffer's pages are looked at in one way to map them, and then
 * without any mapping, and once more after they are freed.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <portalmem.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"
#include "kmod/pm_memtype.h"
#include "memtype.h"

#define SAMPLES 16
#define SIZE MIB(5)

/* An even number of pages, and not one of huge pages. */
#define PART_OFFSET (MIB(1) + 8192)

static const uint32_t modes[] = {PORTALMEM_CACHED, PORTALMEM_WC, PORTALMEM_UC};

static int query(unsigned long request, void *arg)
{
	int fd = open("/dev/pm_memtype", O_RDWR | O_CLOEXEC);
	int ret = ioctl(fd, request, arg);

	close(fd);
	return ret;
}

static struct pm_memtype ask(const void *address, uint64_t pfn)
{
	struct pm_memtype answer = {.address = (uintptr_t)address, .pfn = pfn};

	ck_assert_msg(!query(PM_MEMTYPE_IOC, &answer), "%s", strerror(errno));
	return answer;
}

/*
 * The caching mode that a memory type is. UC- is uncached unless an MTRR says
 * write-combining, and no guest has such a one.
 */
static uint32_t mode_of(uint32_t type)
{
	switch (type) {
	case PM_MEMTYPE_WB:
		return PORTALMEM_CACHED;
	case PM_MEMTYPE_WC:
		return PORTALMEM_WC;
	case PM_MEMTYPE_UC:
	case PM_MEMTYPE_UC_MINUS:
		return PORTALMEM_UC;
	default:
		return UINT32_MAX;
	}
}

static uint32_t mode_of_set(uint32_t types)
{
	ck_assert_msg(types && !(types & (types - 1)),
		      "memory types 0x%x instead of one", types);
	return mode_of((uint32_t)__builtin_ctz(types));
}

/* A buffer, its page frames, and the mode that all of them must have. */
struct sample {
	int fd;
	uint32_t effective;
	uint64_t pfns[SAMPLES];
};

static void assert_kernel_mode(const struct sample *sample, uint32_t mode)
{
	for (unsigned int i = 0; i < SAMPLES; i++)
		ck_assert_uint_eq(
			mode_of(ask(NULL, sample->pfns[i]).kernel_type), mode);
}

/* How many pages of a mapping are of another mode, for user or kernel. */
static unsigned int count_wrong(const char *map, size_t size, uint32_t mode)
{
	unsigned int wrong = 0;

	for (unsigned int i = 0; i < SAMPLES; i++) {
		const volatile char *page = map + size / SAMPLES * i;
		struct pm_memtype got = {.address = (uintptr_t)page};

		(void)*page;
		if (query(PM_MEMTYPE_IOC, &got) ||
		    mode_of(got.user_type) != mode ||
		    mode_of(got.kernel_type) != mode)
			wrong++;
	}
	return wrong;
}

static struct sample begin(uint32_t mode)
{
	struct sample sample = {.fd = guest_alloc(SIZE, mode)};
	char *map = guest_map(sample.fd, SIZE);

	sample.effective = guest_info(sample.fd).effective;
	for (unsigned int i = 0; i < SAMPLES; i++) {
		char *page = map + SIZE / SAMPLES * i;

		*page = 1;
		sample.pfns[i] = ask(page, 0).pfn;
	}
	munmap(map, SIZE);
	assert_kernel_mode(&sample, sample.effective);
	return sample;
}

static void end(struct sample *sample)
{
	assert_kernel_mode(sample, sample->effective);
	close(sample->fd);
	/* What is pooled keeps its type, and is nobody else's. */
	guest_trim();
	assert_kernel_mode(sample, PORTALMEM_CACHED);
}

START_TEST(plain_mapping_has_the_buffers_type)
{
	struct sample sample = begin(modes[_i]);
	char *map = guest_map(sample.fd, SIZE);

	ck_assert_uint_eq(count_wrong(map, SIZE, sample.effective), 0);
	munmap(map, SIZE);
	end(&sample);
}
END_TEST

START_TEST(mappings_of_a_child_have_the_buffers_type)
{
	struct sample sample = begin(modes[_i]);
	char *map = guest_map(sample.fd, SIZE);
	pid_t child;
	int status;

	/* So that there are entries to copy. */
	ck_assert_uint_eq(count_wrong(map, SIZE, sample.effective), 0);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (!child) {
		char *own = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
				 sample.fd, 0);

		if (own == MAP_FAILED)
			_exit(100);
		_exit((int)(count_wrong(map, SIZE, sample.effective) +
			    count_wrong(own, SIZE, sample.effective)));
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_eq(count_wrong(map, SIZE, sample.effective), 0);
	munmap(map, SIZE);
	end(&sample);
}
END_TEST

START_TEST(moved_mapping_has_the_buffers_type)
{
	struct sample sample = begin(modes[_i]);
	char *map = guest_map(sample.fd, SIZE);
	char *moved = mremap(map, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED,
			     map + MIB(64));

	ck_assert_ptr_eq(moved, map + MIB(64));
	ck_assert_uint_eq(count_wrong(moved, SIZE, sample.effective), 0);
	munmap(moved, SIZE);
	end(&sample);
}
END_TEST

START_TEST(read_only_mapping_has_the_buffers_type)
{
	struct sample sample = begin(modes[_i]);
	char *map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, sample.fd, 0);

	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_uint_eq(count_wrong(map, SIZE, sample.effective), 0);
	/* Made writable later, it is still of that type. */
	ck_assert_int_eq(mprotect(map, SIZE, PROT_READ | PROT_WRITE), 0);
	*map = 1;
	ck_assert_uint_eq(count_wrong(map, SIZE, sample.effective), 0);
	munmap(map, SIZE);
	end(&sample);
}
END_TEST

START_TEST(mapping_of_a_part_has_the_buffers_type)
{
	struct sample sample = begin(modes[_i]);
	size_t size = SIZE - PART_OFFSET;
	char *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 sample.fd, PART_OFFSET);

	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_uint_eq(count_wrong(map, size, sample.effective), 0);
	munmap(map, size);
	end(&sample);
}
END_TEST

START_TEST(mapping_by_the_library_has_the_buffers_type)
{
	struct sample sample = begin(modes[_i]);
	struct portalmem_buffer *buffer;
	void *map;

	ck_assert_int_eq(portalmem_buffer_import(NULL, sample.fd, &buffer), 0);
	ck_assert_int_eq(
		portalmem_buffer_map(buffer, 0, 0, PORTALMEM_MAP_RDWR, &map),
		0);
	ck_assert_uint_eq(count_wrong(map, SIZE, sample.effective), 0);
	portalmem_buffer_unref(buffer);
	end(&sample);
}
END_TEST

START_TEST(importers_kernel_mapping_has_the_buffers_type)
{
	struct sample sample = begin(modes[_i]);
	struct pm_memtype_vmap vmap = {.fd = sample.fd};

	ck_assert_msg(!query(PM_MEMTYPE_IOC_VMAP, &vmap), "%s",
		      strerror(errno));
	ck_assert_uint_eq(mode_of_set(vmap.types), sample.effective);
	end(&sample);
}
END_TEST

/* A stopped child that has what its parent has mapped. */
static pid_t stop_child(void)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert(WIFSTOPPED(status));
	return child;
}

/*
 * A cached page is reached through the kernel's own mapping of it. For the
 * others the module makes one of the right type for the time of the access.
 */
START_TEST(debuggers_access_has_the_buffers_type)
{
	struct sample sample = begin(modes[_i]);
	char *map = guest_map(sample.fd, SIZE);
	struct pm_memtype_watch watch;
	pid_t child = stop_child();

	ck_assert_int_eq(query(PM_MEMTYPE_IOC_WATCH, &watch), 0);
	errno = 0;
	ptrace(PTRACE_PEEKDATA, child, map, NULL);
	ck_assert_int_eq(errno, 0);
	ck_assert_int_eq(ptrace(PTRACE_POKEDATA, child, map, (void *)2), 0);
	ck_assert_int_eq(query(PM_MEMTYPE_IOC_WATCH, &watch), 0);
	if (modes[_i] == PORTALMEM_CACHED) {
		ck_assert_uint_eq(watch.count, 0);
	} else {
		ck_assert_uint_eq(watch.count, 2);
		ck_assert_uint_eq(mode_of_set(watch.types), sample.effective);
	}
	kill(child, SIGKILL);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
	ck_assert_int_eq(*map, 2);
	munmap(map, SIZE);
	end(&sample);
}
END_TEST

/*
 * More than there is below 16 MiB: the pages that there are have the buffer's
 * type when it fails.
 */
START_TEST(failed_allocation_leaves_no_page_of_another_type)
{
	struct portalmem_ioc_alloc request = guest_request(MIB(32), modes[_i]);
	int node = guest_open(GUEST_NODE);
	unsigned int wrong = 0;

	guest_trim();
	request.address_bits = 24;
	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), -1);
	ck_assert_int_eq(errno, ENOMEM);
	/* Below 1 MiB are holes for devices. */
	for (uint64_t pfn = MIB(1) / 4096; pfn < MIB(16) / 4096; pfn++)
		wrong += ask(NULL, pfn).kernel_type != PM_MEMTYPE_WB;
	ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* The change of type, which is costly, is paid once. */
START_TEST(pooled_memory_keeps_its_type_until_it_is_given_back)
{
	struct sample sample;

	guest_trim();
	sample = begin(PORTALMEM_WC);
	close(sample.fd);
	ck_assert_uint_gt(guest_heap(GUEST_NODE).pooled, 0);
	assert_kernel_mode(&sample, sample.effective);
	sample.fd = guest_alloc(SIZE, PORTALMEM_WC);
	assert_kernel_mode(&sample, sample.effective);
	end(&sample);
}
END_TEST

static void load_module(void)
{
	guest_load_test_module("pm_memtype");
}

Suite *memtype_suite(void)
{
	const TTest *const tests[] = {
		plain_mapping_has_the_buffers_type,
		mappings_of_a_child_have_the_buffers_type,
		moved_mapping_has_the_buffers_type,
		read_only_mapping_has_the_buffers_type,
		mapping_of_a_part_has_the_buffers_type,
		mapping_by_the_library_has_the_buffers_type,
		importers_kernel_mapping_has_the_buffers_type,
		debuggers_access_has_the_buffers_type,
		failed_allocation_leaves_no_page_of_another_type,
	};
	Suite *suite = suite_create("memory types");
	TCase *tcase = guest_tcase("memory types");

	tcase_add_unchecked_fixture(tcase, load_module, NULL);
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_loop_test(tcase, tests[i], 0, 3);
	tcase_add_test(tcase,
		       pooled_memory_keeps_its_type_until_it_is_given_back);
	suite_add_tcase(suite, tcase);
	return suite;
}
