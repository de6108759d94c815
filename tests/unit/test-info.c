// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/portalmem.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static const struct portalmem_ioc_info info_in;
static const struct portalmem_ioc_info info_out = {
	.size = 4 * 4096,
	.caching = PORTALMEM_DEFAULT,
	.effective = PORTALMEM_CACHED,
	.segments = 3,
	.attachments = 2,
	.pid = 4711,
	.heap = "portalmem",
	.name = "camera 0",
};
static const struct portalmem_ioc_info odd_out = {
	.size = 4 * 4096,
	.caching = 7,
	.effective = UINT32_MAX,
	/* Neither ends, and one holds what must not reach a terminal. */
	.heap = "0123456789abcdef0123456789abcde+",
	.name = "\x1b[2J56789abcdef0123456789abcdefg",
};

#define INFO(reply, errnum)                                                  \
	{                                                                    \
		.request = PORTALMEM_IOC_INFO, .on = MOCK_NODE,              \
		.in = &info_in, .in_size = sizeof(info_in),                  \
		.in_fd_at = MOCK_AT(struct portalmem_ioc_info, fd),          \
		.in_fd_is = MOCK_BUFFER, .out = &(reply), .error = (errnum), \
	}

static uint64_t inode_of(struct portalmem_buffer *buffer)
{
	struct stat st;

	ck_assert_int_eq(fstat(portalmem_buffer_get_fd(buffer), &st), 0);
	return st.st_ino;
}

static struct portalmem_info info_of(struct portalmem_buffer *buffer)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;

	ck_assert_int_eq(portalmem_buffer_get_info(buffer, &info), 0);
	ck_assert_uint_eq(info.struct_size, sizeof(info));
	ck_assert_uint_eq(info.inode, inode_of(buffer));
	return info;
}

