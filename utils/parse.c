// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "report.h"

/* Fraction digits of a size: 10^6 times the largest unit fits 64 bits. */
#define FRACTION_DIGITS_MAX 6

/* In milliseconds they fit what poll(2) takes. */
#define SECONDS_MAX (INT32_MAX / 1000)

static const char size_units[] = "KMGT";

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Read decimal digits; false when there is none or the value overflows. */
static bool take_digits(const char **textp, uint64_t *valuep)
{
	const char *text = *textp;
	uint64_t value = 0;

	if (!is_digit(*text))
		return false;
	for (; is_digit(*text); text++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'),
					   &value))
			return false;
	}
	*textp = text;
	*valuep = value;
	return true;
}

/* Read the unit that ends a size, as a power of two; negative: unreadable. */
static int take_unit(const char *text)
{
	char upper = *text >= 'a' && *text <= 'z' ? *text - ('a' - 'A') : *text;
	const char *unit;

	if (!upper)
		return 0;
	unit = strchr(size_units, upper);
	if (!unit || (text[1] && strcmp(text + 1, "iB") != 0))
		return -1;
	return 10 * (int)(unit - size_units + 1);
}

/* Read ".5" as 5 of 10; nothing reads as 0 of 1. */
static bool take_fraction(const char **textp, uint64_t *partp, uint64_t *ofp)
{
	const char *digits = *textp + 1;
	const char *end = digits;

	*partp = 0;
	*ofp = 1;
	if (**textp != '.')
		return true;
	if (!take_digits(&end, partp) || end - digits > FRACTION_DIGITS_MAX)
		return false;
	*textp = end;
	for (; digits < end; digits++)
		*ofp *= 10;
	return true;
}

static void misused_size(const char *what, const char *text)
	__attribute__((noreturn));

static void misused_size(const char *what, const char *text)
{
	misused("%s: '%s' is not a size; write it like 4096, 16K, 1.5G or "
		"16MiB",
		what, text);
}

uint64_t parse_size(const char *what, const char *text)
{
	const char *rest = text;
	uint64_t whole, part, of, size;
	int shift;

	if (!is_digit(*text))
		misused_size(what, text);
	if (!take_digits(&rest, &whole))
		misused("%s: '%s' is too large", what, text);
	if (!take_fraction(&rest, &part, &of))
		misused_size(what, text);
	shift = take_unit(rest);
	if (shift < 0)
		misused_size(what, text);
	part <<= shift;
	if (part % of)
		misused("%s: '%s' is not a whole number of bytes", what, text);
	if (__builtin_mul_overflow(whole, UINT64_C(1) << shift, &size) ||
	    __builtin_add_overflow(size, part / of, &size))
		misused("%s: '%s' is too large", what, text);
	return size;
}

uint64_t parse_nonzero_size(const char *what, const char *text)
{
	uint64_t size = parse_size(what, text);

	if (size == 0)
		misused("%s: it must be at least one byte", what);
	return size;
}

uint64_t parse_number(const char *what, const char *text, uint64_t maximum)
{
	bool hex = strncmp(text, "0x", 2) == 0;
	const char *digits = hex ? text + 2 : text;
	size_t length =
		strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");
	uint64_t number;

	if (length == 0 || digits[length])
		misused("%s: '%s' is not a number from 0 to %" PRIu64, what,
			text, maximum);
	errno = 0;
	number = strtoull(digits, NULL, hex ? 16 : 10);
	if (errno || number > maximum)
		misused("%s: '%s' is too large; the most is %" PRIu64, what,
			text, maximum);
	return number;
}

bool read_seconds(const char *text, int64_t *msp)
{
	uint64_t whole, part, of;

	if (!take_digits(&text, &whole) || !take_fraction(&text, &part, &of) ||
	    *text || whole > SECONDS_MAX)
		return false;
	*msp = (int64_t)(whole * 1000 + part * 1000 / of);
	return true;
}

int64_t parse_seconds(const char *what, const char *text)
{
	int64_t ms;

	if (!read_seconds(text, &ms))
		misused("%s: '%s' is not a time in seconds from 0 to %d", what,
			text, SECONDS_MAX);
	return ms;
}

unsigned int parse_mode(const char *what, const char *text)
{
	size_t length = strspn(text, "01234567");
	unsigned long mode = strtoul(text, NULL, 8);

	if (length == 0 || text[length] || mode > 0777)
		misused("%s: '%s' is not an octal mode from 0 to 777", what,
			text);
	return (unsigned int)mode;
}

enum portalmem_caching parse_caching(const char *what, const char *text)
{
	enum portalmem_caching caching;

	for (caching = PORTALMEM_CACHING_DEFAULT;
	     caching <= PORTALMEM_CACHING_UC; caching++) {
		if (strcmp(text, portalmem_caching_name(caching)) == 0)
			return caching;
	}
	misused("%s: '%s' is not a caching mode; use default, cached, wc or uc",
		what, text);
}

enum portalmem_backend parse_backend(const char *what, const char *text)
{
	enum portalmem_backend backend;

	for (backend = PORTALMEM_BACKEND_ANY;
	     backend <= PORTALMEM_BACKEND_MEMFD; backend++) {
		if (strcmp(text, portalmem_backend_name(backend)) == 0)
			return backend;
	}
	misused("%s: '%s' is not a backend; use portalmem, dma-heap, udmabuf, "
		"memfd or any",
		what, text);
}

void format_size(char *text, uint64_t size)
{
	char unit[2] = "";
	size_t i;

	for (i = 0; size_units[i] && size && size % 1024 == 0; i++) {
		size /= 1024;
		unit[0] = size_units[i];
	}
	snprintf(text, SIZE_TEXT_ROOM, "%" PRIu64 "%s", size, unit);
}

void format_size_short(char *text, uint64_t size)
{
	uint64_t part = 0;
	char unit[2] = "";
	size_t i;

	for (i = 0; size_units[i] && size >= 1024; i++) {
		part = size % 1024 * 10 / 1024;
		size /= 1024;
		unit[0] = size_units[i];
	}
	if (part)
		snprintf(text, SIZE_TEXT_ROOM, "%" PRIu64 ".%" PRIu64 "%s",
			 size, part, unit);
	else
		snprintf(text, SIZE_TEXT_ROOM, "%" PRIu64 "%s", size, unit);
}

void describe_size(char *text, uint64_t size)
{
	char units[SIZE_TEXT_ROOM];

	format_size_short(units, size);
	if (size < 1024)
		snprintf(text, SIZE_PHRASE_ROOM, "%" PRIu64 " bytes", size);
	else
		snprintf(text, SIZE_PHRASE_ROOM, "%" PRIu64 " bytes (%s)", size,
			 units);
}
