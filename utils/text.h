/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text in columns. What other programs chose, such as a process's name, can
 * neither drive the terminal nor shift what comes after it.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>

/* Any number of columns. */
#define TEXT_UNLIMITED 4096

/* Room for as many columns of text: a character has up to four bytes. */
#define TEXT_ROOM(columns) ((size_t)(columns)*4 + 1)

/*
 * Copy TEXT as at most so many columns, and give how many it takes. Bytes that
 * are no characters of UTF-8, and characters that cannot be seen in LC_CTYPE,
 * become \xNN. What does not fit is cut off, and ends with a plus sign. COPY
 * has TEXT_ROOM(columns).
 */
unsigned int text_fit(char *copy, const char *text, unsigned int columns);

/* Room for what is written by the functions below. */
#define NUMBER_TEXT_ROOM 32

/* A change of a size: +1.5M, -4K, 0. */
void format_growth(char *text, int64_t growth);

/* Thousandths, rounded down to tenths: 2.5. */
void format_rate(char *text, uint64_t thousandths);

/* Milliseconds, rounded down: 8s, 2m, 3h, 4d. */
void format_age(char *text, int64_t ms);

#endif
