// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "buffer.h"
#include "parse.h"
#include "report.h"

/* Reached through syscall(2): the C library's wrappers are younger. */
static int pidfd_open(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static int pidfd_getfd(int pidfd, int fd)
{
	return (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
}

/* Why a process's descriptor cannot be had, and what to do. */
static void report_not_taken(pid_t pid, int fd, int error)
{
	const char *reason = strerror(error);
	const char *advice = "use share and receive";

	if (error == ESRCH) {
		reason = "no such process";
		advice = "name the process that holds the buffer";
	} else if (error == EBADF) {
		reason = "it is not open";
		advice = "see that process's /proc/PID/fd";
	} else if (error == EPERM) {
		reason = "this user may not take it";
		advice = "be root, or the same user with "
			 "kernel.yama.ptrace_scope 0, or use share and receive";
	}
	warn("descriptor %d of process %d: %s; %s", fd, (int)pid, reason,
	     advice);
}

/* Give a duplicate of a process's descriptor; -1 after reporting a failure. */
static int take_descriptor(pid_t pid, int fd)
{
	int pidfd = pidfd_open(pid);
	int copy = -1;
	int error = errno;

	if (pidfd >= 0) {
		copy = pidfd_getfd(pidfd, fd);
		error = errno;
		close(pidfd);
	}
	if (copy < 0)
		report_not_taken(pid, fd, error);
	return copy;
}

int open_asking_device(const struct context *ctx,
		       struct portalmem_device **devicep)
{
	*devicep = NULL;
	if (ctx->device_path || ctx->backend || getenv("PORTALMEM_BACKEND"))
		return open_device(ctx, devicep);
	/* Not being there is no failure: any dma-buf can be used without. */
	portalmem_device_open(NULL, PORTALMEM_BACKEND_PORTALMEM, devicep);
	return EXIT_DONE;
}

static int import_descriptor(const struct context *ctx, int fd,
			     struct portalmem_buffer **bufferp)
{
	struct portalmem_device *device;
	int status = open_asking_device(ctx, &device);
	int ret;

	if (status != EXIT_DONE)
		return status;
	ret = portalmem_buffer_import(device, fd, bufferp);
	if (ret)
		status = failed_call("importing the buffer", ret);
	portalmem_device_unref(device);
	return status;
}

static int import_from_process(const struct context *ctx, pid_t pid, int fd,
			       struct portalmem_buffer **bufferp)
{
	int copy = take_descriptor(pid, fd);
	int status;

	if (copy < 0)
		return EXIT_FAILED;
	status = import_descriptor(ctx, copy, bufferp);
	close(copy);
	return status;
}

static int parse_int(const char *what, const char *text)
{
	return (int)parse_number(what, text, INT_MAX);
}

static int take_inherited(const struct context *ctx,
			  struct portalmem_buffer **bufferp)
{
	const char *text = getenv("PORTALMEM_FD");

	if (!text)
		misused("no buffer is given and PORTALMEM_FD is not set; name "
			"one as fd:N or PID:N, or run under 'portalmem alloc "
			"-- COMMAND'");
	return import_descriptor(ctx, parse_int("PORTALMEM_FD", text), bufferp);
}

int take_buffer(const struct context *ctx, const char *argument,
		struct portalmem_buffer **bufferp)
{
	const char *colon;
	char holder[16];
	int pid, fd;

	if (!argument)
		return take_inherited(ctx, bufferp);
	colon = strchr(argument, ':');
	if (!colon || (size_t)(colon - argument) >= sizeof(holder))
		misused("'%s' is not a buffer; name it as fd:N or PID:N",
			argument);
	memcpy(holder, argument, (size_t)(colon - argument));
	holder[colon - argument] = '\0';
	fd = parse_int("BUFFER's descriptor", colon + 1);
	if (strcmp(holder, "fd") == 0)
		return import_descriptor(ctx, fd, bufferp);
	pid = parse_int("BUFFER's process", holder);
	if (pid == 0)
		misused("'%s' is not a buffer; no process has the number 0",
			argument);
	return import_from_process(ctx, pid, fd, bufferp);
}
