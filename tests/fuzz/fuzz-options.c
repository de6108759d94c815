// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whole command lines. Each is understood or refused with one line and the
 * status of a wrong usage; what it would do to this machine does not come.
 *
 * Input: the arguments, each on a line of its own.
 */
#define KERNEL_ITSELF
#include "kernel.h"

#include "command.h"

#include <getopt.h>
#include <string.h>

#include "fuzz.h"
#include "leave.h"
#include "report.h"
#include "streams.h"

#define ARGUMENTS_MAX 32
#define BYTES_MAX 8192

/* Where the command is left, it keeps what it has. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

/* Of the command, under another name. */
int command_main(int argc, char **argv);

void keep_standard_streams(void)
{
}

int flush_output(void)
{
	return EXIT_DONE;
}

int failed_output(int error)
{
	(void)error;
	return EXIT_FAILED;
}

int finish_output(int status)
{
	return status;
}

static int split(char *text, char **argv)
{
	static char name[] = "portalmem";
	int argc = 0;

	argv[argc++] = name;
	while (*text && argc < ARGUMENTS_MAX) {
		size_t length = strcspn(text, "\n");

		argv[argc++] = text;
		text += length;
		if (*text)
			*text++ = '\0';
	}
	argv[argc] = NULL;
	return argc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input input = {.bytes = data, .left = size};
	char text[BYTES_MAX], *argv[ARGUMENTS_MAX + 1];
	volatile int status = 0;
	int argc;

	fuzz_text(&input, text, sizeof(text));
	argc = split(text, argv);
	tree_set(NULL, 0);
	fuzz_begin();
	kernel_has_no_memory = true;
	optind = 0;
	report_for(NULL);
	FUZZ_LEAVE_OR(status = command_main(argc, argv))
	fuzz_left = status;
	FUZZ_CHECK(fuzz_left == EXIT_DONE || fuzz_left == EXIT_FAILED ||
		   fuzz_left == EXIT_MISUSED || fuzz_left == FUZZ_EFFECT);
	FUZZ_CHECK(fuzz_is_utf8(fuzz_said()));
	if (fuzz_left == EXIT_MISUSED) {
		FUZZ_CHECK(fuzz_said_one_line());
		FUZZ_CHECK(strstr(fuzz_said(), "; see 'portalmem help"));
	}
	return 0;
}
