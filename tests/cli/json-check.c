// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * json-check [PATH] <TEXT
 *
 * Succeed when stdin is one strict JSON value (RFC 8259, valid UTF-8). With
 * PATH, keys and indices joined by dots, print what stands there as it is
 * written; fail when nothing does.
 */
#include <config.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX (1 << 20)

struct text {
	const char *at;
	const char *path; /* what is left of it; NULL: not on the path */
	const char *found;
	const char *found_end;
};

static void fail(const struct text *text, const char *what)
{
	fprintf(stderr, "json-check: %s before '%.20s'\n", what, text->at);
	exit(1);
}

static void skip_space(struct text *text)
{
	text->at += strspn(text->at, " \t\r\n");
}

static bool take(struct text *text, char c)
{
	if (*text->at != c)
		return false;
	text->at++;
	return true;
}

static void expect(struct text *text, char c)
{
	if (!take(text, c))
		fail(text, "a character is missing");
}

/* One character past ASCII; each is checked as a whole. */
static void skip_utf8(struct text *text)
{
	static const struct {
		unsigned char mask, lead, more;
		unsigned int least;
	} forms[] = {
		{0xe0, 0xc0, 1, 0x80},
		{0xf0, 0xe0, 2, 0x800},
		{0xf8, 0xf0, 3, 0x10000},
	};
	unsigned char lead = (unsigned char)*text->at;
	unsigned int value, i, n = 0;

	while (n < 3 && (lead & forms[n].mask) != forms[n].lead)
		n++;
	if (n == 3)
		fail(text, "not UTF-8");
	value = lead & (unsigned char)~forms[n].mask;
	for (i = 0; i < forms[n].more; i++) {
		unsigned char next = (unsigned char)*++text->at;

		if ((next & 0xc0) != 0x80)
			fail(text, "not UTF-8");
		value = value << 6 | (next & 0x3f);
	}
	if (value < forms[n].least || value > 0x10ffff ||
	    (value >= 0xd800 && value <= 0xdfff))
		fail(text, "not UTF-8");
	text->at++;
}

static void skip_escape(struct text *text)
{
	text->at++;
	if (*text->at == 'u') {
		if (strspn(text->at + 1, "0123456789abcdefABCDEF") < 4)
			fail(text, "bad \\u");
		text->at += 5;
	} else if (*text->at && strchr("\"\\/bfnrt", *text->at)) {
		text->at++;
	} else {
		fail(text, "bad escape");
	}
}

static void skip_string(struct text *text)
{
	expect(text, '"');
	while (!take(text, '"')) {
		unsigned char c = (unsigned char)*text->at;

		if (c < 0x20)
			fail(text, "unescaped control character");
		else if (c == '\\')
			skip_escape(text);
		else if (c >= 0x80)
			skip_utf8(text);
		else
			text->at++;
	}
}

static void skip_digits(struct text *text)
{
	size_t count = strspn(text->at, "0123456789");

	if (count == 0)
		fail(text, "a digit is missing");
	text->at += count;
}

static void skip_number(struct text *text)
{
	take(text, '-');
	if (!take(text, '0'))
		skip_digits(text);
	if (take(text, '.'))
		skip_digits(text);
	if (*text->at == 'e' || *text->at == 'E') {
		text->at++;
		if (*text->at == '+' || *text->at == '-')
			text->at++;
		skip_digits(text);
	}
}

static void skip_word(struct text *text)
{
	static const char *const words[] = {"true", "false", "null"};
	size_t i;

	for (i = 0; i < 3; i++) {
		if (strncmp(text->at, words[i], strlen(words[i])) == 0) {
			text->at += strlen(words[i]);
			return;
		}
	}
	fail(text, "not a value");
}

/* What is left of PATH behind the member NAME; NULL when it leads elsewhere. */
static const char *descend(const char *path, const char *name, size_t length)
{
	if (!path || strncmp(path, name, length) != 0)
		return NULL;
	if (path[length] == '.' && path[length + 1])
		return path + length + 1;
	return path[length] ? NULL : path + length;
}

static void read_value(struct text *text);

static void read_object(struct text *text)
{
	const char *path = text->path;

	expect(text, '{');
	skip_space(text);
	if (take(text, '}'))
		return;
	do {
		const char *key;

		skip_space(text);
		key = text->at + 1;
		skip_string(text);
		text->path = descend(path, key, (size_t)(text->at - 1 - key));
		skip_space(text);
		expect(text, ':');
		read_value(text);
	} while (take(text, ','));
	text->path = path;
	expect(text, '}');
}

static void read_array(struct text *text)
{
	const char *path = text->path;
	char name[16];
	unsigned int i = 0;

	expect(text, '[');
	skip_space(text);
	if (take(text, ']'))
		return;
	do {
		int length = snprintf(name, sizeof(name), "%u", i++);

		text->path = descend(path, name, (size_t)length);
		read_value(text);
	} while (take(text, ','));
	text->path = path;
	expect(text, ']');
}

static void read_value(struct text *text)
{
	bool wanted = text->path && !text->path[0];
	const char *start;

	skip_space(text);
	start = text->at;
	if (wanted)
		text->path = NULL; /* what is inside is not looked for */
	if (*start == '{')
		read_object(text);
	else if (*start == '[')
		read_array(text);
	else if (*start == '"')
		skip_string(text);
	else if (*start == '-' || (*start >= '0' && *start <= '9'))
		skip_number(text);
	else
		skip_word(text);
	if (wanted) {
		text->found = start;
		text->found_end = text->at;
	}
	skip_space(text);
}

int main(int argc, char **argv)
{
	static char input[TEXT_MAX];
	struct text text = {.at = input, .path = argv[1]};
	size_t length = fread(input, 1, sizeof(input) - 1, stdin);

	if (argc > 2 || strlen(input) != length)
		fail(&text, "a NUL byte, or too many arguments,");
	read_value(&text);
	if (*text.at)
		fail(&text, "more than one value");
	if (!argv[1])
		return 0;
	if (!text.found)
		fail(&text, "nothing at the path");
	printf("%.*s\n", (int)(text.found_end - text.found), text.found);
	return 0;
}
