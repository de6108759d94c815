// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Text that somebody else chose, as it is written: on a terminal, in columns,
 * in JSON. Whatever it is, it is UTF-8 then, drives nothing and fits.
 *
 * Input: room, then the text.
 */
#include "command.h"

#include <locale.h>
#include <string.h>

#include "fuzz.h"
#include "json.h"
#include "report.h"
#include "text.h"
#include "utf8.h"

#define TEXT_MOST 1024

static void check_escaped(const char *text, size_t room)
{
	static char copy[4 * TEXT_MOST + 1], cut[256];

	escape_text(copy, sizeof(copy), text);
	FUZZ_CHECK(fuzz_is_printable(copy));
	FUZZ_CHECK(strlen(copy) >= strlen(text));
	/* What is harmless already stays; nothing is escaped twice. */
	escape_text(cut, sizeof(cut), copy);
	FUZZ_CHECK(strncmp(copy, cut, strlen(cut)) == 0);
	memset(cut, 'x', sizeof(cut));
	escape_text(cut, room, text);
	FUZZ_CHECK(strnlen(cut, sizeof(cut)) < room);
	FUZZ_CHECK(fuzz_is_printable(cut));
	FUZZ_CHECK(strncmp(copy, cut, strlen(cut)) == 0);
	for (size_t i = room; i < sizeof(cut); i++)
		FUZZ_CHECK(cut[i] == 'x');
}

static void check_fitting(const char *text, unsigned int columns)
{
	static char copy[TEXT_ROOM(4 * TEXT_MOST)];
	char cut[TEXT_ROOM(256)];
	unsigned int all = text_fit(copy, text, 4 * TEXT_MOST);
	unsigned int width = text_fit(cut, text, columns);

	FUZZ_CHECK(fuzz_is_printable(copy) && fuzz_is_printable(cut));
	FUZZ_CHECK(width <= columns);
	if (all <= columns)
		FUZZ_CHECK(width == all && strcmp(copy, cut) == 0);
	else if (columns)
		FUZZ_CHECK(cut[strlen(cut) - 1] == '+');
}

/* The same, but for bytes that are no text: read back as a reader would. */
static void check_json(const char *text)
{
	static char out[6 * TEXT_MOST + 8], back[TEXT_MOST * 4];
	FILE *file = fmemopen(out, sizeof(out), "w");
	struct json json = {.out = file};
	const char *at;
	size_t used = 0;

	json_string(&json, NULL, text);
	fclose(file);
	FUZZ_CHECK(fuzz_is_utf8(out) && fuzz_is_line(out));
	FUZZ_CHECK(out[0] == '"');
	for (at = out + 1; *at && *at != '"'; at++) {
		unsigned int code;

		if (*at != '\\') {
			back[used++] = *at;
			continue;
		}
		at++;
		if (*at == 'u') {
			FUZZ_CHECK(sscanf(at + 1, "%4x", &code) == 1);
			at += 4;
			back[used++] = code == 0xfffd ? '?' : (char)code;
		} else {
			FUZZ_CHECK(*at == '"' || *at == '\\');
			back[used++] = *at;
		}
	}
	back[used] = '\0';
	FUZZ_CHECK(strcmp(at, "\"") == 0);
	FUZZ_CHECK(used == strlen(text));
	if (fuzz_is_utf8(text))
		FUZZ_CHECK(strcmp(back, text) == 0);
}

/* The command's reader of UTF-8 and the one of the checks are of one mind. */
static void check_utf8(const char *text)
{
	const char *at = text;
	size_t length;

	while (*at && (length = utf8_sequence(at)))
		at += length;
	FUZZ_CHECK(!*at == fuzz_is_utf8(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {.bytes = data, .left = size};
	uint8_t room = fuzz_byte(&input);
	static char text[TEXT_MOST];
	static bool is_ready;

	if (!is_ready)
		FUZZ_CHECK(setlocale(LC_CTYPE, "C.UTF-8"));
	is_ready = true;
	fuzz_text(&input, text, sizeof(text));
	check_utf8(text);
	check_escaped(text, (size_t)room + 1);
	check_fitting(text, room);
	check_json(text);
	return 0;
}
