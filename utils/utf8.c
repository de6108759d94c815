// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <stdbool.h>

#include "utf8.h"

/* Length of the UTF-8 sequence that FIRST announces; 0: none starts so. */
static size_t utf8_length(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	if (first >= 0xf0 && first <= 0xf4)
		return 4;
	return 0;
}

/* Overlong forms, surrogates and values past U+10FFFF show in byte two. */
static bool utf8_second_allowed(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second <= 0x9f;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second <= 0x8f;
	default:
		return true;
	}
}

size_t utf8_sequence(const char *sequence)
{
	const unsigned char *text = (const unsigned char *)sequence;
	size_t length = utf8_length(text[0]);
	size_t i;

	for (i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	}
	if (length > 1 && !utf8_second_allowed(text[0], text[1]))
		return 0;
	return length;
}

uint32_t utf8_decode(const char *sequence, size_t length)
{
	static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	const unsigned char *text = (const unsigned char *)sequence;
	uint32_t character = text[0] & first_bits[length];

	for (size_t i = 1; i < length; i++)
		character = character << 6 | (text[i] & 0x3f);
	return character;
}
