/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said of a set of samples.
 */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <math.h>
#include <stddef.h>

/* A figure that there is none of. */
#define UNKNOWN ((double)NAN)

struct spread {
	double min;
	double q1; /* first quartile */
	double median;
	double q3; /* third quartile */
	double max;
	double mad; /* median of the distances from the median, as it is */
};

/*
 * Describe COUNT samples, at least one, which are used up. A quartile
 * that falls between two samples is interpolated.
 */
void spread_of(double *samples, size_t count, struct spread *spread);

/* VALUE as a multiple of REFERENCE; UNKNOWN when that is not above zero. */
double ratio_of(double value, double reference);

#endif
