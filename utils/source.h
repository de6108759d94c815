/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where fill and verify have their bytes from.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum source_kind {
	SOURCE_NONE,
	SOURCE_BYTE,
	SOURCE_RANDOM,
	SOURCE_FILE
};

struct source {
	enum source_kind kind;
	unsigned char byte;
	uint64_t seed;
	const char *path; /* of SOURCE_FILE; "-" is stdin */
	int fd;
};

/* Open the file, if it is one. Gives an exit status. */
int source_open(struct source *source);
void source_close(struct source *source);

/*
 * Whether a file that is known to be longer than ROOM, and so need not be
 * started. Gives an exit status.
 */
int source_check_size(const struct source *source, uint64_t room);

/*
 * Put up to LENGTH bytes at BYTES, which stand for the buffer's from OFFSET
 * on. Gives how many; 0 where a file ends, -1 after reporting a failure.
 */
ssize_t source_read(struct source *source, uint64_t offset,
		    unsigned char *bytes, size_t length);

#endif
