// SPDX-License-Identifier: GPL-2.0-or-later
/* What the library says when a node of the module refuses an allocation. */
#include "config.h"

#include <fcntl.h>
#include <linux/portalmem.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"

#define MIB ((uint64_t)1 << 20)
#define ANY_CACHING \
	(1U << PORTALMEM_CACHED | 1U << PORTALMEM_WC | 1U << PORTALMEM_UC)
#define CACHED_ONLY (1U << PORTALMEM_CACHED)
#define REGION (PORTALMEM_HEAP_CONTIGUOUS | PORTALMEM_HEAP_REGION)
#define PARAMETER(name) "(/sys/module/portalmem/parameters/" name ")"

/* 256 MiB are asked for each time; ALLOC is what else is. */
#define WANTED (256 * MIB)

static const struct {
	struct portalmem_ioc_alloc alloc;
	int error;
	struct portalmem_ioc_heap heap;
	const char *text; /* after the reason */
} refusals[] = {
	{.error = ENOMEM,
	 .heap = {.features = PORTALMEM_HEAP_CONTIGUOUS,
		  .largest = 120 * MIB,
		  .available = 512 * MIB},
	 .text = "256 MiB in one piece cannot be had: the longest run now is "
		 "120 MiB; ask for less, free memory, or reserve a region at "
		 "boot"},
	{.error = ENOMEM,
	 .heap = {.features = REGION, .largest = 4096 * 3, .size = WANTED},
	 .text = "256 MiB in one piece cannot be had: the longest run now is "
		 "12 KiB; ask for less, free buffers, or reserve a larger "
		 "region at boot"},
	{.error = ENOMEM,
	 .heap = {.features = REGION, .size = WANTED},
	 .text = "256 MiB in one piece cannot be had: the longest run now is "
		 "0 bytes; ask for less, free buffers, or reserve a larger "
		 "region at boot"},
	{.alloc = {.alignment = HUGE},
	 .error = ENOMEM,
	 .heap = {.features = REGION, .largest = WANTED, .size = WANTED},
	 .text = "the longest run now is 256 MiB, but none lies as it was "
		 "asked for; ask for another alignment or place, or free "
		 "buffers"},
	{.alloc = {.address_bits = 32},
	 .error = ENOMEM,
	 .heap = {.features = PORTALMEM_HEAP_CONTIGUOUS, .largest = 300 * MIB},
	 .text = "the longest run now is 300 MiB, but none lies as it was "
		 "asked for; ask for another alignment or place, or free "
		 "memory"},
	{.alloc = {.flags = PORTALMEM_ALLOC_NODE, .node = 1},
	 .error = ENOMEM,
	 .heap = {.features = PORTALMEM_HEAP_CONTIGUOUS, .largest = WANTED},
	 .text = "the longest run now is 256 MiB, but none lies as it was "
		 "asked for; ask for another alignment or place, or free "
		 "memory"},
	/* It was there again by the time of the question. */
	{.error = ENOMEM,
	 .heap = {.features = PORTALMEM_HEAP_CONTIGUOUS, .largest = WANTED},
	 .text = "ask for less or free memory"},
	/* Scattered buffers need no run. */
	{.error = ENOMEM,
	 .heap = {.largest = 4096},
	 .text = "ask for less or free memory"},

	{.error = EDQUOT,
	 .heap = {.limit = 512 * MIB, .used = 300 * MIB, .user_used = MIB},
	 .text = "all users together may hold 512 MiB, and hold 300 MiB; free "
		 "buffers or raise the limit " PARAMETER("limit_mb")},
	{.error = EDQUOT,
	 .heap = {.user_limit = 512 * MIB, .user_used = 257 * MIB},
	 .text = "this user may hold 512 MiB, and holds 257 MiB; free buffers "
		 "or raise the limit " PARAMETER("user_limit_mb")},
	{.error = EDQUOT,
	 .heap = {.features = PORTALMEM_HEAP_CONTIGUOUS,
		  .limit = 512 * MIB,
		  .used = 512 * MIB},
	 .text = "all users together may hold 512 MiB, and hold 512 MiB; free "
		 "buffers or raise the limit " PARAMETER(
			 "contiguous_limit_mb")},
	{.error = EDQUOT,
	 .heap = {.features = PORTALMEM_HEAP_CONTIGUOUS,
		  .limit = 512 * MIB,
		  .used = 256 * MIB,
		  .user_limit = 255 * MIB},
	 .text = "this user may hold 255 MiB, and holds 0 bytes; free buffers "
		 "or raise the limit " PARAMETER("contiguous_user_limit_mb")},
	/* Somebody who is exempt from the user's meets the other one. */
	{.error = EDQUOT,
	 .heap = {.limit = 512 * MIB,
		  .used = 513 * MIB,
		  .user_limit = MIB,
		  .user_used = 513 * MIB},
	 .text = "all users together may hold 512 MiB, and hold 513 MiB; free "
		 "buffers or raise the limit " PARAMETER("limit_mb")},
	/* Something was freed by the time of the question. */
	{.error = EDQUOT,
	 .heap = {.limit = WANTED, .user_limit = WANTED},
	 .text = "try again, free buffers, or raise the limits " PARAMETER(
		 "*limit_mb")},

	{.alloc = {.flags = PORTALMEM_ALLOC_ADOPT},
	 .error = EOPNOTSUPP,
	 .heap = {.cachings = ANY_CACHING, .name = "system"},
	 .text = "only a reserved region has contents to adopt, and the heap "
		 "'system' is none; give the node of one"},
	{.alloc = {.caching = PORTALMEM_WC},
	 .error = EOPNOTSUPP,
	 .heap = {.cachings = CACHED_ONLY, .name = "sram"},
	 .text = "the heap 'sram' has no wc buffers; ask for its default "
		 "caching"},
	{.alloc = {.alignment = HUGE},
	 .error = EOPNOTSUPP,
	 .heap = {.cachings = ANY_CACHING, .name = "system"},
	 .text = "buffers of the heap 'system' are scattered; align those of "
		 "portalmem-contiguous or of a reserved region"},
	{.alloc = {.address_bits = 20},
	 .error = EOPNOTSUPP,
	 .heap = {.cachings = ANY_CACHING, .features = REGION, .name = "cam"},
	 .text = "the region 'cam' does not lie there; leave node and address "
		 "limit out, or reserve one that does"},

	{.alloc = {.flags = PORTALMEM_ALLOC_ADOPT, .region_offset = 4096},
	 .error = EINVAL,
	 .heap = {.features = REGION, .size = WANTED, .name = "cam"},
	 .text = "the region 'cam' has 256 MiB; adopt a part that is within "
		 "them"},
};

