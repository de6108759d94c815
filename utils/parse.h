/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arguments in text form. What cannot be read is reported as a mistake in
 * WHAT, and ends the program. No locale has a say.
 */
#ifndef PARSE_H
#define PARSE_H

#include <stdbool.h>
#include <stdint.h>

#include "portalmem.h"

/* 4096, 16K, 1.5G, 16MiB: powers of two. */
uint64_t parse_size(const char *what, const char *text);

/* The same, and not zero. */
uint64_t parse_nonzero_size(const char *what, const char *text);

/* A decimal number or, after 0x, a hexadecimal one, not over MAXIMUM. */
uint64_t parse_number(const char *what, const char *text, uint64_t maximum);

/* Seconds, 5 or 0.25, as milliseconds. */
int64_t parse_seconds(const char *what, const char *text);

/* The same; false when it cannot be read. */
bool read_seconds(const char *text, int64_t *msp);

/* Octal file permissions. */
unsigned int parse_mode(const char *what, const char *text);

enum portalmem_caching parse_caching(const char *what, const char *text);
enum portalmem_backend parse_backend(const char *what, const char *text);

/* Room for any 64-bit size as format_size() writes it. */
#define SIZE_TEXT_ROOM 24

/* Write SIZE exactly, in the largest unit that divides it: 16M, 1028K, 5. */
void format_size(char *text, uint64_t size);

/* Room for any size as describe_size() writes it. */
#define SIZE_PHRASE_ROOM 64

/* Write SIZE exactly, and so that it can be read: 1048576 bytes (1M), 5 bytes. */
void describe_size(char *text, uint64_t size);

/* Write SIZE rounded down to a tenth of a unit that suits it: 16M, 1.1M. */
void format_size_short(char *text, uint64_t size);

#endif
