// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How a buffer goes to another process without a message: taken from a process
 * that the caller may trace, or inherited by a program that is started.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "private.h"

/* Since Linux 5.6; the same number on every machine but alpha. */
#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

/* Below are stdin, stdout and stderr, which a program started may expect. */
#define FIRST_FD 3

/* Of the text in a variable. */
#define ENTRY_VERSION 1

/* What a variable says of the buffer that its process inherits. */
struct entry {
	int fd;
	uint64_t size;
	uint64_t device; /* of the inode */
	uint64_t inode;
	enum portalmem_caching caching;
	enum portalmem_caching effective;
	const char *name;
};

static int explain_from(int pidfd, int fd, int error)
{
	const char *advice = NULL;

	switch (error) {
	case -EPERM:
		advice = "it takes the right to trace the process, see "
			 "ptrace(2)";
		break;
	case -ESRCH:
		advice = "the process has ended";
		break;
	case -EBADF:
		advice = "give a pidfd, and a descriptor that is open there";
		break;
	case -EOPNOTSUPP:
		advice = "it takes Linux 5.6 or later, and a sandbox that "
			 "allows pidfd_getfd";
		break;
	}
	return pm_fail(error, advice,
		       "cannot take the file descriptor %d of the process "
		       "behind the pidfd %d",
		       fd, pidfd);
}

PM_EXPORT int portalmem_buffer_import_from(struct portalmem_device *device,
					   int pidfd, int fd,
					   struct portalmem_buffer **bufferp)
{
	int copy, ret;

	if (!bufferp)
		return pm_refuse(-EINVAL, "cannot import a buffer: no place "
					  "for the result was given (NULL)");
	/* What comes is close-on-exec. */
	copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (copy < 0)
		return explain_from(pidfd, fd,
				    errno == ENOSYS ? -EOPNOTSUPP : -errno);
	ret = pm_buffer_adopt(device, copy, bufferp);
	if (ret)
		pm_close_unknown(&copy, 1);
	return ret;
}

static int check_variable(const char *variable, const char *what)
{
	if (variable && variable[0] && !strchr(variable, '='))
		return 0;
	return pm_refuse(-EINVAL,
			 "cannot %s: no name of an environment variable was "
			 "given (NULL, empty, or with '=')",
			 what);
}

/* Leaves a text on failure. */
static int write_entry(struct portalmem_buffer *buffer, int fd,
		       const char *variable, char *entry, size_t size)
{
	struct portalmem_info info = PORTALMEM_INFO_INIT;
	struct stat st;
	int ret, length;

	/* Some C libraries refuse to print into more than this. */
	if (size > INT_MAX)
		size = INT_MAX;

	ret = portalmem_buffer_get_info(buffer, &info);
	if (ret)
		return ret;
	if (fstat(fd, &st))
		return pm_fail(-errno, NULL, "cannot describe a buffer");
	length = snprintf(entry, size, "%s=%d:%d:%" PRIu64 ":%ju:%ju:%d:%d:%s",
			  variable, ENTRY_VERSION, fd, buffer->size,
			  (uintmax_t)st.st_dev, (uintmax_t)st.st_ino,
			  (int)info.caching, (int)info.effective, info.name);
	if (length < 0 || (size_t)length >= size)
		return pm_refuse(
			-ERANGE,
			"cannot write the environment variable %s into "
			"%zu bytes; give the length of its name and "
			"%d more",
			variable, size, PORTALMEM_ENV_MAX);
	return 0;
}

PM_EXPORT int portalmem_buffer_export_env(struct portalmem_buffer *buffer,
					  const char *variable, char *entry,
					  size_t size)
{
	int copy, ret;

	if (!buffer || !entry)
		return pm_refuse(-EINVAL, "cannot hand a buffer on: no buffer "
					  "or no place for the text was given "
					  "(NULL)");
	ret = check_variable(variable, "hand a buffer on");
	if (ret)
		return ret;
	pm_buffer_mark_shared(buffer);
	copy = fcntl(buffer->fd, F_DUPFD, FIRST_FD);
	if (copy < 0)
		return pm_fail(-errno, NULL, "cannot hand a buffer on");
	ret = write_entry(buffer, copy, variable, entry, size);
	if (ret) {
		close(copy);
		return ret;
	}
	return copy;
}

