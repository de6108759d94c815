// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <fcntl.h>
#include <linux/portalmem.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static int new_memfd(uint64_t size, int seals)
{
	int fd = memfd_create("peer", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
	if (seals)
		ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void assert_refused(struct portalmem_device *device, int fd, int error)
{
	char marker;
	struct portalmem_buffer *const untouched = (void *)&marker;
	struct portalmem_buffer *buffer = untouched;

	unit_assert_fails(portalmem_buffer_import(device, fd, &buffer), error);
	ck_assert_ptr_eq(buffer, untouched);
}

static const struct portalmem_ioc_info info_in;
static const struct portalmem_ioc_info info_out = {
	.size = 3 * 4096,
	.caching = PORTALMEM_DEFAULT,
	.effective = PORTALMEM_WC,
};

#define INFO(errnum)                                                          \
	{                                                                     \
		.request = PORTALMEM_IOC_INFO, .on = MOCK_NODE,               \
		.in = &info_in, .in_size = sizeof(info_in),                   \
		.in_fd_at = MOCK_AT(struct portalmem_ioc_info, fd),           \
		.in_fd_is = MOCK_BUFFER, .out = &info_out, .error = (errnum), \
	}

START_TEST(foreign_dmabuf_is_taken_with_its_size)
{
	int fd = mock_new_dmabuf(5 * PAGE);
	struct portalmem_buffer *buffer;

	ck_assert_int_eq(portalmem_buffer_import(NULL, fd, &buffer), 0);
	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), 5 * PAGE);
	ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
			 PORTALMEM_CACHING_UNKNOWN);
	portalmem_buffer_unref(buffer);
	close(fd);
}
END_TEST

START_TEST(descriptor_stays_the_caller_s)
{
	int fd = mock_new_dmabuf(PAGE);
	struct portalmem_buffer *buffer;
	struct stat ours, theirs;
	int own;

	ck_assert_int_eq(portalmem_buffer_import(NULL, fd, &buffer), 0);
	own = portalmem_buffer_get_fd(buffer);
	ck_assert_int_ne(own, fd);
	ck_assert_int_eq(fcntl(own, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(fstat(fd, &theirs), 0);
	close(fd);
	ck_assert_int_eq(fstat(own, &ours), 0);
	ck_assert_uint_eq(ours.st_ino, theirs.st_ino);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(portalmem_node_tells_about_its_buffer)
{
	static const struct mock_call calls[] = {INFO(EINTR), INFO(0)};
	struct portalmem_device *device = unit_open_portalmem();
	int fd = mock_new_dmabuf(3 * PAGE);
	struct portalmem_buffer *buffer;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_import(device, fd, &buffer), 0);
	close(fd);
	portalmem_device_unref(device);
	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), 3 * PAGE);
	ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
			 PORTALMEM_CACHING_WC);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(buffer_that_the_node_does_not_know_is_foreign)
{
	static const struct mock_call calls[] = {INFO(EXDEV)};
	struct portalmem_device *device = unit_open_portalmem();
	int fd = mock_new_dmabuf(3 * PAGE);
	struct portalmem_buffer *buffer;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_import(device, fd, &buffer), 0);
	ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
			 PORTALMEM_CACHING_UNKNOWN);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
	close(fd);
}
END_TEST

START_TEST(error_of_the_node_is_passed_on)
{
	static const struct mock_call calls[] = {INFO(EIO)};
	struct portalmem_device *device = unit_open_portalmem();
	int fd = mock_new_dmabuf(3 * PAGE);

	MOCK_EXPECT(calls);
	assert_refused(device, fd, EIO);
	portalmem_device_unref(device);
	close(fd);
}
END_TEST

START_TEST(device_of_another_backend_is_not_asked)
{
	struct portalmem_device *device = unit_open_memfd();
	int fd = mock_new_dmabuf(PAGE);
	struct portalmem_buffer *buffer;

	ck_assert_int_eq(portalmem_buffer_import(device, fd, &buffer), 0);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
	close(fd);
}
END_TEST

START_TEST(sealed_memfd_is_taken_and_its_position_kept)
{
	int fd = new_memfd(2 * PAGE, F_SEAL_SHRINK);
	struct portalmem_buffer *buffer;

	ck_assert_int_eq(lseek(fd, 7, SEEK_SET), 7);
	ck_assert_int_eq(portalmem_buffer_import(NULL, fd, &buffer), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 7);
	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), 2 * PAGE);
	ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
			 PORTALMEM_CACHING_CACHED);
	portalmem_buffer_unref(buffer);
	close(fd);
}
END_TEST

START_TEST(size_of_a_memfd_is_whole_pages)
{
	int fd = new_memfd(PAGE + 1, F_SEAL_SHRINK);
	struct portalmem_buffer *buffer;

	ck_assert_int_eq(portalmem_buffer_import(NULL, fd, &buffer), 0);
	ck_assert_uint_eq(portalmem_buffer_get_size(buffer), 2 * PAGE);
	portalmem_buffer_unref(buffer);
	close(fd);
}
END_TEST

