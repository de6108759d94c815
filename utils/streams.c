// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report.h"
#include "streams.h"

void keep_standard_streams(void)
{
	int fd;

	/* open(2) gives the lowest free number: upwards, each hole is filled
	 * by the first descriptor opened. Close-on-exec, so that a command
	 * that is run in our place finds its streams as we found ours. */
	for (fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) < 0)
			open("/", O_PATH | O_CLOEXEC);
	}
}

int failed_output(int error)
{
	static bool reported;

	if (!reported)
		failed("writing to standard output: %s; the result is "
		       "incomplete",
		       error ? strerror(error) : "a write failed");
	reported = true;
	return EXIT_FAILED;
}

int flush_output(void)
{
	if (ferror(stdout))
		return failed_output(0);
	if (fflush(stdout))
		return failed_output(errno);
	return EXIT_DONE;
}

int finish_output(int status)
{
	int flushed = flush_output();

	if (fclose(stdout))
		flushed = failed_output(errno);
	return status == EXIT_DONE ? flushed : status;
}
