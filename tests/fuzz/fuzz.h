/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets share. A target is a program of libFuzzer's for one
 * kind of input; what it checks beyond "it does not crash" it states by
 * FUZZ_CHECK().
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of every target, called by libFuzzer. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is not so is a crash. */
#define FUZZ_CHECK(condition)                                      \
	do {                                                       \
		if (!(condition))                                  \
			fuzz_fail(__FILE__, __LINE__, #condition); \
	} while (0)

void fuzz_fail(const char *file, int line, const char *what)
	__attribute__((noreturn));

/* What is left of an input. Past its end, numbers are 0 and texts empty. */
struct fuzz_input {
	const uint8_t *bytes;
	size_t left;
};

uint8_t fuzz_byte(struct fuzz_input *input);

/* Copy so many bytes, zeros past the end. */
void fuzz_bytes(struct fuzz_input *input, void *to, size_t count);

/* The bytes up to the next NUL, at most ROOM - 1, as a string. */
void fuzz_text(struct fuzz_input *input, char *to, size_t room);

/* All of the rest as a string, at most ROOM - 1 bytes. */
void fuzz_rest(struct fuzz_input *input, char *to, size_t room);

/* The lowest free file descriptor: as before, when none was leaked. */
int fuzz_free_fd(void);

/* Is it UTF-8, by a reader that shares nothing with the command's? */
bool fuzz_is_utf8(const char *text);

/* The same, and without characters that control a terminal? */
bool fuzz_is_printable(const char *text);

/* Is it one line of ASCII's, with any bytes but control characters? */
bool fuzz_is_line(const char *text);

#endif