START_TEST(memfd_that_can_shrink_is_einval)
{
	int open_fd = new_memfd(PAGE, 0);
	int grow_fd = new_memfd(PAGE, F_SEAL_GROW | F_SEAL_WRITE);

	assert_refused(NULL, open_fd, EINVAL);
	unit_assert_message_has("shrink");
	assert_refused(NULL, grow_fd, EINVAL);
	close(open_fd);
	close(grow_fd);
}
END_TEST

START_TEST(empty_buffer_is_einval)
{
	int memfd = new_memfd(0, F_SEAL_SHRINK);
	int dmabuf = mock_new_dmabuf(0);

	assert_refused(NULL, memfd, EINVAL);
	assert_refused(NULL, dmabuf, EINVAL);
	close(memfd);
	close(dmabuf);
}
END_TEST

START_TEST(other_files_are_einval)
{
	int fds[5];

	fds[0] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds[1] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	fds[2] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(pipe2(fds + 3, O_CLOEXEC), 0);
	for (int i = 0; i < COUNT(fds); i++) {
		ck_assert_int_ge(fds[i], 0);
		assert_refused(NULL, fds[i], EINVAL);
		close(fds[i]);
	}
}
END_TEST

/* What 6.1 and 6.12 say there of a dma-buf; only the last line is chosen. */
static const char proc_text[] =
	"pos:\t0\nflags:\t02\nmnt_id:\t15\nino:\t3\nsize:\t4096\n"
	"count:\t2\nexp_name:\tvgem\nname:\tany\n";

START_TEST(dmabuf_is_known_from_proc_where_statx_is_forbidden)
{
	int fd = mock_new_dmabuf(PAGE);
	int memfd = new_memfd(PAGE, F_SEAL_SHRINK);
	struct portalmem_buffer *buffer;

	mock_fail_statx(EPERM);
	mock_set_fdinfo(proc_text);
	ck_assert_int_eq(portalmem_buffer_import(NULL, fd, &buffer), 0);
	portalmem_buffer_unref(buffer);
	ck_assert_int_eq(portalmem_buffer_import(NULL, memfd, &buffer), 0);
	portalmem_buffer_unref(buffer);
	mock_fail_statx(0);
	close(memfd);
	close(fd);
}
END_TEST

START_TEST(dmabuf_that_nothing_tells_of_is_refused)
{
	int fd = mock_new_dmabuf(PAGE);

	mock_fail_statx(EPERM);
	assert_refused(NULL, fd, EINVAL);
	mock_set_fdinfo("pos:\t0\nname:\texp_name:\tvgem\n");
	assert_refused(NULL, fd, EINVAL);
	assert_refused(NULL, -1, EBADF);
	mock_fail_statx(0);
	close(fd);
}
END_TEST

START_TEST(other_file_is_closed_also_without_memory)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	/* The first is the buffer's. */
	mock_fail_calloc(2);
	assert_refused(NULL, fds[0], EINVAL);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(closed_descriptor_is_ebadf)
{
	int fd = mock_new_dmabuf(PAGE);

	close(fd);
	assert_refused(NULL, fd, EBADF);
	assert_refused(NULL, -1, EBADF);
	assert_refused(NULL, INT32_MAX, EBADF);
}
END_TEST

START_TEST(no_descriptor_left_is_emfile)
{
	int fd = mock_new_dmabuf(PAGE);

	unit_limit_fds(0);
	assert_refused(NULL, fd, EMFILE);
	unit_limit_fds(-1);
	close(fd);
}
END_TEST

START_TEST(no_memory_is_enomem)
{
	int fd = mock_new_dmabuf(PAGE);

	mock_fail_calloc(1);
	assert_refused(NULL, fd, ENOMEM);
	close(fd);
}
END_TEST

START_TEST(no_place_for_the_buffer_is_einval)
{
	int fd = mock_new_dmabuf(PAGE);

	unit_assert_fails(portalmem_buffer_import(NULL, fd, NULL), EINVAL);
	close(fd);
}
END_TEST

static Suite *import_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("import", &tc);

	tcase_add_test(tc, foreign_dmabuf_is_taken_with_its_size);
	tcase_add_test(tc, descriptor_stays_the_caller_s);
	tcase_add_test(tc, portalmem_node_tells_about_its_buffer);
	tcase_add_test(tc, buffer_that_the_node_does_not_know_is_foreign);
	tcase_add_test(tc, error_of_the_node_is_passed_on);
	tcase_add_test(tc, device_of_another_backend_is_not_asked);
	tcase_add_test(tc, sealed_memfd_is_taken_and_its_position_kept);
	tcase_add_test(tc, size_of_a_memfd_is_whole_pages);
	tcase_add_test(tc, memfd_that_can_shrink_is_einval);
	tcase_add_test(tc, empty_buffer_is_einval);
	tcase_add_test(tc, other_files_are_einval);
	tcase_add_test(tc, dmabuf_is_known_from_proc_where_statx_is_forbidden);
	tcase_add_test(tc, dmabuf_that_nothing_tells_of_is_refused);
	tcase_add_test(tc, closed_descriptor_is_ebadf);
	tcase_add_test(tc, no_descriptor_left_is_emfile);
	unit_add_shortage_test(tc, no_memory_is_enomem);
	unit_add_shortage_test(tc, other_file_is_closed_also_without_memory);
	tcase_add_test(tc, no_place_for_the_buffer_is_einval);
	return suite;
}

PMTEST_MAIN(import_suite)
