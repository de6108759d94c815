// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taking the samples, in rounds: each allocator has its turn in each round, and
 * the first of one round is the last of the next.
 */
#include <config.h>

#include <errno.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "parse.h"
#include "progress.h"
#include "report.h"
#include "signals.h"

/* While the iterations of a sample are looked for, they grow so fast. */
#define GROWTH 8
#define ITERATIONS_MAX (UINT64_C(1) << 24)

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

bool bench_interrupted(void)
{
	return interrupted;
}

/* How far it is. */
struct meter {
	struct progress progress;
	double done; /* of 1 */
};

static void show_meter(struct meter *meter, const struct cell *cell)
{
	char text[256], size[SIZE_TEXT_ROOM];

	format_size(size, cell->size);
	snprintf(text, sizeof(text), "%s of %s by %s", cell->test->name, size,
		 cell->allocator->name);
	progress_tell(&meter->progress, meter->done, text);
}

static int run_trial(struct trial *trial, const struct bench_test *test)
{
	if (trial->size > memory_available() / 2)
		return trial_failed(trial, "it is more than half of the memory "
					   "that is available");
	return test->run(trial);
}

/*
 * Run the cell's test once; false when it failed, and then the cell has the
 * reason, or when it was interrupted.
 */
static bool try_cell(const struct results *results, struct cell *cell,
		     struct trial *trial)
{
	*trial = (struct trial){
		.bench = results->bench,
		.allocator = cell->allocator,
		.size = cell->size,
		.iterations = cell->iterations,
		.longest = -1,
		.began = wall_now(),
	};
	if (bench_interrupted())
		return false;
	if (run_trial(trial, cell->test) == 0)
		return !bench_interrupted();
	if (!bench_interrupted())
		snprintf(cell->reason, sizeof(cell->reason), "%s",
			 trial->reason);
	return false;
}

/*
 * What the cell's operations take, the least of two: whatever else happened
 * during one of both is not taken for theirs. Negative: it failed.
 */
static int64_t time_cell(const struct results *results, struct cell *cell)
{
	int64_t least = INT64_MAX;
	struct trial trial;

	for (int i = 0; i < 2; i++) {
		int64_t took;

		if (!try_cell(results, cell, &trial))
			return -1;
		took = wall_now() - trial.began - trial.aside;
		if (took < least)
			least = took;
	}
	return least > 0 ? least : 1;
}

/* Find how many operations fill a sample's time; that also warms up. */
static void calibrate(const struct results *results, struct cell *cell)
{
	const struct bench *bench = results->bench;
	int64_t target = bench->cell_ns / bench->rounds;
	int64_t took;
	double fit;

	if (cell->allocator->reason[0]) {
		snprintf(cell->reason, sizeof(cell->reason), "%s",
			 cell->allocator->reason);
		return;
	}
	cell->iterations = 1;
	while ((took = time_cell(results, cell)) >= 0 && took < target / 4 &&
	       cell->iterations < ITERATIONS_MAX)
		cell->iterations *= GROWTH;
	if (took < 0)
		return;
	fit = (double)cell->iterations * (double)target / (double)took;
	if (fit > (double)ITERATIONS_MAX)
		fit = (double)ITERATIONS_MAX;
	cell->iterations = fit < 1 ? 1 : (uint64_t)fit;
}

static void take_sample(struct results *results, struct cell *cell)
{
	struct sample *sample = &cell->samples[cell->count];
	struct trial trial;
	double n;

	if (cell->reason[0] || !try_cell(results, cell, &trial))
		return;
	n = (double)trial.iterations;
	sample->turn = results->turns++;
	sample->wall = (double)trial.wall / n;
	sample->process = (double)trial.process / n;
	sample->system = trial.system_known &&
					 results->system_source != SYSTEM_NONE
				 ? (double)trial.system / n
				 : UNKNOWN;
	sample->faults = (double)trial.faults / n;
	sample->longest = trial.longest < 0 ? UNKNOWN : (double)trial.longest;
	results->noisy |= trial.noisy;
	cell->count++;
}

static double wall_of(const struct sample *sample)
{
	return sample->wall;
}

static double process_of(const struct sample *sample)
{
	return sample->process;
}

static double system_of(const struct sample *sample)
{
	return sample->system;
}

static double faults_of(const struct sample *sample)
{
	return sample->faults;
}

/* The time that counts. */
static double (*const times_of[])(const struct sample *sample) = {
	[TIME_WALL] = wall_of,
	[TIME_PROCESS] = process_of,
	[TIME_SYSTEM] = system_of,
};

/* VALUES has room for all samples. */
static void describe(const struct cell *cell,
		     double (*value_of)(const struct sample *sample),
		     double *values, struct spread *spread)
{
	for (size_t i = 0; i < cell->count; i++)
		values[i] = value_of(&cell->samples[i]);
	spread_of(values, cell->count, spread);
}

static double median_of(const struct cell *cell,
			double (*value_of)(const struct sample *sample),
			double *values)
{
	struct spread spread;

	if (isnan(value_of(&cell->samples[0])))
		return UNKNOWN;
	describe(cell, value_of, values, &spread);
	return spread.median;
}

