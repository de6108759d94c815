/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels, and nothing else. "probed.h" is written by the
 * probe script from what really compiles against the kernel at hand.
 */
#ifndef _PORTALMEM_COMPAT_H
#define _PORTALMEM_COMPAT_H

#include <linux/module.h>

#include "probed.h"

#ifdef PORTALMEM_HAVE_IMPORT_NS_STRING
#define PORTALMEM_IMPORT_DMA_BUF() MODULE_IMPORT_NS("DMA_BUF")
#else
#define PORTALMEM_IMPORT_DMA_BUF() MODULE_IMPORT_NS(DMA_BUF)
#endif

#endif /* _PORTALMEM_COMPAT_H */
