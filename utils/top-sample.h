/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What 'portalmem top' knows: the state of the system at several moments, and
 * what has happened between them.
 */
#ifndef TOP_SAMPLE_H
#define TOP_SAMPLE_H

#include "census.h"
#include "heap-state.h"

/* When a buffer was seen first that was there at the start. */
#define TOP_BORN_BEFORE INT64_MIN

/* How long a process must not have worked to be idle. */
#define TOP_IDLE_MS 200

/* A process that holds buffers. */
struct top_process {
	pid_t pid;
	bool timed; /* its times are known */
	struct process_times times;
	int64_t idle_since; /* when it was first seen not to work */
};

/* One moment. */
struct top_sample {
	int64_t when; /* monotonic, in milliseconds */
	struct census census;
	int64_t *born; /* of each buffer: when it was seen first */
	struct top_process *processes; /* by number */
	size_t process_count;
	struct heap_states heaps;
	/* since the first sample: by the heaps' counters, or by what is new */
	uint64_t allocations;
};

/*
 * Take a sample of the system whose /proc and /sys are below ROOT. Gives 0 or
 * what census_take() gives.
 */
int top_sample_take(struct top_sample **samplep, const char *root);

void top_sample_free(struct top_sample *sample);

struct top_history {
	struct top_sample *first, *before, *now; /* can be the same */
	uint64_t count;				 /* of samples, in all */
};

/* Add the next sample, which belongs to the history then. */
void top_history_add(struct top_history *history, struct top_sample *sample);

void top_history_free(struct top_history *history);

/*
 * What has been counted up from BEFORE to NOW, in thousandths per second. A
 * counter that went back has started anew.
 */
uint64_t top_history_rate(const struct top_history *history, uint64_t before,
			  uint64_t now);

/* The process, if it is the one that had this number, or NULL. */
const struct top_process *top_sample_find(const struct top_sample *sample,
					  pid_t pid);

#endif
