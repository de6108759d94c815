/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

/* Never reached. */
#define DEADLINE_NONE INT64_MAX

/* Monotonic milliseconds. */
int64_t clock_now(void);

/* Milliseconds left until DEADLINE, as poll(2) takes them. */
int clock_left(int64_t deadline);

#endif