START_TEST(node_is_asked_each_time)
{
	static const struct mock_call calls[] = {
		INFO(info_out, 0),
		INFO(info_out, EINTR),
		INFO(info_out, 0),
	};
	struct portalmem_buffer *buffer = unit_import_known();
	struct portalmem_info info;

	MOCK_EXPECT(calls);
	info_of(buffer);
	info = info_of(buffer);
	ck_assert_uint_eq(info.size, 4 * PAGE);
	ck_assert_int_eq(info.caching, PORTALMEM_CACHING_DEFAULT);
	ck_assert_int_eq(info.effective, PORTALMEM_CACHING_CACHED);
	ck_assert_uint_eq(info.segments, 3);
	ck_assert_uint_eq(info.attachments, 2);
	ck_assert_int_eq(info.pid, 4711);
	ck_assert_str_eq(info.heap, "portalmem");
	ck_assert_str_eq(info.name, "camera 0");
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(odd_answers_of_the_node_are_tamed)
{
	static const struct mock_call calls[] = {INFO(odd_out, 0)};
	struct portalmem_buffer *buffer = unit_import_known();
	struct portalmem_info info;

	MOCK_EXPECT(calls);
	info = info_of(buffer);
	ck_assert_int_eq(info.caching, PORTALMEM_CACHING_UNKNOWN);
	ck_assert_int_eq(info.effective, PORTALMEM_CACHING_UNKNOWN);
	ck_assert_str_eq(info.heap, "0123456789abcdef0123456789abcde");
	ck_assert_str_eq(info.name, "?[2J56789abcdef0123456789abcdef");
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(error_of_the_node_is_passed_on)
{
	static const struct mock_call calls[] = {INFO(info_out, EIO)};
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_buffer *buffer = unit_import_known();

	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_buffer_get_info(buffer, &info), EIO);
	ck_assert_uint_eq(info.size, 0);
	ck_assert_uint_eq(info.inode, 0);
	ck_assert_str_eq(info.name, "");
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(foreign_dmabuf_is_described_from_proc)
{
	struct portalmem_buffer *buffer = unit_import_dmabuf(2 * PAGE);
	struct portalmem_info info;

	mock_set_fdinfo("pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t9\n"
			"size:\t8192\ncount:\t3\nexp_name:\tvgem\n"
			"name:\tframe 1\n");
	info = info_of(buffer);
	ck_assert_uint_eq(info.size, 2 * PAGE);
	ck_assert_int_eq(info.caching, PORTALMEM_CACHING_UNKNOWN);
	ck_assert_int_eq(info.effective, PORTALMEM_CACHING_UNKNOWN);
	ck_assert_uint_eq(info.segments, 0);
	ck_assert_int_eq(info.pid, 0);
	ck_assert_str_eq(info.heap, "vgem");
	ck_assert_str_eq(info.name, "frame 1");
	portalmem_buffer_unref(buffer);
}
END_TEST

static const struct {
	const char *fdinfo;
	const char *heap;
	const char *name;
} odd_fdinfo[] = {
	/* No /proc, an empty file, no name, no end of line. */
	{NULL, "", ""},
	{"", "", ""},
	{"exp_name:\tvgem\n", "vgem", ""},
	{"exp_name:\tvgem", "vgem", ""},
	{"exp_name:\t\nname:\t\n", "", ""},
	/* A name that poses as the exporter. */
	{"exp_name:\tvgem\nname:\tx\nexp_name:\tportalmem\n", "vgem", "x"},
	{"exp_name:\tvgem\nname:\tname:\ty\n", "vgem", "name:?y"},
	/* Longer than the fields, and with control characters. */
	{"exp_name:\t0123456789abcdef0123456789abcdefgh\nname:\ta\x1b\x7f\n",
	 "0123456789abcdef0123456789abcde", "a??"},
};

START_TEST(odd_fdinfo_is_tamed)
{
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);
	struct portalmem_info info;

	mock_set_fdinfo(odd_fdinfo[_i].fdinfo);
	info = info_of(buffer);
	ck_assert_str_eq(info.heap, odd_fdinfo[_i].heap);
	ck_assert_str_eq(info.name, odd_fdinfo[_i].name);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(memfd_is_described)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_memfd();
	struct portalmem_buffer *buffer;
	struct portalmem_info info;

	/* As long as a name may be. */
	options.name = "0123456789abcdef0123456789abcde";
	ck_assert_int_eq(portalmem_buffer_alloc(device, 5, &options, &buffer),
			 0);
	info = info_of(buffer);
	ck_assert_uint_eq(info.size, PAGE);
	ck_assert_int_eq(info.caching, PORTALMEM_CACHING_DEFAULT);
	ck_assert_int_eq(info.effective, PORTALMEM_CACHING_CACHED);
	ck_assert_uint_eq(info.attachments, 0);
	ck_assert_int_eq(info.pid, getpid());
	ck_assert_str_eq(info.heap, "memfd");
	ck_assert_str_eq(info.name, options.name);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

static const char *const memfd_names[] = {"", "peer's", " (deleted)", "a/b"};

START_TEST(imported_memfd_keeps_its_name)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_memfd();
	struct portalmem_buffer *buffer, *import;

	options.name = memfd_names[_i];
	ck_assert_int_eq(portalmem_buffer_alloc(device, 5, &options, &buffer),
			 0);
	ck_assert_int_eq(
		portalmem_buffer_import(NULL, portalmem_buffer_get_fd(buffer),
					&import),
		0);
	ck_assert_str_eq(info_of(import).name, memfd_names[_i]);
	ck_assert_int_eq(info_of(import).pid, 0);
	ck_assert_uint_eq(info_of(import).inode, info_of(buffer).inode);
	portalmem_buffer_unref(import);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

static const size_t bad_sizes[] = {0, 1, sizeof(struct portalmem_info) - 1,
				   sizeof(struct portalmem_info) + 1, SIZE_MAX};

START_TEST(info_that_was_not_initialized_is_einval)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_buffer *buffer = unit_alloc(PAGE);

	info.struct_size = bad_sizes[_i];
	unit_assert_fails(portalmem_buffer_get_info(buffer, &info), EINVAL);
	unit_assert_message_has("PORTALMEM_INFO_INIT");
	ck_assert_uint_eq(info.size, 0);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(null_arguments_are_einval)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_buffer *buffer = unit_alloc(PAGE);

	unit_assert_fails(portalmem_buffer_get_info(NULL, &info), EINVAL);
	unit_assert_fails(portalmem_buffer_get_info(buffer, NULL), EINVAL);
	unit_assert_fails(portalmem_buffer_set_name(NULL, "x"), EINVAL);
	unit_assert_fails(portalmem_buffer_set_name(buffer, NULL), EINVAL);
	portalmem_buffer_unref(buffer);
}
END_TEST

#define SET_NAME(text, errnum)                                  \
	{                                                       \
		.request = DMA_BUF_SET_NAME, .on = MOCK_BUFFER, \
		.in_text = (text), .error = (errnum),           \
	}

START_TEST(dmabuf_is_named_by_the_kernel)
{
	static const struct mock_call calls[] = {
		SET_NAME("frame", 0),
		SET_NAME("frame", EINTR),
		SET_NAME("frame", 0),
		SET_NAME("", 0),
		SET_NAME("0123456789abcdef0123456789abcde", 0),
	};
	struct portalmem_buffer *known = unit_import_known();
	struct portalmem_buffer *foreign = unit_import_dmabuf(PAGE);

	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_set_name(known, "frame"), 0);
	ck_assert_int_eq(portalmem_buffer_set_name(foreign, "frame"), 0);
	ck_assert_int_eq(portalmem_buffer_set_name(foreign, ""), 0);
	ck_assert_int_eq(portalmem_buffer_set_name(
				 foreign, "0123456789abcdef0123456789abcde"),
			 0);
	portalmem_buffer_unref(known);
	portalmem_buffer_unref(foreign);
}
END_TEST

