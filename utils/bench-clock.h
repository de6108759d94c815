/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Time, processor time and page faults.
 */
#ifndef BENCH_CLOCK_H
#define BENCH_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S INT64_C(1000000000)

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t wall_now(void);

/* What one wall_now() takes, the median of many. */
double wall_cost(void);

/* Let the processor go for so long; signals may end it earlier. */
void sleep_ns(int64_t ns);

/* What has been used up to a moment. */
struct usage {
	int64_t process; /* processor time of all threads */
	int64_t system;	 /* of all processors, by whatever ran there */
	int64_t looking; /* what usage_when_quiet() itself added to that */
	uint64_t faults; /* page faults of the process */
};

/* Where the processors' time is read, from the finest that is there. */
enum system_source {
	SYSTEM_SCHEDSTAT, /* /proc/schedstat: nanoseconds */
	SYSTEM_STAT,	  /* /proc/stat: steps of 10 ms */
	SYSTEM_NONE
};

enum system_source system_source(void);
const char *system_source_name(enum system_source source);

/*
 * Wait until the processors have nothing to do but this, then read it all.
 * False when they were still busy after a while: something else runs here.
 */
bool usage_when_quiet(struct usage *usage);

/* The same without waiting, and without the system's time. */
void usage_now(struct usage *usage);

/* Nanoseconds that it takes to clear a MiB of memory. */
int64_t clear_cost(void);

#endif
