/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef EXECUTE_H
#define EXECUTE_H

#include <pthread.h>
#include <sys/types.h>

#include "program.h"

#define CHILDREN_MAX 4

/* What a program has while it runs. */
struct state {
	const struct program *program;
	long results[CALLS_MAX];
	int errors[CALLS_MAX];
	int sockets[2]; /* between its processes */
	int pipe[2];
	pid_t children[CHILDREN_MAX];
	unsigned int child_count;
	pthread_t threads[CHILDREN_MAX];
	unsigned int thread_count;
	bool is_part;	   /* it is in a child or a thread already */
	unsigned int skip; /* so many calls are somebody else's */
	unsigned int at;   /* the call that runs */
};

/* Descriptors from this one on are a program's. */
#define FIRST_FD 16

/* Once, before the first program. */
void execute_prepare(void);

/* Run it to its end; AFTER is called after each call, with its number. */
void execute(struct state *state, const struct program *program,
	     void (*after)(const struct state *state, unsigned int at));

/* Give back all that it has: memory, files, processes. */
void execute_clean(struct state *state);

#endif
