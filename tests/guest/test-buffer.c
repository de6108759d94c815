// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What an allocated buffer is: size, zeroes, segments, names, descriptors.
 * quick: 6.12 6.1
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest.h"

static const uint32_t modes[] = {PORTALMEM_CACHED, PORTALMEM_WC, PORTALMEM_UC};

/* What they really are: only x86 has uncached memory that is no register. */
#ifdef __x86_64__
static const uint32_t *const effective_modes = modes;
#else
static const uint32_t effective_modes[] = {PORTALMEM_CACHED, PORTALMEM_WC,
					   PORTALMEM_WC};
#endif

START_TEST(buffer_is_what_was_asked_for)
{
	struct portalmem_ioc_alloc request = guest_request(4097, modes[_i]);
	struct portalmem_ioc_info info;
	int node = guest_open(GUEST_NODE);

	strcpy(request.name, "camera 0");
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
	ck_assert_uint_eq(request.effective, effective_modes[_i]);
	ck_assert_uint_ge(request.segments, 1);

	info = guest_info(request.fd);
	ck_assert_uint_eq(info.size, 8192);
	ck_assert_uint_eq(info.caching, modes[_i]);
	ck_assert_uint_eq(info.effective, effective_modes[_i]);
	ck_assert_uint_eq(info.segments, request.segments);
	ck_assert_uint_eq(info.attachments, 0);
	ck_assert_int_eq(info.pid, getpid());
	ck_assert_str_eq(info.heap, "system");
	ck_assert_str_eq(info.name, "camera 0");
	ck_assert_int_eq(lseek(request.fd, 0, SEEK_END), 8192);
}
END_TEST

START_TEST(nodes_differ_in_their_default_caching_only)
{
	static const uint32_t defaults[] = {PORTALMEM_CACHED, PORTALMEM_CACHED,
					    PORTALMEM_WC};

	for (unsigned int i = 0; guest_nodes[i]; i++) {
		struct portalmem_ioc_alloc request =
			guest_request(4096, PORTALMEM_DEFAULT);
		struct portalmem_ioc_alloc uncached =
			guest_request(4096, PORTALMEM_UC);
		int node = guest_open(guest_nodes[i]);

		ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
		ck_assert_uint_eq(guest_info(request.fd).caching, defaults[i]);
		ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &uncached),
				 0);
		ck_assert_uint_eq(guest_info(uncached.fd).caching,
				  PORTALMEM_UC);
	}
}
END_TEST

/* Dirty a good part of memory, so that what comes back was used before. */
START_TEST(recycled_memory_is_zero)
{
	for (int round = 0; round < 3; round++) {
		int fd = guest_alloc(MIB(128), modes[_i]);
		unsigned char *map = guest_map(fd, MIB(128));

		guest_assert_zero(map, MIB(128));
		memset(map, 0xa5, MIB(128));
		munmap(map, MIB(128));
		close(fd);
	}
}
END_TEST

START_TEST(two_mappings_see_the_same_bytes)
{
	int fd = guest_alloc(MIB(5), modes[_i]);
	unsigned char *one = guest_map(fd, MIB(5));
	unsigned char *two = guest_map(fd, MIB(5));

	guest_fill(one, MIB(5), 7);
	guest_assert_filled(two, MIB(5), 7);
	munmap(one, MIB(5));
	/* The descriptor is one reference, the mapping another. */
	close(fd);
	guest_assert_filled(two, MIB(5), 7);
	munmap(two, MIB(5));
}
END_TEST

START_TEST(close_on_exec_is_as_asked)
{
	struct portalmem_ioc_alloc request =
		guest_request(4096, PORTALMEM_CACHED);
	int node = guest_open(GUEST_NODE);

	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
	ck_assert_int_eq(fcntl(request.fd, F_GETFD), FD_CLOEXEC);

	request = guest_request(4096, PORTALMEM_CACHED);
	request.fd_flags = O_RDWR;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
	ck_assert_int_eq(fcntl(request.fd, F_GETFD), 0);
}
END_TEST

START_TEST(read_only_descriptor_cannot_be_mapped_for_writing)
{
	struct portalmem_ioc_alloc request = guest_request(4096, modes[_i]);
	int node = guest_open(GUEST_NODE);
	void *map;

	request.fd_flags = O_RDONLY | O_CLOEXEC;
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);

	errno = 0;
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, request.fd,
		   0);
	ck_assert_ptr_eq(map, MAP_FAILED);
	ck_assert_int_eq(errno, EACCES);

	map = mmap(NULL, 4096, PROT_READ, MAP_SHARED, request.fd, 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	guest_assert_zero(map, 4096);
	errno = 0;
	ck_assert_int_eq(mprotect(map, 4096, PROT_READ | PROT_WRITE), -1);
	ck_assert_int_eq(errno, EACCES);
}
END_TEST

START_TEST(name_shows_in_fdinfo_and_can_be_changed)
{
	struct portalmem_ioc_alloc request =
		guest_request(4096, PORTALMEM_CACHED);
	int node = guest_open(GUEST_NODE);
	char path[64], line[128];
	int named = 0, exported = 0;
	FILE *file;

	strcpy(request.name, "sensor");
	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", request.fd);
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		named |= !strcmp(line, "name:\tsensor\n");
		exported |= !strcmp(line, "exp_name:\tportalmem\n");
	}
	fclose(file);
	ck_assert(named);
	ck_assert(exported);

	ck_assert_int_eq(ioctl(request.fd, DMA_BUF_SET_NAME, "other"), 0);
	ck_assert_str_eq(guest_info(request.fd).name, "other");
}
END_TEST

