// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attachment.h"
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

static int failed_to_set(void)
{
	return failed("setting the environment: %s; run it with a smaller one",
		      strerror(errno));
}

/* The variables that portalmem(1) promises to COMMAND. */
static int describe_in_environment(struct portalmem_buffer *buffer)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	int ret = portalmem_buffer_get_info(buffer, &info);

	if (ret)
		return failed_call("asking about the buffer", ret);
	if (set_number("PORTALMEM_SIZE", info.size) ||
	    setenv("PORTALMEM_CACHING", portalmem_caching_name(info.effective),
		   1) ||
	    setenv("PORTALMEM_NAME", info.name, 1))
		return failed_to_set();
	return EXIT_DONE;
}

/*
 * The library's own descriptors are closed by exec, a copy is not. It stays
 * open when there is nothing to run in the end: then this program ends, too.
 */
static int pass_on(const char *variable, int fd)
{
	int copy = fcntl(fd, F_DUPFD, STDERR_FILENO + 1);

	if (copy < 0)
		return failed("duplicating a descriptor: %s; raise the limit "
			      "of open files",
			      strerror(errno));
	if (set_number(variable, (uint64_t)copy))
		return failed_to_set();
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
 * it gets need no passing on, and the descriptors keep alive what they are of.
 */
static int run_command(struct portalmem_buffer *buffer,
		       struct portalmem_attachment *attachment, char **command)
{
	int status = pass_on("PORTALMEM_FD", portalmem_buffer_get_fd(buffer));

	if (status == EXIT_DONE && attachment)
		status = pass_on("PORTALMEM_ATTACHMENT_FD",
				 portalmem_attachment_get_fd(attachment));
	if (status == EXIT_DONE)
		status = describe_in_environment(buffer);
	if (status != EXIT_DONE)
		return status;
	restore_broken_pipes();
	execvp(command[0], command);
	return failed_to_run(command[0], errno);
}

static int hold_buffer(const struct context *ctx,
		       struct portalmem_buffer *buffer)
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

static int hold_attachment(const struct context *ctx,
			   struct portalmem_attachment *attachment)
{
	sigset_t ends;
	int status, ret;

	block_termination(&ends);
	status = print_attachment(ctx, attachment);
	if (status == EXIT_DONE)
		status = flush_output();
	if (status != EXIT_DONE)
		return status;
	ret = wait_for_signal_or_hangup(
		&ends, portalmem_attachment_get_fd(attachment));
	if (ret < 0)
		return failed("waiting: %s; try again", strerror(-ret));
	if (!ret)
		return failed("the device or its driver is gone; attach the "
			      "buffer again");
	return EXIT_DONE;
}

int use_buffer(const struct context *ctx, struct portalmem_buffer *buffer,
	       char **command)
{
	if (command)
		return run_command(buffer, NULL, command);
	return hold_buffer(ctx, buffer);
}

int use_attachment(const struct context *ctx, struct portalmem_buffer *buffer,
		   struct portalmem_attachment *attachment, char **command)
{
	if (command)
		return run_command(buffer, attachment, command);
	return hold_attachment(ctx, attachment);
}
