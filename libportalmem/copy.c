// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Copies between memory of the process and mappings that may not be cached.
 *
 * There, every load of its own goes out to the memory. The non-temporal loads
 * of SSE4.1 fetch a whole cache line of write-combined memory at a time, and
 * non-temporal stores fill one before it is written. Without them, whole words
 * at addresses that are their multiples are the next best. On cached memory
 * nothing beats memcpy().
 */
#include "config.h"

#include <string.h>

#include "private.h"

#define LINE 64

#if defined(__x86_64__) || defined(__i386__)

#include <immintrin.h>

#define VECTOR sizeof(__m128i)

__attribute__((target("sse4.1"))) static void
load_lines(unsigned char *to, const unsigned char *from, size_t lines)
{
	/* The loads may pass earlier ones of the same line. */
	_mm_mfence();
	for (; lines; lines--) {
		/* The intrinsic takes its source for something to write to. */
		__m128i *source = (__m128i *)(uintptr_t)from;
		__m128i a = _mm_stream_load_si128(source);
		__m128i b = _mm_stream_load_si128(source + 1);
		__m128i c = _mm_stream_load_si128(source + 2);
		__m128i d = _mm_stream_load_si128(source + 3);

		_mm_storeu_si128((__m128i *)(void *)to, a);
		_mm_storeu_si128((__m128i *)(void *)(to + VECTOR), b);
		_mm_storeu_si128((__m128i *)(void *)(to + 2 * VECTOR), c);
		_mm_storeu_si128((__m128i *)(void *)(to + 3 * VECTOR), d);
		to += LINE;
		from += LINE;
	}
}

__attribute__((target("sse2"))) static void
store_lines(unsigned char *to, const unsigned char *from, size_t lines)
{
	for (; lines; lines--) {
		const __m128i *source = (const void *)from;
		__m128i *target = (__m128i *)(void *)to;

		_mm_stream_si128(target, _mm_loadu_si128(source));
		_mm_stream_si128(target + 1, _mm_loadu_si128(source + 1));
		_mm_stream_si128(target + 2, _mm_loadu_si128(source + 2));
		_mm_stream_si128(target + 3, _mm_loadu_si128(source + 3));
		to += LINE;
		from += LINE;
	}
	_mm_sfence();
}

static bool can_load_lines(void)
{
	return __builtin_cpu_supports("sse4.1");
}

static bool can_store_lines(void)
{
	return __builtin_cpu_supports("sse2");
}

#else

static void load_lines(unsigned char *to, const unsigned char *from,
		       size_t lines)
{
	for (; lines; lines--) {
		const uint64_t *words = (const void *)from;
		uint64_t line[LINE / sizeof(uint64_t)];

		for (size_t i = 0; i < PM_ARRAY_SIZE(line); i++)
			line[i] = words[i];
		memcpy(to, line, LINE);
		to += LINE;
		from += LINE;
	}
}

static void store_lines(unsigned char *to, const unsigned char *from,
			size_t lines)
{
	for (; lines; lines--) {
		uint64_t *words = (void *)to;
		uint64_t line[LINE / sizeof(uint64_t)];

		memcpy(line, from, LINE);
		for (size_t i = 0; i < PM_ARRAY_SIZE(line); i++)
			words[i] = line[i];
		to += LINE;
		from += LINE;
	}
}

static bool can_load_lines(void)
{
	return true;
}

static bool can_store_lines(void)
{
	return true;
}

#endif

/*
 * Line by line at multiples of a line of UNCACHED, which is TO or FROM, and the
 * rest of both ends by memcpy().
 */
static void copy_lines(unsigned char *to, const unsigned char *from,
		       size_t length, const void *uncached,
		       void (*lines)(unsigned char *, const unsigned char *,
				     size_t))
{
	size_t head = -(uintptr_t)uncached % LINE, whole;

	if (head > length)
		head = length;
	memcpy(to, from, head);
	whole = (length - head) / LINE;
	lines(to + head, from + head, whole);
	head += whole * LINE;
	memcpy(to + head, from + head, length - head);
}

void pm_copy_from(void *to, const void *from, size_t length,
		  enum portalmem_caching caching)
{
	/* Of memory that is cached after all they are loads like others. */
	if (caching == PORTALMEM_CACHING_CACHED || !can_load_lines())
		memcpy(to, from, length);
	else
		copy_lines(to, from, length, from, load_lines);
}

void pm_copy_to(void *to, const void *from, size_t length,
		enum portalmem_caching caching)
{
	/* What may be cached is not to be thrown out of the caches. */
	if (caching == PORTALMEM_CACHING_CACHED ||
	    caching == PORTALMEM_CACHING_UNKNOWN || !can_store_lines())
		memcpy(to, from, length);
	else
		copy_lines(to, from, length, to, store_lines);
}
