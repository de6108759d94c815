/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An attachment as output.
 */
#ifndef ATTACHMENT_H
#define ATTACHMENT_H

#include "command.h"

/*
 * Print what the attachment is and where the device finds the buffer. This
 * process holds it by its descriptor for others to take. Gives an exit status.
 */
int print_attachment(const struct context *ctx,
		     struct portalmem_attachment *attachment);

/* "to", "from" or "both". */
const char *direction_name(enum portalmem_direction direction);

#endif
