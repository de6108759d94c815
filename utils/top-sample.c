// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "top-sample.h"

/* The module's name as an exporter. */
#define OWN_EXPORTER "portalmem"

static int compare_pids(const void *a, const void *b)
{
	const struct top_process *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

static int list_processes(struct top_sample *sample)
{
	const struct census *census = &sample->census;
	size_t count = 0;

	/* One more: no room at all may be NULL. */
	sample->processes =
		calloc(census->holder_count + 1, sizeof(*sample->processes));
	if (!sample->processes)
		return -ENOMEM;
	for (size_t i = 0; i < census->holder_count; i++)
		sample->processes[i].pid = census->holders[i].pid;
	qsort(sample->processes, census->holder_count,
	      sizeof(*sample->processes), compare_pids);
	for (size_t i = 0; i < census->holder_count; i++) {
		if (!count || sample->processes[count - 1].pid !=
				      sample->processes[i].pid)
			sample->processes[count++] = sample->processes[i];
	}
	sample->process_count = count;
	return 0;
}

static int fill_sample(struct top_sample *sample, const char *root)
{
	int ret = census_take(&sample->census, root);

	if (ret)
		return ret;
	sample->when = clock_now();
	sample->born = calloc(sample->census.count + 1, sizeof(*sample->born));
	if (!sample->born)
		return -ENOMEM;
	ret = list_processes(sample);
	if (ret)
		return ret;
	for (size_t i = 0; i < sample->process_count; i++) {
		struct top_process *process = &sample->processes[i];

		process->timed = census_process_times(root, process->pid,
						      &process->times);
	}
	return heap_states_read(&sample->heaps, root);
}

int top_sample_take(struct top_sample **samplep, const char *root)
{
	struct top_sample *sample = calloc(1, sizeof(*sample));
	int ret = sample ? fill_sample(sample, root) : -ENOMEM;

	if (ret) {
		top_sample_free(sample);
		return ret;
	}
	*samplep = sample;
	return 0;
}

void top_sample_free(struct top_sample *sample)
{
	if (!sample)
		return;
	census_free(&sample->census);
	heap_states_free(&sample->heaps);
	free(sample->born);
	free(sample->processes);
	free(sample);
}

const struct top_process *top_sample_find(const struct top_sample *sample,
					  pid_t pid)
{
	struct top_process wanted = {.pid = pid};

	if (!sample->process_count)
		return NULL;
	return bsearch(&wanted, sample->processes, sample->process_count,
		       sizeof(wanted), compare_pids);
}

/* What happened in a heap since BEFORE; one that is new has started then. */
static uint64_t count_allocations(const struct heap_state *heap,
				  const struct heap_states *before)
{
	const struct heap_state *then = heap_states_find(before, heap->name);

	if (!heap->counted)
		return 0;
	if (!then || !then->counted || heap->allocations < then->allocations)
		return heap->allocations;
	return heap->allocations - then->allocations;
}

/* Both lists are by inode, and no inode is used twice. */
static void note_births(struct top_sample *now, const struct top_sample *before)
{
	bool own_counted = false;
	size_t then = 0;

	for (size_t i = 0; i < now->heaps.count; i++) {
		own_counted |= now->heaps.list[i].counted;
		now->allocations +=
			count_allocations(&now->heaps.list[i], &before->heaps);
	}
	for (size_t i = 0; i < now->census.count; i++) {
		const struct dmabuf *buffer = &now->census.buffers[i];

		while (then < before->census.count &&
		       before->census.buffers[then].inode < buffer->inode)
			then++;
		if (then < before->census.count &&
		    before->census.buffers[then].inode == buffer->inode) {
			now->born[i] = before->born[then];
			continue;
		}
		now->born[i] = now->when;
		if (!own_counted || strcmp(buffer->exporter, OWN_EXPORTER) != 0)
			now->allocations++;
	}
}

static bool is_same_process(const struct top_process *a,
			    const struct top_process *b)
{
	return a->timed && b->timed && a->times.started == b->times.started;
}

static void note_idleness(struct top_sample *now,
			  const struct top_sample *before)
{
	for (size_t i = 0; i < now->process_count; i++) {
		struct top_process *process = &now->processes[i];
		const struct top_process *then =
			top_sample_find(before, process->pid);

		process->idle_since = now->when;
		if (then && is_same_process(process, then) &&
		    process->times.used == then->times.used)
			process->idle_since = then->idle_since;
	}
}

static bool is_idle(const struct top_sample *sample, pid_t pid)
{
	const struct top_process *process = top_sample_find(sample, pid);

	return process && process->timed &&
	       sample->when - process->idle_since >= TOP_IDLE_MS;
}

static void mark_leaks(struct top_sample *sample)
{
	for (size_t i = 0; i < sample->census.count; i++) {
		struct dmabuf *buffer = &sample->census.buffers[i];

		buffer->leaked = dmabuf_may_be_leaked(buffer);
		for (size_t j = 0; buffer->leaked && j < buffer->holder_count;
		     j++)
			buffer->leaked =
				is_idle(sample, buffer->holders[j].pid);
	}
}

void top_history_add(struct top_history *history, struct top_sample *sample)
{
	history->count++;
	if (!history->now) {
		for (size_t i = 0; i < sample->census.count; i++)
			sample->born[i] = TOP_BORN_BEFORE;
		for (size_t i = 0; i < sample->process_count; i++)
			sample->processes[i].idle_since = sample->when;
		history->first = history->before = history->now = sample;
		return;
	}
	if (history->before != history->first)
		top_sample_free(history->before);
	history->before = history->now;
	history->now = sample;
	sample->allocations = history->before->allocations;
	note_births(sample, history->before);
	note_idleness(sample, history->before);
	mark_leaks(sample);
}

void top_history_free(struct top_history *history)
{
	if (history->now != history->before)
		top_sample_free(history->now);
	if (history->before != history->first)
		top_sample_free(history->before);
	top_sample_free(history->first);
	memset(history, 0, sizeof(*history));
}

uint64_t top_history_rate(const struct top_history *history, uint64_t before,
			  uint64_t now)
{
	int64_t ms = history->now->when - history->before->when;
	uint64_t count = now < before ? now : now - before;

	if (ms <= 0 || count > UINT64_MAX / 1000000)
		return 0;
	return count * 1000000 / (uint64_t)ms;
}
