/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the library's unit tests share. */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <errno.h>
#include <linux/portalmem.h>
#include <linux/sync_file.h>
#include <stdbool.h>
#include <stdint.h>

#include "mock.h"
#include "pmtest.h"
#include "portalmem.h"

#define PAGE ((uint64_t)4096)
#define HUGE ((uint64_t)2 << 20)

/*
 * A suite with one test case. Every test in it starts without the environment
 * variable PORTALMEM_BACKEND, and fails when calls that the mock expects did
 * not come or when it leaves other file descriptors open than it found.
 */
Suite *unit_suite(const char *name, TCase **tcase);

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* Every valid set of a sync's flags and what the kernel must see of it. */
#define UNIT_SYNC_FLAGS 6

extern const struct unit_sync_flags {
	unsigned int flags;
	uint32_t uapi;
} unit_sync_flags[UNIT_SYNC_FLAGS];

/*
 * The backend that the tests run on which hold for all of them: the one that
 * the environment variable UNIT_BACKEND names, which has to be there, or memfd.
 */
enum portalmem_backend unit_backend(void);
struct portalmem_device *unit_open_device(void);
struct portalmem_device *unit_open_memfd(void);

/* One buffer of such a device that is given back to the buffer alone. */
struct portalmem_buffer *unit_alloc(uint64_t size);
struct portalmem_buffer *unit_alloc_memfd(uint64_t size);

/* A portalmem node, opened with the mock. */
struct portalmem_device *unit_open_portalmem(void);

/* A DMA heap's node that is not portalmem's. */
struct portalmem_device *unit_open_heap(const char *path);

/* A buffer of four pages that a portalmem node knows, its own device's. */
struct portalmem_buffer *unit_import_known(void);

/* A buffer of a foreign dma-buf, without a device. */
struct portalmem_buffer *unit_import_dmabuf(uint64_t size);

/* What the kernel is asked of a file that may be a sync_file. */
extern const struct sync_file_info unit_fence_info;
#define UNIT_FENCE_INFO(errnum)                                             \
	{                                                                   \
		.request = SYNC_IOC_FILE_INFO, .on = MOCK_FENCE,            \
		.in = &unit_fence_info, .in_size = sizeof(unit_fence_info), \
		.error = (errnum),                                          \
	}

/* Leave room for COUNT more file descriptors, or with -1 undo that. */
void unit_limit_fds(int count);

/*
 * Does what a test lets run out run out? Not where a tool has a malloc() of its
 * own or descriptors of its own, which tests/tools/sanitize says.
 */
bool unit_can_run_out(void);

/* Are there pidfds? Not under a valgrind that does not know them. */
bool unit_has_pidfds(void);

#define unit_add_shortage_test(tcase, test)              \
	do {                                             \
		if (unit_can_run_out())                  \
			tcase_add_test((tcase), (test)); \
	} while (0)

#define unit_add_shortage_loop_test(tcase, test, start, end)                  \
	do {                                                                  \
		if (unit_can_run_out())                                       \
			tcase_add_loop_test((tcase), (test), (start), (end)); \
	} while (0)

/* The sync of ranges of a buffer that a portalmem node is asked for. */
struct mock_call unit_node_sync(const struct portalmem_ioc_sync *in,
				const struct portalmem_range *ranges,
				int error);

/* Is anything mapped at the address? */
int unit_is_mapped(const void *address);

/* The call failed so, and left a text of one line about it. */
#define unit_assert_fails(call, error)                                 \
	do {                                                           \
		ck_assert_int_eq((call), -(error));                    \
		ck_assert_ptr_null(                                    \
			strpbrk(portalmem_error_message(), "\n\r\t")); \
		ck_assert_str_ne(portalmem_error_message(), "");       \
	} while (0)

#define unit_assert_message_has(text)                                    \
	ck_assert_msg(strstr(portalmem_error_message(), (text)) != NULL, \
		      "'%s' is not in '%s'", (text),                     \
		      portalmem_error_message())

#endif
