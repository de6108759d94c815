// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A machine without a page attribute table has no write combining. Such buffers
 * are uncached there, the page tables say so, and everybody is told.
 */
#include <config.h>

#include <errno.h>
#include <portalmem.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest.h"
#include "memtype.h"

/* What each mode is here. */
static const struct {
	uint32_t caching;
	uint32_t effective;
} modes[] = {
	{PORTALMEM_CACHED, PORTALMEM_CACHED},
	{PORTALMEM_WC, PORTALMEM_UC},
	{PORTALMEM_UC, PORTALMEM_UC},
};

/* Is TEXT on a line of STREAM? */
static int says(FILE *stream, const char *text)
{
	char line[512];
	int found = 0;

	ck_assert_msg(stream != NULL, "%s", strerror(errno));
	while (fgets(line, sizeof(line), stream))
		found |= strstr(line, text) != NULL;
	return found;
}

static int file_says(const char *path, const char *text)
{
	FILE *file = fopen(path, "r");
	int found = says(file, text);

	fclose(file);
	return found;
}

static int command_says(const char *command, const char *text)
{
	FILE *output = popen(command, "r");
	int found = says(output, text);

	ck_assert_int_eq(pclose(output), 0);
	return found;
}

START_TEST(machine_has_no_write_combining)
{
	ck_assert(file_says("/proc/cmdline", " nopat"));
	/* A range register could make uncached memory write-combined. */
	ck_assert(file_says("/proc/mtrr", "uncachable"));
	ck_assert(!file_says("/proc/mtrr", "write-combining"));
}
END_TEST

START_TEST(version_has_no_write_combining)
{
	struct portalmem_ioc_version version;
	int node = guest_open(GUEST_NODE);

	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_VERSION, &version), 0);
	ck_assert_uint_eq(version.features & PORTALMEM_FEATURE_WC, 0);
	ck_assert_uint_ne(version.features & PORTALMEM_FEATURE_PINNABLE, 0);
}
END_TEST

START_TEST(alloc_and_info_tell_what_was_asked_for_and_what_it_is)
{
	struct portalmem_ioc_alloc request =
		guest_request(8192, modes[_i].caching);
	struct portalmem_ioc_info info;
	int node = guest_open(GUEST_NODE);

	ck_assert_int_eq(ioctl(node, PORTALMEM_IOC_ALLOC, &request), 0);
	ck_assert_uint_eq(request.caching, modes[_i].caching);
	ck_assert_uint_eq(request.effective, modes[_i].effective);
	info = guest_info(request.fd);
	ck_assert_uint_eq(info.caching, modes[_i].caching);
	ck_assert_uint_eq(info.effective, modes[_i].effective);
}
END_TEST

START_TEST(library_tells_both)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct portalmem_device *device;
	struct portalmem_buffer *buffer;

	options.caching = PORTALMEM_CACHING_WC;
	ck_assert_int_eq(portalmem_device_open(
				 NULL, PORTALMEM_BACKEND_PORTALMEM, &device),
			 0);
	ck_assert_int_eq(
		portalmem_buffer_alloc(device, 4096, &options, &buffer), 0);
	ck_assert_int_eq(portalmem_buffer_get_caching(buffer),
			 PORTALMEM_CACHING_UC);
	ck_assert_int_eq(portalmem_buffer_get_info(buffer, &info), 0);
	ck_assert_int_eq(info.caching, PORTALMEM_CACHING_WC);
	ck_assert_int_eq(info.effective, PORTALMEM_CACHING_UC);
	portalmem_buffer_unref(buffer);
	portalmem_device_unref(device);
}
END_TEST

START_TEST(command_tells_both)
{
	static const char info[] =
		"portalmem alloc -s 4K -c wc -- portalmem --json info";

	ck_assert(command_says(info, "\"caching\": \"wc\""));
	ck_assert(command_says(info, "\"effective\": \"uc\""));
	/* Of the modes that can be had it lists the others. */
	ck_assert(command_says("portalmem heaps | grep '^/dev/portalmem '",
			       " cached,uc "));
	ck_assert(command_says("portalmem doctor", "boot without nopat"));
}
END_TEST

static Suite *suite(void)
{
	Suite *suite = suite_create("nopat");
	TCase *tcase = guest_tcase("nopat");

	tcase_add_test(tcase, machine_has_no_write_combining);
	tcase_add_test(tcase, version_has_no_write_combining);
	tcase_add_loop_test(
		tcase, alloc_and_info_tell_what_was_asked_for_and_what_it_is, 0,
		sizeof(modes) / sizeof(modes[0]));
	tcase_add_test(tcase, library_tells_both);
	tcase_add_test(tcase, command_tells_both);
	suite_add_tcase(suite, tcase);
	return suite;
}

PMTEST_MAIN(suite, memtype_suite)
