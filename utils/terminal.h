/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stddef.h>

/*
 * How many characters go on a line of the terminal that FD is: what COLUMNS
 * says, or the terminal itself. SIZE_MAX when FD is none, or does not tell.
 */
size_t terminal_columns(int fd);

/* Characters of TEXT in UTF-8, each of which is taken to be one wide. */
size_t text_width(const char *text);

#endif
