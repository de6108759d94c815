// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Numbers in text form: sizes, counts, times, modes. What is read is the number
 * that the text stands for, by a second reader with room to spare; what is
 * refused is refused in one line; and what is written is read as the same.
 *
 * Input: which kind, then the text.
 */
#include "command.h"

#include <inttypes.h>
#include <string.h>

#include "fuzz.h"
#include "leave.h"
#include "parse.h"
#include "portalmem.h"
#include "report.h"

/* Of a number that no text of ours reaches. */
typedef __int128 wide;

static const char *scan(const char *text, wide *value)
{
	*value = 0;
	for (; *text >= '0' && *text <= '9'; text++)
		if (*value <= UINT64_MAX)
			*value = *value * 10 + (*text - '0');
	return text;
}

/* The size in millionths of bytes, or -1: it is none. */
static wide read_size(const char *text)
{
	static const char units[] = "kKmMgGtT";
	const char *end, *unit;
	wide whole, part = 0, of = 1000000;

	end = scan(text, &whole);
	if (end == text)
		return -1;
	if (*end == '.') {
		const char *digits = ++end;

		for (; *end >= '0' && *end <= '9' && of > 1; end++) {
			of /= 10;
			part += (*end - '0') * of;
		}
		if (end == digits || (*end >= '0' && *end <= '9'))
			return -1;
	}
	/* More is too large whatever follows. */
	if (whole > UINT64_MAX)
		whole = (wide)UINT64_MAX + 1;
	whole = whole * 1000000 + part;
	if (!*end)
		return whole;
	unit = strchr(units, *end);
	if (!unit || (end[1] && strcmp(end + 1, "iB") != 0))
		return -1;
	return whole << (10 * ((unit - units) / 2 + 1));
}

static void check_size(const char *text)
{
	wide millionths = read_size(text);
	char written[SIZE_TEXT_ROOM], phrase[SIZE_PHRASE_ROOM];
	uint64_t size = 0;

	FUZZ_LEAVE_OR(size = parse_size("SIZE", text))
	{
		FUZZ_CHECK(millionths == (wide)size * 1000000);
		format_size(written, size);
		FUZZ_CHECK(parse_size("SIZE", written) == size);
		format_size_short(written, size);
		FUZZ_CHECK(read_size(written) <= millionths);
		describe_size(phrase, size);
		return;
	}
	FUZZ_CHECK(fuzz_left == EXIT_MISUSED && fuzz_said_one_line());
	FUZZ_CHECK(millionths < 0 || millionths % 1000000 ||
		   millionths / 1000000 > UINT64_MAX);
}

static void check_number(const char *text, uint64_t most)
{
	uint64_t number = 0;
	wide value;

	FUZZ_LEAVE_OR(number = parse_number("NUMBER", text, most))
	{
		FUZZ_CHECK(number <= most);
		if (strncmp(text, "0x", 2) != 0) {
			FUZZ_CHECK(!*scan(text, &value));
			FUZZ_CHECK(value == number);
		}
		return;
	}
	FUZZ_CHECK(fuzz_left == EXIT_MISUSED && fuzz_said_one_line());
	FUZZ_CHECK(!*text || *scan(text, &value) || value > most);
}

static void check_seconds(const char *text)
{
	int64_t ms = -1;

	if (read_seconds(text, &ms)) {
		wide millionths = read_size(text);

		FUZZ_CHECK(ms >= 0 && ms < (int64_t)1 << 31);
		FUZZ_CHECK(millionths / 1000 == ms);
	} else {
		FUZZ_CHECK(ms == -1);
	}
}

static void check_words(const char *text)
{
	volatile unsigned int mode = 0;

	FUZZ_LEAVE_OR(mode = parse_mode("MODE", text))
	{
		char written[8];

		FUZZ_CHECK(mode <= 0777);
		snprintf(written, sizeof(written), "%o", mode);
		text += strspn(text, "0");
		FUZZ_CHECK(strcmp(written, *text ? text : "0") == 0);
		return;
	}
	FUZZ_CHECK(fuzz_said_one_line());
	fuzz_begin();
	FUZZ_LEAVE_OR(parse_caching("CACHING", text)) return;
	FUZZ_CHECK(fuzz_said_one_line());
	fuzz_begin();
	FUZZ_LEAVE_OR(parse_backend("BACKEND", text)) return;
	FUZZ_CHECK(fuzz_left == EXIT_MISUSED && fuzz_said_one_line());
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {.bytes = data, .left = size};
	uint8_t kind = fuzz_byte(&input);
	char text[512];

	fuzz_text(&input, text, sizeof(text));
	fuzz_begin();
	switch (kind % 4) {
	case 0:
		check_size(text);
		break;
	case 1:
		check_number(text, UINT64_MAX >> (kind / 4));
		break;
	case 2:
		check_seconds(text);
		break;
	case 3:
		check_words(text);
		break;
	}
	return 0;
}