static struct portalmem_ioc_alloc request_for(struct portalmem_ioc_alloc alloc)
{
	alloc.size = WANTED;
	alloc.fd_flags = O_RDWR | O_CLOEXEC;
	return alloc;
}

/* Ask a node for ALLOC: it makes these CALLS, and fails with ERROR. */
static void assert_refused(const struct portalmem_ioc_alloc *alloc, int error,
			   const struct mock_call *calls, size_t count)
{
	struct portalmem_alloc_options options = PORTALMEM_ALLOC_OPTIONS_INIT;
	struct portalmem_device *device = unit_open_portalmem();
	struct portalmem_buffer *buffer;

	options.caching = (enum portalmem_caching)alloc->caching;
	options.address_bits = alloc->address_bits;
	options.alignment = alloc->alignment;
	options.region_offset = alloc->region_offset;
	options.adopt = !!(alloc->flags & PORTALMEM_ALLOC_ADOPT);
	if (alloc->flags & PORTALMEM_ALLOC_NODE)
		options.node = (int)alloc->node;
	mock_expect(calls, count);
	unit_assert_fails(
		portalmem_buffer_alloc(device, WANTED, &options, &buffer),
		error);
	mock_assert_done();
	portalmem_device_unref(device);
}

/* "TEXT: REASON; ADVICE", or without the last. */
static void assert_message_ends(int error, const char *advice)
{
	char end[512];
	const char *message = portalmem_error_message();

	snprintf(end, sizeof(end), " from /dev/portalmem: %s%s%s",
		 strerror(error), advice ? "; " : "", advice ? advice : "");
	ck_assert_uint_ge(strlen(message), strlen(end));
	ck_assert_str_eq(message + strlen(message) - strlen(end), end);
}