/* Why the cell has no figures, when it has none. */
static void forget_samples(struct cell *cell, const char *reason)
{
	cell->count = 0;
	cell->spread = (struct spread){UNKNOWN, UNKNOWN, UNKNOWN,
				       UNKNOWN, UNKNOWN, UNKNOWN};
	cell->process = UNKNOWN;
	cell->system = UNKNOWN;
	cell->faults = UNKNOWN;
	cell->longest = UNKNOWN;
	if (!cell->reason[0])
		snprintf(cell->reason, sizeof(cell->reason), "%s", reason);
}

static void summarize(const struct results *results, struct cell *cell,
		      double *values)
{
	double (*time_of)(const struct sample *sample) =
		times_of[results->bench->time];

	if (cell->count == 0) {
		forget_samples(cell, "interrupted before it was measured");
		return;
	}
	/* What failed later on was measured up to there. */
	cell->reason[0] = '\0';
	if (isnan(time_of(&cell->samples[0]))) {
		forget_samples(cell, "this test does not tell the time of all "
				     "processors");
		return;
	}
	describe(cell, time_of, values, &cell->spread);
	cell->process = median_of(cell, process_of, values);
	cell->system = median_of(cell, system_of, values);
	cell->faults = median_of(cell, faults_of, values);
	cell->longest = UNKNOWN;
	for (size_t i = 0; i < cell->count; i++)
		cell->longest = fmax(cell->longest, cell->samples[i].longest);
}

static void compare(const struct results *results, struct cell *cell,
		    const struct cell *reference, double *values)
{
	double (*time_of)(const struct sample *sample) =
		times_of[results->bench->time];
	struct spread spread;
	size_t count = 0;

	cell->ratio = UNKNOWN;
	cell->ratio_q1 = UNKNOWN;
	cell->ratio_q3 = UNKNOWN;
	if (!reference || reference->count == 0 || cell->count == 0)
		return;
	cell->ratio = ratio_of(cell->spread.median, reference->spread.median);
	for (size_t i = 0; i < cell->count && i < reference->count; i++) {
		double ratio = ratio_of(time_of(&cell->samples[i]),
					time_of(&reference->samples[i]));

		if (!isnan(ratio))
			values[count++] = ratio;
	}
	if (count == 0)
		return;
	spread_of(values, count, &spread);
	cell->ratio_q1 = spread.q1;
	cell->ratio_q3 = spread.q3;
}

static void summarize_group(const struct results *results, struct cell *group,
			    double *values)
{
	const struct cell *reference = NULL;

	for (size_t i = 0; i < results->group; i++) {
		summarize(results, &group[i], values);
		if (group[i].is_reference)
			reference = &group[i];
	}
	for (size_t i = 0; i < results->group; i++)
		compare(results, &group[i], reference, values);
}

static void run_group(struct results *results, struct cell *group,
		      struct meter *meter, double share)
{
	unsigned int rounds = results->bench->rounds;
	double step = share / (double)results->group / (rounds + 1);

	for (size_t i = 0; i < results->group; i++) {
		show_meter(meter, &group[i]);
		calibrate(results, &group[i]);
		meter->done += step;
	}
	for (unsigned int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < results->group; i++) {
			struct cell *cell =
				&group[(i + round) % results->group];

			show_meter(meter, cell);
			take_sample(results, cell);
			meter->done += step;
		}
	}
}

static int give_samples(struct results *results)
{
	for (size_t i = 0; i < results->count; i++) {
		results->cells[i].samples =
			calloc(results->bench->rounds, sizeof(struct sample));
		if (!results->cells[i].samples)
			return failed("making room for samples: %s; ask for "
				      "fewer rounds",
				      strerror(ENOMEM));
	}
	return EXIT_DONE;
}

/* The first of the processors; the threads of 'parallel' take all. */
static int pin(const struct bench *bench)
{
	cpu_set_t set;
	int cpu = 0;

	while (cpu < CPU_SETSIZE && !CPU_ISSET(cpu, &bench->cpus))
		cpu++;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == 0)
		return EXIT_DONE;
	return failed("running on processor %d: %s; choose others with --cpus",
		      cpu, strerror(errno));
}

int run_bench(struct results *results)
{
	struct meter meter = {.done = 0};
	size_t groups = results->count / results->group;
	double *values = calloc(results->bench->rounds, sizeof(*values));
	size_t group;
	int status;

	if (!values)
		return failed("%s", strerror(ENOMEM));
	status = give_samples(results);
	if (status == EXIT_DONE)
		status = pin(results->bench);
	if (status != EXIT_DONE) {
		free(values);
		return status;
	}
	/* Seen between two operations. */
	catch_termination(interrupt, true);
	results->wall_cost = wall_cost();
	results->system_source = system_source();
	for (size_t i = 0; i < results->group; i++)
		allocator_hold(results->cells[i].allocator,
			       results->bench->live);
	progress_begin(&meter.progress, 0);
	for (group = 0; group < groups && !bench_interrupted(); group++) {
		struct cell *cells = &results->cells[group * results->group];

		run_group(results, cells, &meter, 1 / (double)groups);
		summarize_group(results, cells, values);
	}
	progress_end(&meter.progress);
	for (size_t i = 0; i < results->group; i++)
		allocator_let_go(results->cells[i].allocator);
	free(values);
	results->interrupted = bench_interrupted();
	/* What was not begun is not there. */
	for (size_t i = group * results->group; i < results->count; i++)
		free(results->cells[i].samples);
	results->count = group * results->group;
	return EXIT_DONE;
}
