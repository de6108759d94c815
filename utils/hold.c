// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "hold.h"
#include "report.h"
#include "signals.h"
#include "streams.h"

/* As every shell has it. */
enum {
	EXIT_CANNOT_RUN = 126,
	EXIT_NOT_FOUND = 127
};

char **split_command(int *argc, char **argv)
{
	int i;

	for (i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++)
		continue;
	if (i >= *argc)
		return NULL;
	if (i + 1 == *argc)
		misused("no command follows '--'");
	argv[i] = NULL;
	*argc = i;
	return argv + i + 1;
}

static int set_number(const char *name, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, number);
	return setenv(name, text, 1);
}

/* The variables that portalmem(1) promises to COMMAND. */
static int describe_in_environment(struct portalmem_buffer *buffer, int fd)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	int ret = portalmem_buffer_get_info(buffer, &info);

	if (ret)
		return failed_call("asking about the buffer", ret);
	if (set_number("PORTALMEM_FD", (uint64_t)fd) ||
	    set_number("PORTALMEM_SIZE", info.size) ||
	    setenv("PORTALMEM_CACHING", portalmem_caching_name(info.effective),
		   1) ||
	    setenv("PORTALMEM_NAME", info.name, 1))
		return failed("setting the environment: %s; run it with a "
			      "smaller one",
			      strerror(errno));
	return EXIT_DONE;
}

static int failed_to_run(const char *command, int error)
{
	failed("running '%s': %s; check the name and its permissions", command,
	       strerror(error));
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

/*
 * The command takes this program's place: its exit status and the signals that
 * it gets need no passing on, and the descriptor keeps the buffer alive.
 */
static int run_command(struct portalmem_buffer *buffer, char **command)
{
	/* The library's own descriptor is closed by exec, this one is not. */
	int fd = fcntl(portalmem_buffer_get_fd(buffer), F_DUPFD,
		       STDERR_FILENO + 1);
	int status;

	if (fd < 0)
		return failed("duplicating the buffer's descriptor: %s; raise "
			      "the limit of open files",
			      strerror(errno));
	status = describe_in_environment(buffer, fd);
	if (status == EXIT_DONE) {
		restore_broken_pipes();
		execvp(command[0], command);
		status = failed_to_run(command[0], errno);
	}
	close(fd);
	return status;
}

static int hold(const struct context *ctx, struct portalmem_buffer *buffer)
{
	sigset_t ends;
	int status;

	/* Before anything is printed: a reader may answer with a signal. */
	block_termination(&ends);
	status = print_buffer(ctx, buffer, portalmem_buffer_get_fd(buffer));
	if (status == EXIT_DONE)
		status = flush_output();
	if (status == EXIT_DONE)
		wait_for_signal(&ends);
	return status;
}

int use_buffer(const struct context *ctx, struct portalmem_buffer *buffer,
	       char **command)
{
	if (command)
		return run_command(buffer, command);
	return hold(ctx, buffer);
}