#define ALLOC(wanted, errnum)                                                  \
	{                                                                      \
		.request = PORTALMEM_IOC_ALLOC, .on = MOCK_NODE,               \
		.in = &(wanted), .in_size = sizeof(wanted), .error = (errnum), \
	}
#define HEAP(reply, errnum)                                                  \
	{                                                                    \
		.request = PORTALMEM_IOC_HEAP, .on = MOCK_NODE,              \
		.in = &heap_in, .in_size = sizeof(heap_in), .out = &(reply), \
		.error = (errnum),                                           \
	}

static const struct portalmem_ioc_heap heap_in;

START_TEST(heap_says_why_it_refuses)
{
	const struct portalmem_ioc_alloc alloc =
		request_for(refusals[_i].alloc);
	const struct mock_call calls[] = {
		ALLOC(alloc, refusals[_i].error),
		HEAP(refusals[_i].heap, 0),
	};

	assert_refused(&alloc, refusals[_i].error, calls, COUNT(calls));
	unit_assert_message_has("268435456 bytes");
	assert_message_ends(refusals[_i].error, refusals[_i].text);
}
END_TEST

/* A module that is older than the question, and reasons that need none. */
static const struct {
	struct portalmem_ioc_alloc alloc;
	int error;
	bool asks;
	const char *text;
} bare[] = {
	{.error = ENOMEM, .asks = true, .text = "ask for less or free memory"},
	{.error = EDQUOT, .asks = true},
	{.error = EOPNOTSUPP, .asks = true},
	{.alloc = {.flags = PORTALMEM_ALLOC_ADOPT},
	 .error = EINVAL,
	 .asks = true},
	{.error = EINVAL},
	{.alloc = {.flags = PORTALMEM_ALLOC_ADOPT},
	 .error = EBUSY,
	 .text = "a live buffer holds some of it; free that first"},
	{.alloc = {.flags = PORTALMEM_ALLOC_ADOPT},
	 .error = EPERM,
	 .text = "to adopt takes CAP_SYS_RAWIO; run as root"},
};

START_TEST(what_the_heap_does_not_say_is_left_out)
{
	const struct portalmem_ioc_alloc alloc = request_for(bare[_i].alloc);
	const struct mock_call calls[] = {
		ALLOC(alloc, bare[_i].error),
		HEAP(heap_in, ENOTTY),
	};

	assert_refused(&alloc, bare[_i].error, calls, bare[_i].asks ? 2 : 1);
	assert_message_ends(bare[_i].error, bare[_i].text);
}
END_TEST

/* Nothing about a region is said of a heap that is none. */
START_TEST(adoption_that_is_invalid_elsewhere_is_left_alone)
{
	static const struct portalmem_ioc_heap scattered = {.name = "system"};
	const struct portalmem_ioc_alloc alloc = request_for(
		(struct portalmem_ioc_alloc){.flags = PORTALMEM_ALLOC_ADOPT});
	const struct mock_call calls[] = {
		ALLOC(alloc, EINVAL),
		HEAP(scattered, 0),
	};

	assert_refused(&alloc, EINVAL, calls, COUNT(calls));
	assert_message_ends(EINVAL, NULL);
}
END_TEST

static Suite *explain_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("explain", &tc);

	tcase_add_loop_test(tc, heap_says_why_it_refuses, 0, COUNT(refusals));
	tcase_add_loop_test(tc, what_the_heap_does_not_say_is_left_out, 0,
			    COUNT(bare));
	tcase_add_test(tc, adoption_that_is_invalid_elsewhere_is_left_alone);
	return suite;
}

PMTEST_MAIN(explain_suite)
