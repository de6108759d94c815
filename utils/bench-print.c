// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "bench.h"
#include "json.h"
#include "parse.h"
#include "report.h"

/* Fewer say little about how much the figures vary. */
#define ROUNDS_ENOUGH 5

const char *time_name(enum time_kind time)
{
	static const char *const names[] = {
		[TIME_WALL] = "wall",
		[TIME_PROCESS] = "process",
		[TIME_SYSTEM] = "system",
	};

	return names[time];
}

/* True when /proc/cpuinfo has a line that begins with KEY and has WORD. */
static bool processor_says(const char *key, const char *word)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[4096];
	bool found = false;

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = strncmp(line, key, strlen(key)) == 0 &&
			strstr(line, word);
	fclose(file);
	return found;
}

/* The rule by which the frequency of the first processor changes. */
static bool frequency_varies(char *governor, size_t room)
{
	FILE *file = fopen(
		"/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "re");
	char *line;

	if (!file)
		return false;
	line = fgets(governor, (int)room, file);
	fclose(file);
	if (!line)
		return false;
	governor[strcspn(governor, "\n")] = '\0';
	return strcmp(governor, "performance") != 0;
}

/* The notes that are being collected. */
struct notes {
	size_t count;
	char (*texts)[256];
};

static void add_note(struct notes *notes, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add_note(struct notes *notes, const char *format, ...)
{
	va_list arguments;

	if (notes->count == NOTES_MAX)
		return;
	va_start(arguments, format);
	vsnprintf(notes->texts[notes->count++], sizeof(notes->texts[0]), format,
		  arguments);
	va_end(arguments);
}

size_t collect_notes(const struct results *results, char texts[NOTES_MAX][256])
{
	struct notes notes = {.texts = texts};
	char governor[64];

	if (results->bench->rounds < ROUNDS_ENOUGH)
		add_note(&notes,
			 "%u rounds are too few to tell how much the figures "
			 "vary; use --rounds %d or more",
			 results->bench->rounds, ROUNDS_ENOUGH);
	if (processor_says("model name", "QEMU") ||
	    processor_says("model name", "TCG"))
		add_note(&notes, "this machine is emulated: ratios mean "
				 "something, times do not");
	else if (processor_says("flags", " hypervisor"))
		add_note(&notes, "this is a virtual machine: others may have "
				 "used its processors meanwhile");
	if (frequency_varies(governor, sizeof(governor)))
		add_note(&notes,
			 "the processors' frequency varies (governor %s): "
			 "ratios are better than times",
			 governor);
	if (results->noisy)
		add_note(&notes, "the machine had other work to do meanwhile: "
				 "times of all processors have that in them");
	if (results->system_source == SYSTEM_STAT)
		add_note(&notes,
			 "times of all processors come from /proc/stat, "
			 "in steps of 10 ms");
	if (results->interrupted)
		add_note(&notes, "it was interrupted: this is what was "
				 "measured before");
	return notes.count;
}

#define TIME_ROOM 16

/* Three digits and a unit. */
static void format_time(char *text, double ns)
{
	static const char *const units[] = {"ns", "us", "ms", "s"};
	size_t unit = 0;
	int digits;

	/* What is printed as 1000 of one unit is 1 of the next. */
	while (unit < 3 && ns >= 999.5) {
		ns /= 1000;
		unit++;
	}
	digits = ns < 9.995 ? 2 : ns < 99.95 ? 1 : 0;
	snprintf(text, TIME_ROOM, "%.*f%s", digits, ns, units[unit]);
}

static void print_time(double ns)
{
	char text[TIME_ROOM];

	if (isnan(ns))
		snprintf(text, sizeof(text), "-");
	else
		format_time(text, ns);
	printf("  %7s", text);
}

static void print_ratio(double ratio)
{
	if (isnan(ratio))
		printf("  %8s", "-");
	else if (ratio < 0.01)
		printf("  %8.5f", ratio);
	else
		printf("  %8.3f", ratio);
}

static void print_cell(const struct cell *cell)
{
	char size[SIZE_TEXT_ROOM];
	char name[256];
	char reason[2 * REASON_ROOM];

	format_size(size, cell->size);
	escape_text(name, sizeof(name), cell->allocator->name);
	printf("%-9s  %6s  %-13s", cell->test->name, size, name);
	if (cell->count == 0) {
		escape_text(reason, sizeof(reason), cell->reason);
		printf("  %7s  %s\n", "-", reason);
		return;
	}
	print_time(cell->spread.median);
	print_time(cell->spread.min);
	print_time(cell->spread.q1);
	print_time(cell->spread.q3);
	print_time(cell->longest);
	printf("  %8.1f", cell->faults);
	print_ratio(cell->ratio);
	putchar('\n');
}

void print_results(const struct results *results)
{
	char notes[NOTES_MAX][256];
	size_t count = collect_notes(results, notes);

	printf("%-9s  %6s  %-13s  %7s  %7s  %7s  %7s  %7s  %8s  %8s\n", "TEST",
	       "SIZE", "ALLOCATOR", "MEDIAN", "MIN", "Q1", "Q3", "LONGEST",
	       "FAULTS", "RATIO");
	for (size_t i = 0; i < results->count; i++) {
		if (i > 0 && i % results->group == 0)
			putchar('\n');
		print_cell(&results->cells[i]);
	}
	printf("\n%s time for one operation, %u rounds; RATIO to %s\n",
	       results->bench->time == TIME_WALL ? "Elapsed"
	       : results->bench->time == TIME_PROCESS
		       ? "The process's processor"
		       : "All processors'",
	       results->bench->rounds, results->reference);
	for (size_t i = 0; i < count; i++)
		printf("Note: %s\n", notes[i]);
}

static void put_samples(struct json *json, const struct cell *cell)
{
	json_array_begin(json, "samples");
	for (size_t i = 0; i < cell->count; i++) {
		const struct sample *sample = &cell->samples[i];

		json_object_begin(json, NULL);
		json_number(json, "turn", sample->turn);
		json_decimal(json, "wall_ns", sample->wall, 1);
		json_decimal(json, "process_ns", sample->process, 1);
		json_decimal(json, "system_ns", sample->system, 1);
		json_decimal(json, "faults", sample->faults, 3);
		json_decimal(json, "longest_ns", sample->longest, 0);
		json_object_end(json);
	}
	json_array_end(json);
}

/* What is told of a cell to programs. */
struct figure {
	const char *key;
	double value;
	int digits;
};

#define FIGURES 13

static void list_figures(const struct cell *cell, struct figure *figures)
{
	const struct spread *spread = &cell->spread;
	const struct figure list[FIGURES] = {
		{"median_ns", spread->median, 1},
		{"min_ns", spread->min, 1},
		{"q1_ns", spread->q1, 1},
		{"q3_ns", spread->q3, 1},
		{"max_ns", spread->max, 1},
		{"mad_ns", spread->mad, 1},
		{"longest_ns", cell->longest, 0},
		{"process_ns", cell->process, 1},
		{"system_ns", cell->system, 1},
		{"faults", cell->faults, 3},
		{"ratio", cell->ratio, 6},
		{"ratio_q1", cell->ratio_q1, 6},
		{"ratio_q3", cell->ratio_q3, 6},
	};

	memcpy(figures, list, sizeof(list));
}

static const char *reason_of(const struct cell *cell)
{
	return cell->count > 0 ? NULL : cell->reason;
}

static void put_cell(struct json *json, const struct cell *cell)
{
	struct figure figures[FIGURES];

	list_figures(cell, figures);
	json_object_begin(json, NULL);
	json_string(json, "test", cell->test->name);
	json_number(json, "size", cell->size);
	json_string(json, "allocator", cell->allocator->name);
	json_number(json, "iterations", cell->iterations);
	for (size_t i = 0; i < FIGURES; i++)
		json_decimal(json, figures[i].key, figures[i].value,
			     figures[i].digits);
	json_string(json, "reason", reason_of(cell));
	put_samples(json, cell);
	json_object_end(json);
}

static void put_cpus(struct json *json, const cpu_set_t *cpus)
{
	json_array_begin(json, "cpus");
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, cpus))
			json_number(json, NULL, (uint64_t)cpu);
	json_array_end(json);
}

