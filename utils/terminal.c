// SPDX-License-Identifier: GPL-2.0-or-later
#include <config.h>

#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "terminal.h"

size_t terminal_columns(int fd)
{
	const char *text = getenv("COLUMNS");
	struct winsize size;
	char *end;
	long columns;

	if (!isatty(fd))
		return SIZE_MAX;
	if (text && text[0] >= '1' && text[0] <= '9') {
		columns = strtol(text, &end, 10);
		if (!*end)
			return (size_t)columns;
	}
	if (ioctl(fd, TIOCGWINSZ, &size) || !size.ws_col)
		return SIZE_MAX;
	return size.ws_col;
}

size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}
