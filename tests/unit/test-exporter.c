// SPDX-License-Identifier: GPL-2.0-or-later
/* Whose buffer it is, of buffers from everywhere. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

START_TEST(memfd_has_no_exporter)
{
	struct portalmem_buffer *buffer = unit_alloc_memfd(PAGE);
	struct portalmem_buffer *imported;

	ck_assert_int_eq(portalmem_buffer_get_exporter(buffer),
			 PORTALMEM_EXPORTER_MEMFD);
	ck_assert_int_eq(
		portalmem_buffer_import(NULL, portalmem_buffer_get_fd(buffer),
					&imported),
		0);
	ck_assert_int_eq(portalmem_buffer_get_exporter(imported),
			 PORTALMEM_EXPORTER_MEMFD);
	portalmem_buffer_unref(imported);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(buffer_that_the_node_knows_is_the_module_s)
{
	struct portalmem_buffer *buffer = unit_import_known();

	ck_assert_int_eq(portalmem_buffer_get_exporter(buffer),
			 PORTALMEM_EXPORTER_PORTALMEM);
	portalmem_buffer_unref(buffer);
}
END_TEST

static const struct {
	const char *fdinfo;
	enum portalmem_exporter exporter;
} foreign[] = {
	{NULL, PORTALMEM_EXPORTER_UNKNOWN},
	{"", PORTALMEM_EXPORTER_UNKNOWN},
	{"exp_name:\t\n", PORTALMEM_EXPORTER_UNKNOWN},
	{"size:\t4096\nexp_name:\tportalmem\n", PORTALMEM_EXPORTER_PORTALMEM},
	{"size:\t4096\nexp_name:\tudmabuf\n", PORTALMEM_EXPORTER_UDMABUF},
	{"exp_name:\tsystem\nname:\tudmabuf\n", PORTALMEM_EXPORTER_DMA_HEAP},
	{"exp_name:\treserved\n", PORTALMEM_EXPORTER_DMA_HEAP},
	{"exp_name:\tlinux,cma\n", PORTALMEM_EXPORTER_DMA_HEAP},
	{"exp_name:\tdefault_cma_region\n", PORTALMEM_EXPORTER_DMA_HEAP},
	{"exp_name:\tdrm\n", PORTALMEM_EXPORTER_DRM},
	{"exp_name:\ti915\n", PORTALMEM_EXPORTER_DRM},
	{"exp_name:\tvideobuf2_vmalloc\n", PORTALMEM_EXPORTER_V4L2},
	{"exp_name:\tvideobuf2_dma_contig\n", PORTALMEM_EXPORTER_V4L2},
	{"exp_name:\tno-such-driver\n", PORTALMEM_EXPORTER_OTHER},
	/* Whatever its owner calls it. */
	{"exp_name:\tno-such-driver\nname:\texp_name:\tudmabuf\n",
	 PORTALMEM_EXPORTER_OTHER},
	{"exp_name:\tudmabuf2\n", PORTALMEM_EXPORTER_OTHER},
	{"exp_name:\t../null\n", PORTALMEM_EXPORTER_OTHER},
	{"exp_name:\t.\n", PORTALMEM_EXPORTER_OTHER},
	{"exp_name:\ta-name-longer-than-any-heap-may-ever-be-called\n",
	 PORTALMEM_EXPORTER_OTHER},
};

START_TEST(foreign_dmabuf_is_known_by_its_exporter_s_name)
{
	struct portalmem_buffer *buffer = unit_import_dmabuf(PAGE);

	mock_set_fdinfo(foreign[_i].fdinfo);
	ck_assert_int_eq(portalmem_buffer_get_exporter(buffer),
			 foreign[_i].exporter);
	portalmem_buffer_unref(buffer);
}
END_TEST

START_TEST(null_is_unknown)
{
	ck_assert_int_eq(portalmem_buffer_get_exporter(NULL),
			 PORTALMEM_EXPORTER_UNKNOWN);
}
END_TEST

START_TEST(every_exporter_has_a_name)
{
	static const char *const names[] = {"unknown", "portalmem", "dma-heap",
					    "udmabuf", "memfd",	    "drm",
					    "v4l2",    "other"};

	for (int i = 0; i < COUNT(names); i++)
		ck_assert_str_eq(
			portalmem_exporter_name((enum portalmem_exporter)i),
			names[i]);
	ck_assert_str_eq(portalmem_exporter_name((enum portalmem_exporter) - 1),
			 "unknown");
	ck_assert_str_eq(portalmem_exporter_name((enum portalmem_exporter)99),
			 "unknown");
}
END_TEST

static Suite *exporter_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("exporter", &tc);

	tcase_add_test(tc, memfd_has_no_exporter);
	tcase_add_test(tc, buffer_that_the_node_knows_is_the_module_s);
	tcase_add_loop_test(tc, foreign_dmabuf_is_known_by_its_exporter_s_name,
			    0, COUNT(foreign));
	tcase_add_test(tc, null_is_unknown);
	tcase_add_test(tc, every_exporter_has_a_name);
	return suite;
}

PMTEST_MAIN(exporter_suite)
