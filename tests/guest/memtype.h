/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether every mapping of a buffer has the memory type that the module says
 * the buffer has. The tests are the same on a machine that has write combining
 * and on one that has not.
 */
#ifndef MEMTYPE_H
#define MEMTYPE_H

#include "../lib/pmtest.h"

/* The tests, which load pm_memtype. */
Suite *memtype_suite(void);

#endif
