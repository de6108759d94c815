// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "clock.h"
#include "progress.h"

#define FIRST_AFTER_MS 1000
#define EVERY_MS 200
#define MIB (UINT64_C(1) << 20)

void progress_begin(struct progress *progress, uint64_t total)
{
	progress->terminal = isatty(STDERR_FILENO);
	progress->shown = false;
	progress->next = clock_now() + FIRST_AFTER_MS;
	progress->total = total;
}

void progress_update(struct progress *progress, uint64_t done)
{
	int64_t now;

	if (!progress->terminal)
		return;
	now = clock_now();
	if (now < progress->next)
		return;
	fprintf(stderr, "\r%3.0f%% %" PRIu64 " of %" PRIu64 " MiB",
		100.0 * (double)done / (double)progress->total, done / MIB,
		progress->total / MIB);
	progress->shown = true;
	progress->next = now + EVERY_MS;
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
}
