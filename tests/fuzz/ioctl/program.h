/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs for the module: a few calls, each with numbers and with what calls
 * before it gave. As text, a call is a line:
 *
 *     r2 = alloc node=r0 size=0x10000 caching=1
 *
 * What is not named is 0; what follows a '#' is a comment.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CALLS_MAX 24
#define ARGUMENTS_MAX 8

/* What an argument is, and so which values make sense. */
enum kind {
	KIND_NONE,
	/* File descriptors. */
	KIND_NODE,
	KIND_BUFFER,
	KIND_ATTACHMENT,
	KIND_FILE,
	/* Numbers. */
	KIND_PATH,
	KIND_SIZE,
	KIND_OFFSET,
	KIND_COUNT,
	KIND_CACHING,
	KIND_ALLOC_FLAGS,
	KIND_FD_FLAGS,
	KIND_BITS,
	KIND_ALIGNMENT,
	KIND_ATTACH_FLAGS,
	KIND_STRUCT_SIZE,
	KIND_PLACE,
	KIND_PROTECTION,
	KIND_MAP_FLAGS,
	KIND_ADVICE,
	KIND_SYNC_FLAGS,
	KIND_DIRECTION,
	KIND_DEVICE,
	KIND_MEMORY,
	KIND_MINUS_ONE,
	KIND_NAME,
	KIND_NUMBER,
	KIND_SMALL,
	KIND_WORD,
	KINDS
};

struct argument {
	bool is_result; /* of the call with that number */
	uint64_t value;
};

struct call {
	unsigned int operation;
	struct argument arguments[ARGUMENTS_MAX];
};

struct program {
	unsigned int count;
	struct call calls[CALLS_MAX];
};

struct state;

struct operation {
	const char *name;
	enum kind gives;     /* KIND_NONE: nothing that others could use */
	unsigned int weight; /* how often it is chosen */
	/* A result below 0 is a failure, with its errno. */
	long (*run)(struct state *state, const uint64_t *values);
	struct {
		const char *name;
		enum kind kind;
	} arguments[ARGUMENTS_MAX + 1];
};

/* execute.c */
extern const struct operation operations[];
extern const unsigned int operation_count;

/* The next random number of a sequence. */
uint64_t random_next(uint64_t *seed);
unsigned int random_below(uint64_t *seed, unsigned int limit);

void program_make(struct program *program, uint64_t *seed);

/* Change it a little; OTHER is another one to take calls from. */
void program_mutate(struct program *program, const struct program *other,
		    uint64_t *seed);

void program_print(const struct program *program, FILE *file);

/* False with a message on stderr when it is none. */
bool program_read(struct program *program, const char *path);

uint64_t program_hash(const struct program *program);

#endif
