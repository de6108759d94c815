/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the printed forms of a census have in common. In JSON, these are the
 * members of objects that a caller begins and ends.
 */
#ifndef CENSUS_PRINT_H
#define CENSUS_PRINT_H

#include "census-view.h"
#include "json.h"

/* How much was seen, and what is missing. */
void print_census_members(struct json *json, const struct census_view *view);

void print_dmabuf_members(struct json *json, const struct dmabuf *buffer);
void print_total_members(struct json *json, const struct census_total *total);

/* Say on stderr what could not be read: what is not seen is not nothing. */
void warn_of_missing(const struct census *census);

#endif