START_TEST(error_of_naming_is_passed_on)
{
	static const struct mock_call calls[] = {SET_NAME("frame", ENOMEM)};
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);

	MOCK_EXPECT(calls);
	unit_assert_fails(portalmem_buffer_set_name(buffer, "frame"), ENOMEM);
	portalmem_buffer_unref(buffer);
}
END_TEST

static const char *const bad_names[] = {"a\nb", "\t", "\x7f", "\x1b[0m"};

START_TEST(control_characters_are_einval)
{
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);

	unit_assert_fails(portalmem_buffer_set_name(buffer, bad_names[_i]),
			  EINVAL);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(long_name_is_enametoolong)
{
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);

	unit_assert_fails(portalmem_buffer_set_name(
				  buffer, "0123456789abcdef0123456789abcdef"),
			  ENAMETOOLONG);
	unit_assert_message_has("31 bytes");
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(naming_a_memfd_is_eopnotsupp)
{
	struct portalmem_buffer *buffer = unit_alloc_memfd(PAGE);

	unit_assert_fails(portalmem_buffer_set_name(buffer, "x"), EOPNOTSUPP);
	portalmem_buffer_unref(buffer);
}
END_TEST

static struct mock_call ask_segments(const struct portalmem_ioc_segments *in,
				     const struct portalmem_ioc_segments *out,
				     int error)
{
	return (struct mock_call){
		.request = PORTALMEM_IOC_SEGMENTS,
		.on = MOCK_NODE,
		.in = in,
		.in_size = sizeof(*in),
		.in_fd_at = MOCK_AT(struct portalmem_ioc_segments, fd),
		.in_fd_is = MOCK_BUFFER,
		.out = out,
		.error = error,
	};
}

START_TEST(segments_are_counted_without_being_read)
{
	static const struct portalmem_ioc_segments in = {0};
	static const struct portalmem_ioc_segments out = {.total = 7};
	struct portalmem_buffer *buffer = unit_import_known();
	struct mock_call calls[] = {ask_segments(&in, &out, 0)};
	size_t total = 99;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(
		portalmem_buffer_get_segments(buffer, 0, NULL, 0, &total), 0);
	ck_assert_uint_eq(total, 7);
	mock_assert_done();
	portalmem_buffer_unref(buffer);
}
END_TEST

/* More than the kernel can be asked for is more than there can be. */
static const struct {
	size_t first, count;
	uint32_t asked_first, asked_count;
} parts[] = {
	{0, 1, 0, 1},
	{3, 2, 3, 2},
	{SIZE_MAX, 1, UINT32_MAX, 1},
	{1, SIZE_MAX, 1, INT32_MAX},
};

