// SPDX-License-Identifier: GPL-2.0-or-later
#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "unit.h"

static int open_failing(const char *path, int error)
{
	const struct mock_call calls[] = {{.open = path, .error = error}};
	struct portalmem_device *device;

	MOCK_EXPECT(calls);
	ck_assert_int_eq(
		portalmem_device_open(path, PORTALMEM_BACKEND_ANY, &device),
		-error);
	/* The table goes out of scope. */
	mock_assert_done();
	mock_expect(NULL, 0);
	return -error;
}

START_TEST(nothing_failed_yet_is_an_empty_message)
{
	ck_assert_str_eq(portalmem_error_message(), "");
	portalmem_buffer_unref(unit_alloc(PAGE));
	ck_assert_str_eq(portalmem_error_message(), "");
}
END_TEST

START_TEST(message_names_call_node_reason_and_remedy)
{
	open_failing("/dev/portalmem", EACCES);
	ck_assert_str_eq(portalmem_error_message(),
			 "cannot open /dev/portalmem: Permission denied; join "
			 "its group (see ls -l) or run as root");
}
END_TEST

START_TEST(success_leaves_the_message_alone)
{
	char before[256];

	open_failing("/dev/portalmem", EACCES);
	ck_assert_uint_lt(strlen(portalmem_error_message()), sizeof(before));
	strcpy(before, portalmem_error_message());
	portalmem_buffer_unref(unit_alloc(PAGE));
	ck_assert_str_eq(portalmem_error_message(), before);
}
END_TEST

START_TEST(last_failure_counts)
{
	open_failing("/dev/portalmem", EACCES);
	open_failing("/dev/other", ENOENT);
	ck_assert_ptr_null(strstr(portalmem_error_message(), "portalmem"));
	unit_assert_message_has("/dev/other: No such file or directory");
}
END_TEST

START_TEST(message_is_one_line_whatever_the_path_holds)
{
	open_failing("/dev/a\nb\x1b[2J\x7f", ENOENT);
	unit_assert_message_has("/dev/a?b?[2J?:");
}
END_TEST

START_TEST(long_path_is_cut)
{
	size_t length = 100000;
	char *path = malloc(length + 1);

	ck_assert_ptr_nonnull(path);
	memset(path, 'x', length);
	memcpy(path, "/dev/", 5);
	path[length] = '\0';
	open_failing(path, ENAMETOOLONG);
	unit_assert_message_has("cannot open /dev/xxxx");
	ck_assert_uint_lt(strlen(portalmem_error_message()), 1024);
	free(path);
}
END_TEST

static const struct {
	int error;
	const char *advice;
} advices[] = {
	{EACCES, "run as root"},   {EPERM, "run as root"},
	{ENOENT, "give the path"}, {ENODEV, "give the path"},
	{ENXIO, "give the path"},  {EMFILE, "ulimit -n"},
	{ENFILE, "fs.file-max"},   {ENOMEM, "free memory"},
};

START_TEST(error_has_its_advice)
{
	open_failing("/dev/node", advices[_i].error);
	unit_assert_message_has(advices[_i].advice);
}
END_TEST

static void *look_and_fail(void *unused)
{
	struct portalmem_buffer *buffer;

	(void)unused;
	ck_assert_str_eq(portalmem_error_message(), "");
	ck_assert_int_eq(portalmem_buffer_import(NULL, -1, &buffer), -EBADF);
	unit_assert_message_has("file descriptor -1");
	return NULL;
}

START_TEST(each_thread_has_its_own_message)
{
	pthread_t thread;

	open_failing("/dev/portalmem", EACCES);
	ck_assert_int_eq(pthread_create(&thread, NULL, look_and_fail, NULL), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	unit_assert_message_has("/dev/portalmem");
}
END_TEST

static Suite *error_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("error", &tc);

	tcase_add_test(tc, nothing_failed_yet_is_an_empty_message);
	tcase_add_test(tc, message_names_call_node_reason_and_remedy);
	tcase_add_test(tc, success_leaves_the_message_alone);
	tcase_add_test(tc, last_failure_counts);
	tcase_add_test(tc, message_is_one_line_whatever_the_path_holds);
	tcase_add_test(tc, long_path_is_cut);
	tcase_add_loop_test(tc, error_has_its_advice, 0, COUNT(advices));
	tcase_add_test(tc, each_thread_has_its_own_message);
	return suite;
}

PMTEST_MAIN(error_suite)
