// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <math.h>
#include <stdlib.h>

#include "bench-stats.h"

static int compare(const void *a, const void *b)
{
	double first = *(const double *)a;
	double second = *(const double *)b;

	return (first > second) - (first < second);
}

/* The value below which so many QUARTERS of the sorted samples lie. */
static double quartile(const double *sorted, size_t count, size_t quarters)
{
	size_t at = (count - 1) * quarters;
	size_t below = at / 4;
	double part = (double)(at % 4) / 4;

	if (part == 0)
		return sorted[below];
	return sorted[below] + part * (sorted[below + 1] - sorted[below]);
}

void spread_of(double *samples, size_t count, struct spread *spread)
{
	size_t i;

	qsort(samples, count, sizeof(*samples), compare);
	spread->min = samples[0];
	spread->q1 = quartile(samples, count, 1);
	spread->median = quartile(samples, count, 2);
	spread->q3 = quartile(samples, count, 3);
	spread->max = samples[count - 1];
	for (i = 0; i < count; i++)
		samples[i] = fabs(samples[i] - spread->median);
	qsort(samples, count, sizeof(*samples), compare);
	spread->mad = quartile(samples, count, 2);
}

double ratio_of(double value, double reference)
{
	/* Also false for a reference that is no number. */
	if (!(reference > 0))
		return UNKNOWN;
	return value / reference;
}
