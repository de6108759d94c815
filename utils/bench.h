/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Measuring allocators beside each other. A cell is one test of one allocator
 * at one size; it has a sample from each round, and each sample is the mean of
 * as many operations as fit its time.
 */
#ifndef BENCH_H
#define BENCH_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bench-clock.h"
#include "bench-stats.h"
#include "portalmem.h"

#define ALLOCATOR_NAME_ROOM 64
#define REASON_ROOM 512

/* How an allocator is spoken to. */
enum allocator_kind {
	ALLOCATOR_DEVICE,    /* a device of the library */
	ALLOCATOR_HEAP,	     /* a heap of the kernel's, without the library */
	ALLOCATOR_UDMABUF,   /* udmabuf, without the library */
	ALLOCATOR_POOL,	     /* the library's pool of such a device's buffers */
	ALLOCATOR_ANONYMOUS, /* memory of the process, in huge pages */
};

struct allocator {
	char name[ALLOCATOR_NAME_ROOM];
	enum allocator_kind kind;
	struct portalmem_device *device; /* NULL for anonymous memory */
	int node;			 /* of a kernel's own, or negative */
	struct portalmem_alloc_options options;
	struct portalmem_pool *pool;	/* during a sample */
	struct portalmem_buffer **live; /* that are held all the time */
	uint64_t live_count;
	char reason[REASON_ROOM]; /* why it cannot be used; empty: it can */
};

struct allocators {
	size_t count;
	struct allocator *all;
};

/* A piece of memory that an allocator gave. */
struct piece {
	struct portalmem_buffer *buffer; /* or NULL */
	int fd;				 /* of a kernel's own, or negative */
	void *bytes;			 /* NULL when it is not mapped */
	size_t size;
};

/* Which of the times counts. */
enum time_kind {
	TIME_WALL,
	TIME_PROCESS,
	TIME_SYSTEM
};

/* What is measured, and how. */
struct bench {
	unsigned int rounds;
	int64_t cell_ns;      /* for all samples of a cell together */
	int64_t clear_mib_ns; /* what clear_cost() gave */
	enum time_kind time;  /* which is compared */
	cpu_set_t cpus;	      /* where it runs */
	uint64_t live;	      /* buffers that are held meanwhile */
	int file; /* what is read, past the page cache; negative: none */
	uint64_t file_size;
	char file_reason[REASON_ROOM]; /* why there is none */
	const char *attach_bus;	       /* NULL: no device is given */
	const char *attach_device;
	struct portalmem_device *attacher; /* where it is attached from */
};

/* What one sample gave, for one operation. */
struct sample {
	uint64_t turn; /* its place among all samples, from 0 */
	double wall;   /* ns */
	double process;
	double system; /* or UNKNOWN */
	double faults;
	double longest; /* of the sample's operations; UNKNOWN: not timed alone */
};

/* One sample while it is taken. */
struct trial {
	const struct bench *bench;
	struct allocator *allocator;
	uint64_t size;
	uint64_t iterations;

	/* Sums over the iterations. */
	int64_t wall;
	int64_t process;
	int64_t system;
	bool system_known;
	uint64_t faults;
	int64_t longest; /* negative: not known */
	bool noisy;
	int64_t began;
	int64_t aside; /* time that is not for the operations */

	int sockets[2];		  /* two ends of one, for pass */
	char reason[REASON_ROOM]; /* why it failed */
};

/* Something whose time is taken. */
struct bench_test {
	const char *name;
	/* Gives 0, or a negative value with the trial's reason set. */
	int (*run)(struct trial *trial);
};

extern const struct bench_test bench_tests[];
extern const size_t bench_test_count;

/* NULL: there is none of that name. */
const struct bench_test *find_test(const char *name, size_t length);

/* A test at a size of one allocator. */
struct cell {
	const struct bench_test *test;
	uint64_t size;
	struct allocator *allocator;
	bool is_reference;

	uint64_t iterations; /* of each sample */
	size_t count;	     /* samples */
	struct sample *samples;
	char reason[REASON_ROOM]; /* why there are none; empty: there are */

	/* What the samples say; UNKNOWN without any. */
	struct spread spread; /* of the time that counts */
	double process;	      /* medians */
	double system;
	double faults;
	double longest;	 /* of all */
	double ratio;	 /* of the medians; UNKNOWN: there is none */
	double ratio_q1; /* of the ratios within each round */
	double ratio_q3;
};

struct results {
	const struct bench *bench;
	struct cell *cells; /* in groups: test, then size, then allocator */
	size_t count;
	size_t group; /* allocators, and so the cells of each group */
	uint64_t turns;
	bool noisy;
	bool interrupted;
	const char *reference;
	double wall_cost;
	enum system_source system_source;
};

/* bench-allocators.c */

/*
 * Find what this machine has, or with NAMES, separated by commas, these. Those
 * that are there and cannot be used have a reason. Gives an exit status.
 */
int find_allocators(struct allocators *found, const char *names,
		    const char *path, enum portalmem_backend backend);
int add_allocator(struct allocators *found, const char *name);
struct allocator *find_allocator(const struct allocators *found,
				 const char *name);
void free_allocators(struct allocators *found);

/* Before and after a sample, for pieces of SIZE, at most MOST at a time. */
int allocator_begin(struct trial *trial, unsigned int most);
void allocator_end(struct allocator *allocator);

/* Of the trial's size; they give 0, or -1 with the trial's reason set. */
int piece_alloc(struct trial *trial, struct piece *piece);
int piece_map(struct trial *trial, struct piece *piece);
/* Have the library know it, for what only that does. */
int piece_import(struct trial *trial, struct piece *piece);
void piece_unmap(struct piece *piece);
void piece_free(struct piece *piece);

/* Hold COUNT small buffers; on failure the allocator has the reason. */
void allocator_hold(struct allocator *allocator, uint64_t count);
void allocator_let_go(struct allocator *allocator);

/* Have the allocator keep no freed memory. */
void allocator_drain(struct allocator *allocator);

/* bench-tests.c */

/* Set the reason, to what the library says of ERROR. Gives -1. */
int trial_failed_call(struct trial *trial, const char *what, int error);
int trial_failed(struct trial *trial, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Memory that could be had without swapping, bytes. */
uint64_t memory_available(void);

/* bench-run.c */

/* Measure all; what is measured when a signal comes is in RESULTS. */
int run_bench(struct results *results);
bool bench_interrupted(void);

/* bench-print.c */
void print_results(const struct results *results);
void print_results_json(const struct results *results);
void print_results_csv(const struct results *results);
const char *time_name(enum time_kind time);

/* What has to be known to read the figures, one text for each INDEX. */
#define NOTES_MAX 8
size_t collect_notes(const struct results *results, char notes[NOTES_MAX][256]);

/* bench-plot.c */

/* Mistakes and what is missing end the program, or give an exit status. */
int check_plot(const char *path);
int write_plot(const struct results *results, const char *path);

#endif