START_TEST(segments_are_asked_for_in_parts)
{
	struct portalmem_segment segments[2];
	struct portalmem_ioc_segments in = {
		.segments = (uintptr_t)segments,
		.first = parts[_i].asked_first,
		.count = parts[_i].asked_count,
	};
	struct portalmem_ioc_segments out = in;
	struct portalmem_buffer *buffer = unit_import_known();
	struct mock_call calls[] = {ask_segments(&in, &out, 0)};

	out.count = 1;
	out.total = 4;
	MOCK_EXPECT(calls);
	ck_assert_int_eq(portalmem_buffer_get_segments(buffer, parts[_i].first,
						       segments,
						       parts[_i].count, NULL),
			 1);
	mock_assert_done();
	portalmem_buffer_unref(buffer);
}
END_TEST

static const int segment_errors[] = {EFAULT, EXDEV, EINVAL};

START_TEST(error_of_the_node_is_passed_on_for_segments)
{
	static const struct portalmem_ioc_segments in = {0};
	struct portalmem_buffer *buffer = unit_import_known();
	struct mock_call calls[] = {
		ask_segments(&in, NULL, segment_errors[_i])};
	size_t total = 99;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(
		portalmem_buffer_get_segments(buffer, 0, NULL, 0, &total),
		-segment_errors[_i]);
	ck_assert_uint_eq(total, 99);
	ck_assert_str_ne(portalmem_error_message(), "");
	mock_assert_done();
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(segments_that_nobody_knows_are_eopnotsupp)
{
	struct portalmem_device *memfd = unit_open_memfd();
	struct portalmem_buffer *buffers[2];
	int foreign = mock_new_dmabuf(PAGE);
	size_t total = 99;

	ck_assert_int_eq(portalmem_buffer_alloc(memfd, PAGE, NULL, &buffers[0]),
			 0);
	ck_assert_int_eq(portalmem_buffer_import(NULL, foreign, &buffers[1]),
			 0);
	mock_expect(NULL, 0);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(portalmem_buffer_get_segments(buffers[i], 0,
							       NULL, 0, &total),
				 -EOPNOTSUPP);
		portalmem_buffer_unref(buffers[i]);
	}
	ck_assert_uint_eq(total, 99);
	close(foreign);
	portalmem_device_unref(memfd);
}
END_TEST

START_TEST(segments_to_or_of_null_are_einval)
{
	struct portalmem_buffer *buffer = unit_import_known();
	struct portalmem_segment segment;

	ck_assert_int_eq(
		portalmem_buffer_get_segments(NULL, 0, &segment, 1, NULL),
		-EINVAL);
	ck_assert_int_eq(
		portalmem_buffer_get_segments(buffer, 0, NULL, 1, NULL),
		-EINVAL);
	portalmem_buffer_unref(buffer);
}
END_TEST

static Suite *info_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("info", &tc);

	tcase_add_test(tc, node_is_asked_each_time);
	tcase_add_test(tc, odd_answers_of_the_node_are_tamed);
	tcase_add_test(tc, error_of_the_node_is_passed_on);
	tcase_add_test(tc, foreign_dmabuf_is_described_from_proc);
	tcase_add_loop_test(tc, odd_fdinfo_is_tamed, 0, COUNT(odd_fdinfo));
	tcase_add_test(tc, memfd_is_described);
	tcase_add_loop_test(tc, imported_memfd_keeps_its_name, 0,
			    COUNT(memfd_names));
	tcase_add_loop_test(tc, info_that_was_not_initialized_is_einval, 0,
			    COUNT(bad_sizes));
	tcase_add_test(tc, null_arguments_are_einval);
	tcase_add_test(tc, segments_are_counted_without_being_read);
	tcase_add_loop_test(tc, segments_are_asked_for_in_parts, 0,
			    COUNT(parts));
	tcase_add_loop_test(tc, error_of_the_node_is_passed_on_for_segments, 0,
			    COUNT(segment_errors));
	tcase_add_test(tc, segments_that_nobody_knows_are_eopnotsupp);
	tcase_add_test(tc, segments_to_or_of_null_are_einval);
	tcase_add_test(tc, dmabuf_is_named_by_the_kernel);
	tcase_add_test(tc, error_of_naming_is_passed_on);
	tcase_add_loop_test(tc, control_characters_are_einval, 0,
			    COUNT(bad_names));
	tcase_add_test(tc, long_name_is_enametoolong);
	tcase_add_test(tc, naming_a_memfd_is_eopnotsupp);
	return suite;
}

PMTEST_MAIN(info_suite)
