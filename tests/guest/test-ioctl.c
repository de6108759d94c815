// SPDX-License-Identifier: GPL-2.0-or-later
/* Every argument error of every ioctl, one wrong field at a time. */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guest.h"

/* A structure that is longer than the kernel's, as a later ABI's would be. */
#define LONGER(type)               \
	struct {                   \
		struct type known; \
		uint64_t later;    \
	}

static const struct {
	const char *what;
	struct portalmem_ioc_alloc request;
	int error;
} bad_allocs[] = {
	{"size 0", {.fd_flags = O_RDWR}, EINVAL},
	{"unknown flag", {.size = 4096, .fd_flags = O_RDWR, .flags = 4}, EINVAL},
	{"alignment that is no power of two",
	 {.size = 4096, .fd_flags = O_RDWR, .alignment = 12288},
	 EINVAL},
	{"alignment below the page size",
	 {.size = 4096, .fd_flags = O_RDWR, .alignment = 2048},
	 EINVAL},
	{"alignment of scattered memory",
	 {.size = 4096, .fd_flags = O_RDWR, .alignment = 65536},
	 EOPNOTSUPP},
	{"place in a region without adoption",
	 {.size = 4096, .fd_flags = O_RDWR, .region_offset = 4096},
	 EINVAL},
	{"adoption without a region",
	 {.size = 4096, .fd_flags = O_RDWR, .flags = PORTALMEM_ALLOC_ADOPT},
	 EOPNOTSUPP},
	{"highest flag",
	 {.size = 4096, .fd_flags = O_RDWR, .flags = 0x80000000},
	 EINVAL},
	{"unknown caching",
	 {.size = 4096, .fd_flags = O_RDWR, .caching = 4},
	 EINVAL},
	{"unknown fd flag",
	 {.size = 4096, .fd_flags = O_RDWR | O_APPEND},
	 EINVAL},
	{"impossible access mode",
	 {.size = 4096, .fd_flags = O_ACCMODE},
	 EINVAL},
	{"dirty fd", {.size = 4096, .fd_flags = O_RDWR, .fd = 1}, EINVAL},
	{"dirty effective",
	 {.size = 4096, .fd_flags = O_RDWR, .effective = 1},
	 EINVAL},
	{"dirty segments",
	 {.size = 4096, .fd_flags = O_RDWR, .segments = 1},
	 EINVAL},
	{"name with a newline",
	 {.size = 4096, .fd_flags = O_RDWR, .name = "a\nb"},
	 EINVAL},
	{"name with DEL",
	 {.size = 4096, .fd_flags = O_RDWR, .name = "a\177"},
	 EINVAL},
	{"name without end",
	 {.size = 4096,
	  .fd_flags = O_RDWR,
	  .name = {'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a',
		   'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a',
		   'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a'}},
	 EINVAL},
	{"1 TiB", {.size = 1ULL << 40, .fd_flags = O_RDWR}, ENOMEM},
	{"largest size", {.size = UINT64_MAX, .fd_flags = O_RDWR}, ENOMEM},
	{"largest whole pages",
	 {.size = UINT64_MAX - 4095, .fd_flags = O_RDWR},
	 ENOMEM},
};

START_TEST(alloc_refuses_each_bad_field_on_every_node)
{
	for (const char *const *node = guest_nodes; *node; node++) {
		struct portalmem_ioc_alloc request = bad_allocs[_i].request;
		unsigned int fds = pmtest_count_fds();
		int fd = guest_open(*node);

		errno = 0;
		ck_assert_int_eq(ioctl(fd, PORTALMEM_IOC_ALLOC, &request), -1);
		ck_assert_msg(errno == bad_allocs[_i].error, "%s on %s: %s",
			      bad_allocs[_i].what, *node, strerror(errno));
		/* A refused request is left as it was. */
		ck_assert_mem_eq(&request, &bad_allocs[_i].request,
				 sizeof(request));
		close(fd);
		pmtest_assert_no_leaked_fds(fds);
	}
}
END_TEST

