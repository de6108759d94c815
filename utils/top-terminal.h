/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal, through curses and nothing else.
 */
#ifndef TOP_TERMINAL_H
#define TOP_TERMINAL_H

#include "top-screen.h"

/* No key is waiting. */
#define TOP_KEY_NONE (-1)

/*
 * Take the terminal over that stdin and stdout are. Gives an exit status; the
 * failure is reported, and the terminal is as it was.
 */
int terminal_open(void);

/* Leave it as it was found. */
void terminal_close(void);

/* How large it is now. */
void terminal_size(unsigned int *rows, unsigned int *columns);

/* Paint the screen, or with ANEW all of the terminal. */
void terminal_paint(const struct top_screen *screen, bool anew);

/* A character or an enum top_key. */
int terminal_key(void);

#endif
