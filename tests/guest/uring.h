/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_uring, one request at a time. Three system calls are all that it takes,
 * and so no library is used. Functions fail the running test instead of
 * returning an error.
 */
#ifndef URING_H
#define URING_H

#include <linux/io_uring.h>
#include <stddef.h>

struct uring {
	int fd;
	struct io_uring_params params;
	struct io_uring_sqe *sqes;
	char *rings;
};

struct uring uring_open(void);

/* What was registered is let go of some time later. */
void uring_close(struct uring *ring);

/* Submit one request, wait for it and give its result. */
int uring_run(struct uring *ring, const struct io_uring_sqe *request);

/* Register one buffer; 0, or -1 with errno. */
int uring_register(const struct uring *ring, void *address, size_t size);

/* Whether this kernel registers mappings of files, whatever the file. */
int uring_registers_files(void);

#endif