START_TEST(alloc_copies_out_before_it_installs_the_fd)
{
	struct portalmem_ioc_alloc request =
		guest_request(4096, PORTALMEM_CACHED);
	unsigned int fds = pmtest_count_fds();
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int node = guest_open(GUEST_NODE);

	/* Readable, but the answer cannot be written there. */
	memcpy(page, &request, sizeof(request));
	ck_assert_int_eq(mprotect(page, 4096, PROT_READ), 0);
	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, page), -1);
	ck_assert_int_eq(errno, EFAULT);
	close(node);
	pmtest_assert_no_leaked_fds(fds);
	munmap(page, 4096);
}
END_TEST

START_TEST(alloc_at_the_descriptor_limit_is_emfile)
{
	struct portalmem_ioc_alloc request =
		guest_request(4096, PORTALMEM_CACHED);
	int node = guest_open(GUEST_NODE);
	struct rlimit limit = {.rlim_cur = (rlim_t)node + 1,
			       .rlim_max = (rlim_t)node + 1};

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), -1);
	ck_assert_int_eq(errno, EMFILE);
}
END_TEST

START_TEST(alloc_takes_a_shorter_structure_without_the_name)
{
	struct portalmem_ioc_alloc request =
		guest_request(4096, PORTALMEM_CACHED);
	size_t size = offsetof(struct portalmem_ioc_alloc, name);
	int node = guest_open(GUEST_NODE);

	strcpy(request.name, "unseen");
	ck_assert_int_eq(ioctl(node,
			       _IOC(_IOC_READ | _IOC_WRITE, PORTALMEM_IOC_MAGIC,
				    1, size),
			       &request),
			 0);
	ck_assert_str_eq(guest_info(request.fd).name, "");
}
END_TEST

START_TEST(alloc_refuses_a_structure_too_short_for_its_answer)
{
	struct portalmem_ioc_alloc request =
		guest_request(4096, PORTALMEM_CACHED);
	int node = guest_open(GUEST_NODE);

	for (size_t size = 0; size < offsetof(struct portalmem_ioc_alloc, name);
	     size += 4) {
		errno = 0;
		ck_assert_int_eq(ioctl(node,
				       _IOC(_IOC_READ | _IOC_WRITE,
					    PORTALMEM_IOC_MAGIC, 1, size),
				       &request),
				 -1);
		ck_assert_int_eq(errno, EINVAL);
	}
}
END_TEST

START_TEST(alloc_takes_a_longer_structure_only_when_its_tail_is_zero)
{
	LONGER(portalmem_ioc_alloc)
	request = {.known = guest_request(4096, PORTALMEM_CACHED)};
	unsigned int cmd = _IOC(_IOC_READ | _IOC_WRITE, PORTALMEM_IOC_MAGIC, 1,
				sizeof(request));
	int node = guest_open(GUEST_NODE);

	request.later = 1;
	errno = 0;
	ck_assert_int_eq(ioctl(node, cmd, &request), -1);
	ck_assert_int_eq(errno, E2BIG);

	request.later = 0;
	ck_assert_int_eq(ioctl(node, cmd, &request), 0);
	ck_assert_int_gt(request.known.fd, 0);
}
END_TEST

START_TEST(ioctls_with_a_bad_address_are_efault)
{
	static const unsigned int cmds[] = {
		PORTALMEM_IOC_VERSION,	PORTALMEM_IOC_ALLOC,
		PORTALMEM_IOC_INFO,	PORTALMEM_IOC_SYNC,
		PORTALMEM_IOC_SEGMENTS, DMA_HEAP_IOCTL_ALLOC};
	int node = guest_open(GUEST_NODE);

	for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
		errno = 0;
		ck_assert_int_eq(ioctl(node, cmds[i], (void *)8), -1);
		ck_assert_int_eq(errno, EFAULT);
	}
}
END_TEST

START_TEST(unknown_ioctls_are_enotty)
{
	static const unsigned int cmds[] = {
		_IO(PORTALMEM_IOC_MAGIC, 0),
		/* The right number in the wrong direction. */
		_IOW(PORTALMEM_IOC_MAGIC, 1, struct portalmem_ioc_alloc),
		_IO(PORTALMEM_IOC_MAGIC, 0x7f),
		_IOWR(DMA_HEAP_IOC_MAGIC, 1, struct dma_heap_allocation_data),
		0, ~0u};
	char argument[256] = {0};

	for (const char *const *path = guest_nodes; *path; path++) {
		int node = guest_open(*path);

		for (size_t i = 0; i < sizeof(cmds) / sizeof(cmds[0]); i++) {
			errno = 0;
			ck_assert_int_eq(ioctl(node, cmds[i], argument), -1);
			ck_assert_int_eq(errno, ENOTTY);
		}
		close(node);
	}
}
END_TEST