START_TEST(info_names_the_allocating_process_to_others)
{
	int fd = guest_alloc(4096, PORTALMEM_CACHED);
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child)
		_exit(guest_info(fd).pid == getppid() ? 0 : 1);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

static const struct {
	const char *what;
	struct dma_heap_allocation_data data;
	int error;
} bad_heap_allocs[] = {
	{"size 0", {.fd_flags = O_RDWR}, EINVAL},
	{"dirty fd", {.len = 4096, .fd = 1, .fd_flags = O_RDWR}, EINVAL},
	{"unknown fd flags", {.len = 4096, .fd_flags = O_APPEND}, EINVAL},
	{"unknown heap flags",
	 {.len = 4096, .fd_flags = O_RDWR, .heap_flags = 1},
	 EINVAL},
	{"1 TiB", {.len = 1ULL << 40, .fd_flags = O_RDWR}, ENOMEM},
};

START_TEST(standard_heap_ioctl_refuses_each_bad_field)
{
	for (const char *const *path = guest_nodes; *path; path++) {
		struct dma_heap_allocation_data data = bad_heap_allocs[_i].data;
		int node = guest_open(*path);

		errno = 0;
		ck_assert_int_eq(ioctl(node, DMA_HEAP_IOCTL_ALLOC, &data), -1);
		ck_assert_msg(errno == bad_heap_allocs[_i].error, "%s: %s",
			      bad_heap_allocs[_i].what, strerror(errno));
		close(node);
	}
}
END_TEST

START_TEST(standard_heap_ioctl_behaves_like_the_kernels_heaps)
{
	for (const char *const *path = guest_nodes; *path; path++) {
		struct dma_heap_allocation_data data = {
			.len = 1, .fd_flags = O_RDWR | O_CLOEXEC};
		int node = guest_open(*path);
		int fd;

		ck_assert_int_eq(ioctl(node, DMA_HEAP_IOCTL_ALLOC, &data), 0);
		fd = (int)data.fd;
		/* The length comes back as it was, the buffer is whole pages. */
		ck_assert_uint_eq(data.len, 1);
		ck_assert_int_eq(lseek(fd, 0, SEEK_END), 4096);
		ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
		errno = 0;
		ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), -1);
		ck_assert_int_eq(errno, EINVAL);
		errno = 0;
		ck_assert_int_eq(lseek(fd, 1, SEEK_SET), -1);
		ck_assert_int_eq(errno, EINVAL);
		close(fd);
		close(node);
	}
}
END_TEST

START_TEST(whole_buffer_sync_and_poll_work_as_on_any_dma_buf)
{
	int fd = guest_alloc(MIB(1), modes[_i]);
	struct dma_buf_sync sync = {.flags = DMA_BUF_SYNC_START |
					     DMA_BUF_SYNC_RW};
	struct pollfd poller = {.fd = fd, .events = POLLIN | POLLOUT};

	ck_assert_int_eq(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync), 0);
	sync.flags = DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW;
	ck_assert_int_eq(ioctl(fd, DMA_BUF_IOCTL_SYNC, &sync), 0);
	ck_assert_int_eq(poll(&poller, 1, 0), 1);
	ck_assert_int_eq(poller.revents, POLLIN | POLLOUT);
}
END_TEST

/* More than the machine has in total, in buffers that each are possible. */
START_TEST(running_out_of_memory_is_enomem_and_kills_nobody)
{
	enum {
		MOST = 256
	};
	struct portalmem_ioc_alloc request;
	int node = guest_open(GUEST_NODE);
	int fds[MOST];
	int count;

	for (count = 0; count < MOST; count++) {
		request = guest_request(MIB(64), PORTALMEM_CACHED);
		if (ioctl(node, PORTALMEM_IOC_ALLOC, &request))
			break;
		fds[count] = request.fd;
	}
	ck_assert_int_lt(count, MOST);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_int_gt(count, 1);
	while (count--)
		close(fds[count]);
	/* And all of it is back. */
	close(guest_alloc(MIB(256), PORTALMEM_CACHED));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("buffer");
	TCase *tcase = guest_tcase("buffer");

	tcase_add_loop_test(tcase, buffer_is_what_was_asked_for, 0, 3);
	tcase_add_test(tcase, nodes_differ_in_their_default_caching_only);
	tcase_add_loop_test(tcase, recycled_memory_is_zero, 0, 3);
	tcase_add_loop_test(tcase, two_mappings_see_the_same_bytes, 0, 3);
	tcase_add_test(tcase, close_on_exec_is_as_asked);
	tcase_add_loop_test(
		tcase, read_only_descriptor_cannot_be_mapped_for_writing, 0, 3);
	tcase_add_test(tcase, name_shows_in_fdinfo_and_can_be_changed);
	tcase_add_test(tcase, info_names_the_allocating_process_to_others);
	tcase_add_loop_test(
		tcase, standard_heap_ioctl_refuses_each_bad_field, 0,
		sizeof(bad_heap_allocs) / sizeof(bad_heap_allocs[0]));
	tcase_add_test(tcase,
		       standard_heap_ioctl_behaves_like_the_kernels_heaps);
	tcase_add_loop_test(
		tcase, whole_buffer_sync_and_poll_work_as_on_any_dma_buf, 0, 3);
	tcase_add_test(tcase, running_out_of_memory_is_enomem_and_kills_nobody);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite)
