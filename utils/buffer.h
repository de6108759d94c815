/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A buffer as an argument, as output, and as bytes to work on.
 */
#ifndef BUFFER_H
#define BUFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "command.h"
#include "json.h"

/*
 * Take up the buffer that ARGUMENT names: "fd:N", "PID:N" or, when NULL, the
 * descriptor in $PORTALMEM_FD. Gives an exit status.
 */
int take_buffer(const struct context *ctx, const char *argument,
		struct portalmem_buffer **bufferp);

/* How BUFFER is explained in the subcommands' help. */
#define BUFFER_HELP                                                            \
	"BUFFER is fd:N, a descriptor that this program inherits, or PID:N,\n" \
	"one of another process. Without it: the descriptor in "               \
	"PORTALMEM_FD,\n"                                                      \
	"as 'portalmem alloc -- COMMAND' sets it.\n"

/*
 * Open the node to ask about buffers that come from elsewhere. *DEVICEP is
 * NULL when none was named and the module is not there. Gives an exit status.
 */
int open_asking_device(const struct context *ctx,
		       struct portalmem_device **devicep);

/*
 * Print what the buffer is. HOLDER_FD is the descriptor by which this process
 * holds it for others to take, or negative. Gives an exit status.
 */
int print_buffer(const struct context *ctx, struct portalmem_buffer *buffer,
		 int holder_fd);

/* The part of a buffer that --offset and --length choose. */
struct part {
	uint64_t offset;
	uint64_t length; /* 0: up to the end */
};

/* Turn what was asked for into what the buffer has. Gives an exit status. */
int part_within(struct portalmem_buffer *buffer, const struct part *part,
		uint64_t *offset, uint64_t *length);

/* A part that is mapped and inside of a sync bracket. */
struct view {
	struct portalmem_buffer *buffer;
	void *address;
	unsigned char *bytes; /* the part's first one */
	uint64_t offset;
	uint64_t length;
	unsigned int access; /* PORTALMEM_SYNC_READ or PORTALMEM_SYNC_WRITE */
};

/* Map PART and begin CPU access to it. Gives an exit status. */
int view_open(struct view *view, struct portalmem_buffer *buffer,
	      const struct part *part, unsigned int access);

/* End CPU access and unmap. Gives an exit status. */
int view_close(struct view *view);

#endif