START_TEST(version_tells_abi_and_features_and_clears_what_it_does_not_know)
{
	LONGER(portalmem_ioc_version)
	version = {.known.abi = ~0u, .known.pad = ~0u, .later = ~0ull};
	int node = guest_open(GUEST_NODE);

	ck_assert_int_eq(
		ioctl(node,
		      _IOC(_IOC_READ, PORTALMEM_IOC_MAGIC, 0, sizeof(version)),
		      &version),
		0);
	ck_assert_uint_eq(version.known.abi, PORTALMEM_ABI_VERSION);
	ck_assert_uint_eq(version.known.pad, 0);
	ck_assert_uint_eq(version.known.features,
			  PORTALMEM_FEATURE_WC | PORTALMEM_FEATURE_PINNABLE);
	ck_assert_uint_eq(version.later, 0);
}
END_TEST

/* Descriptors that are no portalmem buffer, and what is said of them. */
static int bad_fd(int which, int *error)
{
	switch (which) {
	case 0:
		*error = EBADF;
		return -1;
	case 1:
		*error = EBADF;
		return 1000;
	case 2:
		*error = EINVAL;
		return guest_open("/dev/null");
	case 3:
		*error = EINVAL;
		return guest_open(GUEST_NODE);
	default:
		*error = EINVAL;
		return memfd_create("not a dma-buf", MFD_CLOEXEC);
	}
}

START_TEST(descriptors_that_are_no_dma_buf_are_refused)
{
	int error, fd = bad_fd(_i, &error);
	struct portalmem_ioc_info info = {.fd = fd};
	struct portalmem_ioc_sync sync = {.fd = fd, .flags = DMA_BUF_SYNC_RW};
	struct portalmem_ioc_segments segments = {.fd = fd};
	int node = guest_open(GUEST_NODE);

	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_INFO, &info), -1);
	ck_assert_int_eq(errno, error);
	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SYNC, &sync), -1);
	ck_assert_int_eq(errno, error);
	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SEGMENTS, &segments), -1);
	ck_assert_int_eq(errno, error);
}
END_TEST

START_TEST(info_refuses_unknown_flags_and_dirty_padding)
{
	int node = guest_open(GUEST_NODE);
	int fd = guest_alloc(4096, PORTALMEM_CACHED);
	struct portalmem_ioc_info flags = {.fd = fd, .flags = 1};
	struct portalmem_ioc_info pad = {.fd = fd, .pad = 1};
	struct portalmem_ioc_info good = {.fd = fd};

	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_INFO, &flags), -1);
	ck_assert_int_eq(errno, EINVAL);
	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_INFO, &pad), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_INFO, &good), 0);
}
END_TEST

static const struct {
	const char *what;
	struct portalmem_ioc_sync sync;
	struct portalmem_ioc_range ranges[2];
	int error;
} syncs[] = {
	{"no direction",
	 {.flags = DMA_BUF_SYNC_START, .count = 1},
	 {{0, 1}},
	 EINVAL},
	{"unknown flag",
	 {.flags = DMA_BUF_SYNC_RW | 8, .count = 1},
	 {{0, 1}},
	 EINVAL},
	{"dirty pad",
	 {.flags = DMA_BUF_SYNC_RW, .count = 1, .pad = 1},
	 {{0, 1}},
	 EINVAL},
	{"too many ranges",
	 {.flags = DMA_BUF_SYNC_RW, .count = PORTALMEM_SYNC_RANGES_MAX + 1},
	 {{0, 1}},
	 EINVAL},
	{"offset past the end",
	 {.flags = DMA_BUF_SYNC_RW, .count = 1},
	 {{8193, 0}},
	 ERANGE},
	{"length past the end",
	 {.flags = DMA_BUF_SYNC_RW, .count = 1},
	 {{4096, 4097}},
	 ERANGE},
	{"range that wraps",
	 {.flags = DMA_BUF_SYNC_RW, .count = 1},
	 {{4096, UINT64_MAX - 100}},
	 ERANGE},
	{"second range bad",
	 {.flags = DMA_BUF_SYNC_RW, .count = 2},
	 {{0, 1}, {0, 8193}},
	 ERANGE},
	{"whole buffer", {.flags = DMA_BUF_SYNC_RW, .count = 1}, {{0, 8192}}, 0},
	{"empty range at the end",
	 {.flags = DMA_BUF_SYNC_RW | DMA_BUF_SYNC_END, .count = 1},
	 {{8192, 0}},
	 0},
	{"no range", {.flags = DMA_BUF_SYNC_READ}, {{0, 0}}, 0},
	{"unsorted, overlapping",
	 {.flags = DMA_BUF_SYNC_WRITE | DMA_BUF_SYNC_END, .count = 2},
	 {{100, 8000}, {0, 5000}},
	 0},
};