/* Digits up to a colon, which *TEXT is behind afterwards. */
static int read_number(const char **text, uint64_t most, uint64_t *value)
{
	const char *at = *text;

	*value = 0;
	do {
		if (*at < '0' || *at > '9' ||
		    __builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, *at - '0', value))
			return -EBADMSG;
	} while (*++at != ':');
	*text = at + 1;
	return *value > most ? -EBADMSG : 0;
}

static int read_entry(const char *text, struct entry *entry)
{
	uint64_t version, fd, caching, effective;

	if (read_number(&text, ENTRY_VERSION, &version))
		return -EBADMSG;
	if (version != ENTRY_VERSION || read_number(&text, INT_MAX, &fd) ||
	    read_number(&text, UINT64_MAX, &entry->size) ||
	    read_number(&text, UINT64_MAX, &entry->device) ||
	    read_number(&text, UINT64_MAX, &entry->inode) ||
	    read_number(&text, PORTALMEM_CACHING_UNKNOWN, &caching) ||
	    read_number(&text, PORTALMEM_CACHING_UNKNOWN, &effective) ||
	    strnlen(text, PORTALMEM_NAME_MAX) == PORTALMEM_NAME_MAX ||
	    pm_has_control_characters(text))
		return -EBADMSG;
	entry->fd = (int)fd;
	entry->caching = (enum portalmem_caching)caching;
	entry->effective = (enum portalmem_caching)effective;
	entry->name = text;
	return 0;
}

/*
 * Is the descriptor the one that the variable was written for? What a program
 * inherits survives exec: a descriptor that does not is another one, or was
 * taken already.
 */
static int check_inherited(const struct entry *entry)
{
	int flags = fcntl(entry->fd, F_GETFD);
	enum pm_kind kind;
	struct stat st;

	if (flags < 0 || flags & FD_CLOEXEC || pm_fd_kind(entry->fd, &kind) ||
	    fstat(entry->fd, &st) || (uint64_t)st.st_dev != entry->device ||
	    (uint64_t)st.st_ino != entry->inode)
		return -ESTALE;
	return 0;
}

static int adopt_inherited(struct portalmem_device *device,
			   const struct entry *entry,
			   struct portalmem_buffer **bufferp)
{
	struct portalmem_buffer *buffer;
	int ret;

	ret = portalmem_buffer_import(device, entry->fd, &buffer);
	if (ret)
		return ret == -EINVAL ? -ESTALE : ret;
	if (buffer->size != entry->size) {
		portalmem_buffer_unref(buffer);
		return -ESTALE;
	}
	pm_buffer_believe(buffer, entry->caching, entry->effective,
			  entry->name);
	/* It must not go on to the next program unasked. */
	close(entry->fd);
	*bufferp = buffer;
	return 0;
}

static int explain_env(const char *variable, int error)
{
	switch (error) {
	case -ENOENT:
		return pm_refuse(error,
				 "cannot take a buffer over: the environment "
				 "variable %s is not set",
				 variable);
	case -EBADMSG:
		return pm_refuse(error,
				 "cannot take a buffer over: what the "
				 "environment variable %s says is not what "
				 "portalmem_buffer_export_env() writes",
				 variable);
	case -ESTALE:
		return pm_refuse(error,
				 "cannot take a buffer over: the environment "
				 "variable %s is of another process, or the "
				 "buffer was taken already",
				 variable);
	default:
		return pm_fail(error, NULL,
			       "cannot take over the buffer that the "
			       "environment variable %s tells of",
			       variable);
	}
}

PM_EXPORT int portalmem_buffer_import_env(struct portalmem_device *device,
					  const char *variable,
					  struct portalmem_buffer **bufferp)
{
	const char *text;
	struct entry entry;
	int ret;

	if (!bufferp)
		return pm_refuse(-EINVAL, "cannot take a buffer over: no place "
					  "for the result was given (NULL)");
	ret = check_variable(variable, "take a buffer over");
	if (ret)
		return ret;
	/* Who starts a program with privileges has no say in its files. */
	text = secure_getenv(variable);
	ret = text ? read_entry(text, &entry) : -ENOENT;
	if (!ret)
		ret = check_inherited(&entry);
	if (!ret)
		ret = adopt_inherited(device, &entry, bufferp);
	return ret ? explain_env(variable, ret) : 0;
}
