/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What becomes of a buffer that alloc or receive got, or of an attachment: a
 * command runs with it, or it is held until a signal comes.
 */
#ifndef HOLD_H
#define HOLD_H

#include "command.h"

/* Cut argv at "--" and give what follows; NULL without "--". */
char **split_command(int *argc, char **argv);

/*
 * Run COMMAND in place of this program, with the buffer's descriptor and its
 * description in the environment; without COMMAND, print the buffer and hold
 * it. Returns an exit status, if at all.
 */
int use_buffer(const struct context *ctx, struct portalmem_buffer *buffer,
	       char **command);

/*
 * The same with an attachment of BUFFER: COMMAND gets both, and what is held
 * ends with a failure when the device goes away.
 */
int use_attachment(const struct context *ctx, struct portalmem_buffer *buffer,
		   struct portalmem_attachment *attachment, char **command);

#endif
