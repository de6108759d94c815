// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel makes of the tracepoints. */
#define CREATE_TRACE_POINTS
#include "trace.h"
