// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "parse.h"
#include "progress.h"
#include "terminal.h"

#define FIRST_AFTER_MS 1000
#define EVERY_MS 200

#define LINE_ROOM 256
#define BAR_MOST 40
#define BAR_LEAST 8

static size_t room_on_line(void)
{
	size_t columns = terminal_columns(STDERR_FILENO);

	/* In the last column, some terminals go on to the next line. */
	return columns > LINE_ROOM - 1 ? LINE_ROOM - 1 : columns - 1;
}

/* One write: nothing comes between. Gives how much is shown now. */
static size_t put_line(const char *line, size_t shown)
{
	char text[2 * LINE_ROOM];
	size_t length = strlen(line);

	snprintf(text, sizeof(text), "\r%s%*s%s", line,
		 shown > length ? (int)(shown - length) : 0, "",
		 length ? "" : "\r");
	fputs(text, stderr);
	return length;
}

/* Append, if there is room for it. */
static void append(char *line, size_t room, const char *text)
{
	if (strlen(line) + strlen(text) <= room)
		strcat(line, text);
}

static void append_bar(char *line, size_t room, double part)
{
	char bar[BAR_MOST + 3];
	size_t length = room - strlen(line);

	if (length < BAR_LEAST + 3 || strlen(line) > room)
		return;
	length -= 3; /* a space and the brackets */
	if (length > BAR_MOST)
		length = BAR_MOST;
	for (size_t i = 0; i < length; i++)
		bar[i] = (double)i < part * (double)length ? '#' : '-';
	bar[length] = '\0';
	strcat(line, " [");
	strcat(line, bar);
	strcat(line, "]");
}

void progress_begin(struct progress *progress, uint64_t total)
{
	progress->terminal = isatty(STDERR_FILENO);
	progress->shown = 0;
	progress->begin = clock_now();
	progress->next = progress->begin + FIRST_AFTER_MS;
	progress->total = total;
}

static bool is_due(const struct progress *progress)
{
	return progress->terminal && clock_now() >= progress->next;
}

/* Put what LINE has, with a bar behind it where there is room. */
static void put_progress(struct progress *progress, char *line, size_t room,
			 double part)
{
	append_bar(line, room, part);
	progress->shown = put_line(line, progress->shown);
	progress->next = clock_now() + EVERY_MS;
}

void progress_tell(struct progress *progress, double part, const char *text)
{
	char line[LINE_ROOM] = "", percent[8];
	size_t room;

	if (!is_due(progress))
		return;
	room = room_on_line();
	snprintf(percent, sizeof(percent), "%3.0f%% ", 100 * part);
	append(line, room, percent);
	append(line, room, text);
	put_progress(progress, line, room, part);
}

void progress_update(struct progress *progress, uint64_t done)
{
	char line[LINE_ROOM] = "";
	char text[3 * SIZE_TEXT_ROOM], size[SIZE_TEXT_ROOM];
	double part = (double)done / (double)progress->total;
	size_t room;

	if (!is_due(progress))
		return;
	room = room_on_line();
	snprintf(text, sizeof(text), "%3.0f%%", 100 * part);
	append(line, room, text);
	format_size_short(size, done);
	snprintf(text, sizeof(text), " %s of ", size);
	format_size_short(size, progress->total);
	strcat(text, size);
	append(line, room, text);
	format_size_short(
		size, done * 1000 / (uint64_t)(clock_now() - progress->begin));
	snprintf(text, sizeof(text), ", %s/s", size);
	append(line, room, text);
	put_progress(progress, line, room, part);
}

void progress_end(struct progress *progress)
{
	if (progress->shown)
		put_line("", progress->shown);
}

/* What the thread that waits and the one that works know of each other. */
static struct {
	pthread_mutex_t mutex;
	pthread_cond_t over_changed;
	pthread_t thread;
	bool started;
	bool over;
	const char *what;
} waiting = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static struct timespec time_after(int64_t ms)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += ms / 1000;
	time.tv_nsec += ms % 1000 * 1000000;
	if (time.tv_nsec >= 1000000000) {
		time.tv_sec++;
		time.tv_nsec -= 1000000000;
	}
	return time;
}

/* Whether it is over, after MS at the latest. */
static bool over_within(int64_t ms)
{
	struct timespec end = time_after(ms);

	while (!waiting.over &&
	       pthread_cond_timedwait(&waiting.over_changed, &waiting.mutex,
				      &end) == 0)
		continue;
	return waiting.over;
}

static void *tell_time(void *unused)
{
	int64_t begin = clock_now();
	char line[LINE_ROOM], text[LINE_ROOM];
	size_t shown = 0;

	(void)unused;
	pthread_mutex_lock(&waiting.mutex);
	if (!over_within(FIRST_AFTER_MS)) {
		do {
			line[0] = '\0';
			snprintf(text, sizeof(text), "%" PRId64 " s",
				 (clock_now() - begin) / 1000);
			append(line, room_on_line(), text);
			snprintf(text, sizeof(text), ": %s", waiting.what);
			append(line, room_on_line(), text);
			shown = put_line(line, shown);
		} while (!over_within(EVERY_MS));
		put_line("", shown);
	}
	pthread_mutex_unlock(&waiting.mutex);
	return NULL;
}

void waiting_begin(const char *what)
{
	pthread_condattr_t attributes;
	sigset_t all, former;

	waiting.started = false;
	if (!isatty(STDERR_FILENO))
		return;
	waiting.what = what;
	waiting.over = false;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&waiting.over_changed, &attributes);
	pthread_condattr_destroy(&attributes);
	/* Signals are for the thread that works. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &former);
	waiting.started =
		pthread_create(&waiting.thread, NULL, tell_time, NULL) == 0;
	pthread_sigmask(SIG_SETMASK, &former, NULL);
}

void waiting_end(void)
{
	if (!waiting.started)
		return;
	pthread_mutex_lock(&waiting.mutex);
	waiting.over = true;
	pthread_cond_signal(&waiting.over_changed);
	pthread_mutex_unlock(&waiting.mutex);
	pthread_join(waiting.thread, NULL);
	pthread_cond_destroy(&waiting.over_changed);
	waiting.started = false;
}
