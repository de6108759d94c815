/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A file that results go to. It is there, or replaced, only once it is whole:
 * until then its bytes are in one without a name, or in one beside it that a
 * signal takes away. What is no regular file is written as it is.
 */
#ifndef OUTFILE_H
#define OUTFILE_H

#include <limits.h>
#include <stdbool.h>

struct outfile {
	const char *path; /* as the user gave it */
	int fd;
	bool direct;		  /* no regular file */
	char target[PATH_MAX];	  /* past symbolic links */
	char temporary[PATH_MAX]; /* empty: it has no name yet */
	unsigned int mode;	  /* of what is replaced; 0: nothing is */
};

/* Open PATH to be written. Gives an exit status. */
int outfile_open(struct outfile *file, const char *path);

/* Put the file in its place, or with STATUS other than EXIT_DONE drop it. Gives
 * STATUS, or a failure to do so. */
int outfile_close(struct outfile *file, int status);

/* Report that writing failed because of ERROR. Gives EXIT_FAILED. */
int outfile_failed(const struct outfile *file, int error);

#endif