START_TEST(sync_checks_every_field)
{
	struct portalmem_ioc_sync sync = syncs[_i].sync;
	int node = guest_open(GUEST_NODE);
	int ret;

	sync.fd = guest_alloc(8192, PORTALMEM_CACHED);
	sync.ranges = (uintptr_t)syncs[_i].ranges;
	errno = 0;
	ret = ioctl(node, PORTALMEM_IOC_SYNC, &sync);
	ck_assert_msg(ret == (syncs[_i].error ? -1 : 0) &&
			      errno == syncs[_i].error,
		      "%s: %d, %s", syncs[_i].what, ret, strerror(errno));
}
END_TEST

START_TEST(sync_with_ranges_at_a_bad_address_is_efault)
{
	struct portalmem_ioc_sync sync = {
		.fd = guest_alloc(4096, PORTALMEM_CACHED),
		.flags = DMA_BUF_SYNC_RW,
		.ranges = 8,
		.count = 1,
	};
	int node = guest_open(GUEST_NODE);

	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SYNC, &sync), -1);
	ck_assert_int_eq(errno, EFAULT);
}
END_TEST

START_TEST(sync_takes_the_most_ranges_it_promises)
{
	static struct portalmem_ioc_range ranges[PORTALMEM_SYNC_RANGES_MAX];
	struct portalmem_ioc_sync sync = {
		.fd = guest_alloc(4096, PORTALMEM_CACHED),
		.flags = DMA_BUF_SYNC_RW,
		.ranges = (uintptr_t)ranges,
		.count = PORTALMEM_SYNC_RANGES_MAX,
	};
	int node = guest_open(GUEST_NODE);

	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SYNC, &sync), 0);
	ranges[PORTALMEM_SYNC_RANGES_MAX - 1].length = 4097;
	errno = 0;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_SYNC, &sync), -1);
	ck_assert_int_eq(errno, ERANGE);
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("ioctl");
	TCase *tcase = guest_tcase("arguments");

	tcase_add_loop_test(tcase, alloc_refuses_each_bad_field_on_every_node,
			    0, sizeof(bad_allocs) / sizeof(bad_allocs[0]));
	tcase_add_test(tcase, alloc_copies_out_before_it_installs_the_fd);
	tcase_add_test(tcase, alloc_at_the_descriptor_limit_is_emfile);
	tcase_add_test(tcase, alloc_takes_a_shorter_structure_without_the_name);
	tcase_add_test(tcase,
		       alloc_refuses_a_structure_too_short_for_its_answer);
	tcase_add_test(
		tcase,
		alloc_takes_a_longer_structure_only_when_its_tail_is_zero);
	tcase_add_test(tcase, ioctls_with_a_bad_address_are_efault);
	tcase_add_test(tcase, unknown_ioctls_are_enotty);
	tcase_add_test(
		tcase,
		version_tells_abi_and_features_and_clears_what_it_does_not_know);
	tcase_add_loop_test(tcase, descriptors_that_are_no_dma_buf_are_refused,
			    0, 5);
	tcase_add_test(tcase, info_refuses_unknown_flags_and_dirty_padding);
	tcase_add_loop_test(tcase, sync_checks_every_field, 0,
			    sizeof(syncs) / sizeof(syncs[0]));
	tcase_add_test(tcase, sync_with_ranges_at_a_bad_address_is_efault);
	tcase_add_test(tcase, sync_takes_the_most_ranges_it_promises);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
