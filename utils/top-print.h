/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples on standard output, one after the other.
 */
#ifndef TOP_PRINT_H
#define TOP_PRINT_H

#include "top-ui.h"

/* Gives an exit status. */
int top_print_text(const struct top_report *report, struct top_ui *ui);

/* One line. Of the buffers, processes and exporters, all. */
void top_print_json(const struct top_report *report);

#endif
