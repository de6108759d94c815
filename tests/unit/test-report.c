// SPDX-License-Identifier: GPL-2.0-or-later
/* What the command writes of text that others chose. */
#include "config.h"

#include <string.h>

#include "report.h"
#include "unit.h"

#define ROOM 64

static const struct {
	const char *text, *escaped;
} texts[] = {
	{"", ""},
	{"plain text", "plain text"},
	/* é, a CJK character, an emoji: as they are, in any locale. */
	{"gr\xc3\xb6\xc3\x9f", "gr\xc3\xb6\xc3\x9f"},
	{"\xe6\x97\xa5", "\xe6\x97\xa5"},
	{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
	/* Control characters of ASCII. */
	{"a\nb\x7f", "a\\x0ab\\x7f"},
	{"\x1b[31m", "\\x1b[31m"},
	/* Those above it: U+009B begins what ESC [ begins. */
	{"\xc2\x80", "\\xc2\\x80"},
	{"\xc2\x9b"
	 "31m",
	 "\\xc2\\x9b31m"},
	{"\xc2\xa0", "\xc2\xa0"},
	/* Ends of lines that are not ASCII's. */
	{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"},
	/* What turns the order of the text after it around. */
	{"\xe2\x80\xae"
	 "txt",
	 "\\xe2\\x80\\xaetxt"},
	{"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},
	{"\xd8\x9c", "\\xd8\\x9c"},
	/* No UTF-8: a single byte, a part, an overlong form, a surrogate, what
	 * is beyond the last character. */
	{"\x9b", "\\x9b"},
	{"a\xc3", "a\\xc3"},
	{"\xc3(", "\\xc3("},
	{"\xc0\xaf", "\\xc0\\xaf"},
	{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
	{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
};

START_TEST(text_can_neither_drive_a_terminal_nor_break_a_line)
{
	char copy[ROOM];

	escape_text(copy, sizeof(copy), texts[_i].text);
	ck_assert_str_eq(copy, texts[_i].escaped);
}
END_TEST

/* "é" has two bytes and "\xff" four, and the copy an end. */
START_TEST(no_character_is_cut_in_two)
{
	static const char text[] = "\xc3\xa9\xff\xc3\xa9\xff";

	for (size_t room = 1; room < ROOM; room++) {
		char copy[ROOM];
		size_t length;

		memset(copy, 'x', sizeof(copy));
		escape_text(copy, room, text);
		length = strlen(copy);
		ck_assert_uint_lt(length, room);
		ck_assert_mem_eq(copy, "\xc3\xa9\\xff\xc3\xa9\\xff", length);
		ck_assert(length == 0 || length == 2 || length == 6 ||
			  length == 8 || length == 12);
	}
}
END_TEST

static Suite *report_suite(void)
{
	TCase *tc;
	Suite *suite = unit_suite("report", &tc);

	tcase_add_loop_test(tc,
			    text_can_neither_drive_a_terminal_nor_break_a_line,
			    0, COUNT(texts));
	tcase_add_test(tc, no_character_is_cut_in_two);
	return suite;
}

PMTEST_MAIN(report_suite)
