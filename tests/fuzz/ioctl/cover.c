// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cover.h"

/*
 * kcov's own, with the numbers of a 64-bit kernel: it takes them from a program
 * of 32 bits, too.
 */
#define KCOV "/sys/kernel/debug/kcov"
#define KCOV_INIT_TRACE _IOR('c', 1, uint64_t)
#define KCOV_ENABLE _IO('c', 100)
#define KCOV_TRACE_PC 0

#define ENTRIES (64 << 10)

/* The first word counts the others. */
static volatile uint64_t *trace;
static uint64_t seen;
static uint64_t before;

bool cover_begin(void)
{
	int fd = open(KCOV, O_RDWR | O_CLOEXEC);
	void *mapped;

	trace = NULL;
	if (fd < 0)
		return false;
	/* The kernel counts in its own words. */
	if (ioctl(fd, KCOV_INIT_TRACE, (unsigned long)ENTRIES)) {
		close(fd);
		return false;
	}
	mapped = mmap(NULL, ENTRIES * sizeof(uint64_t), PROT_READ | PROT_WRITE,
		      MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED || ioctl(fd, KCOV_ENABLE, KCOV_TRACE_PC)) {
		close(fd);
		return false;
	}
	trace = mapped;
	return true;
}

void cover_reset(void)
{
	seen = 0;
	before = 0;
	if (trace)
		trace[0] = 0;
}

static void note_place(struct cover *cover, uint64_t place)
{
	const unsigned int most = sizeof(cover->places) / sizeof(uint64_t);
	uint64_t seed = place;
	unsigned int at = (unsigned int)random_next(&seed) % most;

	while (cover->places[at] && cover->places[at] != place)
		at = (at + 1) % most;
	if (cover->places[at] || cover->place_count > most / 2)
		return;
	cover->places[at] = place;
	cover->place_count++;
}

static bool note_edge(struct cover *cover, uint64_t from, uint64_t to)
{
	uint64_t seed = from * 3 + to;
	uint8_t *edge =
		&cover->edges[random_next(&seed) % sizeof(cover->edges)];

	if (*edge)
		return false;
	*edge = 1;
	cover->edge_count++;
	note_place(cover, to);
	return true;
}

static bool note_outcome(struct cover *cover, const struct state *state,
			 unsigned int at)
{
	unsigned int operation = state->program->calls[at].operation;
	uint8_t *outcome =
		&cover->outcomes[operation % 64][(uint8_t)state->errors[at]];

	if (*outcome)
		return false;
	*outcome = 1;
	cover->outcome_count++;
	return true;
}

bool cover_note(struct cover *cover, const struct state *state, unsigned int at)
{
	bool is_new = note_outcome(cover, state, at);
	uint64_t count = trace ? trace[0] : 0;

	for (; seen < count && seen + 1 < ENTRIES; seen++) {
		uint64_t place = trace[seen + 1];

		is_new |= note_edge(cover, before, place);
		before = place;
	}
	return is_new;
}
