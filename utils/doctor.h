/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What 'portalmem doctor' finds out about the machine.
 */
#ifndef DOCTOR_H
#define DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "portalmem.h"

enum verdict {
	VERDICT_FINE, /* nothing to do */
	VERDICT_NOTE, /* something could be better */
	VERDICT_WRONG /* something does not work */
};

struct finding {
	enum verdict verdict;
	char topic[16];
	char text[512];
	char advice[512]; /* empty: none */
};

struct examination {
	const char *root;	 /* of /proc and /sys, "" for this machine's */
	const char *device_path; /* where a program would allocate */
	enum portalmem_backend backend;
	struct finding *findings;
	size_t count;
	bool out_of_memory; /* some findings are lost */
	bool can_allocate;
};

/* Add a finding; ADVICE is a whole sentence without its stop, or "". */
void find(struct examination *all, enum verdict verdict, const char *topic,
	  const char *advice, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* From what the kernel tells in /proc and /sys. */
void examine_kernel(struct examination *all);
void examine_module(struct examination *all);
void examine_cgroup(struct examination *all);
void examine_memory(struct examination *all);
void examine_devices(struct examination *all);

/* By trying: the nodes, and what can be allocated there. */
void examine_nodes(struct examination *all);
void examine_caching(struct examination *all);
void examine_allocation(struct examination *all);

#endif