void print_results_json(const struct results *results)
{
	const struct bench *bench = results->bench;
	struct json json = {.out = stdout};
	char notes[NOTES_MAX][256];
	size_t count = collect_notes(results, notes);

	json_object_begin(&json, NULL);
	json_string(&json, "clock", time_name(bench->time));
	json_number(&json, "rounds", bench->rounds);
	json_decimal(&json, "seconds", (double)bench->cell_ns / NS_PER_S, 3);
	json_string(&json, "reference", results->reference);
	put_cpus(&json, &bench->cpus);
	json_number(&json, "live", bench->live);
	json_decimal(&json, "clock_cost_ns", results->wall_cost, 1);
	json_number(&json, "clear_mib_ns", (uint64_t)bench->clear_mib_ns);
	json_string(&json, "system_source",
		    system_source_name(results->system_source));
	json_bool(&json, "interrupted", results->interrupted);
	json_array_begin(&json, "notes");
	for (size_t i = 0; i < count; i++)
		json_string(&json, NULL, notes[i]);
	json_array_end(&json);
	json_array_begin(&json, "cells");
	for (size_t i = 0; i < results->count; i++)
		put_cell(&json, &results->cells[i]);
	json_array_end(&json);
	json_object_end(&json);
	json_finish(&json);
}

/* As RFC 4180 has it, and no lines within a field. */
static void put_csv_text(const char *text)
{
	char escaped[2 * REASON_ROOM];
	const char *c;

	escape_text(escaped, sizeof(escaped), text);
	putchar('"');
	for (c = escaped; *c; c++) {
		if (*c == '"')
			putchar('"');
		putchar(*c);
	}
	putchar('"');
}

static void put_csv_cell(const struct cell *cell)
{
	const char *reason = reason_of(cell);
	struct figure figures[FIGURES];

	list_figures(cell, figures);
	printf("%s,%" PRIu64 ",", cell->test->name, cell->size);
	put_csv_text(cell->allocator->name);
	printf(",%" PRIu64 ",%zu", cell->iterations, cell->count);
	for (size_t i = 0; i < FIGURES; i++) {
		putchar(',');
		if (!isnan(figures[i].value))
			printf("%.*f", figures[i].digits, figures[i].value);
	}
	putchar(',');
	put_csv_text(reason ? reason : "");
	putchar('\n');
}

void print_results_csv(const struct results *results)
{
	struct figure figures[FIGURES];
	const struct cell none = {0};

	list_figures(&none, figures);
	fputs("test,size,allocator,iterations,rounds", stdout);
	for (size_t i = 0; i < FIGURES; i++)
		printf(",%s", figures[i].key);
	puts(",reason");
	for (size_t i = 0; i < results->count; i++)
		put_csv_cell(&results->cells[i]);
}
