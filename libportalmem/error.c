// SPDX-License-Identifier: LGPL-2.1-or-later
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "private.h"

#define MESSAGE_MAX 512

static _Thread_local char message[MESSAGE_MAX];

PM_EXPORT const char *portalmem_error_message(void)
{
	return message;
}

static const char *usual_advice(int error)
{
	switch (error) {
	case -EMFILE:
		return "close descriptors or raise the limit (ulimit -n)";
	case -ENFILE:
		return "raise the system's limit (sysctl fs.file-max)";
	case -ENOMEM:
		return "ask for less or free memory";
	case -EBADF:
		return "give a file descriptor that is open";
	default:
		return NULL;
	}
}

/* The message is one line, whatever a path or a name in it holds. */
static void make_one_line(void)
{
	for (char *c = message; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

static size_t append(size_t used, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static size_t append(size_t used, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(message + used, MESSAGE_MAX - used, format, args);
	va_end(args);
	if (length < 0)
		return used;
	/* The terminating NUL stays within the message when it is cut. */
	used += (size_t)length;
	return used < MESSAGE_MAX ? used : MESSAGE_MAX - 1;
}

static size_t start(const char *format, va_list args)
	__attribute__((format(printf, 1, 0)));

static size_t start(const char *format, va_list args)
{
	int length = vsnprintf(message, MESSAGE_MAX, format, args);

	if (length < 0)
		return 0;
	return length < MESSAGE_MAX ? (size_t)length : MESSAGE_MAX - 1;
}

PM_EXPORT int portalmem_private_fail(int error, const char *advice,
				     const char *format, ...)
{
	va_list args;
	size_t used;

	va_start(args, format);
	used = start(format, args);
	va_end(args);
	errno = -error;
	used = append(used, ": %m");
	if (!advice)
		advice = usual_advice(error);
	if (advice)
		append(used, "; %s", advice);
	make_one_line();
	return error;
}

PM_EXPORT int portalmem_private_refuse(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	start(format, args);
	va_end(args);
	make_one_line();
	return error;
}
