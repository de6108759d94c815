// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "bench-clock.h"
#include "bench-stats.h"

/* The processors are quiet when less than this was used in a look. */
#define LOOK_NS NS_PER_MS
#define QUIET_NS (NS_PER_MS / 4)
#define QUIET_LOOKS 60

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

int64_t wall_now(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

double wall_cost(void)
{
	enum {
		ROUNDS = 9,
		CALLS = 1000
	};
	double samples[ROUNDS];
	struct spread spread;

	for (int i = 0; i < ROUNDS; i++) {
		int64_t begin = wall_now();

		for (int j = 1; j < CALLS; j++)
			wall_now();
		samples[i] = (double)(wall_now() - begin) / CALLS;
	}
	spread_of(samples, ROUNDS, &spread);
	return spread.median;
}

void sleep_ns(int64_t ns)
{
	struct timespec time = {.tv_sec = ns / NS_PER_S,
				.tv_nsec = ns % NS_PER_S};

	nanosleep(&time, NULL);
}

/*
 * "cpuN" and nine numbers; the seventh is the time that tasks have run there.
 * What runs at this moment is not in it before it stops running.
 */
static bool take_schedstat(const char *line, int64_t *sump)
{
	uint64_t run;

	if (strncmp(line, "cpu", 3) != 0)
		return false;
	if (sscanf(line, "cpu%*u %*u %*u %*u %*u %*u %*u %" SCNu64, &run) != 1)
		return false;
	*sump += (int64_t)run;
	return true;
}

/* "cpuN" and user, nice, system, idle, iowait, irq, softirq, steal... */
static bool take_stat(const char *line, int64_t *sump)
{
	uint64_t user, nice, system, irq, softirq;

	if (strncmp(line, "cpu", 3) != 0 || line[3] == ' ')
		return false;
	if (sscanf(line,
		   "cpu%*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %*u %*u %" SCNu64
		   " %" SCNu64,
		   &user, &nice, &system, &irq, &softirq) != 5)
		return false;
	*sump += (int64_t)(user + nice + system + irq + softirq) *
		 (NS_PER_S / sysconf(_SC_CLK_TCK));
	return true;
}

static bool read_processors(const char *path,
			    bool (*take)(const char *line, int64_t *sump),
			    int64_t *sump)
{
	FILE *file = fopen(path, "re");
	bool found = false;
	char *line = NULL;
	size_t room = 0;

	*sump = 0;
	if (!file)
		return false;
	while (getline(&line, &room, file) > 0)
		found |= take(line, sump);
	free(line);
	fclose(file);
	return found;
}

static bool read_schedstat(int64_t *sump)
{
	return read_processors("/proc/schedstat", take_schedstat, sump);
}

static bool read_stat(int64_t *sump)
{
	return read_processors("/proc/stat", take_stat, sump);
}

enum system_source system_source(void)
{
	int64_t sum;

	if (read_schedstat(&sum))
		return SYSTEM_SCHEDSTAT;
	return read_stat(&sum) ? SYSTEM_STAT : SYSTEM_NONE;
}

const char *system_source_name(enum system_source source)
{
	switch (source) {
	case SYSTEM_SCHEDSTAT:
		return "/proc/schedstat";
	case SYSTEM_STAT:
		return "/proc/stat";
	default:
		return NULL;
	}
}

static int64_t system_now(void)
{
	int64_t sum;

	if (!read_schedstat(&sum) && !read_stat(&sum))
		return 0;
	return sum;
}

void usage_now(struct usage *usage)
{
	struct rusage rusage;

	getrusage(RUSAGE_SELF, &rusage);
	usage->faults = (uint64_t)(rusage.ru_minflt + rusage.ru_majflt);
	usage->system = 0;
	usage->looking = 0;
	usage->process = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/*
 * Whether another task runs or waits for a processor at this moment: what it
 * uses is not in the sums before it stops. "load load load RUNNING/ALL LAST".
 */
static bool others_run(void)
{
	FILE *file = fopen("/proc/loadavg", "re");
	unsigned int running = 1;

	if (!file)
		return false;
	if (fscanf(file, "%*s %*s %*s %u", &running) != 1)
		running = 1;
	fclose(file);
	return running > 1;
}

/* One look; true when nobody else had or has work. */
static bool look(int64_t *systemp, int64_t *ownp)
{
	int64_t system_before = *systemp;
	int64_t own_before = *ownp;

	sleep_ns(LOOK_NS);
	*ownp = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	*systemp = system_now();
	return *systemp - system_before - (*ownp - own_before) <= QUIET_NS &&
	       !others_run();
}

bool usage_when_quiet(struct usage *usage)
{
	/* On a machine that is never quiet, no time is lost in waiting. */
	static int looks_allowed = QUIET_LOOKS;
	int64_t began = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	int64_t system = 0, own = began;
	int looks = 0;

	look(&system, &own);
	while (!look(&system, &own) && ++looks < looks_allowed)
		continue;
	usage_now(usage);
	usage->system = system;
	usage->looking = own - began;
	if (looks < looks_allowed) {
		looks_allowed = QUIET_LOOKS;
		return true;
	}
	looks_allowed = looks_allowed / 4 + 1;
	return false;
}

int64_t clear_cost(void)
{
	enum {
		ROUNDS = 5,
		MIB = 1 << 20,
		SIZE = 4 * MIB
	};
	double samples[ROUNDS];
	struct spread spread;
	void *bytes = malloc(SIZE);

	if (!bytes)
		return NS_PER_MS;
	memset(bytes, 1, SIZE);
	for (int i = 0; i < ROUNDS; i++) {
		int64_t begin = wall_now();

		memset(bytes, 0, SIZE);
		/* The compiler must not leave out what nobody reads. */
		__asm__ volatile("" : : "r"(bytes) : "memory");
		samples[i] = (double)(wall_now() - begin) * MIB / SIZE;
	}
	free(bytes);
	spread_of(samples, ROUNDS, &spread);
	return (int64_t)spread.median + 1;
}
