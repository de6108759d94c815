/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length of the valid UTF-8 sequence at TEXT, 0 when there is none. */
size_t utf8_sequence(const char *text);

/* The character of a valid sequence of LENGTH bytes. */
uint32_t utf8_decode(const char *text, size_t length);

#endif
