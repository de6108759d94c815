// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "parse.h"
#include "text.h"
#include "utf8.h"

#define CUT_MARK '+'

/* One character or, of bytes that are none, one byte: how it is written. */
struct piece {
	const char *bytes;
	size_t length;
	unsigned int columns;
	size_t taken; /* bytes of the text that it stands for */
	char escaped[sizeof("\\x00")];
};

static void take_piece(struct piece *piece, const char *text)
{
	size_t length = utf8_sequence(text);
	int columns = -1;

	/* ASCII is the same in every locale. */
	if (length == 1)
		columns = *text >= 0x20 && *text != 0x7f ? 1 : -1;
	else if (length > 1)
		columns = wcwidth((wchar_t)utf8_decode(text, length));
	if (columns > 0) {
		piece->bytes = text;
		piece->length = piece->taken = length;
		piece->columns = (unsigned int)columns;
		return;
	}
	/* A character that has no width is as bad as one that cannot be seen:
	 * some of them reverse what comes after them. */
	snprintf(piece->escaped, sizeof(piece->escaped), "\\x%02x",
		 (unsigned int)(unsigned char)*text);
	piece->bytes = piece->escaped;
	piece->length = piece->columns = 4;
	piece->taken = 1;
}

unsigned int text_fit(char *copy, const char *text, unsigned int columns)
{
	/* Where the mark of a cut would go. */
	size_t used = 0, cut_at = 0;
	unsigned int width = 0, cut_width = 0;
	struct piece piece;

	while (*text) {
		take_piece(&piece, text);
		if (width + piece.columns > columns) {
			used = cut_at;
			width = cut_width;
			if (columns) {
				copy[used++] = CUT_MARK;
				width++;
			}
			break;
		}
		memcpy(copy + used, piece.bytes, piece.length);
		used += piece.length;
		width += piece.columns;
		text += piece.taken;
		if (width < columns) {
			cut_at = used;
			cut_width = width;
		}
	}
	copy[used] = '\0';
	return width;
}

void format_growth(char *text, int64_t growth)
{
	uint64_t size = growth < 0 ? -(uint64_t)growth : (uint64_t)growth;

	if (growth)
		*text++ = growth < 0 ? '-' : '+';
	format_size_short(text, size);
}

void format_rate(char *text, uint64_t thousandths)
{
	snprintf(text, NUMBER_TEXT_ROOM, "%" PRIu64 ".%" PRIu64,
		 thousandths / 1000, thousandths % 1000 / 100);
}

void format_age(char *text, int64_t ms)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}, {'s', 1}};
	int64_t seconds = ms / 1000;
	size_t i = 0;

	while (units[i].seconds > 1 && seconds < units[i].seconds)
		i++;
	snprintf(text, NUMBER_TEXT_ROOM, "%" PRId64 "%c",
		 seconds / units[i].seconds, units[i].unit);
}
