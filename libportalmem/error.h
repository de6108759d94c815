/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The text behind portalmem_error_message(), shared with libportalmem-drm
 * and libportalmem-v4l2: all libraries come from one release, and the symbol is
 * in a version section of its own that promises nothing to others.
 */
#ifndef LIBPORTALMEM_ERROR_H
#define LIBPORTALMEM_ERROR_H

/* Everything is hidden but what carries this. */
#define PM_EXPORT __attribute__((visibility("default")))

/*
 * Remember "TEXT: what ERROR means; ADVICE" for the calling thread and return
 * ERROR, a negative errno value. Without advice, the usual one for ERROR is
 * given, if there is one.
 */
int portalmem_private_fail(int error, const char *advice, const char *format,
			   ...) __attribute__((format(printf, 3, 4)));

/* The same for a TEXT that says it all. */
int portalmem_private_refuse(int error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define pm_fail portalmem_private_fail
#define pm_refuse portalmem_private_refuse

#endif
