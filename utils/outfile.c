// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "outfile.h"
#include "report.h"
#include "signals.h"

/* Names that may be taken by files of others that were started with our pid. */
#define TRIES 100

/* What a signal removes before it ends the program. */
static char doomed[PATH_MAX];

static void remove_doomed(int signal)
{
	unlink(doomed);
	raise(signal); /* which does its usual now */
}

static void doom(const char *path)
{
	snprintf(doomed, sizeof(doomed), "%s", path);
	catch_termination(remove_doomed, false);
}

static int failed_to_open(const char *path, int error)
{
	return failed("opening '%s': %s; give a file that can be written", path,
		      strerror(error));
}

/* A name beside the target; false when it is too long. */
static bool name_temporary(struct outfile *file, int number)
{
	char folder[PATH_MAX], base[PATH_MAX];
	int length;

	strcpy(folder, file->target);
	strcpy(base, file->target);
	length = snprintf(file->temporary, sizeof(file->temporary),
			  "%s/.%.200s.%d-%d", dirname(folder), basename(base),
			  (int)getpid(), number);
	return length >= 0 && (size_t)length < sizeof(file->temporary);
}

/* Where the file system knows no file without a name. */
static int open_temporary(struct outfile *file)
{
	for (int i = 0; i < TRIES; i++) {
		if (!name_temporary(file, i))
			return ENAMETOOLONG;
		doom(file->temporary);
		file->fd = open(file->temporary,
				O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (file->fd >= 0)
			return 0;
		doomed[0] = '\0';
		if (errno != EEXIST)
			break;
	}
	return errno;
}

static int open_beside(struct outfile *file)
{
	char folder[PATH_MAX];
	int error = 0;

	strcpy(folder, file->target);
	file->fd = open(dirname(folder), O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
	/* Kernels and file systems without O_TMPFILE say it in three ways. */
	if (file->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR ||
			     errno == EINVAL || errno == ENOSYS))
		error = open_temporary(file);
	else if (file->fd < 0)
		error = errno;
	if (error)
		return failed_to_open(file->path, error);
	if (file->mode)
		fchmod(file->fd, file->mode);
	return EXIT_DONE;
}

static int open_direct(struct outfile *file)
{
	file->direct = true;
	file->fd = open(file->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (file->fd < 0)
		return failed_to_open(file->path, errno);
	return EXIT_DONE;
}

int outfile_open(struct outfile *file, const char *path)
{
	struct stat status;

	memset(file, 0, sizeof(*file));
	file->path = path;
	if (stat(path, &status) == 0) {
		if (!S_ISREG(status.st_mode))
			return open_direct(file);
		/* That it can be replaced does not say that it may be. */
		if (access(path, W_OK))
			return failed_to_open(path, errno);
		file->mode = status.st_mode & 0777;
	} else if (errno != ENOENT || !path[0]) {
		return failed_to_open(path, errno);
	}
	if (!realpath(path, file->target)) {
		if (strlen(path) >= sizeof(file->target))
			return failed_to_open(path, ENAMETOOLONG);
		strcpy(file->target, path);
	}
	return open_beside(file);
}

/* No signal comes between the file's name and its place. */
static int put_in_place(struct outfile *file)
{
	char number[64];
	sigset_t blocked, former;
	int error = 0;

	sigprocmask(SIG_BLOCK, NULL, &former);
	block_termination(&blocked);
	if (!file->temporary[0]) {
		snprintf(number, sizeof(number), "/proc/self/fd/%d", file->fd);
		for (int i = 0; i < TRIES; i++) {
			error = name_temporary(file, i) ? 0 : ENAMETOOLONG;
			if (error ||
			    !linkat(AT_FDCWD, number, AT_FDCWD, file->temporary,
				    AT_SYMLINK_FOLLOW))
				break;
			error = errno;
			if (error != EEXIST)
				break;
		}
	}
	if (!error && rename(file->temporary, file->target)) {
		error = errno;
		unlink(file->temporary);
	}
	doomed[0] = '\0';
	sigprocmask(SIG_SETMASK, &former, NULL);
	return error;
}

int outfile_failed(const struct outfile *file, int error)
{
	return failed("writing '%s': %s; %s", file->path, strerror(error),
		      file->direct ? "what is there is incomplete"
				   : "free room there or give another file");
}

int outfile_close(struct outfile *file, int status)
{
	int error = 0;

	if (status == EXIT_DONE && !file->direct)
		error = put_in_place(file);
	else if (file->temporary[0])
		unlink(file->temporary);
	if (close(file->fd) && !error)
		error = errno;
	if (error && status == EXIT_DONE)
		status = outfile_failed(file, error);
	return status;
}
